/* Cases of the oracle: made from a seed, run on both sides, shrunk, printed. See oracle.h. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

uint64_t oracle_random(struct oracle_rng *rng)
{
	uint64_t x = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* --- Keys and values -------------------------------------------------------------------------- */

void oracle_key(const struct oracle_case *test, uint32_t n, uint8_t *key)
{
	uint32_t size = test->attr.key_size;

	if (test->type->key) {
		test->type->key(&test->attr, n, key);
		return;
	}
	memcpy(key, &n, 4);
	for (uint32_t i = 4; i < size && i < 512; i++)
		key[i] = (uint8_t)(n * 37 + i);
}

void oracle_value(const struct oracle_side *side, uint64_t seed, uint8_t *value)
{
	struct oracle_rng rng = {seed};

	if (side->test->type->value) {
		side->test->type->value(&side->test->attr, seed, !side->map, value);
		return;
	}
	for (uint32_t i = 0; i < side->value_size; i++)
		value[i] = (uint8_t)oracle_random(&rng);
}

/* --- Making ----------------------------------------------------------------------------------- */

/* How often each is chosen, of all. */
static const uint8_t weights[ORACLE_KIND_CNT] = {
	[ORACLE_LOOKUP] = 14,
	[ORACLE_UPDATE] = 30,
	[ORACLE_DELETE] = 10,
	[ORACLE_LOOKUP_AND_DELETE] = 5,
	[ORACLE_NEXT_KEY] = 5,
	[ORACLE_LOOKUP_BATCH] = 4,
	[ORACLE_LOOKUP_AND_DELETE_BATCH] = 2,
	[ORACLE_UPDATE_BATCH] = 4,
	[ORACLE_DELETE_BATCH] = 2,
	[ORACLE_FREEZE] = 1,
	[ORACLE_DUMP] = 5,
	[ORACLE_PROG_LOOKUP] = 18,
	[ORACLE_PROG_UPDATE] = 12,
	[ORACLE_PROG_DELETE] = 4,
	[ORACLE_PROG_PUSH] = 20,
	[ORACLE_PROG_POP] = 10,
	[ORACLE_PROG_PEEK] = 10,
};

static enum oracle_kind random_kind(struct oracle_rng *rng)
{
	uint32_t sum = 0, at;

	for (int i = 0; i < ORACLE_KIND_CNT; i++)
		sum += weights[i];
	at = oracle_below(rng, sum);
	for (int i = 0;; i++) {
		if (at < weights[i])
			return (enum oracle_kind)i;
		at -= weights[i];
	}
}

static bool is_possible(const struct oracle_case *test, enum oracle_kind kind)
{
	bool keyed = kind >= ORACLE_PROG_LOOKUP && kind <= ORACLE_PROG_DELETE;

	if (kind < ORACLE_PROG_LOOKUP)
		return kind != ORACLE_NEXT_KEY || test->ordered || !test->attr.key_size;
	if (kind == ORACLE_PROG_POP && test->attr.type == SKEP_MAP_BLOOM_FILTER)
		return false;
	return test->programs && (keyed ? test->type->programs : test->type->values);
}

static uint64_t random_flags(struct oracle_rng *rng)
{
	static const uint64_t odd[] = {4, 3, 5, 6, 7, 8, 16, 1ull << 32, 1ull << 63};

	if (oracle_one_in(rng, 12))
		return odd[oracle_below(rng, sizeof(odd) / sizeof(odd[0]))];
	return oracle_one_in(rng, 3) ? oracle_below(rng, 3) : 0;
}

static bool reads(enum oracle_kind kind)
{
	return kind == ORACLE_LOOKUP || kind == ORACLE_LOOKUP_AND_DELETE;
}

static bool walks(enum oracle_kind kind)
{
	return kind == ORACLE_LOOKUP_BATCH || kind == ORACLE_LOOKUP_AND_DELETE_BATCH;
}

static void random_batch(struct oracle_rng *rng, const struct oracle_case *test,
			 struct oracle_op *op)
{
	op->flags = oracle_one_in(rng, 15) ? random_flags(rng) : 0;
	op->elem_flags = oracle_one_in(rng, 8) ? random_flags(rng) : 0;
	op->count = oracle_one_in(rng, 10) ? 0 : 1 + oracle_below(rng, 8);
	if (!walks(op->kind))
		return;
	/* Parts of a hash depend on its order; all of it does not. */
	if (!test->ordered)
		op->count = op->count ? test->attr.max_entries * 2 + 8 : 0;
	else
		op->from = oracle_below(rng, 3);
}

static struct oracle_op random_op(struct oracle_rng *rng, const struct oracle_case *test)
{
	struct oracle_op op = {0};
	uint32_t n_keys = test->attr.max_entries + test->attr.max_entries / 2 + 2;

	do
		op.kind = random_kind(rng);
	while (!is_possible(test, op.kind));
	op.key = oracle_below(rng, n_keys);
	op.value = oracle_random(rng);
	op.flags = random_flags(rng);
	if (reads(op.kind))
		op.flags = oracle_one_in(rng, 10) ? op.flags : 0;
	op.no_key = !test->attr.key_size != oracle_one_in(rng, 40);
	if (op.kind >= ORACLE_LOOKUP_BATCH && op.kind <= ORACLE_DELETE_BATCH)
		random_batch(rng, test, &op);
	if (test->type->cpus && oracle_one_in(rng, 4))
		op.cpu = (uint8_t)(1 + oracle_below(rng, 4));
	return op;
}

void oracle_make(struct oracle_case *test, const struct oracle_type *type, uint64_t seed)
{
	struct oracle_rng rng = {seed};

	memset(test, 0, sizeof(*test));
	test->type = type;
	test->attr.type = type->type;
	type->attr(&rng, &test->attr);
	test->ordered = type->ordered || test->attr.flags & 1 << 6; /* BPF_F_ZERO_SEED */
	test->programs = (type->programs || type->values) && oracle_one_in(&rng, 4) &&
			 !(test->attr.flags & (3 << 7)); /* programs may read and write */
	test->n_ops = 1 + oracle_below(&rng, ORACLE_MOST_OPS - 1);
	for (uint32_t i = 0; i < test->n_ops; i++)
		test->ops[i] = random_op(&rng, test);
}

/* --- Running ---------------------------------------------------------------------------------- */

struct pair {
	uint8_t *key, *value;
};

static _Thread_local uint32_t sort_key_size;

static int by_key(const void *a, const void *b)
{
	return memcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key, sort_key_size);
}

static void sort(struct oracle_result *result, uint32_t key_size, uint32_t value_size)
{
	uint32_t n = result->count;
	struct pair *pairs = calloc(n, sizeof(*pairs));
	uint8_t *keys = malloc(n * key_size), *values = malloc(n * value_size);

	for (uint32_t i = 0; i < n; i++)
		pairs[i] =
			(struct pair){result->keys + i * key_size, result->values + i * value_size};
	sort_key_size = key_size;
	qsort(pairs, n, sizeof(*pairs), by_key);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(keys + i * key_size, pairs[i].key, key_size);
		memcpy(values + i * value_size, pairs[i].value, value_size);
	}
	memcpy(result->keys, keys, n * key_size);
	memcpy(result->values, values, n * value_size);
	free(pairs);
	free(keys);
	free(values);
}

static void fill_batch(const struct oracle_side *side, const struct oracle_op *op,
		       struct oracle_result *result)
{
	uint32_t key_size = side->test->attr.key_size, n_keys = side->test->attr.max_entries + 4;
	uint8_t key[512];

	if (op->kind != ORACLE_UPDATE_BATCH && op->kind != ORACLE_DELETE_BATCH)
		return;
	for (uint32_t i = 0; i < op->count; i++) {
		oracle_key(side->test, (op->key + i * 7) % n_keys, key);
		memcpy(result->keys + i * key_size, key, key_size);
		oracle_value(side, op->value + i, result->values + i * side->value_size);
	}
}

static void finish(struct oracle_side *side, const struct oracle_op *op,
		   struct oracle_result *result)
{
	uint32_t key_size = side->test->attr.key_size;

	if (walks(op->kind)) {
		memcpy(side->last_batch, result->batch, sizeof(side->last_batch));
		result->key_bytes = op->count * key_size;
		result->value_bytes = op->count * side->value_size;
	}
	if ((walks(op->kind) || op->kind == ORACLE_DUMP) && !side->test->ordered &&
	    result->count * side->value_size <= ORACLE_BUFFER)
		sort(result, key_size, side->value_size);
}

static size_t differs_at(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return i;
	return SIZE_MAX;
}

static bool same(const struct oracle_result *ours, const struct oracle_result *kernel, char *why,
		 size_t why_size)
{
	size_t at;

	if (ours->ret != kernel->ret) {
		snprintf(why, why_size, "ours returns %ld, the kernel %ld", ours->ret, kernel->ret);
		return false;
	}
	if (ours->count != kernel->count) {
		snprintf(why, why_size, "ours counts %u, the kernel %u", ours->count,
			 kernel->count);
		return false;
	}
	at = differs_at(ours->keys, kernel->keys, kernel->key_bytes);
	if (at == SIZE_MAX)
		at = differs_at(ours->values, kernel->values, kernel->value_bytes);
	if (at == SIZE_MAX)
		at = differs_at(ours->batch, kernel->batch, sizeof(ours->batch));
	if (at != SIZE_MAX)
		snprintf(why, why_size,
			 "outputs differ at byte %zu: values %02x, %02x; keys %02x, %02x", at,
			 ours->values[at], kernel->values[at], ours->keys[at], kernel->keys[at]);
	return at == SIZE_MAX;
}

static bool step(struct oracle_side *ours, struct oracle_side *kernel, const struct oracle_op *op,
		 char *why, size_t why_size)
{
	static struct oracle_result a, b;
	size_t room = (size_t)op->count * (kernel->value_size + kernel->test->attr.key_size) + 4096;

	if (op->kind == ORACLE_DUMP || room > ORACLE_BUFFER)
		room = ORACLE_BUFFER;
	a.ret = a.count = 0;
	a.key_bytes = a.value_bytes = 0;
	memset(a.batch, 0x5a, sizeof(a.batch));
	memset(a.keys, 0x5a, room);
	memset(a.values, 0x5a, room);
	b.ret = b.count = 0;
	b.key_bytes = b.value_bytes = 0;
	memset(b.batch, 0x5a, sizeof(b.batch));
	memset(b.keys, 0x5a, room);
	memset(b.values, 0x5a, room);
	fill_batch(ours, op, &a);
	fill_batch(kernel, op, &b);
	if (op->cpu)
		oracle_go_to_cpu(op->cpu - 1u);
	oracle_ours_do(ours, op, &a);
	oracle_kernel_do(kernel, op, &b);
	finish(ours, op, &a);
	finish(kernel, op, &b);
	return same(&a, &b, why, why_size);
}

int oracle_go_to_cpu(uint32_t cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu % (uint32_t)sysconf(_SC_NPROCESSORS_ONLN), &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

static int run_ops(const struct oracle_case *test, struct oracle_side *ours,
		   struct oracle_side *kernel, char *why, size_t why_size)
{
	oracle_go_to_cpu(0);
	for (uint32_t i = 0; i < test->n_ops; i++)
		if (!test->ops[i].skip && !step(ours, kernel, &test->ops[i], why, why_size))
			return (int)i;
	return -1;
}

int oracle_run(const struct oracle_case *test, char *why, size_t why_size)
{
	struct oracle_side ours, kernel;
	int err = oracle_ours_open(&ours, test), kernel_err = oracle_kernel_open(&kernel, test);
	int at = -1;

	if (err != kernel_err && (err < 0 || kernel_err < 0)) {
		snprintf(why, why_size, "creating: ours returns %d, the kernel %d", err,
			 kernel_err);
		at = (int)test->n_ops;
	} else if (!err) {
		kernel.value_size = ours.value_size;
		at = run_ops(test, &ours, &kernel, why, why_size);
	}
	if (!err)
		oracle_ours_close(&ours);
	oracle_kernel_close(&kernel);
	return at;
}

/* --- Shrinking and printing ------------------------------------------------------------------- */

void oracle_shrink(struct oracle_case *test)
{
	char why[256];
	bool smaller = true;

	while (smaller) {
		smaller = false;
		for (uint32_t i = 0; i < test->n_ops; i++) {
			if (test->ops[i].skip)
				continue;
			test->ops[i].skip = true;
			if (oracle_run(test, why, sizeof(why)) >= 0)
				smaller = true;
			else
				test->ops[i].skip = false;
		}
	}
}

static const char *const names[] = {
#define OP(name) #name,
	ORACLE_OPS(OP)
#undef OP
};

void oracle_print(const struct oracle_case *test)
{
	const struct skep_map_attr *attr = &test->attr;
	char why[256] = "no mismatch";
	int at = oracle_run(test, why, sizeof(why));

	fprintf(stderr,
		"map type %u key %u value %u max_entries %u flags 0x%x node %d extra 0x%llx\n",
		attr->type, attr->key_size, attr->value_size, attr->max_entries, attr->flags,
		(int)attr->numa_node, (unsigned long long)attr->extra);
	for (uint32_t i = 0; i < test->n_ops; i++) {
		const struct oracle_op *op = &test->ops[i];

		if (op->skip || (at >= 0 && (int)i > at))
			continue;
		fprintf(stderr,
			"  %2u %-24s key %u%s flags 0x%llx elem_flags 0x%llx count %u from %d cpu "
			"%d\n",
			i, names[op->kind], op->key, op->no_key ? " (null)" : "",
			(unsigned long long)op->flags, (unsigned long long)op->elem_flags,
			op->count, (int)op->from, op->cpu - 1);
	}
	fprintf(stderr, "  at %d: %s\n", at, why);
}
