/*
 * Random operations on maps of the running kernel and on ours: see oracle.h.
 *
 *	SKEP_ORACLE_CASES=1000000 build/tests/map/test_map_oracle   as many cases of each kind
 *	SKEP_ORACLE_SEED=…                                          the first seed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oracle.h"

enum {
	NO_PREALLOC = 1 << 0,
	NO_COMMON_LRU = 1 << 1,
	NUMA_NODE = 1 << 2,
	RDONLY = 1 << 3,
	ZERO_SEED = 1 << 6,
	RDONLY_PROG = 1 << 7,
	WRONLY_PROG = 1 << 8,
	MMAPABLE = 1 << 10,
};

static uint32_t some_entries(struct oracle_rng *rng)
{
	return oracle_one_in(rng, 12) ? 100 + oracle_below(rng, 300) : 1 + oracle_below(rng, 24);
}

static uint32_t some_size(struct oracle_rng *rng)
{
	static const uint32_t sizes[] = {1, 2, 3, 4, 8, 8, 12, 16, 20, 33};

	return sizes[oracle_below(rng, sizeof(sizes) / sizeof(sizes[0]))];
}

/* Key number n must fit in a key. */
static uint32_t some_key_size(struct oracle_rng *rng)
{
	static const uint32_t sizes[] = {4, 8, 8, 5, 12, 16, 24, 31, 64};

	return sizes[oracle_below(rng, sizeof(sizes) / sizeof(sizes[0]))];
}

static void array_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->key_size = 4;
	attr->value_size = some_size(rng);
	attr->max_entries = some_entries(rng);
	if (attr->type == SKEP_MAP_ARRAY && oracle_one_in(rng, 4))
		attr->flags |= MMAPABLE;
	if (oracle_one_in(rng, 8))
		attr->flags |= RDONLY_PROG;
}

/* A program that adds an entry leaves in place what is between the CPUs' copies: bytes of the
 * entry whose memory it is now, and which one that was is the allocator's business. */
static void pad_copies(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	bool plain = attr->type == SKEP_MAP_PERCPU_HASH && attr->flags & ZERO_SEED &&
		     !(attr->flags & NO_PREALLOC);

	if ((attr->type == SKEP_MAP_PERCPU_HASH && !plain) ||
	    attr->type == SKEP_MAP_LRU_PERCPU_HASH)
		attr->value_size = 8 + 8 * oracle_below(rng, 3);
}

static void hash_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->key_size = some_key_size(rng);
	attr->value_size = some_size(rng);
	attr->max_entries = some_entries(rng);
	if (oracle_one_in(rng, 2))
		attr->flags |= ZERO_SEED;
	if (oracle_one_in(rng, 2))
		attr->flags |= NO_PREALLOC;
	pad_copies(rng, attr);
}

static void lru_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	hash_attr(rng, attr);
	attr->flags &= ~(uint32_t)NO_PREALLOC;
	if (oracle_one_in(rng, 3))
		attr->flags |= NO_COMMON_LRU;
}

static void lpm_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	static const uint32_t sizes[] = {1, 2, 3, 4, 4, 5, 8, 9, 16};

	attr->key_size = 4 + sizes[oracle_below(rng, sizeof(sizes) / sizeof(sizes[0]))];
	attr->value_size = some_size(rng);
	attr->max_entries = some_entries(rng);
	attr->flags = NO_PREALLOC;
}

/* Few bits, so that prefixes meet; sometimes longer than can be. */
static void lpm_key(const struct skep_map_attr *attr, uint32_t n, uint8_t *key)
{
	struct oracle_rng rng = {n};
	uint32_t bits = (attr->key_size - 4) * 8, len = oracle_below(&rng, bits + 2);

	if (oracle_one_in(&rng, 2))
		len = len < 6 ? len : oracle_below(&rng, 6);
	memcpy(key, &len, 4);
	for (uint32_t i = 4; i < attr->key_size; i++)
		key[i] = (uint8_t)(oracle_random(&rng) & oracle_random(&rng) & 0xa1);
}

static void queue_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->value_size = some_size(rng);
	attr->max_entries = 1 + oracle_below(rng, 10);
}

static void bloom_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->value_size = some_size(rng);
	attr->max_entries = some_entries(rng);
	attr->extra = oracle_below(rng, 16);
	attr->flags = ZERO_SEED;
}

/* One of few values, so that some were put in before. */
static void bloom_value(const struct skep_map_attr *attr, uint64_t seed, bool kernel,
			uint8_t *value)
{
	struct oracle_rng rng = {seed % (attr->max_entries * 2)};

	for (uint32_t i = 0; i < attr->value_size; i++)
		value[i] = (uint8_t)oracle_random(&rng);
}

/* --- Values with a lock in them --------------------------------------------------------------- */

/* struct value { u32 before; struct bpf_spin_lock lock; u64 after; } and its key, u32. */
static const struct skep_map_field lock_field = {.kind = SKEP_FIELD_SPIN_LOCK, .off = 4, .size = 4};

enum { BTF_U32 = 1, BTF_U64, BTF_LOCK, BTF_VALUE };

static const char btf_names[] = "\0u32\0u64\0bpf_spin_lock\0val\0value\0before\0lock\0after";

static uint32_t name_off(const char *name)
{
	uint32_t at = 1;

	while (strcmp(btf_names + at, name) != 0)
		at += (uint32_t)strlen(btf_names + at) + 1;
	return at;
}

static int load_lock_btf(void)
{
	const uint32_t types[] = {
		name_off("u32"),
		1 << 24,
		4,
		32,
		name_off("u64"),
		1 << 24,
		8,
		64,
		name_off("bpf_spin_lock"),
		4 << 24 | 1,
		4,
		name_off("val"),
		BTF_U32,
		0,
		name_off("value"),
		4 << 24 | 3,
		16,
		name_off("before"),
		BTF_U32,
		0,
		name_off("lock"),
		BTF_LOCK,
		32,
		name_off("after"),
		BTF_U64,
		64,
	};
	const uint32_t header[] = {0x0001eb9f,       24, 0, sizeof(types), sizeof(types),
				   sizeof(btf_names)};
	uint8_t blob[sizeof(header) + sizeof(types) + sizeof(btf_names)];
	union bpf_attr attr = {.btf = (uintptr_t)blob, .btf_size = sizeof(blob)};

	memcpy(blob, header, sizeof(header));
	memcpy(blob + sizeof(header), types, sizeof(types));
	memcpy(blob + sizeof(header) + sizeof(types), btf_names, sizeof(btf_names));
	return (int)syscall(__NR_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
}

static void lock_kernel_attr(const struct skep_map_attr *attr, void *bpf_attr)
{
	static int fd = -1;
	union bpf_attr *to = bpf_attr;

	if (fd < 0)
		fd = load_lock_btf();
	assert_true(fd >= 0);
	to->btf_fd = (uint32_t)fd;
	to->btf_key_type_id = BTF_U32;
	to->btf_value_type_id = BTF_VALUE;
}

static void lock_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	if (attr->type == SKEP_MAP_ARRAY)
		array_attr(rng, attr);
	else
		hash_attr(rng, attr);
	attr->key_size = 4;
	attr->value_size = 16;
	attr->fields = &lock_field;
	attr->n_fields = 1;
}

static const struct oracle_type lock_types[] = {
	{.type = SKEP_MAP_ARRAY,
	 .ordered = true,
	 .attr = lock_attr,
	 .kernel_attr = lock_kernel_attr},
	{.type = SKEP_MAP_HASH, .attr = lock_attr, .kernel_attr = lock_kernel_attr},
	/* Only to be refused. */
	{.type = SKEP_MAP_LRU_HASH, .attr = lock_attr, .kernel_attr = lock_kernel_attr},
	{.type = SKEP_MAP_PERCPU_HASH, .attr = lock_attr, .kernel_attr = lock_kernel_attr},
};

/* --- Maps of objects and of the system's own: with real ones in test_objects.c ---------------- */

static void object_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->key_size = 4;
	attr->value_size = 4;
	attr->max_entries = 1 + oracle_below(rng, 6);
}

static void socket_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	object_attr(rng, attr);
	if (attr->type == SKEP_MAP_SOCKHASH)
		attr->key_size = some_key_size(rng);
	attr->value_size = oracle_one_in(rng, 2) ? 4 : 8;
}

static void stack_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	object_attr(rng, attr);
	attr->value_size = 8 * (1 + oracle_below(rng, 127));
}

static void ring_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->key_size = attr->value_size = 0;
	attr->max_entries = 4096u << oracle_below(rng, 4);
}

static void cgroup_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	attr->key_size = oracle_one_in(rng, 2) ? 8 : 16;
	attr->value_size = 1 + oracle_below(rng, 40);
	attr->max_entries = 0;
}

/* A descriptor that nobody has. */
static void no_descriptor(const struct skep_map_attr *attr, uint64_t seed, bool kernel,
			  uint8_t *value)
{
	uint64_t fd = 100000 + seed % 1000;

	memcpy(value, &fd, attr->value_size);
}

/* No device or the loopback; no queue, or one that is short or too long. */
static void hop_value(const struct skep_map_attr *attr, uint64_t seed, bool kernel, uint8_t *value)
{
	const uint32_t devices[] = {0, 1, 1, 1}, queues[] = {0, 1, 192, 16385};
	uint64_t word = (attr->type == SKEP_MAP_CPUMAP ? queues : devices)[seed % 4];

	memcpy(value, &word, attr->value_size);
}

/* ---------------------------------------------------------------------------------------------- */

static const struct oracle_type types[] = {
	{.type = SKEP_MAP_PROG_ARRAY, .ordered = true, .attr = object_attr, .value = no_descriptor},
	{.type = SKEP_MAP_PERF_EVENT_ARRAY,
	 .ordered = true,
	 .attr = object_attr,
	 .value = no_descriptor},
	{.type = SKEP_MAP_CGROUP_ARRAY,
	 .ordered = true,
	 .attr = object_attr,
	 .value = no_descriptor},
	{.type = SKEP_MAP_DEVMAP, .ordered = true, .attr = socket_attr, .value = hop_value},
	{.type = SKEP_MAP_DEVMAP_HASH, .ordered = true, .attr = socket_attr, .value = hop_value},
	{.type = SKEP_MAP_CPUMAP, .ordered = true, .attr = socket_attr, .value = hop_value},
	{.type = SKEP_MAP_XSKMAP, .ordered = true, .attr = object_attr, .value = no_descriptor},
	{.type = SKEP_MAP_SOCKMAP, .ordered = true, .attr = socket_attr, .value = no_descriptor},
	{.type = SKEP_MAP_SOCKHASH, .ordered = true, .attr = socket_attr, .value = no_descriptor},
	{.type = SKEP_MAP_REUSEPORT_SOCKARRAY,
	 .ordered = true,
	 .attr = socket_attr,
	 .value = no_descriptor},
	{.type = SKEP_MAP_STACK_TRACE, .ordered = true, .attr = stack_attr},
	{.type = SKEP_MAP_RINGBUF, .attr = ring_attr},
	{.type = SKEP_MAP_USER_RINGBUF, .attr = ring_attr},
	{.type = SKEP_MAP_CGROUP_STORAGE, .ordered = true, .attr = cgroup_attr},
	{.type = SKEP_MAP_PERCPU_CGROUP_STORAGE, .ordered = true, .attr = cgroup_attr},
	{.type = SKEP_MAP_ARRAY, .ordered = true, .programs = true, .attr = array_attr},
	{.type = SKEP_MAP_PERCPU_ARRAY, .ordered = true, .programs = true, .attr = array_attr},
	{.type = SKEP_MAP_HASH, .programs = true, .attr = hash_attr},
	{.type = SKEP_MAP_PERCPU_HASH, .programs = true, .attr = hash_attr},
	{.type = SKEP_MAP_LRU_HASH, .programs = true, .attr = lru_attr},
	{.type = SKEP_MAP_LRU_PERCPU_HASH, .programs = true, .attr = lru_attr},
	{.type = SKEP_MAP_LPM_TRIE,
	 .ordered = true,
	 .programs = true,
	 .attr = lpm_attr,
	 .key = lpm_key},
	{.type = SKEP_MAP_QUEUE, .values = true, .attr = queue_attr},
	{.type = SKEP_MAP_STACK, .values = true, .attr = queue_attr},
	{.type = SKEP_MAP_BLOOM_FILTER, .values = true, .attr = bloom_attr, .value = bloom_value},
};

/* Those that have something for each CPU, used on all of them. */
static const struct oracle_type cpu_types[] = {
	{.type = SKEP_MAP_HASH, .programs = true, .cpus = true, .attr = hash_attr},
	{.type = SKEP_MAP_PERCPU_HASH, .programs = true, .cpus = true, .attr = hash_attr},
	{.type = SKEP_MAP_LRU_HASH, .programs = true, .cpus = true, .attr = lru_attr},
	{.type = SKEP_MAP_LRU_PERCPU_HASH, .programs = true, .cpus = true, .attr = lru_attr},
	{.type = SKEP_MAP_PERCPU_ARRAY,
	 .ordered = true,
	 .programs = true,
	 .cpus = true,
	 .attr = array_attr},
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static int begin_on_a_cpu(void **state)
{
	return oracle_go_to_cpu(0);
}

static void report(struct oracle_case *test, uint64_t seed)
{
	fprintf(stderr, "seed %llu of\n", (unsigned long long)seed);
	oracle_shrink(test);
	oracle_print(test);
}

static void run_cases(const struct oracle_type *type, uint64_t seed, uint64_t n)
{
	static struct oracle_case test;
	char why[256];

	for (uint64_t i = 0; i < n; i++) {
		oracle_make(&test, type, seed + i);
		if (oracle_run(&test, why, sizeof(why)) >= 0) {
			report(&test, seed + i);
			fail_msg("%s", why);
		}
	}
}

static void test_operations(void **state)
{
	uint64_t n = setting("SKEP_ORACLE_CASES", 300), seed = setting("SKEP_ORACLE_SEED", 1);
	uint64_t only = setting("SKEP_ORACLE_TYPE", 0);

	if (geteuid())
		skip();
	for (size_t i = 0; i < N_TYPES; i++)
		if (!only || types[i].type == only)
			run_cases(&types[i], seed, n);
}

static void test_locks(void **state)
{
	uint64_t n = setting("SKEP_ORACLE_CASES", 300), seed = setting("SKEP_ORACLE_SEED", 1);

	if (geteuid())
		skip();
	for (size_t i = 0; i < sizeof(lock_types) / sizeof(lock_types[0]); i++)
		run_cases(&lock_types[i], seed, n);
}

static void test_cpus(void **state)
{
	uint64_t n = setting("SKEP_ORACLE_CASES", 300), seed = setting("SKEP_ORACLE_SEED", 1);
	uint64_t only = setting("SKEP_ORACLE_TYPE", 0);

	if (geteuid())
		skip();
	for (size_t i = 0; i < sizeof(cpu_types) / sizeof(cpu_types[0]); i++)
		if (!only || cpu_types[i].type == only)
			run_cases(&cpu_types[i], seed, n);
}

/* --- Attributes, most of them wrong ----------------------------------------------------------- */

static uint32_t odd_number(struct oracle_rng *rng)
{
	static const uint32_t numbers[] = {
		0,     1,     2,     3,     4,          5,          7,          8,
		9,     16,    255,   256,   257,        260,        261,        512,
		32760, 32768, 32769, 65536, (4u << 20), 0x7fffffff, 0x80000000, UINT32_MAX};

	return numbers[oracle_below(rng, sizeof(numbers) / sizeof(numbers[0]))];
}

/* Not so many that the kernel would really get the memory. */
static uint32_t odd_entries(struct oracle_rng *rng, uint32_t value_size)
{
	static const uint32_t numbers[] = {0, 1, 2, 3, 4, 5, 16, 100};

	if (value_size > 8 << 20 && value_size <= INT32_MAX)
		return 0;
	return value_size > 1024 ? oracle_below(rng, 3)
				 : numbers[oracle_below(rng, sizeof(numbers) / sizeof(numbers[0]))];
}

static void odd_attr(struct oracle_rng *rng, struct skep_map_attr *attr)
{
	if (oracle_one_in(rng, 2))
		attr->key_size = oracle_one_in(rng, 2) ? 4 : odd_number(rng);
	if (oracle_one_in(rng, 2))
		attr->value_size = odd_number(rng);
	attr->max_entries = odd_entries(rng, attr->value_size);
	for (uint32_t i = 0; i < 20; i++)
		if (oracle_one_in(rng, 14))
			attr->flags ^= 1u << i;
	attr->flags &= ~(1u << 16); /* BPF_F_TOKEN_FD is bpf(2)'s, not the map's */
	attr->numa_node = oracle_one_in(rng, 2) ? 0 : odd_number(rng);
	if (oracle_one_in(rng, 4))
		attr->extra = oracle_below(rng, 40);
	if (oracle_one_in(rng, 4))
		memcpy(attr->name, "a.b_9", 5);
	if (oracle_one_in(rng, 8))
		attr->name[oracle_below(rng, 16)] = (char)oracle_random(rng);
}

static void test_attributes(void **state)
{
	uint64_t n = setting("SKEP_ORACLE_CASES", 300) * 4, seed = setting("SKEP_ORACLE_SEED", 1);
	uint64_t only = setting("SKEP_ORACLE_TYPE", 0);
	static struct oracle_case test;
	char why[256];

	if (geteuid())
		skip();
	for (uint64_t i = 0; i < n * N_TYPES; i++) {
		struct oracle_rng rng = {seed + i};

		if (only && types[i % N_TYPES].type != only)
			continue;
		memset(&test, 0, sizeof(test));
		test.type = &types[i % N_TYPES];
		test.attr.type = test.type->type;
		test.type->attr(&rng, &test.attr);
		odd_attr(&rng, &test.attr);
		if (oracle_run(&test, why, sizeof(why)) >= 0) {
			report(&test, seed + i);
			fail_msg("%s", why);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_locks),
	};

	return cmocka_run_group_tests(tests, begin_on_a_cpu, NULL);
}
