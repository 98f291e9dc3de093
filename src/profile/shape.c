/*
 * Profiles made from profiles, see shape.h: each stack is taken apart into its frames and
 * put together anew, in another order or with other frames, in a profile of its own.
 */
#include "profile/shape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/vec.h"

struct reshaping {
	const struct skep_profile *from;
	struct skep_profile *to;
	struct skep_profile_shape shape;
	/* Numbers of `to` + 1, by those of `from`; owned. NULL: a part is not worth clearing room
	 * for all, there may be as many parts as samples. */
	uint32_t *strings, *frames;
	SKEP_VEC(uint32_t) stack; /* frames of `to`, from the outermost inwards */
};

static void reshaping_init(struct reshaping *r, const struct skep_profile *from,
			   struct skep_profile *to, const struct skep_profile_shape *shape)
{
	*r = (struct reshaping){.from = from, .to = to, .shape = *shape};
	if (shape->which)
		return;
	r->strings = skep_xcalloc(from->n_strings, sizeof(*r->strings));
	r->frames = skep_xcalloc(from->n_frames, sizeof(*r->frames));
}

static void reshaping_done(struct reshaping *r)
{
	free(r->strings);
	free(r->frames);
	skep_vec_done(&r->stack);
}
#define _cleanup_reshaping_ __attribute__((cleanup(reshaping_done)))

static skep_profile_str string_of(struct reshaping *r, skep_profile_str from)
{
	if (!r->strings)
		return skep_profile_text(r->to, r->from->strings[from]);
	if (!r->strings[from])
		r->strings[from] = skep_profile_text(r->to, r->from->strings[from]) + 1;
	return r->strings[from] - 1;
}

/* A name in brackets is of a file, where the function's is not known. */
static skep_profile_str addressed(struct reshaping *r, const struct skep_profile_frame *frame)
{
	const char *name = r->from->strings[frame->name];
	size_t len = strlen(name);
	_cleanup_buf_ struct skep_buf buf = {0};

	if (frame->kind >= SKEP_FRAME_PROCESS || *name != '[' || name[len - 1] != ']')
		return string_of(r, frame->name);
	skep_buf_printf(&buf, "%.*s <%" PRIx64 ">]", (int)len - 1, name, frame->addr);
	return skep_profile_string(r->to, buf.data, buf.len);
}

/* Code that is made at run time is the same, though it is in a file of its process; and code of
 * another build, though that lies elsewhere. */
static skep_profile_str module_of(struct reshaping *r, const struct skep_profile_frame *frame)
{
	const char *path = r->from->strings[frame->module];
	const char *slash = r->shape.by_file_name ? strrchr(path, '/') : NULL;

	if (r->shape.by_function && frame->kind == SKEP_FRAME_JIT)
		return skep_profile_text(r->to, "[jit]");
	return slash ? skep_profile_text(r->to, slash + 1) : string_of(r, frame->module);
}

/* "main a.c:12" */
static skep_profile_str lined(struct reshaping *r, const struct skep_profile_frame *frame)
{
	const char *file = r->from->strings[frame->file], *slash = strrchr(file, '/');
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_buf_printf(&buf, "%s %s:%" PRIu32, r->from->strings[frame->name],
			slash ? slash + 1 : file, frame->line);
	return skep_profile_string(r->to, buf.data, buf.len);
}

static uint32_t frame_of(struct reshaping *r, uint32_t from)
{
	const struct skep_profile_frame *old = &r->from->frames[from];
	struct skep_profile_frame frame = *old;

	if (r->frames && r->frames[from])
		return r->frames[from] - 1;
	frame.name = r->shape.has_addresses ? addressed(r, old) : string_of(r, old->name);
	if (r->shape.by_line && old->file && old->line)
		frame.name = lined(r, old);
	frame.module = module_of(r, old);
	frame.file = r->shape.by_function ? 0 : string_of(r, old->file);
	if (r->shape.by_function)
		frame.addr = frame.line = 0;
	uint32_t to = skep_profile_frame(r->to, &frame);
	if (r->frames)
		r->frames[from] = to + 1;
	return to;
}

/* --- Stacks --------------------------------------------------------------------------------- */

/* Append the name of the process's frame, as @root says; nothing: nothing is known of it. */
static void add_root_name(const struct skep_profile *p, const struct skep_profile_sample *sample,
			  enum skep_profile_root root, struct skep_buf *buf)
{
	const char *comm = p->strings[sample->comm];
	char pid[16] = "?";

	if (root == SKEP_PROFILE_ROOT_NONE || (!*comm && !sample->pid))
		return;
	if (sample->pid)
		snprintf(pid, sizeof(pid), "%u", sample->pid);
	if (root == SKEP_PROFILE_ROOT_COMM && *comm)
		skep_buf_puts(buf, comm);
	else if (root == SKEP_PROFILE_ROOT_THREAD)
		skep_buf_printf(buf, "%s-%s/%u", comm, pid, sample->tid);
	else
		skep_buf_printf(buf, "%s-%s", comm, pid);
}

static void push_root(struct reshaping *r, const struct skep_profile_sample *sample)
{
	struct skep_profile_frame frame = {.kind = SKEP_FRAME_PROCESS};
	_cleanup_buf_ struct skep_buf name = {0};

	add_root_name(r->from, sample, r->shape.root, &name);
	if (!name.len)
		return;
	frame.name = skep_profile_string(r->to, name.data, name.len);
	skep_vec_push(&r->stack, skep_profile_frame(r->to, &frame));
}

static void reverse(uint32_t *frames, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t kept = frames[i];
		frames[i] = frames[n - 1 - i];
		frames[n - 1 - i] = kept;
	}
}

/* The node of `to` where @sample's stack ends. */
static uint32_t restack(struct reshaping *r, const struct skep_profile_sample *sample)
{
	const struct skep_profile *from = r->from;
	uint32_t node = 0;
	bool has_process = false;

	r->stack.len = 0;
	for (uint32_t at = sample->node; at; at = from->nodes[at].parent) {
		uint32_t frame = from->nodes[at].frame;
		has_process = from->frames[frame].kind == SKEP_FRAME_PROCESS;
		skep_vec_push(&r->stack, frame_of(r, frame));
	}
	if (!has_process)
		push_root(r, sample);
	if (!r->shape.is_inverted)
		reverse(r->stack.data, r->stack.len);
	skep_vec_foreach (uint32_t, frame, &r->stack)
		node = skep_profile_node(r->to, node, *frame);
	return node;
}

/* --- The whole ------------------------------------------------------------------------------ */

static void copy_losses(struct skep_profile *to, const struct skep_profile *from)
{
	for (uint32_t i = 0; i < from->n_losses; i++)
		skep_profile_lose(to, from->strings[from->losses[i].what], from->losses[i].n);
}

static struct skep_profile_value_type type_of(struct reshaping *r,
					      struct skep_profile_value_type type)
{
	return (struct skep_profile_value_type){string_of(r, type.name), string_of(r, type.unit)};
}

static void copy_head(struct reshaping *r)
{
	struct skep_profile *to = r->to;
	const struct skep_profile *from = r->from;

	for (uint32_t i = 0; i < from->n_types; i++)
		to->types[i] = type_of(r, from->types[i]);
	to->n_types = from->n_types;
	to->start_ns = from->start_ns;
	to->duration_ns = from->duration_ns;
	to->period = from->period;
	to->period_type = type_of(r, from->period_type);
	to->title = string_of(r, from->title);
	to->is_diff = from->is_diff;
	if (!r->shape.which)
		copy_losses(to, from);
}

static bool weighs(const struct skep_profile *profile, const struct skep_profile_sample *sample)
{
	for (uint32_t i = 0; i < profile->n_types; i++) {
		if (sample->values[i])
			return true;
	}
	return false;
}

static void add_shaped(struct reshaping *r, const struct skep_profile_sample *sample)
{
	struct skep_profile_sample shaped = {0};

	if (!weighs(r->from, sample))
		return;
	shaped.node = restack(r, sample);
	memcpy(shaped.values, sample->values, sizeof(shaped.values));
	skep_profile_add(r->to, &shaped);
}

void skep_profile_shaped(const struct skep_profile *profile, const struct skep_profile_shape *shape,
			 struct skep_profile *ret)
{
	_cleanup_reshaping_ struct reshaping r;

	skep_profile_init(ret);
	reshaping_init(&r, profile, ret, shape);
	copy_head(&r);
	for (uint32_t i = 0; i < (shape->which ? shape->n_which : profile->n_samples); i++)
		add_shaped(&r, &profile->samples[shape->which ? shape->which[i] : i]);
}

/* --- One against another -------------------------------------------------------------------- */

int skep_profile_find_type(const struct skep_profile *profile, const char *name, uint32_t *ret,
			   struct skep_diag *diag)
{
	for (uint32_t i = 0; i < profile->n_types; i++) {
		if (!name || !strcmp(profile->strings[profile->types[i].name], name)) {
			*ret = i;
			return 0;
		}
	}
	skep_diag_add(diag, SKEP_DIAG_PROFILE_TYPE, SKEP_NOWHERE, name ? name : "at all");
	for (uint32_t i = 0; i < profile->n_types; i++)
		skep_diag_why(diag, "there is %s (%s)", profile->strings[profile->types[i].name],
			      profile->strings[profile->types[i].unit]);
	return -ENOENT;
}

/* Samples of @from, their values of @type as type @side of @to. */
static void add_side(const struct skep_profile *from, uint32_t type, uint32_t side,
		     struct skep_profile *to)
{
	static const struct skep_profile_shape by_function = {.by_function = true,
							      .by_file_name = true};
	_cleanup_reshaping_ struct reshaping r;

	reshaping_init(&r, from, to, &by_function);
	for (uint32_t i = 0; i < from->n_samples; i++) {
		struct skep_profile_sample sample = {0};
		sample.node = restack(&r, &from->samples[i]);
		sample.values[side] = from->samples[i].values[type];
		skep_profile_add(to, &sample);
	}
	copy_losses(to, from);
}

static bool is_same_type(const struct skep_profile *a, uint32_t i, const struct skep_profile *b,
			 uint32_t k)
{
	return !strcmp(a->strings[a->types[i].name], b->strings[b->types[k].name]) &&
	       !strcmp(a->strings[a->types[i].unit], b->strings[b->types[k].unit]);
}

/* The first that both have; else the first of each: "cycles" may be compared with the "samples" of
 * folded stacks, which do not say what they count. */
static void find_common(const struct skep_profile *before, const struct skep_profile *now,
			uint32_t *ret_before, uint32_t *ret_now)
{
	for (uint32_t i = 0; i < before->n_types; i++) {
		for (uint32_t k = 0; k < now->n_types; k++) {
			if (!is_same_type(before, i, now, k))
				continue;
			*ret_before = i;
			*ret_now = k;
			return;
		}
	}
}

static int find_types(const struct skep_profile *before, const struct skep_profile *now,
		      const char *value, uint32_t *ret_before, uint32_t *ret_now,
		      struct skep_diag *diag)
{
	int err = skep_profile_find_type(before, value, ret_before, diag);

	if (!err)
		err = skep_profile_find_type(now, value, ret_now, diag);
	if (!err && !value)
		find_common(before, now, ret_before, ret_now);
	return err;
}

/* The title says what is compared. */
static void name_diff(struct skep_profile *diff, const char *before, const char *now)
{
	_cleanup_buf_ struct skep_buf title = {0};

	skep_buf_puts(&title, before);
	if (strcmp(before, now) != 0)
		skep_buf_printf(&title, " and %s", now);
	diff->title = skep_profile_string(diff, title.data, title.len);
}

int skep_profile_diff(const struct skep_profile *before, const struct skep_profile *now,
		      const char *value, struct skep_profile *ret, struct skep_diag *diag)
{
	struct skep_profile diff;
	uint32_t a = 0, b = 0;

	int err = find_types(before, now, value, &a, &b, diag);
	if (err)
		return err;
	const char *unit = before->strings[before->types[a].unit];
	const char *other = now->strings[now->types[b].unit];
	if (strcmp(unit, other))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_PROFILE_UNITS, SKEP_NOWHERE, unit,
				      other);
	skep_profile_init(&diff);
	diff.is_diff = true;
	name_diff(&diff, before->strings[before->types[a].name], now->strings[now->types[b].name]);
	skep_profile_add_type(&diff, "before", unit);
	skep_profile_add_type(&diff, "now", unit);
	add_side(before, a, 0, &diff);
	add_side(now, b, 1, &diff);
	*ret = diff;
	return 0;
}
