/*
 * The printed form, held against the kernel's own: programs are assembled,
 * loaded with the verifier's log at level 2, and every instruction line of the
 * log must be what the disassembler prints. Loads of maps, which the log shows
 * as addresses, are compared with `bpftool prog dump xlated`.
 *
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "isa_test.h"

#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/btf.h>

#define LOG_BYTES (1u << 20)
/* Newer than the UAPI headers these tests build with. */
#define MAP_TYPE_ARENA 33

static bool proven[SKEP_OP_CNT];

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static void assemble(const char *text, struct skep_insn **ret, size_t *ret_n)
{
	struct skep_source source = {"test", text, strlen(text)};
	_cleanup_diag_ struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf said = {0};

	int err = skep_asm(text, strlen(text), ret, ret_n, &diag);
	if (err) {
		skep_diag_render(&diag, false, &said);
		fail_msg("%s", said.data);
	}
}

static int load_with(union bpf_attr attr, uint32_t type, const struct skep_insn *insns, size_t n,
		     char *log)
{
	attr.prog_type = type;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t) "GPL";
	attr.log_level = 2;
	attr.log_buf = (uintptr_t)log;
	attr.log_size = LOG_BYTES;
	log[0] = '\0';
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static int load(uint32_t type, const struct skep_insn *insns, size_t n, char *log)
{
	return load_with((union bpf_attr){0}, type, insns, n, log);
}

/* The log's end says why. */
static void fail_refused(const char *log)
{
	size_t len = strlen(log), skip_bytes = len > 700 ? len - 700 : 0;

	fail_msg("refused: %s\n%s", strerror(errno), log + skip_bytes);
}

/* --- The verifier's log ----------------------------------------------------------------- */

static const char *rcu_name(void *ctx, const struct skep_insn *insn)
{
	return ctx;
}

/* "12: (b7) r0 = 0   ; R0=0": compare, and note the instruction as proven. */
static bool check_line(const char *line, const struct skep_insn *insns, size_t n)
{
	const struct skep_disasm_names names = {.kfunc = rcu_name,
						.ctx = (char *)"bpf_rcu_read_lock"};
	_cleanup_buf_ struct skep_buf text = {0};
	size_t at, len = strcspn(line, ";\n");
	unsigned code, slots;
	enum skep_op op;
	int prefix = 0;

	if (!isdigit((unsigned char)line[0]) ||
	    sscanf(line, "%zu: (%2x) %n", &at, &code, &prefix) != 2 || !prefix)
		return false;
	while (len > 0 && line[len - 1] == ' ')
		len--;
	assert_true(at < n);
	skep_disasm_insn(insns, n, at, &names, &text);
	if (text.len != len - (size_t)prefix || memcmp(text.data, line + prefix, text.len))
		fail_msg("kernel: %.*s\nskep: %s", (int)len, line, text.data);
	assert_int_equal(code, insns[at].code);
	assert_int_equal(skep_isa_decode(&insns[at], n - at, &op, &slots, NULL), 0);
	proven[op] = true;
	return true;
}

static size_t check_log(const char *log, const struct skep_insn *insns, size_t n)
{
	size_t lines = 0;

	for (const char *line = log; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != 0))
		lines += check_line(line, insns, n);
	return lines;
}

static void check_insns(uint32_t type, const struct skep_insn *insns, size_t n)
{
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	_cleanup_close_ int fd = load(type, insns, n, log);

	if (fd < 0 && errno == EPERM) {
		print_message("bpf(2) is refused here: needs CAP_BPF and CAP_PERFMON\n");
		skip();
	}
	if (fd < 0)
		fail_refused(log);
	assert_true(check_log(log, insns, n) > 0);
}

static void check_text(uint32_t type, const char *text)
{
	_cleanup_free_ struct skep_insn *insns = NULL;
	size_t n;

	assemble(text, &insns, &n);
	check_insns(type, insns, n);
}

/* --- Programs --------------------------------------------------------------------------- */

/* For each operation, by an immediate and by a register. */
static void test_arithmetic(void **state)
{
	static const char *const ops[] = {"+=",  "-=",  "*=", "/=",  "s/=", "|=",   "&=",
					  "<<=", ">>=", "%=", "s%=", "^=",  "s>>=", "="};
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "r1 = 77\nr2 = -3\n");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		skep_buf_printf(&text, "r1 %s 5\nr1 %s r2\nw1 %s 6\nw1 %s w2\nr1 = -1\nr2 = 3\n",
				ops[i], ops[i], ops[i], ops[i]);
	skep_buf_puts(&text, "r1 += -8\nw1 *= -2147483648\nr1 = -r1\nw1 = -w1\n"
			     "r2 = (s8)r1\nr2 = (s16)r1\nr2 = (s32)r1\nw2 = (s8)w1\nw2 = (s16)w1\n"
			     "r1 = le16 r1\nr1 = le32 r1\nr1 = le64 r1\n"
			     "r1 = be16 r1\nr1 = be32 r1\nr1 = be64 r1\n"
			     "r1 = bswap16 r1\nr1 = bswap32 r1\nr1 = bswap64 r1\n"
			     "r3 = 0x1122334455667788\nr3 = 0x0\nr0 = 0\nexit\n");
	check_text(BPF_PROG_TYPE_SOCKET_FILTER, text.data);
}

static void test_jumps(void **state)
{
	static const char *const ops[] = {"==",  ">", ">=", "&",  "!=", "s>",
					  "s>=", "<", "<=", "s<", "s<="};
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "r0 = 1\nr2 = 2\n");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		skep_buf_printf(&text,
				"if r0 %s 0x1 goto pc+0\nif r0 %s r2 goto pc+0\n"
				"if w0 %s 0xfffffff0 goto pc+0\nif w0 %s w2 goto pc+0\n",
				ops[i], ops[i], ops[i], ops[i]);
	skep_buf_puts(&text,
		      "goto pc+0\ngotol pc+0\nback: may_goto pc+1\ngoto back\nr0 = 0\nexit\n");
	check_text(BPF_PROG_TYPE_SOCKET_FILTER, text.data);
}

static void test_memory(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "r6 = r1\nr1 = 5\n");
	for (int bits = 8; bits <= 64; bits *= 2)
		skep_buf_printf(&text,
				"*(u%d *)(r10 -8) = -7\n*(u%d *)(r10 -16) = r1\n"
				"r2 = *(u%d *)(r10 -8)\n",
				bits, bits, bits);
	for (int bits = 8; bits <= 32; bits *= 2)
		skep_buf_printf(&text,
				"r2 = *(s%d *)(r10 -8)\nr0 = *(u%d *)skb[%d]\nr7 = 2\n"
				"r0 = *(u%d *)skb[r7 + -4]\n",
				bits, bits, bits, bits);
	skep_buf_puts(&text, "r0 = 0\nexit\n");
	check_text(BPF_PROG_TYPE_SOCKET_FILTER, text.data);
}

static void add_atomics(struct skep_buf *text, int bits)
{
	static const char *const ops[] = {"add", "+=", "or", "|=", "and", "&=", "xor", "^="};
	const char *wide = bits == 64 ? "64" : "";

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i += 2)
		skep_buf_printf(text,
				"lock *(u%d *)(r10 -8) %s r1\n"
				"r1 = atomic%s_fetch_%s((u%d *)(r10 -8), r1)\n",
				bits, ops[i + 1], wide, ops[i], bits);
	skep_buf_printf(text,
			"r1 = atomic%s_xchg((u%d *)(r10 -8), r1)\n"
			"r0 = atomic%s_cmpxchg((u%d *)(r10 -8), r0, r1)\n",
			wide, bits, wide, bits);
}

static void test_atomics(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "r0 = 0\nr1 = 5\n*(u64 *)(r10 -8) = 1\n");
	add_atomics(&text, 32);
	add_atomics(&text, 64);
	for (int bits = 8; bits <= 64; bits *= 2)
		skep_buf_printf(&text,
				"r2 = load_acquire((u%d *)(r10 -8))\n"
				"store_release((u%d *)(r10 -8), r1)\n",
				bits, bits);
	skep_buf_puts(&text, "r0 = 0\nexit\n");
	check_text(BPF_PROG_TYPE_SOCKET_FILTER, text.data);
}

static void test_calls(void **state)
{
	check_text(BPF_PROG_TYPE_SOCKET_FILTER, "call bpf_get_prandom_u32\ncall other\nr0 = 0\n"
						"exit\nother: call bpf_ktime_get_ns\nexit\n");
}

static void test_kernel_function(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_btf *btf = NULL;

	if (skep_btf_open_kernel(&btf, NULL)) {
		print_message("no kernel BTF here\n");
		skip();
	}
	uint32_t lock = skep_btf_find(btf, "bpf_rcu_read_lock", 17, SKEP_BTF_MASK(SKEP_BTF_FUNC));
	uint32_t unlock =
		skep_btf_find(btf, "bpf_rcu_read_unlock", 19, SKEP_BTF_MASK(SKEP_BTF_FUNC));
	skep_btf_free(btf);
	assert_true(lock && unlock);
	skep_buf_printf(&text, "call bpf_rcu_read_lock#%u\n", lock);
	size_t locked = text.len;
	skep_buf_printf(&text, "call bpf_rcu_read_unlock#%u\nr0 = 0\nexit\n", unlock);

	_cleanup_free_ struct skep_insn *insns = NULL;
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	size_t n;
	assemble(text.data, &insns, &n);
	_cleanup_close_ int fd = load(BPF_PROG_TYPE_SCHED_CLS, insns, n, log);
	if (fd < 0)
		fail_refused(log);
	_cleanup_buf_ struct skep_buf line = {0};
	skep_buf_printf(&line, "0: (85) %.*s", (int)locked - 1, text.data);
	const char *found = strstr(log, line.data);
	assert_non_null(found);
	assert_true(check_line(found, insns, n));
}

static int make_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = key,
			       .value_size = value,
			       .max_entries = entries,
			       .map_flags = flags};

	if (type == MAP_TYPE_ARENA)
		attr.map_extra = 1ULL << 44;
	return sys_bpf(BPF_MAP_CREATE, &attr);
}

/* The log has the arena's address on the first line: comparing starts behind it. */
static void test_address_spaces(void **state)
{
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	_cleanup_close_ int map = make_map(MAP_TYPE_ARENA, 0, 0, 1, BPF_F_MMAPABLE), fd = -1;
	_cleanup_free_ struct skep_insn *insns = NULL;
	char text[256];
	size_t n;

	if (map < 0) {
		print_message("no arena maps here: %s\n", strerror(errno));
		skip();
	}
	snprintf(text, sizeof(text),
		 "r2 = map[id:%d]\nr1 = 64\nr1 = addr_space_cast(r1, 0, 1)\n"
		 "r1 = addr_space_cast(r1, 1, 0)\nr0 = 0\nexit\n",
		 map);
	assemble(text, &insns, &n);
	fd = load(BPF_PROG_TYPE_SCHED_CLS, insns, n, log);
	if (fd < 0)
		fail_refused(log);
	const char *line = strstr(log, "\n2: ");
	assert_non_null(line);
	assert_int_equal(check_log(line + 1, insns, n), 5);
}

/* --- bpftool ---------------------------------------------------------------------------- */

static void get_info(int fd, void *info, uint32_t size)
{
	union bpf_attr attr = {
		.info = {.bpf_fd = (uint32_t)fd, .info_len = size, .info = (uintptr_t)info}};

	assert_int_equal(sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), 0);
}

static bool read_command(const char *command, struct skep_buf *out)
{
	FILE *pipe = popen(command, "r");
	char bytes[4096];
	size_t n;

	while (pipe && (n = fread(bytes, 1, sizeof(bytes), pipe)) > 0)
		skep_buf_add(out, bytes, n);
	return pipe && !pclose(pipe) && out->len;
}

/* A helper's call has become a call to an address: only the words before it are the same. */
static bool same_line(const char *ours, const char *dump)
{
	size_t len = strcspn(dump, "\n");
	bool helper = strstr(dump, "(85) call ") == dump + 6 && !memchr(dump, '+', len);

	return !strncmp(ours, dump, helper ? 16 : len + 1);
}

/* Functions have a heading in a dump: "int main():". */
static void check_lines(const char *ours, const char *dump)
{
	while (*dump) {
		bool heading = *dump != ' ';
		if (!heading && !same_line(ours, dump))
			fail_msg("bpftool: %.60s\nskep: %.60s", dump, ours);
		ours += heading ? 0 : strcspn(ours, "\n") + 1;
		dump += strcspn(dump, "\n") + 1;
	}
	assert_int_equal(*ours, '\0');
}

/* Of a translated call the address, and of a callback the second slot, are the kernel's own. */
static size_t bytes_with_text(const struct skep_insn *insns, size_t at)
{
	bool call = insns[at].code == 0x85 && insns[at].src != SKEP_CALL_LOCAL;
	bool after_func = at && insns[at - 1].code == 0x18 && insns[at - 1].src == SKEP_PSEUDO_FUNC;

	return call ? 1 : after_func ? 4 : sizeof(*insns);
}

static void check_assembles(const struct skep_buf *dump, const struct skep_insn *xlated, size_t n)
{
	_cleanup_free_ struct skep_insn *again = NULL;
	size_t n_again;

	assemble(dump->data, &again, &n_again);
	assert_int_equal(n_again, n);
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(&again[i], &xlated[i], bytes_with_text(xlated, i));
}

static void check_dump(int fd, const struct skep_insn *xlated, size_t n)
{
	_cleanup_buf_ struct skep_buf dump = {0}, ours = {0};
	struct bpf_prog_info info = {0};
	char command[128];

	get_info(fd, &info, sizeof(info));
	snprintf(command, sizeof(command), "bpftool prog dump xlated id %u 2>/dev/null", info.id);
	if (!read_command(command, &dump)) {
		print_message("no bpftool here\n");
		skip();
	}
	skep_disasm(xlated, n, NULL, &ours);
	check_lines(ours.data, dump.data);
	check_assembles(&dump, xlated, n);
}

/* The kernel wants a callback's type: a static function, whatever its prototype. */
static int load_btf(uint32_t *ret_main, uint32_t *ret_callback)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	_cleanup_free_ void *data = NULL;
	size_t size = 0;
	uint32_t proto = skep_btf_add_func_proto(writer, skep_btf_add_int(writer, "int", 4, true));

	*ret_main = skep_btf_add_func(writer, "main", proto, false);
	*ret_callback = skep_btf_add_func(writer, "each", proto, true);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	union bpf_attr attr = {.btf = (uintptr_t)data, .btf_size = (uint32_t)size};
	return sys_bpf(BPF_BTF_LOAD, &attr);
}

/* As the kernel gives a program back: descriptors have become ids. The last @callback_slots are
 * a callback. */
static void check_xlated(const char *text, uint32_t callback_slots)
{
	struct skep_insn xlated[64];
	_cleanup_free_ struct skep_insn *insns = NULL;
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)xlated,
				     .xlated_prog_len = sizeof(xlated)};
	size_t n;

	assemble(text, &insns, &n);
	struct bpf_func_info funcs[2] = {0};
	_cleanup_close_ int btf = load_btf(&funcs[0].type_id, &funcs[1].type_id);
	funcs[1].insn_off = (uint32_t)n - callback_slots;
	_cleanup_close_ int fd = load_with((union bpf_attr){.prog_btf_fd = (uint32_t)btf,
							    .func_info = (uintptr_t)funcs,
							    .func_info_rec_size = sizeof(funcs[0]),
							    .func_info_cnt = 2},
					   BPF_PROG_TYPE_SOCKET_FILTER, insns, n, log);
	if (fd < 0)
		fail_refused(log);
	get_info(fd, &info, sizeof(info));
	check_dump(fd, xlated, info.xlated_prog_len / sizeof(xlated[0]));
}

static void test_translated(void **state)
{
	_cleanup_close_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 64, 1, 0);
	char text[768];

	if (map < 0) {
		print_message("bpf(2) is refused here\n");
		skip();
	}
	snprintf(text, sizeof(text),
		 "r1 = map[id:%d]\nr2 = map[id:%d][0]+24\nr3 = *(u64 *)(r2 +8)\n"
		 "*(u32 *)(r2 +0) = 7\nlock *(u64 *)(r2 +0) += r3\n"
		 "r3 = atomic64_fetch_xor((u64 *)(r2 +0), r3)\nif r3 s> 0xfffffff0 goto pc+1\n"
		 "w3 = w2\nr0 = 0x123456789\nr2 = subprog[each]\nr3 = 0\nr4 = 0\n"
		 "call bpf_for_each_map_elem\nr0 = 0\nexit\neach: r0 = 0\nexit\n",
		 map, map);
	check_xlated(text, 2);
	proven[SKEP_OP_LD64_MAP_FD] = proven[SKEP_OP_LD64_MAP_VALUE] = true;
	proven[SKEP_OP_LD64_FUNC] = true;
}

/* --- What is not proven has a reason ---------------------------------------------------- */

static void test_all_proven(void **state)
{
	static const enum skep_op ours[] = {
		SKEP_OP_LD64_BTF_ID,        /* printed as an address */
		SKEP_OP_LD64_MAP_IDX,       /* the kernel turns it into LD64_MAP_FD */
		SKEP_OP_LD64_MAP_IDX_VALUE, /* and this into LD64_MAP_VALUE */
	};
	size_t n_proven = 0;

	if (!proven[SKEP_OP_EXIT])
		skip();
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_false(proven[ours[i]]);
	for (int op = 1; op < SKEP_OP_CNT; op++) {
		bool own = false;
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			own |= (int)ours[i] == op;
		if (!proven[op] && !own)
			print_error("not proven: %s\n", skep_isa_op_name(op));
		n_proven += proven[op];
	}
	print_message("%zu of %d forms proven by the kernel\n", n_proven, SKEP_OP_CNT - 1);
	assert_int_equal(n_proven, SKEP_OP_CNT - 1 - sizeof(ours) / sizeof(ours[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arithmetic),     cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_memory),         cmocka_unit_test(test_atomics),
		cmocka_unit_test(test_calls),          cmocka_unit_test(test_kernel_function),
		cmocka_unit_test(test_address_spaces), cmocka_unit_test(test_translated),
		cmocka_unit_test(test_all_proven),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
