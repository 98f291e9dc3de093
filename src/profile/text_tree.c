/*
 * Who calls whom, as text:
 *
 *	on-CPU: 3120 samples in 10.0 s
 *	 TOTAL   SELF
 *	100.0%   0.0%  worker
 *	100.0%   0.0%  main
 *	 70.3%  70.3%  ├─ heavy
 *	 29.7%  29.7%  └─ light
 *
 * A function that has one callee has it below, not beside it: so deep stacks stay in view.
 * A difference has what it was and what it is in place of total and self.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "profile/report.h"

struct drawing {
	const struct skep_profile_job *job;
	struct skep_profile shown;
	struct skep_profile_tree tree;
	struct skep_buf *buf;
	struct skep_buf prefix; /* of the branches that a line is in: "│  " or "   " for each */
	SKEP_VEC(struct level {
		size_t end;       /* of the prefix's bytes that are its callees' */
		uint32_t n_shown; /* callees */
	})
	levels;       /* by depth */
	double least; /* what weighs less is not shown */
	double all;
	uint32_t n_rows, n_hidden;
};

static int heaviest_first(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

/* Of more rows than may be shown, the heaviest are: a caller is never lighter than its callees. */
static void find_least(struct drawing *d)
{
	uint32_t most = d->job->options->rows, n = d->shown.n_nodes;

	d->least = d->job->options->least * d->all;
	if (!most || n <= most + 1)
		return;
	double *weights = skep_xcalloc(n, sizeof(*weights));
	for (uint32_t i = 0; i < n; i++)
		weights[i] = skep_profile_weight_all(d->tree.total[i]);
	qsort(weights, n, sizeof(*weights), heaviest_first);
	if (weights[most] > d->least) /* weights[0] is the root's, which has no row */
		d->least = weights[most];
	free(weights);
}

/* @node, of that depth, has been drawn: what its callees need to be. Once for all of them, since
 * there may be any number. */
static void set_level(struct drawing *d, size_t depth, uint32_t node)
{
	struct level level = {d->prefix.len, skep_profile_tree_heavy(&d->tree, node, d->least)};

	if (d->levels.len == depth)
		skep_vec_push(&d->levels, level);
	else
		d->levels.data[depth] = level;
}

static void add_shares(const struct drawing *d, uint32_t node)
{
	struct skep_profile_weight total = d->tree.total[node], self = d->tree.self[node];

	if (d->shown.is_diff) {
		skep_report_share(d->buf, total.before);
		skep_buf_addc(d->buf, ' ');
		skep_report_share(d->buf, total.now);
		skep_report_change(d->buf, total.now - total.before);
	} else {
		skep_report_share(d->buf, total.now / d->all);
		skep_buf_addc(d->buf, ' ');
		skep_report_share(d->buf, self.now / d->all);
	}
	skep_buf_puts(d->buf, "  ");
}

static void add_name(const struct drawing *d, uint32_t node, size_t used)
{
	const struct skep_profile_frame *frame = &d->shown.frames[d->shown.nodes[node].frame];
	size_t width = d->job->options->width;
	size_t room = !width ? 0 : width > used + 8 ? width - used : 8;

	skep_buf_puts(d->buf, skep_report_color(d->job, frame->kind));
	skep_report_name(d->buf, d->shown.strings[frame->name], room);
	skep_buf_puts(d->buf, skep_report_plain(d->job, frame->kind));
	skep_buf_addc(d->buf, '\n');
}

/* @walk has come to @node, which is neither hidden nor 0. */
static void draw_node(struct drawing *d, const struct skep_profile_walk *walk, uint32_t node)
{
	const struct skep_profile_walk_level *caller = &walk->levels[walk->n - 2];
	uint32_t at = caller->next - 1 - d->tree.begin[caller->node];
	uint32_t n = d->levels.data[walk->n - 2].n_shown;
	size_t from = d->buf->len, end = d->levels.data[walk->n - 2].end;
	const char *branch = n == 1 ? "" : at + 1 == n ? "└─ " : "├─ ";

	add_shares(d, node);
	skep_buf_add(d->buf, d->prefix.data, end);
	skep_buf_puts(d->buf, branch);
	add_name(d, node, skep_report_width(d->buf->data + from));
	d->prefix.len = end;
	if (n > 1)
		skep_buf_puts(&d->prefix, at + 1 == n ? "   " : "│  ");
	set_level(d, walk->n - 1, node);
	d->n_rows++;
}

static void draw(struct drawing *d)
{
	_cleanup_profile_walk_ struct skep_profile_walk walk;
	uint32_t node, most = d->job->options->rows;

	skep_buf_reserve(&d->prefix, 1);
	set_level(d, 0, 0);
	skep_profile_walk_init(&walk, &d->tree);
	while (skep_profile_walk_next(&walk, &node)) {
		if (!node)
			continue;
		if (!skep_profile_tree_is_heavy(&d->tree, node, d->least) ||
		    (most && d->n_rows == most)) {
			d->n_hidden++;
			skep_profile_walk_skip(&walk);
		} else {
			draw_node(d, &walk, node);
		}
	}
}

static void add_rest(const struct drawing *d)
{
	if (d->n_hidden)
		skep_buf_printf(d->buf, "not shown: %u smaller ones and what they call\n",
				d->n_hidden);
	skep_report_losses(&d->shown, d->buf);
}

int skep_profile_write_tree(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct drawing d = {.job = job, .buf = buf};

	skep_profile_weighed(job, &d.shown);
	skep_profile_tree_init(&d.tree, &d.shown, job->type, SKEP_TREE_HEAVIEST_FIRST);
	d.all = skep_profile_weight_all(d.tree.total[0]);
	find_least(&d);
	skep_report_head(job, buf);
	skep_buf_addc(buf, '\n');
	if (d.all > 0) {
		skep_buf_puts(buf, d.shown.is_diff ? "BEFORE    NOW CHANGE\n" : " TOTAL   SELF\n");
		draw(&d);
	}
	add_rest(&d);
	skep_profile_tree_done(&d.tree);
	skep_profile_done(&d.shown);
	skep_buf_done(&d.prefix);
	skep_vec_done(&d.levels);
	return 0;
}
