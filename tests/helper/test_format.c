/*
 * Format strings: the running kernel's bpf_snprintf() and ours on the same format and
 * arguments give the same text and result; what the kernel refuses to load is refused here.
 */
#include "kernel_run.h"

#include <sys/mman.h>

#include "helper/format.h"

enum { TEXT_BYTES = 256, MOST_ARGS = 4 };

struct text_case {
	const char *fmt;
	uint32_t size; /* of the buffer */
	uint64_t args[MOST_ARGS];
	uint32_t n_args;
	const char *string; /* its address is the argument of this number + 1 */
	uint32_t string_arg;
};

/* A map of one value; @frozen for constants. */
static int make_value(const void *data, bool frozen)
{
	uint32_t key = 0;
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = TEXT_BYTES,
		.max_entries = 1,
		.map_flags = frozen ? BPF_F_RDONLY_PROG : 0,
	};
	int fd = sys_bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		return fd;
	attr = (union bpf_attr){
		.map_fd = (uint32_t)fd, .key = (uintptr_t)&key, .value = (uintptr_t)data};
	assert_int_equal(sys_bpf(BPF_MAP_UPDATE_ELEM, &attr), 0);
	if (frozen) {
		attr = (union bpf_attr){.map_fd = (uint32_t)fd};
		assert_int_equal(sys_bpf(BPF_MAP_FREEZE, &attr), 0);
	}
	return fd;
}

static void emit_value(struct program *p, int reg, int fd)
{
	skep_ld_imm64(&p->insns[p->n], reg, SKEP_PSEUDO_MAP_VALUE, (uint32_t)fd);
	p->n += 2;
}

static void emit_text_program(struct program *p, const struct text_case *c, int fmt, int out,
			      int string)
{
	int base = -8 * MOST_ARGS;

	for (uint32_t i = 0; i < MOST_ARGS; i++) {
		if (c->string && i == c->string_arg)
			emit_value(p, SKEP_R1, string);
		else
			emit_number(p, SKEP_R1, c->args[i]);
		emit(p, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R1, base + 8 * (int)i));
	}
	emit_value(p, SKEP_R1, out);
	emit(p, skep_alu64_imm(SKEP_MOV, SKEP_R2, (int32_t)c->size));
	emit_value(p, SKEP_R3, fmt);
	emit(p, skep_alu64_reg(SKEP_MOV, SKEP_R4, SKEP_R10));
	emit(p, skep_alu64_imm(SKEP_ADD, SKEP_R4, base));
	emit(p, skep_alu64_imm(SKEP_MOV, SKEP_R5, (int32_t)c->n_args * 8));
	emit(p, skep_call(165));
	emit(p, skep_exit());
}

static int run_text(int prog)
{
	uint8_t data[64] = {0};
	union bpf_attr attr = {
		.test.prog_fd = (uint32_t)prog,
		.test.data_in = (uintptr_t)data,
		.test.data_size_in = sizeof(data),
		.test.repeat = 1,
	};

	assert_int_equal(sys_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return (int)attr.test.retval;
}

static void read_value(int fd, char *to)
{
	uint32_t key = 0;
	union bpf_attr attr = {
		.map_fd = (uint32_t)fd, .key = (uintptr_t)&key, .value = (uintptr_t)to};

	assert_int_equal(sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr), 0);
}

/* The kernel's result and text; -EINVAL: it does not load. */
static int kernel_text(const struct text_case *c, char *text)
{
	static char log[4096];
	char fmt_value[TEXT_BYTES] = {0}, string[TEXT_BYTES] = {0};
	struct program p = {.n = 0};

	memset(text, '#', TEXT_BYTES);
	snprintf(fmt_value, sizeof(fmt_value), "%s", c->fmt);
	snprintf(string, sizeof(string), "%s", c->string ? c->string : "");
	_cleanup_close_ int fmt = make_value(fmt_value, true);
	_cleanup_close_ int out = make_value(text, false);
	_cleanup_close_ int arg = make_value(string, false);
	if (fmt == -EPERM)
		skip();
	assert_true(fmt >= 0 && out >= 0 && arg >= 0);
	emit_text_program(&p, c, fmt, out, arg);
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.insns = (uintptr_t)p.insns,
		.insn_cnt = p.n,
		.license = (uintptr_t) "GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	_cleanup_close_ int prog = sys_bpf(BPF_PROG_LOAD, &attr);
	if (prog < 0)
		return prog;
	int ret = run_text(prog);
	read_value(out, text);
	return ret;
}

static int our_text(const struct text_case *c, char *text)
{
	uint64_t args[MOST_ARGS];
	struct skep_run run = {0};

	memset(text, '#', TEXT_BYTES);
	memcpy(args, c->args, sizeof(args));
	if (c->string)
		args[c->string_arg] = (uintptr_t)c->string;
	return (int)skep_helper(165)->call((uintptr_t)text, c->size, (uintptr_t)c->fmt,
					   (uintptr_t)args, c->n_args * 8, &run);
}

#define A1(fmt, a)                                                                                 \
	{                                                                                          \
		fmt, 200, {(uint64_t)(a)}, 1, NULL, 0                                              \
	}
#define A2(fmt, a, b)                                                                              \
	{                                                                                          \
		fmt, 200, {(uint64_t)(a), (uint64_t)(b)}, 2, NULL, 0                               \
	}
#define S1(fmt, s)                                                                                 \
	{                                                                                          \
		fmt, 200, {0}, 1, s, 0                                                             \
	}
#define PLAIN(fmt)                                                                                 \
	{                                                                                          \
		fmt, 200, {0}, 0, NULL, 0                                                          \
	}
#define CUT(fmt, size, a)                                                                          \
	{                                                                                          \
		fmt, size, {(uint64_t)(a)}, 1, NULL, 0                                             \
	}

static const struct text_case cases[] = {
	PLAIN(""),
	PLAIN("plain"),
	PLAIN("100%%"),
	PLAIN("%%%%"),
	PLAIN("%"),
	PLAIN("%d"),
	PLAIN("tab\tnewline\n"),
	PLAIN("bell\a"),
	PLAIN("\x7f"),
	PLAIN("caf\xc3\xa9"),
	A1("%d", 5),
	A1("%d", -5),
	A1("%d", 0x1ffffffffull),
	A1("%i", -1),
	A1("%u", -1),
	A1("%x", -1),
	A1("%X", 0xabcdef),
	A1("%ld", -1),
	A1("%lu", -1),
	A1("%lx", -1),
	A1("%lld", INT64_MIN),
	A1("%llu", UINT64_MAX),
	A1("%llx", 0xdeadbeefcafeull),
	A1("%llX", 0xdeadbeefcafeull),
	A1("%li", 7),
	A1("%lli", 7),
	A1("%llli", 7),
	A1("%5d|", 42),
	A1("%-5d|", 42),
	A1("%05d|", 42),
	A1("%05d|", -42),
	A1("%+d|", 42),
	A1("% d|", 42),
	A1("% d|", -42),
	A1("%+5d|", 42),
	A1("%-+5d|", 42),
	A1("%0-5d|", 42),
	A1("%-05d|", 42),
	A1("%+x|", 42),
	A1("% x|", 42),
	A1("%08llx|", 0xbeef),
	A1("%20d|", -7),
	A1("%020d|", -7),
	A1("%1d|", 12345),
	A1("%00005d|", 3),
	A1("%5", 1),
	A1("%5.2d", 1),
	A1("%.2d", 1),
	A1("%#x", 1),
	A1("%*d", 1),
	A1("%hd", 1),
	A1("%zd", 1),
	A1("%f", 1),
	A1("%o", 8),
	A1("%n", 0),
	A1("%lc", 65),
	A1("%l", 5),
	A1("%ll", 5),
	A1("%5%", 1),
	A1("%dx", 5),
	A1("a%db%%c", 5),
	A1("%300d|", 5),
	A1("%c", 'A'),
	A1("%c|", 0x141),
	A1("%5c|", 'A'),
	A1("%-5c|", 'A'),
	A1("%05c|", 'A'),
	A1("%cx", 'A'),
	A1("%c|", 0),
	A1("%px", 0x1234),
	A1("%px", UINT64_MAX),
	A1("%px|", 0),
	A1("%20px|", 0x1234),
	A1("%-20px|", 0x1234),
	A1("%020px|", 0x1234),
	A1("%pxyz|", 0x1234),
	A1("%p", 0),
	A1("%p|", 0),
	A1("%pa", 0),
	A1("%pk", 0),
	A1("%pI", 0),
	A1("%pI5", 0),
	A1("%p%", 0),
	A1("%ps|", 0x10),
	A1("%pS|", 0x10),
	A1("%pB|", 0x10),
	A1("%10ps|", 0x10),
	A1("%pB", 0),
	A1("%10pB|", 0x10),
	S1("%s", "hello"),
	S1("%s|", ""),
	S1("%10s|", "hello"),
	S1("%-10s|", "hello"),
	S1("%010s|", "hello"),
	S1("%3s|", "hello"),
	S1("%sx", "hello"),
	S1("%s.", "hello"),
	S1("%s%%", "hello"),
	S1("%pks|", "hello"),
	S1("%20pks|", "hello"),
	S1("%pksx", "hello"),
	A1("%s|", 0),
	A1("%s|", 0x1234),
	A1("%pks|", 0x1234),
	A1("%pus|", 0),
	S1("%pI4|", "\x01\x02\x03\xff"),
	S1("%pi4|", "\x01\x02\x03\xff"),
	S1("%pI6|", "0123456789abcdef"),
	S1("%pi6|", "0123456789abcdef"),
	S1("%pI4abc|", "\x01\x02\x03\x04"),
	S1("%pI6c|", "0123456789abcdef"),
	S1("%20pI4|", "\x01\x02\x03\x04"),
	A1("%pI4|", 0),
	A1("%pI6|", 8),
	A2("%d %d", 1, 2),
	A2("%d", 1, 2),
	A2("%d %d %d", 1, 2),
	A2("%c%c", 'a', 'b'),
	A2("%c%d", 'a', 2),
	A2("%lld %x", -1, 255),
	A2("%px %d", 16, 3),
	{"%s %d %s", 200, {0, 5, 0}, 3, "text", 0},
	{"%d %s|", 200, {5, 0}, 2, "text", 1},
	CUT("%d", 1, 12345),
	CUT("%d", 3, 12345),
	CUT("%d", 5, 12345),
	CUT("%d", 6, 12345),
	CUT("%d", 7, 12345),
	CUT("%20d", 8, 1),
	CUT("abcdefgh%d", 4, 1),
	CUT("%-20d|", 8, 1),
};

static void test_kernel_text(void **state)
{
	static char theirs[TEXT_BYTES], ours[TEXT_BYTES];
	unsigned n_differ = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int their_ret = kernel_text(&cases[i], theirs);
		int our_ret = our_text(&cases[i], ours);

		if (their_ret == our_ret && !memcmp(theirs, ours, TEXT_BYTES))
			continue;
		n_differ++;
		print_error("\"%s\": kernel %d \"%.80s\", here %d \"%.80s\"\n", cases[i].fmt,
			    their_ret, theirs, our_ret, ours);
	}
	print_message("%zu formats\n", sizeof(cases) / sizeof(cases[0]));
	assert_int_equal(n_differ, 0);
}

/* All texts of a call share 512 bytes, and a NUL is wanted. */
static void test_room(void **state)
{
	char text[1000], out[1200];
	uint64_t args[3] = {(uintptr_t)text, (uintptr_t)text, (uintptr_t)text};

	memset(text, 'x', sizeof(text));
	assert_int_equal(format_text(out, sizeof(out), "%s", 3, args, 1), 511);
	assert_int_equal(strlen(out), 511);
	assert_int_equal(format_text(out, sizeof(out), "%s %s", 6, args, 2), -ENOSPC);
	text[100] = 0;
	assert_int_equal(format_text(out, sizeof(out), "%s %s %s", 9, args, 3), 302);
	assert_int_equal(format_text(out, sizeof(out), "%d", 2, args, 1), -EINVAL);
	assert_int_equal(format_text(NULL, 0, "%s", 3, args, 1), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_text),
		cmocka_unit_test(test_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
