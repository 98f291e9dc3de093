/* Samples of one profile into another, see merge.h. */
#include "profile/merge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/strmap.h"

void skep_profile_merger_init(struct skep_profile_merger *merger, const struct skep_profile *from,
			      struct skep_profile *to)
{
	*merger = (struct skep_profile_merger){.from = from, .to = to};
}

void skep_profile_merger_done(struct skep_profile_merger *merger)
{
	free(merger->strings.to);
	free(merger->frames.to);
	free(merger->nodes.to);
	skep_vec_done(&merger->stack);
}

/* Where the number of element @at of @n is kept. */
static uint32_t *place_of(struct skep_merged *merged, uint32_t at, uint32_t n)
{
	if (merged->n < n) {
		uint32_t cap = merged->n * 2 > n ? merged->n * 2 : n;
		merged->to = skep_xrealloc(merged->to, cap * sizeof(*merged->to));
		memset(merged->to + merged->n, 0, (cap - merged->n) * sizeof(*merged->to));
		merged->n = cap;
	}
	return &merged->to[at];
}

static skep_profile_str string_of(struct skep_profile_merger *merger, skep_profile_str from)
{
	uint32_t *to = place_of(&merger->strings, from, merger->from->n_strings);

	if (!*to)
		*to = skep_profile_text(merger->to, merger->from->strings[from]) + 1;
	return *to - 1;
}

static uint32_t frame_of(struct skep_profile_merger *merger, uint32_t from)
{
	uint32_t *to = place_of(&merger->frames, from, merger->from->n_frames);
	struct skep_profile_frame frame = merger->from->frames[from];

	if (!*to) {
		frame.name = string_of(merger, frame.name);
		frame.module = string_of(merger, frame.module);
		frame.file = string_of(merger, frame.file);
		*to = skep_profile_frame(merger->to, &frame) + 1;
	}
	return *to - 1;
}

/* From the innermost node outwards to one that is known, and back. */
static uint32_t node_of(struct skep_profile_merger *merger, uint32_t from)
{
	const struct skep_profile *profile = merger->from;
	uint32_t to = 0;

	merger->stack.len = 0;
	for (; from; from = profile->nodes[from].parent) {
		to = *place_of(&merger->nodes, from, profile->n_nodes);
		if (to)
			break;
		skep_vec_push(&merger->stack, from);
	}
	to = to ? to - 1 : 0;
	while (merger->stack.len) {
		from = skep_vec_pop(&merger->stack);
		to = skep_profile_node(merger->to, to,
				       frame_of(merger, profile->nodes[from].frame));
		*place_of(&merger->nodes, from, profile->n_nodes) = to + 1;
	}
	return to;
}

/* --- Whose ----------------------------------------------------------------------------------- */

/* "/a" is in "/a" and has "/a/b" below it, not "/ab". */
static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	while (len && folder[len - 1] == '/')
		len--;
	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/');
}

static bool has_pid(const struct skep_profile_filter *filter, uint32_t pid)
{
	for (uint32_t i = 0; i < filter->n_pids; i++) {
		if (filter->pids[i] == pid)
			return true;
	}
	return !filter->n_pids;
}

bool skep_profile_is_wanted(const struct skep_profile_filter *filter,
			    const struct skep_profile *profile,
			    const struct skep_profile_sample *sample)
{
	return has_pid(filter, sample->pid) && (!filter->tid || filter->tid == sample->tid) &&
	       (!filter->comm || !strcmp(filter->comm, profile->strings[sample->comm])) &&
	       (!filter->cgroup || is_below(profile->strings[sample->cgroup], filter->cgroup));
}

/* --- What ------------------------------------------------------------------------------------ */

static struct skep_profile_value_type type_of(struct skep_profile_merger *merger,
					      struct skep_profile_value_type from)
{
	return (struct skep_profile_value_type){string_of(merger, from.name),
						string_of(merger, from.unit)};
}

static void merge_builds(struct skep_profile_merger *merger)
{
	for (uint32_t i = 0; i < merger->from->n_modules; i++) {
		const struct skep_profile_module *module = &merger->from->modules[i];
		skep_profile_set_build(merger->to, string_of(merger, module->path),
				       string_of(merger, module->build_id));
	}
}

/* With its end: "ab", "c" is not "a", "bc". */
static void put_text(struct skep_buf *out, const struct skep_profile *profile,
		     skep_profile_str text)
{
	skep_buf_add(out, profile->strings[text], strlen(profile->strings[text]) + 1);
}

uint64_t skep_profile_kind(const struct skep_profile *profile)
{
	_cleanup_buf_ struct skep_buf words = {0};

	for (uint32_t i = 0; i < profile->n_types; i++) {
		put_text(&words, profile, profile->types[i].name);
		put_text(&words, profile, profile->types[i].unit);
	}
	skep_buf_printf(&words, "%" PRId64, profile->period);
	put_text(&words, profile, profile->period_type.name);
	put_text(&words, profile, profile->period_type.unit);
	uint64_t kind = skep_hash_bytes(words.data, words.len);
	return kind ? kind : 1;
}

int skep_profile_merge_head(struct skep_profile_merger *merger)
{
	const struct skep_profile *from = merger->from;
	struct skep_profile *to = merger->to;

	if (!to->n_types) {
		for (uint32_t i = 0; i < from->n_types; i++)
			to->types[to->n_types++] = type_of(merger, from->types[i]);
		to->period = from->period;
		to->period_type = type_of(merger, from->period_type);
		to->title = string_of(merger, from->title);
	} else if (skep_profile_kind(from) != skep_profile_kind(to)) {
		return -EINVAL;
	}
	merge_builds(merger);
	return 0;
}

void skep_profile_merge(struct skep_profile_merger *merger,
			const struct skep_profile_filter *filter)
{
	const struct skep_profile *from = merger->from;

	for (uint32_t i = 0; i < from->n_samples; i++) {
		struct skep_profile_sample sample = from->samples[i];
		if (filter && !skep_profile_is_wanted(filter, from, &sample))
			continue;
		sample.node = node_of(merger, sample.node);
		sample.comm = string_of(merger, sample.comm);
		sample.cgroup = string_of(merger, sample.cgroup);
		skep_profile_add(merger->to, &sample);
	}
	for (uint32_t i = 0; i < from->n_losses; i++)
		skep_profile_lose(merger->to, from->strings[from->losses[i].what],
				  from->losses[i].n);
}
