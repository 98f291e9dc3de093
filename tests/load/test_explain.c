/* From the verifier's log to words: texts as data, and real refusals of the running kernel. */
#include "fixture.h"

#include "load/explain.h"

static struct skep_object_line lines[] = {{0, {5, 1}}, {3, {10, 2}}, {4, {0, 0}}, {8, {20, 3}}};
static const struct skep_object_prog prog = {
	.name = "probe", .type = 5, .lines = lines, .n_lines = 4};

static void verdicts_are_found_in_logs(void **state)
{
	static const struct {
		const char *log, *line;
		int insn;
	} rows[] = {
		{"", "", -1},
		{"\n\n\n", "", -1},
		{"processed 0 insns (limit 1000000)", "", -1},
		{"0: R1=ctx() R10=fp0\n; x = *p; @ a.bt:3\n3: (61) r0 = *(u32 *)(r2 +0)\n"
		 "R2 invalid mem access 'scalar'\nprocessed 4 insns (limit 1000000) "
		 "max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n",
		 "R2 invalid mem access 'scalar'", 3},
		{"func#0 @0\nback-edge from insn 7 to 3\n", "back-edge from insn 7 to 3", 7},
		{"unreachable insn 12\n", "unreachable insn 12", 12},
		{"1: (b7) r0 = 0\nfrom 5 to 7: R0=0\n7: (95) exit\nR0 !read_ok", "R0 !read_ok", 7},
		{"last insn is not an exit or jmp", "last insn is not an exit or jmp", -1},
		{"99999999999999: (x", "99999999999999: (x", -1},
		{"insn ", "insn ", -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct load_verdict verdict = load_log_verdict(rows[i].log);
		assert_int_equal(verdict.len, strlen(rows[i].line));
		assert_memory_equal(verdict.line, rows[i].line, verdict.len);
		assert_int_equal(verdict.has_insn, rows[i].insn >= 0);
		if (rows[i].insn >= 0)
			assert_int_equal(verdict.insn, rows[i].insn);
	}
}

static void instructions_have_the_last_place_before_them(void **state)
{
	assert_int_equal(load_insn_span(&prog, 0).off, 5);
	assert_int_equal(load_insn_span(&prog, 2).off, 5);
	assert_int_equal(load_insn_span(&prog, 3).off, 10);
	assert_int_equal(load_insn_span(&prog, 7).off, 10);
	assert_int_equal(load_insn_span(&prog, 1000).off, 20);
	assert_int_equal(load_insn_span(&(struct skep_object_prog){0}, 3).len, 0);
}

/* A row that an earlier one hides would never be used. */
static void every_row_of_words_is_reached(void **state)
{
	static const char *const rows[][2] = {
#define VERIFIER(pattern, what, hint) {pattern, what},
#include "load/verifier.def"
#undef VERIFIER
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_diag_ struct skep_diag diag = {0};
		_cleanup_buf_ struct skep_buf log = {0};
		skep_buf_printf(&log, "4: (bf) r1 = r2\nR1 %s\n", rows[i][0]);
		assert_int_equal(load_explain(&prog, log.data, -EACCES, &diag), -EACCES);
		assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_REJECTED);
		assert_int_equal(diag.items[0].span.off, 10);
		if (!strstr(diag.items[0].what, rows[i][1]))
			print_error("%s: %s\n", rows[i][0], diag.items[0].what);
		assert_non_null(strstr(diag.items[0].what, rows[i][1]));
	}
}

static void errors_without_a_log_have_words(void **state)
{
	static const struct {
		int err;
		const char *why;
	} rows[] = {{-E2BIG, "longer than this kernel allows"},
		    {-ENOSYS, "without BPF"},
		    {-ENOMEM, "no memory"},
		    {-EAGAIN, "signals"},
		    {-EXDEV, "program type 5"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_diag_ struct skep_diag diag = {0};
		assert_int_equal(load_explain(&prog, "", rows[i].err, &diag), rows[i].err);
		assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_REFUSED);
		assert_non_null(strstr(diag.items[0].why, rows[i].why));
	}
	assert_int_equal(load_explain(&prog, "", -EINVAL, NULL), -EINVAL);
}

/* --- the running kernel ---------------------------------------------------------------------- */

static void kernel_refuses(const struct skep_insn *insns, size_t n, uint32_t type,
			   const char *license, const char *words)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;
	struct code code = {0};

	object_with_counters(&object);
	strcpy(object.license, license);
	for (size_t i = 0; i < n; i++)
		emit(&code, insns[i]);
	add_prog(&object, type, &code);
	assert_true(skep_session_open(&object, NULL, &session, &diag) < 0);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_REJECTED);
	if (!strstr(diag.items[0].what, words))
		print_error("%s\n%s\n", diag.items[0].what, diag.items[0].why);
	assert_non_null(strstr(diag.items[0].what, words));
	assert_non_null(strstr(diag.items[0].why, "the kernel said"));
	skep_object_done(&object);
}

#define REFUSES(type, license, words, ...)                                                         \
	do {                                                                                       \
		const struct skep_insn insns_[] = {__VA_ARGS__};                                   \
		kernel_refuses(insns_, sizeof(insns_) / sizeof(insns_[0]), BPF_PROG_TYPE_##type,   \
			       license, words);                                                    \
	} while (0)

static void real_refusals_are_understood(void **state)
{
	const struct skep_insn zero = skep_alu64_imm(SKEP_MOV, SKEP_R0, 0), ret = skep_exit();

	REFUSES(KPROBE, "GPL", "a register is read before", ret);
	REFUSES(KPROBE, "GPL", "through a plain number", zero,
		skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R0, 0), ret);
	REFUSES(KPROBE, "GPL", "512-byte stack", skep_st_mem(SKEP_DW, SKEP_R10, -520, 0), zero,
		ret);
	REFUSES(KPROBE, "GPL", "can never run", skep_ja(1), ret, zero, ret);
	REFUSES(KPROBE, "GPL", "runs off its end", zero);
	REFUSES(KPROBE, "GPL", "never ends", zero, skep_ja(-1));
	REFUSES(KPROBE, "GPL", "no such helper", skep_call(9999), zero, ret);
	REFUSES(KPROBE, "BSD", "GPL-compatible", skep_alu64_reg(SKEP_MOV, SKEP_R1, SKEP_R10),
		skep_alu64_imm(SKEP_ADD, SKEP_R1, -8), skep_alu64_imm(SKEP_MOV, SKEP_R2, 8),
		skep_alu64_imm(SKEP_MOV, SKEP_R3, 0), skep_call(113), zero, ret);
	REFUSES(KPROBE, "GPL", "does not have in its context",
		skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R1, 4000), zero, ret);
	/* Linux 6.1 does not tell a helper for others from one that nobody has. */
	REFUSES(KPROBE, "GPL", "helper", skep_call(26 /* skb_load_bytes */), zero, ret);
	REFUSES(KPROBE, "GPL", "argument of the wrong kind", skep_alu64_imm(SKEP_MOV, SKEP_R1, 0),
		skep_alu64_imm(SKEP_MOV, SKEP_R2, 0), skep_call(HELPER_MAP_LOOKUP), zero, ret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_found_in_logs),
		cmocka_unit_test(instructions_have_the_last_place_before_them),
		cmocka_unit_test(every_row_of_words_is_reached),
		cmocka_unit_test(errors_without_a_log_have_words),
		cmocka_unit_test_setup(real_refusals_are_understood, need_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
