/* See names.h. */
#include "interp/names.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "interp/reading.h"

/* Of each half. */
#define CODES_MOST  32768
#define MEMORY_MOST (32u << 20)

struct key {
	uint64_t addr;
	uint32_t tgid, check;
};

struct known {
	struct key key;
	struct skep_interp_code code;
};

/* Owned struct known by their keys' bytes. Of one that moved to the other half the key is left. */
struct half {
	struct skep_strmap map;
	size_t memory_bytes;
};

/* What is met goes to the younger half; when that is full, the older one goes. */
struct skep_interp_names {
	struct half young, old;
	struct skep_keeper keeper;
	uint64_t n_given_up;
};

struct skep_interp_names *skep_interp_names_new(void)
{
	struct skep_interp_names *names = skep_xcalloc(1, sizeof(*names));

	skep_interp_reading_init(&names->keeper);
	return names;
}

static void half_done(struct half *half)
{
	for (size_t i = 0; i < half->map.cap; i++) {
		struct known *known = half->map.entries[i].key ? half->map.entries[i].value : NULL;
		if (known)
			skep_interp_code_done(&known->code);
		free(known);
	}
	skep_strmap_done(&half->map);
	*half = (struct half){0};
}

void skep_interp_names_free(struct skep_interp_names *names)
{
	if (!names)
		return;
	half_done(&names->young);
	half_done(&names->old);
	skep_keeper_done(&names->keeper);
	free(names);
}

static struct known *find(const struct half *half, const struct key *key)
{
	void **at = skep_strmap_get(&half->map, (const char *)key, sizeof(*key));

	return at ? *at : NULL;
}

static size_t bytes_of(const struct known *known)
{
	const struct skep_interp_code *code = &known->code;

	return sizeof(*known) + code->function.cap + code->file.cap + code->lines.cap;
}

static void add(struct skep_interp_names *names, struct known *known)
{
	struct half *young = &names->young;

	if (young->map.len >= CODES_MOST || young->memory_bytes >= MEMORY_MOST) {
		half_done(&names->old);
		names->old = *young;
		*young = (struct half){0};
	}
	*skep_strmap_put(&young->map, (const char *)&known->key, sizeof(known->key)) = known;
	young->memory_bytes += bytes_of(known);
}

/* The old half's key is the known one's own: it stays good as long as that half. */
static struct known *take_old(struct skep_interp_names *names, const struct key *key)
{
	void **at = skep_strmap_get(&names->old.map, (const char *)key, sizeof(*key));
	struct known *known = at ? *at : NULL, *copy;

	if (!known)
		return NULL;
	copy = skep_xcalloc(1, sizeof(*copy));
	*copy = *known;
	names->old.memory_bytes -= bytes_of(known);
	known->code = (struct skep_interp_code){0};
	return copy;
}

/* --- Functions that nobody has met ------------------------------------------------------------ */

struct unknown {
	struct skep_interp_seen of[SKEP_INTERP_READ_MOST];
	uint32_t tgid, n;
};

static void keep(struct skep_interp_names *names, uint32_t tgid,
		 const struct skep_interp_seen *seen, const struct skep_interp_code *code)
{
	struct known *known = skep_xcalloc(1, sizeof(*known));

	*known = (struct known){{seen->addr, tgid, seen->check}, *code};
	add(names, known);
}

static void read_all(struct skep_interp_names *names, struct unknown *unknown)
{
	struct skep_interp_code codes[SKEP_INTERP_READ_MOST];
	uint32_t n = unknown->n;

	unknown->n = 0;
	if (!n)
		return;
	if (skep_interp_read(&names->keeper, unknown->tgid, unknown->of, n, codes)) {
		names->n_given_up++;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (codes[i].version != SKEP_INTERP_NONE)
			keep(names, unknown->tgid, &unknown->of[i], &codes[i]);
	}
}

static void want(struct skep_interp_names *names, struct unknown *unknown, const struct key *key,
		 uint32_t version)
{
	for (uint32_t i = 0; i < unknown->n; i++) {
		if (unknown->of[i].addr == key->addr && unknown->of[i].check == key->check)
			return; /* it calls itself */
	}
	unknown->of[unknown->n++] = (struct skep_interp_seen){key->addr, key->check, version};
	if (unknown->n == SKEP_INTERP_READ_MOST)
		read_all(names, unknown);
}

/* --- Notes ------------------------------------------------------------------------------------ */

void skep_interp_names_note(struct skep_interp_names *names, uint32_t tgid,
			    const struct skep_interp_stack *stack)
{
	struct unknown unknown = {.tgid = tgid};

	for (uint32_t i = 0; i < stack->n && i < SKEP_INTERP_FRAMES_MOST; i++) {
		const struct skep_interp_frame *frame = &stack->frames[i];
		const struct key key = {frame->code, tgid, frame->check};
		if (!frame->code || find(&names->young, &key))
			continue;
		struct known *known = take_old(names, &key);
		if (known)
			add(names, known);
		else
			want(names, &unknown, &key, stack->version);
	}
	read_all(names, &unknown);
}

uint64_t skep_interp_names_given_up(const struct skep_interp_names *names)
{
	return names->n_given_up;
}

bool skep_interp_names_find(const struct skep_interp_names *names, uint32_t tgid,
			    const struct skep_interp_frame *frame, struct skep_interp_name *ret)
{
	const struct key key = {frame->code, tgid, frame->check};
	const struct known *known = frame->code ? find(&names->young, &key) : NULL;

	if (!known && frame->code)
		known = find(&names->old, &key);
	if (!known)
		return false;
	*ret = (struct skep_interp_name){
		.function = known->code.function.len ? known->code.function.data : "",
		.file = known->code.file.len ? known->code.file.data : "",
		.line = skep_interp_code_line(&known->code, frame->at),
	};
	return true;
}

size_t skep_interp_names_memory(const struct skep_interp_names *names)
{
	return names->young.memory_bytes + names->old.memory_bytes +
	       (names->young.map.cap + names->old.map.cap) * sizeof(struct skep_strmap_entry);
}
