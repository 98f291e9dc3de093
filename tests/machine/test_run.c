/*
 * PROG_TEST_RUN of the machine beside the running kernel's: results, error numbers, and what is
 * written to data and context.
 */
#include "both.h"

#include "machine/prog.h"

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static int setup(void **state)
{
	has_kernel = !geteuid();
	return skep_machine_new(NULL, &machine);
}

static int teardown(void **state)
{
	skep_machine_free(machine);
	return 0;
}

static const struct skep_insn pass[] = {{0xb7, 0, 0, 0, 1}, {0x95}};

static struct both load_both(uint32_t type, uint32_t expected)
{
	union attr attr = {.prog_load = {.type = type,
					 .insn_cnt = sizeof(pass) / sizeof(*pass),
					 .insns = ptr(pass),
					 .license = ptr("GPL"),
					 .expected_attach_type = expected}};
	union attr attrs[2] = {attr, attr};
	struct both progs = call_both(CMD_PROG_LOAD, attrs, sizeof(*attrs));

	check_same(progs, true, "load");
	return progs;
}

static void run_both(struct both progs, const struct attr_test *test, const char *what)
{
	uint8_t data[2][4096], ctx[2][256];
	union attr attr[2];
	struct both both;

	for (int side = 0; side < 2; side++) {
		memset(data[side], 0x5a, sizeof(data[side]));
		memset(ctx[side], 0, sizeof(ctx[side]));
		attr[side] = (union attr){.test = *test};
		attr[side].test.prog_fd = (uint32_t)progs.result[side];
		if (test->data_out)
			attr[side].test.data_out = ptr(data[side]);
		if (test->ctx_out)
			attr[side].test.ctx_out = ptr(ctx[side]);
	}
	both = call_both(CMD_PROG_TEST_RUN, attr, sizeof(*attr));
	check_same(both, false, what);
	check_number(attr[0].test.retval, attr[1].test.retval, what, "retval");
	check_number(attr[0].test.data_size_out, attr[1].test.data_size_out, what, "data_size_out");
	check_number(attr[0].test.ctx_size_out, attr[1].test.ctx_size_out, what, "ctx_size_out");
	check_bytes(data[0], data[1], sizeof(data[0]), what, "data");
	check_bytes(ctx[0], ctx[1], sizeof(ctx[0]), what, "context");
}

static void test_run_sizes(void **state)
{
	static const uint32_t types[] = {PROG_SOCKET_FILTER, PROG_SCHED_CLS, PROG_XDP, PROG_LWT_IN,
					 PROG_FLOW_DISSECTOR};
	static const uint32_t sizes[] = {0,    1,    13,   14,   15,   33,   34,   64,   1500,
					 3519, 3520, 3521, 3712, 3713, 4000, 4096, 4097, 9000};
	static uint8_t data[9000];

	NEED_KERNEL();
	for (size_t type = 0; type < sizeof(types) / sizeof(*types); type++) {
		struct both progs = load_both(types[type], 0);

		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			struct attr_test test = {.data_in = ptr(data),
						 .data_size_in = sizes[i],
						 .data_out = 1,
						 .data_size_out = 4096};
			char what[64];

			if (types[type] == PROG_XDP && sizes[i] > 3520 && sizes[i] != 9000)
				continue;
			snprintf(what, sizeof(what), "type %u, %u bytes", types[type], sizes[i]);
			run_both(progs, &test, what);
			test.data_size_out = 10;
			run_both(progs, &test, what);
			test.data_out = 0;
			run_both(progs, &test, what);
		}
		close_both(progs);
	}
}

static void test_run_attrs(void **state)
{
	static const uint32_t types[] = {PROG_SOCKET_FILTER,  PROG_SCHED_CLS, PROG_XDP,
					 PROG_RAW_TRACEPOINT, PROG_KPROBE,    PROG_SK_LOOKUP,
					 PROG_FLOW_DISSECTOR};
	static uint8_t data[64], ctx[512];
	static const struct attr_test tests[] = {
		{.data_size_in = 64, .flags = 1},
		{.data_size_in = 64, .flags = 4},
		{.data_size_in = 64, .flags = 8},
		{.data_size_in = 64, .cpu = 1},
		{.data_size_in = 64, .cpu = 9999},
		{.data_size_in = 64, .batch_size = 1},
		{.data_size_in = 64, .repeat = 3},
		{.data_size_in = 64, .ctx_size_in = 8},
		{.data_size_in = 64, .ctx_size_out = 8},
		{.ctx_size_in = 100},
		{.flags = 1, .cpu = 9999},
		{.flags = 1, .cpu = 0},
		{.repeat = 1},
		{.duration = 1},
		{0},
	};

	NEED_KERNEL();
	for (size_t type = 0; type < sizeof(types) / sizeof(*types); type++) {
		struct both progs = load_both(types[type],
					      types[type] == PROG_SK_LOOKUP ? ATTACH_SK_LOOKUP : 0);

		for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
			struct attr_test test = tests[i];
			char what[64];

			snprintf(what, sizeof(what), "type %u, attributes %zu", types[type], i);
			test.data_in = test.data_size_in ? ptr(data) : 0;
			run_both(progs, &test, what);
			test.ctx_in = test.ctx_size_in ? ptr(ctx) : 0;
			test.ctx_out = test.ctx_size_out ? 1 : 0;
			run_both(progs, &test, what);
		}
		close_both(progs);
	}
}

/* What a program was verified to read of its context it must be given. */
static void test_run_short_ctx(void **state)
{
	static const struct skep_insn insns[] = {{SKEP_LDX | SKEP_MEM | SKEP_DW, 0, 1, 24},
						 {SKEP_JMP | SKEP_EXIT}};
	static const uint32_t types[] = {PROG_RAW_TRACEPOINT, PROG_SYSCALL};
	static uint8_t ctx[64] = {[24] = 7};

	NEED_KERNEL();
	for (size_t type = 0; type < 2; type++) {
		union attr load = {.prog_load = {.type = types[type],
						 .insn_cnt = 2,
						 .insns = ptr(insns),
						 .license = ptr("GPL"),
						 .flags = type ? PROG_F_SLEEPABLE : 0}};
		union attr twice[2] = {load, load};
		struct both progs = call_both(CMD_PROG_LOAD, twice, sizeof(load));

		check_same(progs, true, "load");
		for (uint32_t n = 0; n <= 40; n += 8) {
			struct attr_test test = {.ctx_in = n ? ptr(ctx) : 0, .ctx_size_in = n};

			run_both(progs, &test, "context");
		}
		close_both(progs);
	}
}

/* Every byte of the skb's context, set: which may be, and what comes back. */
static void test_run_skb_ctx(void **state)
{
	static uint8_t data[64];
	uint8_t ctx[256];
	struct both progs;

	NEED_KERNEL();
	progs = load_both(PROG_SCHED_CLS, 0);
	for (uint32_t i = 0; i < 200; i++) {
		struct attr_test test = {.data_in = ptr(data),
					 .data_size_in = sizeof(data),
					 .ctx_in = ptr(ctx),
					 .ctx_size_in = 200,
					 .ctx_out = 1,
					 .ctx_size_out = 200};
		char what[64];

		snprintf(what, sizeof(what), "byte %u of the context", i);
		memset(ctx, 0, sizeof(ctx));
		run_both(progs, &test, what);
		ctx[i] = 1;
		run_both(progs, &test, what);
		ctx[i] = 200;
		run_both(progs, &test, what);
		test.ctx_size_out = 50;
		ctx[i] = 0;
		run_both(progs, &test, what);
	}
	close_both(progs);
}

static void test_run_xdp_ctx(void **state)
{
	static uint8_t data[100];
	static const uint32_t sizes[] = {0, 1, 4, 12, 24, 25, 100};
	static const struct wire_xdp_md ctxs[] = {
		{0, 100},          {4, 100},          {8, 100},          {3, 100},
		{32, 100},         {36, 100},         {88, 100},         {100, 100},
		{0, 99},           {0, 101},          {4, 100, 4},       {0, 100, 0, 1},
		{0, 100, 0, 1, 1}, {0, 100, 0, 0, 1}, {0, 100, 0, 9999}, {0, 100, 0, 0, 0, 1},
	};
	struct both progs;

	NEED_KERNEL();
	progs = load_both(PROG_XDP, 0);
	for (size_t i = 0; i < sizeof(ctxs) / sizeof(*ctxs); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
			uint8_t ctx[128] = {0};
			struct attr_test test = {.data_in = ptr(data),
						 .data_size_in = sizeof(data),
						 .data_out = 1,
						 .data_size_out = 4000,
						 .ctx_in = sizes[j] ? ptr(ctx) : 0,
						 .ctx_size_in = sizes[j],
						 .ctx_out = 1,
						 .ctx_size_out = 24};
			char what[64];

			snprintf(what, sizeof(what), "xdp_md %zu of %u bytes", i, sizes[j]);
			memcpy(ctx, &ctxs[i], sizeof(ctxs[i]));
			run_both(progs, &test, what);
		}
	close_both(progs);
}

#define CASE(name) cmocka_unit_test_teardown(name, none_differs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_run_sizes),   CASE(test_run_attrs),   CASE(test_run_short_ctx),
		CASE(test_run_skb_ctx), CASE(test_run_xdp_ctx),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
