/* See names.h. */
#include "interp/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "interp/reading.h"

/* Of a process's half, and of all. */
#define CODES_MOST     16384
#define HALF_MOST      (8u << 20)
#define MEMORY_MOST    (64u << 20)
#define PROCESSES_MOST 4096

struct key {
	uint64_t addr;
	uint32_t check, unused; /* the last is 0 */
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
struct process {
	uint32_t tgid;
	uint64_t met; /* by the names' clock */
	struct half young, old;
};

struct skep_interp_names {
	struct skep_strmap processes; /* owned struct process by their tgid's bytes */
	struct skep_keeper keeper;
	size_t memory_bytes; /* of all functions */
	uint64_t clock, n_given_up;
};

struct skep_interp_names *skep_interp_names_new(void)
{
	struct skep_interp_names *names = skep_xcalloc(1, sizeof(*names));

	skep_interp_reading_init(&names->keeper);
	return names;
}

static void half_done(struct skep_interp_names *names, struct half *half)
{
	for (size_t i = 0; i < half->map.cap; i++) {
		struct known *known = half->map.entries[i].key ? half->map.entries[i].value : NULL;
		if (known)
			skep_interp_code_done(&known->code);
		free(known);
	}
	skep_strmap_done(&half->map);
	names->memory_bytes -= half->memory_bytes;
	*half = (struct half){0};
}

static void process_free(struct skep_interp_names *names, struct process *process)
{
	half_done(names, &process->young);
	half_done(names, &process->old);
	free(process);
}

void skep_interp_names_free(struct skep_interp_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->processes.cap; i++) {
		if (names->processes.entries[i].key)
			process_free(names, names->processes.entries[i].value);
	}
	skep_strmap_done(&names->processes);
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

static void add(struct skep_interp_names *names, struct process *process, struct known *known)
{
	struct half *young = &process->young;

	if (young->map.len >= CODES_MOST || young->memory_bytes >= HALF_MOST) {
		half_done(names, &process->old);
		process->old = *young;
		*young = (struct half){0};
	}
	*skep_strmap_put(&young->map, (const char *)&known->key, sizeof(known->key)) = known;
	young->memory_bytes += bytes_of(known);
	names->memory_bytes += bytes_of(known);
}

/* The old half's key is the known one's own: it stays good as long as that half. */
static struct known *take_old(struct skep_interp_names *names, struct process *process,
			      const struct key *key)
{
	void **at = skep_strmap_get(&process->old.map, (const char *)key, sizeof(*key));
	struct known *known = at ? *at : NULL, *copy;

	if (!known)
		return NULL;
	copy = skep_xcalloc(1, sizeof(*copy));
	*copy = *known;
	known->code = (struct skep_interp_code){0};
	process->old.memory_bytes -= bytes_of(copy) - bytes_of(known);
	names->memory_bytes -= bytes_of(copy) - bytes_of(known);
	return copy;
}

/* --- Processes -------------------------------------------------------------------------------- */

static struct process *find_process(const struct skep_interp_names *names, uint32_t tgid)
{
	void **at = skep_strmap_get(&names->processes, (const char *)&tgid, sizeof(tgid));

	return at ? *at : NULL;
}

static size_t bytes_of_process(const struct process *process)
{
	return process->young.memory_bytes + process->old.memory_bytes;
}

/* Who has most, or, where there are too many, was not met for longest; never @needed. */
static struct process *victim_of(const struct skep_interp_names *names,
				 const struct process *needed)
{
	bool is_memory = names->memory_bytes > MEMORY_MOST;
	struct process *found = NULL;

	for (size_t i = 0; i < names->processes.cap; i++) {
		struct process *it =
			names->processes.entries[i].key ? names->processes.entries[i].value : NULL;
		if (!it || it == needed)
			continue;
		if (!found || (is_memory ? bytes_of_process(it) > bytes_of_process(found)
					 : it->met < found->met))
			found = it;
	}
	return found;
}

static void put_process(struct skep_strmap *map, struct process *process)
{
	*skep_strmap_put(map, (const char *)&process->tgid, sizeof(process->tgid)) = process;
}

static void forget(struct skep_interp_names *names, struct process *victim)
{
	struct skep_strmap left = {0};

	for (size_t i = 0; i < names->processes.cap; i++) {
		struct process *it =
			names->processes.entries[i].key ? names->processes.entries[i].value : NULL;
		if (it && it != victim)
			put_process(&left, it);
	}
	skep_strmap_done(&names->processes);
	names->processes = left;
	process_free(names, victim);
}

static void bound(struct skep_interp_names *names, const struct process *needed)
{
	while (names->memory_bytes > MEMORY_MOST || names->processes.len > PROCESSES_MOST) {
		struct process *victim = victim_of(names, needed);
		if (!victim)
			break;
		forget(names, victim);
	}
}

static struct process *get_process(struct skep_interp_names *names, uint32_t tgid)
{
	struct process *process = find_process(names, tgid);

	if (!process) {
		process = skep_xcalloc(1, sizeof(*process));
		process->tgid = tgid;
		put_process(&names->processes, process);
	}
	process->met = ++names->clock;
	return process;
}

/* --- Functions that nobody has met ------------------------------------------------------------ */

struct unknown {
	struct process *process;
	struct skep_interp_seen of[SKEP_INTERP_READ_MOST];
	uint32_t n;
};

static void keep(struct skep_interp_names *names, struct process *process,
		 const struct skep_interp_seen *seen, const struct skep_interp_code *code)
{
	struct known *known = skep_xcalloc(1, sizeof(*known));

	*known = (struct known){{seen->addr, seen->check, 0}, *code};
	add(names, process, known);
}

static void read_all(struct skep_interp_names *names, struct unknown *unknown)
{
	struct skep_interp_code codes[SKEP_INTERP_READ_MOST];
	uint32_t n = unknown->n;

	unknown->n = 0;
	if (!n)
		return;
	if (skep_interp_read(&names->keeper, unknown->process->tgid, unknown->of, n, codes)) {
		names->n_given_up++;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (codes[i].version != SKEP_INTERP_NONE)
			keep(names, unknown->process, &unknown->of[i], &codes[i]);
	}
}

static void want(struct skep_interp_names *names, struct unknown *unknown, const struct key *key,
		 const struct skep_interp_stack *stack)
{
	struct skep_interp_seen seen = {
		.addr = key->addr, .check = key->check, .version = stack->version};

	for (uint32_t i = 0; i < unknown->n; i++) {
		if (unknown->of[i].addr == key->addr && unknown->of[i].check == key->check)
			return; /* it calls itself */
	}
	if (stack->version == SKEP_INTERP_HOTSPOT)
		memcpy(&seen.names, &stack->frames[0], sizeof(seen.names));
	unknown->of[unknown->n++] = seen;
	if (unknown->n == SKEP_INTERP_READ_MOST)
		read_all(names, unknown);
}

/* --- Notes ------------------------------------------------------------------------------------ */

void skep_interp_names_note(struct skep_interp_names *names, uint32_t tgid,
			    const struct skep_interp_stack *stack)
{
	struct unknown unknown = {.process = get_process(names, tgid)};

	for (uint32_t i = stack->version == SKEP_INTERP_HOTSPOT; i < stack->n; i++) {
		if (i == SKEP_INTERP_FRAMES_MOST)
			break;
		const struct skep_interp_frame *frame = &stack->frames[i];
		const struct key key = {frame->code, frame->check, 0};
		if (!frame->code || find(&unknown.process->young, &key))
			continue;
		struct known *known = take_old(names, unknown.process, &key);
		if (known)
			add(names, unknown.process, known);
		else
			want(names, &unknown, &key, stack);
	}
	read_all(names, &unknown);
	bound(names, unknown.process);
}

int skep_interp_names_machine(struct skep_interp_names *names, uint32_t tgid, uint64_t base,
			      struct skep_hotspot *ret)
{
	const struct skep_interp_seen seen = {.addr = base, .version = SKEP_INTERP_HOTSPOT_MACHINE};
	struct skep_interp_code code;

	if (skep_interp_read(&names->keeper, tgid, &seen, 1, &code)) {
		names->n_given_up++;
		return -EAGAIN;
	}
	bool is_told = code.lines.len == sizeof(*ret);
	if (is_told)
		memcpy(ret, code.lines.data, sizeof(*ret));
	skep_interp_code_done(&code);
	return is_told ? 0 : -ENOTSUP;
}

uint64_t skep_interp_names_given_up(const struct skep_interp_names *names)
{
	return names->n_given_up;
}

bool skep_interp_names_find(const struct skep_interp_names *names, uint32_t tgid,
			    const struct skep_interp_frame *frame, struct skep_interp_name *ret)
{
	const struct key key = {frame->code, frame->check, 0};
	const struct process *process = frame->code ? find_process(names, tgid) : NULL;
	const struct known *known = process ? find(&process->young, &key) : NULL;

	if (process && !known)
		known = find(&process->old, &key);
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
	size_t bytes = names->memory_bytes +
		       names->processes.cap * sizeof(struct skep_strmap_entry) +
		       names->processes.len * sizeof(struct process);

	for (size_t i = 0; i < names->processes.cap; i++) {
		const struct process *it =
			names->processes.entries[i].key ? names->processes.entries[i].value : NULL;
		if (it)
			bytes += (it->young.map.cap + it->old.map.cap) *
				 sizeof(struct skep_strmap_entry);
	}
	return bytes;
}
