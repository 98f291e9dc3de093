/*
 * Functions, by what they used themselves:
 *
 *	on-CPU: 3120 samples in 10.0 s
 *	  SELF  TOTAL  FUNCTION                                    MODULE
 *	 70.3%  70.3%  heavy                                       /usr/bin/worker
 *
 * A function that calls itself counts once in its total, however deep: where it is for the
 * first time on a stack. A difference is sorted by what changed most.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/report.h"
#include "sink/number.h"

#define NAME_LEAST 16 /* columns that a name has, however narrow it is */

struct row {
	const struct skep_profile_frame *frame;
	struct skep_profile_weight self, total;
};

struct listing {
	const struct skep_profile_job *job;
	struct skep_profile shown;
	struct skep_profile_tree tree;
	struct row *rows; /* by frame; owned */
	double all;
	size_t name_width;
};

/* --- Counting ------------------------------------------------------------------------------- */

static void add_weight(struct skep_profile_weight *to, struct skep_profile_weight more)
{
	to->before += more.before;
	to->now += more.now;
}

/* Along the walk, how often each frame is on the stack. */
static void count(struct listing *l)
{
	_cleanup_profile_walk_ struct skep_profile_walk walk;
	uint32_t *on_stack = skep_xcalloc(l->shown.n_frames, sizeof(*on_stack));
	SKEP_VEC(uint32_t) stack = {0};
	uint32_t node;

	skep_profile_walk_init(&walk, &l->tree);
	while (skep_profile_walk_next(&walk, &node)) {
		uint32_t frame = l->shown.nodes[node].frame;
		while (stack.len >= walk.n)
			on_stack[skep_vec_pop(&stack)]--;
		skep_vec_push(&stack, frame);
		if (!on_stack[frame]++)
			add_weight(&l->rows[frame].total, l->tree.total[node]);
		add_weight(&l->rows[frame].self, l->tree.self[node]);
	}
	skep_vec_done(&stack);
	free(on_stack);
}

static double change_of(const struct row *row)
{
	return fabs(row->self.now - row->self.before);
}

static int by_self(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double self = skep_profile_weight_all(y->self) - skep_profile_weight_all(x->self);
	double total = skep_profile_weight_all(y->total) - skep_profile_weight_all(x->total);

	if (self != 0)
		return self > 0 ? 1 : -1;
	if (total != 0)
		return total > 0 ? 1 : -1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

static int by_change(const void *a, const void *b)
{
	double x = change_of(a), y = change_of(b);

	return x == y ? by_self(a, b) : (x < y) - (x > y);
}

/* --- Printing ------------------------------------------------------------------------------- */

static const char *name_of(const struct listing *l, const struct row *row)
{
	return l->shown.strings[row->frame->name];
}

/* The width of the names: of the longest, but so that a third of the line is the module's. */
static void find_widths(struct listing *l, uint32_t n)
{
	size_t width = l->job->options->width, most = 60;

	if (width)
		most = width > 3 * NAME_LEAST ? (width - NAME_LEAST) * 2 / 3 : NAME_LEAST;
	l->name_width = strlen("FUNCTION");
	for (uint32_t i = 0; i < n; i++) {
		size_t wide = skep_report_width(name_of(l, &l->rows[i]));
		if (wide > l->name_width)
			l->name_width = wide < most ? wide : most;
	}
}

static void add_shares(const struct listing *l, const struct row *row, struct skep_buf *buf)
{
	if (l->shown.is_diff) {
		skep_report_share(buf, row->self.before);
		skep_buf_addc(buf, ' ');
		skep_report_share(buf, row->self.now);
		skep_report_change(buf, row->self.now - row->self.before);
	} else {
		skep_report_share(buf, row->self.now / l->all);
		skep_buf_addc(buf, ' ');
		skep_report_share(buf, row->total.now / l->all);
	}
	skep_buf_puts(buf, "  ");
}

static void add_row(const struct listing *l, const struct row *row, struct skep_buf *buf)
{
	size_t width = l->job->options->width, from = buf->len;
	const char *module = l->shown.strings[row->frame->module];

	add_shares(l, row, buf);
	size_t used = buf->len - from + l->name_width + 2;
	skep_buf_puts(buf, skep_report_color(l->job, row->frame->kind));
	size_t name = buf->len;
	skep_report_name(buf, name_of(l, row), l->name_width);
	size_t wide = skep_report_width(buf->data + name);
	skep_buf_puts(buf, skep_report_plain(l->job, row->frame->kind));
	if (*module) {
		skep_buf_fill(buf, ' ', l->name_width - wide + 2);
		skep_report_name(buf, module, width > used + 8 ? width - used : width ? 8 : 0);
	}
	skep_buf_addc(buf, '\n');
}

/* Functions that used something; frame 0 is none. */
static uint32_t keep_used(struct listing *l)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < l->shown.n_frames; i++) {
		l->rows[i].frame = &l->shown.frames[i];
		if (skep_profile_weight_all(l->rows[i].total) > 0)
			l->rows[n++] = l->rows[i];
	}
	return n;
}

static void print(struct listing *l, struct skep_buf *buf)
{
	bool is_diff = l->shown.is_diff;
	uint32_t n = keep_used(l), most = l->job->options->rows;
	uint32_t n_rows = most && most < n ? most : n;

	qsort(l->rows, n, sizeof(*l->rows), is_diff ? by_change : by_self);
	find_widths(l, n_rows);
	skep_buf_printf(buf, "%s%-*s  MODULE\n",
			is_diff ? "BEFORE    NOW CHANGE  " : "  SELF  TOTAL  ", (int)l->name_width,
			"FUNCTION");
	for (uint32_t i = 0; i < n_rows; i++)
		add_row(l, &l->rows[i], buf);
	if (n_rows < n)
		skep_buf_printf(buf, "not shown: %u more functions\n", n - n_rows);
}

int skep_profile_write_top(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct listing l = {.job = job};

	skep_profile_weighed(job, &l.shown);
	skep_profile_tree_init(&l.tree, &l.shown, job->type, SKEP_TREE_HEAVIEST_FIRST);
	l.rows = skep_xcalloc(l.shown.n_frames, sizeof(*l.rows));
	l.all = skep_profile_weight_all(l.tree.total[0]);
	count(&l);
	skep_report_head(job, buf);
	skep_buf_addc(buf, '\n');
	if (l.all > 0)
		print(&l, buf);
	skep_report_losses(&l.shown, buf);
	free(l.rows);
	skep_profile_tree_done(&l.tree);
	skep_profile_done(&l.shown);
	return 0;
}
