/*
 * What the checked interpreter refuses: each program does one wrong thing, and
 * is stopped at that instruction with a sentence about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <skep/map.h>

#include "run.h"

/* --- functions and maps --------------------------------------------------------------------- */

static struct skep_map *array, *hash, *constant;
static uint64_t ctx[4] = {1, 2, 3, 4};

static uint64_t look_up(uint64_t map, uint64_t key, uint64_t c, uint64_t d, uint64_t e,
			struct skep_run *run)
{
	return (uintptr_t)skep_map_lookup((void *)(uintptr_t)map, (void *)(uintptr_t)key);
}

/* Fills r2 bytes at r1 with ones. */
static uint64_t fill(uint64_t at, uint64_t n, uint64_t c, uint64_t d, uint64_t e,
		     struct skep_run *run)
{
	memset((void *)(uintptr_t)at, 1, n);
	return 0;
}

static uint64_t nothing(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			struct skep_run *run)
{
	return 0;
}

static const struct skep_proto look_up_proto = {SKEP_RET_MAP_VALUE | SKEP_RET_MAYBE_NULL,
						{SKEP_ARG_CONST_MAP_PTR, SKEP_ARG_MAP_KEY}},
			       fill_proto = {SKEP_RET_INTEGER,
					     {SKEP_ARG_MEM | SKEP_ARG_UNINIT, SKEP_ARG_SIZE}},
			       read_proto = {SKEP_RET_VOID, {SKEP_ARG_MEM, SKEP_ARG_SIZE_OR_ZERO}},
			       ctx_proto = {SKEP_RET_INTEGER, {SKEP_ARG_CTX, SKEP_ARG_ANYTHING}},
			       func_proto = {SKEP_RET_INTEGER, {SKEP_ARG_FUNC}};

/* By the numbers that the programs below call them. */
static const struct skep_callable callables[] = {
	{"nothing", nothing, NULL},       {"bpf_look_up", look_up, &look_up_proto},
	{"bpf_fill", fill, &fill_proto},  {"bpf_read", nothing, &read_proto},
	{"bpf_ctx", nothing, &ctx_proto}, {"bpf_func", nothing, &func_proto},
};

static int find_helper(void *unused, int32_t id, const struct skep_callable **ret)
{
	*ret = &callables[id];
	return 0;
}

static int find_map(void *unused, const struct skep_insn *insn, struct skep_map **ret)
{
	*ret = insn->imm == 1 ? array : insn->imm == 2 ? hash : constant;
	skep_map_ref(*ret);
	return 0;
}

static const struct skep_link_env env = {.map = find_map, .helper = find_helper};

#define ARRAY    "map[id:1]"
#define HASH     "map[id:2]"
#define VALUE    "map[id:1][0]+0"
#define CONSTANT "map[id:3][0]+0"
#define LOOK_UP  "call bpf_map_lookup_elem#1\n"
#define FILL     "call bpf_map_update_elem#2\n"
#define READ     "call bpf_map_delete_elem#3\n"
#define WITH_CTX "call bpf_probe_read#4\n"
#define BACK     "call bpf_ktime_get_ns#5\n"
#define END      "r0 = 0\nexit\n"

/* --- programs that are wrong ----------------------------------------------------------------- */

static const struct {
	const char *text;
	uint32_t insn;
	const char *why; /* part of the sentence */
} refused[] = {
	{"r0 = r5\nexit\n", 0, "r5 is read, but nothing was put into it"},
	{"exit\n", 0, "r0 is read"},
	{"r6 += 1\n" END, 0, "r6 is read"},
	{"if r3 == 0 goto +0\n" END, 0, "r3 is read"},
	{"*(u64 *)(r10 -8) = r7\n" END, 0, "r7 is read"},
	{"r1 = 1\ncall bpf_unspec#0\nr0 = r1\nexit\n", 2, "r1 is read"},
	{"call sub\nr0 = r1\nexit\nsub: r0 = 0\nexit\n", 1, "r1 is read"},
	{"r10 = 1\n" END, 0, "r10, the frame pointer, cannot be written"},
	{"r10 += 8\n" END, 0, "r10, the frame pointer"},
	{"r0 = *(u64 *)(r10 -8)\nexit\n", 0, "never written"},
	{"*(u32 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nexit\n", 1, "reads 8 bytes of the stack"},
	{"*(u64 *)(r10 -520) = 1\n" END, 0, "writes 8 bytes by r10 outside"},
	{"*(u64 *)(r10 +0) = 1\n" END, 0, "writes 8 bytes by r10 outside"},
	{"*(u64 *)(r10 -4) = 1\n" END, 0, "writes 8 bytes by r10 outside"},
	{"r1 = 0\nr0 = *(u8 *)(r1 +7)\nexit\n", 1, "r1, which is NULL"},
	{"r2 = 0x123456789 ll\nr0 = *(u8 *)(r2 +0)\nexit\n", 2, "outside of what"},
	{"r0 = *(u64 *)(r1 +32)\nexit\n", 0, "reads 8 bytes by r1 outside"},
	{"r0 = *(u64 *)(r1 +25)\nexit\n", 0, "reads 8 bytes by r1 outside"},
	{"*(u64 *)(r1 +0) = 1\n" END, 0, "writes 8 bytes by r1 where that is not allowed"},
	{"r1 = " VALUE "\nr0 = *(u64 *)(r1 +16)\nexit\n", 2, "outside"},
	{"r1 = " CONSTANT "\n*(u64 *)(r1 +0) = 1\n" END, 2, "not allowed"},
	{"r1 = " ARRAY "\nr0 = *(u64 *)(r1 +0)\nexit\n", 2, "outside"},
	{"r2 = r10\nr2 += -7\n*(u64 *)(r10 -8) = 0\nlock *(u32 *)(r2 +0) += r2\n" END, 3,
	 "not aligned"},
	/* arguments */
	{"r1 = 5\nr2 = r10\nr2 += -8\n" LOOK_UP END, 3, "r1, argument 1 of bpf_look_up, is no map"},
	/* memory that it may touch is none either: it could make a map of its own bytes */
	{"r2 = 0\n" LOOK_UP END, 1, "r1, argument 1 of bpf_look_up, is no map"},
	{"r1 = r10\nr1 += -8\nr2 = r1\n*(u64 *)(r10 - 8) = 0\n" LOOK_UP END, 4,
	 "r1, argument 1 of bpf_look_up, is no map"},
	{"r1 = " VALUE "\nr2 = r10\n" LOOK_UP END, 3, "r1, argument 1 of bpf_look_up, is no map"},
	{"r1 = " HASH "\nr2 = r10\nr2 += -8\n" LOOK_UP END, 4, "never written"},
	{"r1 = " HASH "\nr2 = 0\n" LOOK_UP END, 3, "r2, argument 2 of bpf_look_up, is NULL"},
	{"r1 = " HASH "\n" LOOK_UP END, 2, "r2 is read"},
	{"r1 = " HASH "\nr2 = r10\nr2 += -4\n*(u32 *)(r10 -4) = 0\n" LOOK_UP END, 5, "outside"},
	{"r1 = r10\nr1 += -8\nr2 = 0\n" FILL END, 3, "a size of 0"},
	{"r1 = r10\nr1 += -8\nr2 = 16\n" FILL END, 3, "writes 16 bytes by r1 outside"},
	{"r1 = r10\nr1 += -8\nr2 = -1\n" FILL END, 3, "of a size that no memory has"},
	{"r1 = r10\nr1 += -8\nr2 = 8\n" READ END, 3, "never written"},
	{"*(u32 *)(r10 -8) = 1\n*(u8 *)(r10 -4) = 1\nr1 = r10\nr1 += -8\nr2 = 8\n" READ END, 5,
	 "of which 3 at offset 5 were never written (padding"},
	{"r1 = 0\nr2 = 0\n" READ "exit\n", 3, "r0 is read"},
	{"r1 = r10\nr2 = 0\n" WITH_CTX END, 2, "not the context"},
	{"r1 = 77\n" BACK END, 1, "no function of the program"},
	/* what a look-up gives */
	{"*(u64 *)(r10 -8) = 99\nr1 = " HASH "\nr2 = r10\nr2 += -8\n" LOOK_UP
	 "r0 = *(u64 *)(r0 +0)\nexit\n",
	 6, "r0, which is NULL"},
	{"*(u64 *)(r10 -8) = 7\nr1 = " HASH "\nr2 = r10\nr2 += -8\n" LOOK_UP
	 "r0 = *(u64 *)(r0 +8)\nexit\n",
	 6, "outside"},
	/* another function's stack is gone with it */
	{"call sub\nr0 = *(u64 *)(r0 +0)\nexit\nsub: *(u64 *)(r10 -8) = 1\nr0 = r10\nr0 += -8\n"
	 "exit\n",
	 1, "outside"},
};

static struct outcome run_text(const char *text)
{
	struct skep_image *image = link_text(text, &env);
	struct skep_run run = {.budget = UINT64_MAX, .ctx = ctx, .check = skep_check_new()};

	skep_run_grant(&run, ctx, sizeof(ctx), SKEP_MAY_READ);
	struct outcome outcome = run_in(&skep_exec_checked, image, &run);
	skep_check_free(run.check);
	skep_image_free(image);
	return outcome;
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct outcome outcome = run_text(refused[i].text);
		if (outcome.stop != SKEP_STOP_FAULT || outcome.fault_insn != refused[i].insn ||
		    !strstr(outcome.why, refused[i].why) || outcome.r0)
			fail_msg("%sstop %d at %u: %s", refused[i].text, outcome.stop,
				 outcome.fault_insn, outcome.why);
	}
}

/* --- programs that are right ----------------------------------------------------------------- */

static const struct {
	const char *text;
	uint64_t r0;
} fine[] = {
	{"r0 = *(u64 *)(r1 +24)\nexit\n", 4},
	{"r1 = r10\nr1 += -8\nr2 = 8\n" FILL "r0 = *(u64 *)(r10 -8)\nexit\n", 0x0101010101010101},
	{"r1 = 0\nr2 = 0\n" READ END, 0},
	{"r2 = 5\n" WITH_CTX END, 0},
	{"r1 = subprog[+4]\n" BACK "r0 = 3\nexit\nr0 = 0\nexit\n", 3},
	{"r1 = " CONSTANT "\nr0 = *(u32 *)(r1 +0)\nexit\n", 0},
	{"r1 = " VALUE "\n*(u64 *)(r1 +8) = 6\nr0 = *(u64 *)(r1 +8)\nexit\n", 6},
	{"*(u64 *)(r10 -8) = 7\nr1 = " HASH "\nr2 = r10\nr2 += -8\n" LOOK_UP
	 "r0 = *(u64 *)(r0 +0)\nexit\n",
	 70},
	{"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall sub\nr0 = *(u64 *)(r10 -8)\nexit\n"
	 "sub: *(u64 *)(r1 +0) = 9\nr0 = 0\nexit\n",
	 9},
};

static void test_fine(void **state)
{
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct outcome outcome = run_text(fine[i].text);
		if (outcome.stop || outcome.r0 != fine[i].r0)
			fail_msg("%sstop %d at %u: %s; r0 %llu", fine[i].text, outcome.stop,
				 outcome.fault_insn, outcome.why, (unsigned long long)outcome.r0);
	}
}

/* --- regions --------------------------------------------------------------------------------- */

static void test_regions(void **state)
{
	struct skep_run run = {.check = skep_check_new()};
	uint8_t memory[64];

	assert_false(skep_run_may(&run, memory, 1, SKEP_MAY_READ));
	skep_run_grant(&run, memory + 8, 16, SKEP_MAY_READ);
	skep_run_grant(&run, memory + 32, 8, SKEP_MAY_READ | SKEP_MAY_WRITE);
	assert_true(skep_run_may(&run, memory + 8, 16, SKEP_MAY_READ));
	assert_false(skep_run_may(&run, memory + 8, 17, SKEP_MAY_READ));
	assert_false(skep_run_may(&run, memory + 7, 1, SKEP_MAY_READ));
	assert_false(skep_run_may(&run, memory + 8, 1, SKEP_MAY_WRITE));
	assert_true(skep_run_may(&run, memory + 39, 1, SKEP_MAY_WRITE));
	assert_false(skep_run_may(&run, memory + 32, SIZE_MAX, SKEP_MAY_READ));
	skep_run_revoke(&run, memory + 8);
	assert_false(skep_run_may(&run, memory + 8, 1, SKEP_MAY_READ));
	skep_check_reset(run.check);
	assert_false(skep_run_may(&run, memory + 32, 1, SKEP_MAY_READ));
	skep_check_free(run.check);
	run.check = NULL;
	assert_true(skep_run_may(&run, memory, 1, SKEP_MAY_WRITE));
}

static int make_maps(void **state)
{
	static const struct skep_map_attr attrs[] = {
		{.type = SKEP_MAP_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 1},
		{.type = SKEP_MAP_HASH, .key_size = 8, .value_size = 8, .max_entries = 4},
		{.type = SKEP_MAP_ARRAY,
		 .key_size = 4,
		 .value_size = 16,
		 .max_entries = 1,
		 .flags = 1u << 7},
	};
	const uint64_t key = 7, value = 70;

	return skep_map_create(&attrs[0], &array) || skep_map_create(&attrs[1], &hash) ||
	       skep_map_create(&attrs[2], &constant) || skep_map_update(hash, &key, &value, 0);
}

static int free_maps(void **state)
{
	skep_map_unref(array);
	skep_map_unref(hash);
	skep_map_unref(constant);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests(tests, make_maps, free_maps);
}
