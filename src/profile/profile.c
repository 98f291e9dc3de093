/* The model: equal strings, frames, nodes and samples are found by hashing and kept once. */
#include "profile/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "base/vec.h"

#define STRING_MOST_BYTES (1U << 20)

/* Numbers of elements by the hash of what they are; at: number + 1, 0 where nothing is. */
struct set {
	struct slot {
		uint32_t hash, at;
	} * slots;
	uint32_t cap; /* a power of two */
	uint32_t n;
};

struct skep_profile_index {
	struct skep_arena text;
	struct set strings, frames, nodes, samples, losses, modules;
	size_t cap_strings, cap_frames, cap_nodes, cap_samples, cap_losses, cap_modules;
};

/* Is element @at of the profile the one that @key tells of? */
typedef bool is_equal(const struct skep_profile *profile, uint32_t at, const void *key);

/* --- Sets ----------------------------------------------------------------------------------- */

static void set_grow(struct set *set)
{
	struct set old = *set;

	set->cap = old.cap ? old.cap * 2 : 64;
	set->slots = skep_xcalloc(set->cap, sizeof(*set->slots));
	for (uint32_t i = 0; i < old.cap; i++) {
		if (!old.slots[i].at)
			continue;
		uint32_t to = old.slots[i].hash & (set->cap - 1);
		while (set->slots[to].at)
			to = (to + 1) & (set->cap - 1);
		set->slots[to] = old.slots[i];
	}
	free(old.slots);
}

/* The place of what @key tells of, in a set that has room; its `at` is 0 if that is not there. */
static struct slot *set_place(const struct skep_profile *profile, const struct set *set,
			      uint32_t hash, is_equal *equal, const void *key)
{
	uint32_t i = hash & (set->cap - 1);

	for (; set->slots[i].at; i = (i + 1) & (set->cap - 1)) {
		if (set->slots[i].hash == hash && equal(profile, set->slots[i].at - 1, key))
			break;
	}
	return &set->slots[i];
}

/* The same, for a caller that fills the place where it is not filled. */
static struct slot *set_find(struct skep_profile *profile, struct set *set, uint32_t hash,
			     is_equal *equal, const void *key)
{
	if (set->n >= set->cap / 2)
		set_grow(set);
	struct slot *slot = set_place(profile, set, hash, equal, key);
	slot->hash = hash;
	return slot;
}

/* @slot is of the element that is @n's next. */
static uint32_t set_take(struct set *set, struct slot *slot, uint32_t *n)
{
	set->n++;
	slot->at = ++*n;
	return *n - 1;
}

static uint32_t hash_of(const void *data, size_t len)
{
	uint64_t hash = skep_hash_bytes(data, len);

	return (uint32_t)(hash ^ hash >> 32);
}

/* --- Strings -------------------------------------------------------------------------------- */

struct text {
	const char *data;
	size_t len;
};

static bool string_is(const struct skep_profile *profile, uint32_t at, const void *key)
{
	const struct text *text = key;

	return !strncmp(profile->strings[at], text->data, text->len) &&
	       !profile->strings[at][text->len];
}

skep_profile_str skep_profile_string(struct skep_profile *profile, const char *text, size_t len)
{
	struct skep_profile_index *index = profile->index;
	struct text key = {text, strnlen(text, len < STRING_MOST_BYTES ? len : STRING_MOST_BYTES)};
	struct slot *slot =
		set_find(profile, &index->strings, hash_of(text, key.len), string_is, &key);

	if (slot->at)
		return slot->at - 1;
	profile->strings = skep_vec_grow_(profile->strings, profile->n_strings, &index->cap_strings,
					  sizeof(*profile->strings));
	profile->strings[profile->n_strings] = skep_arena_dup(&index->text, text, key.len);
	return set_take(&index->strings, slot, &profile->n_strings);
}

skep_profile_str skep_profile_text(struct skep_profile *profile, const char *text)
{
	return skep_profile_string(profile, text, strlen(text));
}

/* --- Frames, nodes -------------------------------------------------------------------------- */

static bool frame_is(const struct skep_profile *profile, uint32_t at, const void *key)
{
	const struct skep_profile_frame *a = &profile->frames[at], *b = key;

	return a->name == b->name && a->module == b->module && a->file == b->file &&
	       a->line == b->line && a->addr == b->addr && a->kind == b->kind;
}

/* What is nameless is not frame 0, which is none, and formats cannot tell "" from no frame. */
static skep_profile_str name_of(struct skep_profile *profile,
				const struct skep_profile_frame *frame)
{
	char address[32];

	if (frame->name || !profile->n_frames)
		return frame->name;
	snprintf(address, sizeof(address), "0x%" PRIx64, frame->addr);
	return skep_profile_text(profile, frame->addr ? address : "[unknown]");
}

uint32_t skep_profile_frame(struct skep_profile *profile, const struct skep_profile_frame *frame)
{
	struct skep_profile_index *index = profile->index;
	struct skep_profile_frame key = *frame;

	key.name = name_of(profile, frame);
	uint64_t words[] = {(uint64_t)key.name << 32 | key.module,
			    (uint64_t)key.file << 32 | key.line, key.addr, key.kind};
	struct slot *slot =
		set_find(profile, &index->frames, hash_of(words, sizeof(words)), frame_is, &key);

	if (slot->at)
		return slot->at - 1;
	profile->frames = skep_vec_grow_(profile->frames, profile->n_frames, &index->cap_frames,
					 sizeof(*profile->frames));
	profile->frames[profile->n_frames] = key;
	return set_take(&index->frames, slot, &profile->n_frames);
}

static bool node_is(const struct skep_profile *profile, uint32_t at, const void *key)
{
	return !memcmp(&profile->nodes[at], key, sizeof(profile->nodes[at]));
}

uint32_t skep_profile_node(struct skep_profile *profile, uint32_t parent, uint32_t frame)
{
	struct skep_profile_index *index = profile->index;
	struct skep_profile_node node = {parent, frame};
	struct slot *slot =
		set_find(profile, &index->nodes, hash_of(&node, sizeof(node)), node_is, &node);

	if (slot->at)
		return slot->at - 1;
	profile->nodes = skep_vec_grow_(profile->nodes, profile->n_nodes, &index->cap_nodes,
					sizeof(*profile->nodes));
	profile->nodes[profile->n_nodes] = node;
	return set_take(&index->nodes, slot, &profile->n_nodes);
}

/* --- Samples -------------------------------------------------------------------------------- */

static bool sample_is(const struct skep_profile *profile, uint32_t at, const void *key)
{
	const struct skep_profile_sample *a = &profile->samples[at], *b = key;

	return a->node == b->node && a->pid == b->pid && a->tid == b->tid && a->comm == b->comm &&
	       a->cgroup == b->cgroup;
}

int64_t skep_profile_sum(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

void skep_profile_add(struct skep_profile *profile, const struct skep_profile_sample *sample)
{
	struct skep_profile_index *index = profile->index;
	uint32_t words[] = {sample->node, sample->pid, sample->tid, sample->comm, sample->cgroup};
	struct slot *slot = set_find(profile, &index->samples, hash_of(words, sizeof(words)),
				     sample_is, sample);

	if (!slot->at) {
		profile->samples = skep_vec_grow_(profile->samples, profile->n_samples,
						  &index->cap_samples, sizeof(*profile->samples));
		profile->samples[profile->n_samples] = *sample;
		set_take(&index->samples, slot, &profile->n_samples);
		return;
	}
	struct skep_profile_sample *old = &profile->samples[slot->at - 1];
	for (uint32_t i = 0; i < profile->n_types; i++)
		old->values[i] = skep_profile_sum(old->values[i], sample->values[i]);
}

int64_t skep_profile_total(const struct skep_profile *profile, uint32_t type)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < profile->n_samples; i++) {
		if (profile->samples[i].values[type] > 0)
			total = skep_profile_sum(total, profile->samples[i].values[type]);
	}
	return total;
}

/* --- What is told of the whole -------------------------------------------------------------- */

int skep_profile_add_type(struct skep_profile *profile, const char *name, const char *unit)
{
	if (profile->n_types == SKEP_PROFILE_VALUES_MOST || profile->n_samples)
		return -E2BIG;
	profile->types[profile->n_types++] = (struct skep_profile_value_type){
		skep_profile_text(profile, name), skep_profile_text(profile, unit)};
	return 0;
}

static bool loss_is(const struct skep_profile *profile, uint32_t at, const void *key)
{
	return profile->losses[at].what == *(const skep_profile_str *)key;
}

void skep_profile_lose(struct skep_profile *profile, const char *what, uint64_t n)
{
	struct skep_profile_index *index = profile->index;
	skep_profile_str key = skep_profile_text(profile, what);
	struct slot *slot =
		set_find(profile, &index->losses, hash_of(&key, sizeof(key)), loss_is, &key);

	if (!slot->at) {
		profile->losses = skep_vec_grow_(profile->losses, profile->n_losses,
						 &index->cap_losses, sizeof(*profile->losses));
		profile->losses[profile->n_losses] = (struct skep_profile_loss){key, 0};
		set_take(&index->losses, slot, &profile->n_losses);
	}
	uint64_t *lost = &profile->losses[slot->at - 1].n;
	if (__builtin_add_overflow(*lost, n, lost))
		*lost = UINT64_MAX;
}

static bool module_is(const struct skep_profile *profile, uint32_t at, const void *key)
{
	return profile->modules[at].path == *(const skep_profile_str *)key;
}

void skep_profile_set_build(struct skep_profile *profile, skep_profile_str module,
			    skep_profile_str build_id)
{
	struct skep_profile_index *index = profile->index;
	struct slot *slot = set_find(profile, &index->modules, hash_of(&module, sizeof(module)),
				     module_is, &module);

	if (!slot->at) {
		profile->modules = skep_vec_grow_(profile->modules, profile->n_modules,
						  &index->cap_modules, sizeof(*profile->modules));
		profile->modules[profile->n_modules].path = module;
		set_take(&index->modules, slot, &profile->n_modules);
	}
	profile->modules[slot->at - 1].build_id = build_id;
}

skep_profile_str skep_profile_build(const struct skep_profile *profile, skep_profile_str module)
{
	const struct set *modules = &profile->index->modules;

	if (!modules->n)
		return 0;
	const struct slot *slot =
		set_place(profile, modules, hash_of(&module, sizeof(module)), module_is, &module);
	return slot->at ? profile->modules[slot->at - 1].build_id : 0;
}

static void set_clear(struct set *set)
{
	if (set->n)
		memset(set->slots, 0, set->cap * sizeof(*set->slots));
	set->n = 0;
}

void skep_profile_clear(struct skep_profile *profile)
{
	set_clear(&profile->index->samples);
	set_clear(&profile->index->losses);
	profile->n_samples = profile->n_losses = 0;
}

/* --- Life ----------------------------------------------------------------------------------- */

void skep_profile_init(struct skep_profile *ret)
{
	struct skep_profile_frame none = {0};

	*ret = (struct skep_profile){.index = skep_xcalloc(1, sizeof(*ret->index))};
	skep_arena_init(&ret->index->text);
	skep_profile_text(ret, "");
	/* The frame and the node that are none: they have number 0. */
	skep_profile_node(ret, 0, skep_profile_frame(ret, &none));
}

void skep_profile_done(struct skep_profile *profile)
{
	struct skep_profile_index *index = profile->index;

	if (!index)
		return;
	skep_arena_done(&index->text);
	free(index->strings.slots);
	free(index->frames.slots);
	free(index->nodes.slots);
	free(index->samples.slots);
	free(index->losses.slots);
	free(index->modules.slots);
	free(index);
	free(profile->strings);
	free(profile->frames);
	free(profile->nodes);
	free(profile->samples);
	free(profile->losses);
	free(profile->modules);
	*profile = (struct skep_profile){0};
}
