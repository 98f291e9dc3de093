/*
 * What programs ask of kernels. The table has a row for all there is; programs whose needs are
 * known by heart get these, each with the instruction that has it; and limits of older versions
 * count.
 *
 * versions.py, beside this, holds the rows against the sources of kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include <skep/arena.h>
#include <skep/btf.h>
#include <skep/helper.h>
#include <skep/map.h>
#include <skep/requirements.h>

#include "verify/program.h"
#include "verify/requirements.h"

/* --- The table -------------------------------------------------------------------------------- */

static void is_sane(const struct version_row *row, const char *what)
{
	if (!row || !row->name)
		fail_msg("no row for %s", what);
	assert_in_range(row->since, SKEP_LINUX(3, 18), SKEP_LINUX(6, 18));
	assert_true(row->kind && row->kind[0]);
}

static void test_table_is_complete(void **state)
{
	bool optional;

#define HELPER(number, name, ...)                                                                  \
	if (number)                                                                                \
		is_sane(version_of_helper(number, PROGRAM_XDP), #name);
#include <skep/helpers.def>
#undef HELPER
#define KFUNC(name, ...) is_sane(version_of_kfunc("bpf_" #name), #name);
#include <skep/kfuncs.def>
#undef KFUNC
#define SKEP_MAP_TYPE(number, NAME, ...) is_sane(version_of_map(number), #NAME);
#include <skep/map_types.def>
#undef SKEP_MAP_TYPE
#define PROGRAM(number, NAME, ...)                                                                 \
	if (number)                                                                                \
		is_sane(version_of_program(number), #NAME);
#include "verify/program_types.def"
#undef PROGRAM
#define ATTACH(number, NAME)                                                                       \
	is_sane(version_of_attach(number, &optional), #NAME);                                      \
	assert_string_equal(version_of_attach(number, &optional)->name, #NAME);
#include "verify/attach_types.def"
#undef ATTACH
	for (uint32_t kind = 0; kind < SKEP_FIELD_KIND_CNT; kind++)
		is_sane(version_of_field(kind), "a field");
	assert_null(version_of_kfunc("bpf_there_is_no_such"));
	assert_null(version_of_map(SKEP_MAP_TYPE_CNT));
	assert_null(version_of_helper(100000, PROGRAM_XDP));
}

/* Kernel functions are found by halving: their rows must be in order, or some are not found. */
static void test_table_is_sorted(void **state)
{
	static const char *const names[] = {
#define KFUNC_SINCE(name, major, minor) #name,
#include "verify/versions.def"
	};

	for (size_t i = 1; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i - 1], names[i]) >= 0)
			fail_msg("%s stands behind %s", names[i], names[i - 1]);
}

/* --- Programs --------------------------------------------------------------------------------- */

static struct skep_map *some_map;

static int link_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	skep_map_ref(some_map);
	*ret = some_map;
	return 0;
}

static int link_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = skep_helper(id);
	return *ret ? 0 : -EINVAL;
}

struct asked {
	const char *text;
	uint32_t type, attach_type, flags;
	const struct skep_map_attr *map; /* map[id:0]; NULL: none */
};

/* Accepted, and what it asks for; freed with the arena. */
static struct skep_requirements ask(const struct asked *asked, struct skep_arena *arena)
{
	const struct skep_link_env env = {.map = link_map, .helper = link_helper};
	struct skep_verify_program program = {
		.gpl = true, .attach_type = asked->attach_type, .flags = asked->flags};
	struct skep_verify_report report;
	struct skep_requirements ret;
	struct skep_image *image = NULL;
	struct skep_insn *insns = NULL;
	size_t n = 0;

	if (asked->map)
		assert_int_equal(skep_map_create(asked->map, &some_map), 0);
	assert_int_equal(skep_asm(asked->text, strlen(asked->text), &insns, &n, NULL), 0);
	assert_int_equal(skep_image_link(insns, (uint32_t)n, asked->type, &env, NULL, &image), 0);
	program.image = image;
	program.insns = insns;
	assert_int_equal(skep_verify(&program, &(struct skep_verify_opts){0}, NULL, &report), 0);
	assert_int_equal(skep_verify_requirements(&program, &report, arena, &ret), 0);
	skep_image_free(image);
	free(insns);
	if (asked->map)
		skep_map_unref(some_map);
	return ret;
}

static const struct skep_requirement *find(const struct skep_requirements *all, const char *name)
{
	for (uint32_t i = 0; i < all->n_needs; i++)
		if (!strcmp(all->needs[i].name, name))
			return &all->needs[i];
	return NULL;
}

static uint64_t used(const struct skep_requirements *all, const char *what)
{
	for (uint32_t i = 0; i < all->n_uses; i++)
		if (!strcmp(all->uses[i].what, what)) {
			assert_true(all->uses[i].used <= all->uses[i].limit);
			return all->uses[i].used;
		}
	fail_msg("nothing is told of %s", what);
	return 0;
}

static const struct {
	const char *name; /* of what it needs most */
	uint32_t since, slot;
	struct asked asked;
} programs[] = {
	{"SOCKET_FILTER", SKEP_LINUX(3, 19), UINT32_MAX, {"r0 = 0\nexit\n", 1}},
	{"XDP", SKEP_LINUX(4, 8), UINT32_MAX, {"r0 = 2\nexit\n", 6}},
	/* the way of attaching is the loader's choice */
	{"XDP", SKEP_LINUX(4, 8), UINT32_MAX, {"r0 = 2\nexit\n", 6, 37}},
	{"XDP_DEVMAP", SKEP_LINUX(5, 8), UINT32_MAX, {"r0 = 2\nexit\n", 6, 33}},
	{"BPF_F_XDP_HAS_FRAGS", SKEP_LINUX(5, 18), UINT32_MAX, {"r0 = 2\nexit\n", 6, 37, 1 << 5}},
	{"bpf_ktime_get_boot_ns",
	 SKEP_LINUX(5, 8),
	 0,
	 {"call bpf_ktime_get_boot_ns\nr0 = 0\nexit\n", 6}},
	{"bpf_skb_change_head (in programs of this type)",
	 SKEP_LINUX(5, 8),
	 2,
	 {"r2 = 16\nr3 = 0\ncall bpf_skb_change_head\nr0 = 0\nexit\n", 3}},
	{"egress_ifindex",
	 SKEP_LINUX(5, 8),
	 UINT32_MAX,
	 {"r0 = *(u32 *)(r1 +20)\nr0 = 2\nexit\n", 6, 33}},
	{"gso_size", SKEP_LINUX(5, 7), UINT32_MAX, {"r0 = *(u32 *)(r1 +176)\nr0 = 0\nexit\n", 3}},
	{"data", SKEP_LINUX(4, 7), UINT32_MAX, {"r2 = *(u32 *)(r1 +76)\nr0 = 0\nexit\n", 3}},
	/* a field that a type had from the start asks for nothing more */
	{"SCHED_CLS", SKEP_LINUX(4, 1), UINT32_MAX, {"r0 = *(u32 *)(r1 +0)\nr0 = 0\nexit\n", 3}},
	{"loop",
	 SKEP_LINUX(5, 3),
	 2,
	 {"r0 = 0\nagain:\nr0 += 1\nif r0 < 5 goto again\nr0 = 0\nexit\n", 1}},
	/* backwards, but no way leads there twice */
	{"jump if less",
	 SKEP_LINUX(4, 14),
	 4,
	 {"r0 = 0\ngoto on\nback:\nr0 = 1\nexit\non:\nif r0 < 5 goto back\nexit\n", 1}},
	{"may_goto",
	 SKEP_LINUX(6, 9),
	 1,
	 {"r0 = 0\nagain:\nmay_goto out\ngoto again\nout:\nexit\n", 1}},
	{"jump on 32 bits",
	 SKEP_LINUX(5, 1),
	 1,
	 {"r0 = 0\nif w0 == 0 goto out\nr0 = 1\nout:\nexit\n", 1}},
	{"move that extends the sign", SKEP_LINUX(6, 6), 1, {"r1 = 5\nr0 = (s8)r1\nexit\n", 1}},
	{"signed division", SKEP_LINUX(6, 6), 1, {"r0 = 5\nr0 s/= 2\nexit\n", 1}},
	{"long jump (gotol)", SKEP_LINUX(6, 6), 1, {"r0 = 0\ngotol out\nout:\nexit\n", 1}},
	{"load-acquire",
	 SKEP_LINUX(6, 15),
	 2,
	 {"r1 = 0\n*(u64 *)(r10 -8) = r1\nr0 = load_acquire((u64 *)(r10 -8))\nexit\n", 1}},
	{"atomic operation that fetches",
	 SKEP_LINUX(5, 12),
	 3,
	 {"r1 = 0\n*(u64 *)(r10 -8) = r1\nr0 = 1\n"
	  "r0 = atomic64_fetch_add((u64 *)(r10 -8), r0)\nexit\n",
	  1}},
	{"call of a function of the program",
	 SKEP_LINUX(4, 16),
	 0,
	 {"call f\nexit\nf:\nr0 = 0\nexit\n", 1}},
};

static void test_programs(void **state)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		struct skep_arena arena;
		struct skep_requirements all;
		const struct skep_requirement *need;

		skep_arena_init(&arena);
		all = ask(&programs[i].asked, &arena);
		need = find(&all, programs[i].name);
		if (!need)
			fail_msg("%s is not among what is needed", programs[i].name);
		assert_int_equal(need->since, programs[i].since);
		assert_int_equal(need->slot, programs[i].slot);
		assert_int_equal(all.since, programs[i].since);
		skep_arena_done(&arena);
	}
}

/* Latest first, and nothing twice. */
static void test_order(void **state)
{
	struct skep_arena arena;
	struct skep_requirements all;

	skep_arena_init(&arena);
	all = ask(&(struct asked){"r0 = 0\nagain:\nr0 += 1\nr0 s/= 2\nr0 s/= 2\n"
				  "call bpf_ktime_get_ns\ncall bpf_ktime_get_ns\nr0 = 0\nexit\n",
				  1},
		  &arena);
	assert_int_equal(all.n_needs, 3);
	assert_string_equal(all.needs[0].name, "signed division");
	assert_int_equal(all.needs[0].slot, 2);
	assert_string_equal(all.needs[1].name, "bpf_ktime_get_ns");
	assert_string_equal(all.needs[1].kind, "helper");
	assert_int_equal(all.needs[1].slot, 4);
	assert_string_equal(all.needs[2].name, "SOCKET_FILTER");
	skep_arena_done(&arena);
}

static const char uses_map[] = "r1 = 0\n*(u64 *)(r10 -8) = r1\nr2 = r10\nr2 += -8\n"
			       "r1 = map[id:0]\ncall bpf_map_lookup_elem\nr0 = 0\nexit\n";

static void test_maps(void **state)
{
	const struct skep_map_attr shared = {.type = SKEP_MAP_ARRAY,
					     .key_size = 4,
					     .value_size = 8,
					     .max_entries = 4,
					     .flags = 1 << 10,
					     .name = "shared"};
	const struct skep_map_attr locked = {
		.type = SKEP_MAP_HASH,
		.key_size = 8,
		.value_size = 8,
		.max_entries = 4,
		.name = "locked",
		.fields = &(struct skep_map_field){.kind = SKEP_FIELD_TIMER, .size = 8},
		.n_fields = 1};
	struct skep_map_attr data = shared;
	struct skep_requirements all;
	struct skep_arena arena;

	skep_arena_init(&arena);
	all = ask(&(struct asked){uses_map, 1, .map = &shared}, &arena);
	assert_non_null(find(&all, "BPF_F_MMAPABLE"));
	assert_int_equal(all.since, SKEP_LINUX(5, 5));
	assert_int_equal(find(&all, "ARRAY")->slot, 4);
	memcpy(data.name, "x.bss", 6);
	all = ask(&(struct asked){uses_map, 1, .map = &data}, &arena);
	assert_null(find(&all, "BPF_F_MMAPABLE"));
	all = ask(&(struct asked){uses_map, 1, .map = &locked}, &arena);
	assert_string_equal(all.needs[0].name, "bpf_timer");
	assert_int_equal(all.since, SKEP_LINUX(5, 15));
	assert_int_equal(used(&all, "maps"), 1);
	skep_arena_done(&arena);
}

/* --- Limits ----------------------------------------------------------------------------------- */

static void test_limits(void **state)
{
	assert_null(version_of_limit(LIMIT_INSNS, 4096));
	assert_int_equal(version_of_limit(LIMIT_INSNS, 4097)->since, SKEP_LINUX(5, 2));
	assert_int_equal(version_of_limit(LIMIT_PROCESSED, 32769)->since, SKEP_LINUX(4, 7));
	assert_int_equal(version_of_limit(LIMIT_PROCESSED, 98304)->since, SKEP_LINUX(4, 12));
	assert_int_equal(version_of_limit(LIMIT_PROCESSED, 131073)->since, SKEP_LINUX(5, 2));
	assert_null(version_of_limit(LIMIT_BRANCHES, 1024));
	assert_int_equal(version_of_limit(LIMIT_BRANCHES, 1025)->since, SKEP_LINUX(5, 3));
}

static void test_program_over_limits(void **state)
{
	char *text = malloc(64 * 5000);
	struct skep_requirements all;
	struct skep_arena arena;
	size_t len = 0;

	for (int i = 0; i < 5000; i++)
		len += (size_t)sprintf(text + len, "r0 = %d\n", i);
	strcpy(text + len, "exit\n");
	skep_arena_init(&arena);
	all = ask(&(struct asked){text, 1}, &arena);
	assert_string_equal(all.needs[0].name, "more than 4096 instructions");
	assert_string_equal(all.needs[0].kind, "limit");
	assert_int_equal(all.since, SKEP_LINUX(5, 2));
	assert_int_equal(used(&all, "instructions"), 5001);
	assert_int_equal(used(&all, "instructions processed"), 5001);
	skep_arena_done(&arena);
	free(text);
}

static void test_uses(void **state)
{
	static const char text[] =
		"call bpf_get_prandom_u32\nif r0 == 1 goto on\nif r0 == 2 goto on\n"
		"if r0 == 3 goto on\non:\nr1 = 0\n*(u64 *)(r10 -24) = r1\ncall deep\nexit\n"
		"deep:\nr1 = 0\n*(u64 *)(r10 -64) = r1\ncall deeper\nexit\n"
		"deeper:\nr0 = 0\nexit\n";
	struct skep_requirements all;
	struct skep_arena arena;

	skep_arena_init(&arena);
	all = ask(&(struct asked){text, 1}, &arena);
	assert_int_equal(used(&all, "functions"), 3);
	assert_int_equal(used(&all, "functions in a chain of calls"), 3);
	assert_int_equal(used(&all, "bytes of stack"), 32 + 64);
	assert_int_equal(used(&all, "branches waiting"), 3);
	assert_int_equal(used(&all, "maps"), 0);
	skep_arena_done(&arena);
}

/* Stacks of their own, together more than a chain could have. */
static void test_private_stacks(void **state)
{
	static const char text[] = "r1 = 0\n*(u64 *)(r10 -400) = r1\ncall deep\nexit\n"
				   "deep:\nr1 = 0\n*(u64 *)(r10 -400) = r1\nr0 = 0\nexit\n";
	struct skep_requirements all;
	struct skep_arena arena;

	skep_arena_init(&arena);
	all = ask(&(struct asked){text, PROGRAM_KPROBE}, &arena);
	assert_int_equal(all.since, SKEP_LINUX(6, 13));
	assert_string_equal(all.needs[0].kind, "function");
	skep_arena_done(&arena);
}

/* --- Types of functions ----------------------------------------------------------------------- */

/* A global function that takes a pointer: after it became possible to have any verified alone. */
static void test_pointer_arguments(void **state)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	uint32_t number = skep_btf_add_int(writer, "int", 4, true);
	uint32_t pointer = skep_btf_add_ptr(writer, number), main_proto, proto;
	struct skep_verify_func funcs[] = {{0}, {.insn = 2}};
	struct skep_insn *insns = NULL;
	struct skep_image *image = NULL;
	struct skep_requirements all;
	struct skep_verify_report report;
	struct skep_verify_program program = {.gpl = true, .funcs = funcs, .n_funcs = 2};
	static const char text[] = "r1 = 0\ncall f\nexit\nf:\nr0 = 0\nexit\n";
	struct skep_btf *btf = NULL;
	struct skep_arena arena;
	size_t n, size;
	void *data;

	main_proto = skep_btf_add_func_proto(writer, number);
	funcs[0].type_id = skep_btf_add_func(writer, "main", main_proto, false);
	proto = skep_btf_add_func_proto(writer, number);
	skep_btf_add_param(writer, "at", pointer);
	funcs[1].type_id = skep_btf_add_func(writer, "f", proto, false);
	funcs[1].insn = 3;
	skep_btf_finish(writer, &data, &size);
	assert_int_equal(skep_btf_parse(data, size, NULL, &btf, NULL), 0);
	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	assert_int_equal(
		skep_image_link(insns, (uint32_t)n, 1, &(struct skep_link_env){0}, NULL, &image),
		0);
	program.btf = btf;
	program.image = image;
	program.insns = insns;
	assert_int_equal(skep_verify(&program, &(struct skep_verify_opts){0}, NULL, &report), 0);
	skep_arena_init(&arena);
	assert_int_equal(skep_verify_requirements(&program, &report, &arena, &all), 0);
	assert_int_equal(all.since, SKEP_LINUX(5, 12));
	assert_int_equal(all.needs[0].slot, 3);
	skep_arena_done(&arena);
	skep_image_free(image);
	free(insns);
	skep_btf_free(btf);
	free(data);
	skep_btf_writer_free(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_complete),
		cmocka_unit_test(test_table_is_sorted),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_program_over_limits),
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_private_stacks),
		cmocka_unit_test(test_pointer_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
