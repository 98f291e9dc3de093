/*
 * What a program attaches to, and what follows before its first instruction is looked at: may it
 * sleep there, may it use these maps, is there such a member to fill? As the running kernel's
 * verifier and as ours see it: verdict, errno and words.
 *
 * Needs CAP_BPF and the kernel's BTF; skips with a message where there are none.
 */
#include "sides.h"

#include <skep/btf.h>
#include <skep/buf.h>

#define SLEEPS (1u << 4)

static struct skep_btf *kernel_btf;

/* --- Maps of programs that sleep ------------------------------------------------------------- */

static const struct map_spec maps[] = {
	{BPF_MAP_TYPE_HASH, 4, 8, 8},
	{BPF_MAP_TYPE_ARRAY, 4, 8, 8},
	{BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4},
	{BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4},
	{BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 8},
	{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 8},
	{BPF_MAP_TYPE_STACK_TRACE, 4, 64, 8},
	{BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 4},
	{BPF_MAP_TYPE_LRU_HASH, 4, 8, 8},
	{BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 8},
	{BPF_MAP_TYPE_LPM_TRIE, 8, 8, 8, BPF_F_NO_PREALLOC},
	{BPF_MAP_TYPE_DEVMAP, 4, 4, 8},
	{BPF_MAP_TYPE_SOCKMAP, 4, 4, 8},
	{BPF_MAP_TYPE_CPUMAP, 4, 4, 8},
	{BPF_MAP_TYPE_CGROUP_STORAGE, 8, 8, 0},
	{BPF_MAP_TYPE_CGROUP_STORAGE, 8, 8, 0},
	{BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 8, 8, 0},
	{BPF_MAP_TYPE_QUEUE, 0, 8, 4},
	{BPF_MAP_TYPE_STACK, 0, 8, 4},
	{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096},
	{BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 4},
	{31 /* USER_RINGBUF */, 0, 0, 4096},
};
#define N_MAPS (sizeof(maps) / sizeof(*maps))

static void sleep_if_syscall(int side, const struct program *program, const struct skep_insn *insns,
			     size_t n, union bpf_attr *attr)
{
	attr->prog_flags = program->type == BPF_PROG_TYPE_SYSCALL ? SLEEPS : 0;
}

static void test_maps(void **state)
{
	struct program programs[2 * N_MAPS + 2];
	char texts[N_MAPS][64], names[2 * N_MAPS][32];
	size_t n = 0;

	for (size_t i = 0; i < N_MAPS; i++) {
		snprintf(texts[i], sizeof(texts[i]), "r1 = map[id:%zu]\nr0 = 0\nexit\n", i);
		for (int sleeps = 0; sleeps < 2; sleeps++, n++) {
			snprintf(names[n], sizeof(names[n]), "map of type %u%s", maps[i].type,
				 sleeps ? ", asleep" : "");
			programs[n] = (struct program){
				names[n], sleeps ? BPF_PROG_TYPE_SYSCALL : BPF_PROG_TYPE_SCHED_CLS,
				texts[i]};
		}
	}
	programs[n++] = (struct program){"two storages of a cgroup", BPF_PROG_TYPE_SCHED_CLS,
					 "r1 = map[id:14]\nr1 = map[id:15]\nr0 = 0\nexit\n"};
	programs[n++] = (struct program){"storages of a cgroup", BPF_PROG_TYPE_SCHED_CLS,
					 "r1 = map[id:14]\nr1 = map[id:16]\nr0 = 0\nexit\n"};
	sides_compare(&(struct sides){.programs = programs,
				      .n_programs = n,
				      .maps = maps,
				      .n_maps = N_MAPS,
				      .add = sleep_if_syscall});
}

/* --- Members of structures of functions ------------------------------------------------------ */

#define MOST_MEMBERS 64

/* Which member, and does the program sleep: in the program's type, above the type. */
#define MEMBER(index, sleeps) ((uint32_t)(index) << 8 | (uint32_t)(sleeps) << 31)

static uint32_t struct_id;

static void attach_to_member(int side, const struct program *program, const struct skep_insn *insns,
			     size_t n, union bpf_attr *attr)
{
	attr->prog_type = BPF_PROG_TYPE_STRUCT_OPS;
	attr->attach_btf_id = struct_id;
	attr->expected_attach_type = (enum bpf_attach_type)(program->type >> 8 & 0xff);
	attr->prog_flags = program->type >> 31 ? SLEEPS : 0;
}

static bool is_fillable(const char *name)
{
	char value[64];

	snprintf(value, sizeof(value), "bpf_struct_ops_%s", name);
	return skep_btf_find(kernel_btf, value, strlen(value), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

static void try_members(const char *name)
{
	struct program programs[2 * MOST_MEMBERS];
	char names[2 * MOST_MEMBERS][64];
	uint32_t n_members;
	size_t n = 0;

	struct_id = skep_btf_find(kernel_btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	n_members = skep_btf_n_members(kernel_btf, struct_id);
	assert_true(n_members < MOST_MEMBERS);
	if (!struct_id || !is_fillable(name))
		return;
	for (uint32_t i = 0; i <= n_members; i++)
		for (int sleeps = 0; sleeps < 2; sleeps++, n++) {
			snprintf(names[n], sizeof(names[n]), "%s, member %u%s", name, i,
				 sleeps ? ", asleep" : "");
			programs[n] =
				(struct program){names[n], MEMBER(i, sleeps), "r0 = 0\nexit\n"};
		}
	sides_compare(
		&(struct sides){.programs = programs, .n_programs = n, .add = attach_to_member});
}

static void test_members(void **state)
{
	if (!kernel_btf || !has_kernel)
		skip();
	try_members("bpf_dummy_ops");
	try_members("tcp_congestion_ops");
	try_members("sched_ext_ops");
	try_members("hid_bpf_ops");
	try_members("Qdisc_ops");
}

/* --- Hooks and functions --------------------------------------------------------------------- */

#define MOST_TARGETS         512

#define LSM_HOOK(id, sleeps) ((uint32_t)(id) << 1 | (uint32_t)(sleeps))

static void attach_to_hook(int side, const struct program *program, const struct skep_insn *insns,
			   size_t n, union bpf_attr *attr)
{
	attr->prog_type = BPF_PROG_TYPE_LSM;
	attr->attach_btf_id = program->type >> 1;
	attr->expected_attach_type = BPF_LSM_MAC;
	attr->prog_flags = program->type & 1 ? SLEEPS : 0;
}

static void attach_to_function(int side, const struct program *program,
			       const struct skep_insn *insns, size_t n, union bpf_attr *attr)
{
	attr->prog_type = BPF_PROG_TYPE_TRACING;
	attr->attach_btf_id = program->type >> 1;
	attr->expected_attach_type = program->type & 1 ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY;
}

/* Can the kernel be asked about them? Some are locked against it. */
static bool may_attach(uint32_t id, bool lsm)
{
	const struct skep_insn end[] = {{.code = SKEP_ALU64 | SKEP_MOV},
					{.code = SKEP_JMP | SKEP_EXIT}};
	union bpf_attr attr = {.insn_cnt = 2, .insns = ptr(end), .license = ptr("GPL")};
	const struct program program = {"", id << 1, ""};
	long fd;

	(lsm ? attach_to_hook : attach_to_function)(0, &program, end, 2, &attr);
	fd = call_side(0, CMD_PROG_LOAD, &attr, sizeof(attr));
	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static uint32_t find_func(const char *name)
{
	return skep_btf_find(kernel_btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
}

/* Functions whose names begin so, in turns, each with both values of what is asked of it. */
static void try_functions(const char *prefix, uint32_t each, const struct sides *how)
{
	struct program *programs = calloc(2 * MOST_TARGETS, sizeof(*programs));
	uint32_t n_types = skep_btf_n_types(kernel_btf), nth = 0;
	struct sides sides = *how;

	for (uint32_t id = 1; id <= n_types && sides.n_programs < 2 * MOST_TARGETS; id++) {
		const char *name = skep_btf_name(kernel_btf, id);

		if (skep_btf_kind(kernel_btf, id) != SKEP_BTF_FUNC ||
		    strncmp(name, prefix, strlen(prefix)) || nth++ % each)
			continue;
		for (uint32_t second = 0; second < 2; second++)
			programs[sides.n_programs++] =
				(struct program){name, id << 1 | second, "r0 = 0\nexit\n"};
	}
	sides.programs = programs;
	print_message("%zu programs\n", sides.n_programs);
	sides_compare(&sides);
	free(programs);
}

static void test_hooks(void **state)
{
	uint32_t some = kernel_btf ? find_func("bpf_lsm_file_open") : 0;

	if (!has_kernel || !some || !may_attach(some, true))
		skip();
	try_functions("bpf_lsm_", 1, &(struct sides){.add = attach_to_hook});
}

static void test_functions(void **state)
{
	uint32_t some = kernel_btf ? find_func("vfs_read") : 0;

	if (!has_kernel || !some || !may_attach(some, false))
		skip();
	try_functions("", 199, &(struct sides){.add = attach_to_function});
}

/* --- Programs that replace a function -------------------------------------------------------- */

/* The functions there are types of, in the order in which they are added. */
enum func {
	MAIN,
	REPLACED, /* int (struct __sk_buff *, int) */
	STATIC,
	SAME,
	LESS,
	OTHER_CONTEXT,
	WIDER,
	POINTER_FOR_NUMBER,
	NO_CONTEXT,
	RETURNS_NOTHING,
	RETURNS_LONG,
	N_FUNCS
};

static uint32_t func_ids[N_FUNCS];
static void *btf_data;
static size_t btf_bytes;
static int target_fds[2] = {-1, -1};

struct types {
	struct skep_btf_writer *writer;
	uint32_t number, wide, skb, xdp, pointer;
};

static uint32_t add_func(const struct types *types, const char *name, uint32_t ret, uint32_t first,
			 uint32_t second, bool global)
{
	uint32_t proto = skep_btf_add_func_proto(types->writer, ret);

	skep_btf_add_param(types->writer, "first", first);
	if (second)
		skep_btf_add_param(types->writer, "second", second);
	return skep_btf_add_func(types->writer, name, proto, !global);
}

static uint32_t pointer_to(const struct types *types, const char *name)
{
	uint32_t id = skep_btf_add_struct(types->writer, name, 4);

	skep_btf_add_member(types->writer, "len", types->number, 0);
	return skep_btf_add_ptr(types->writer, id);
}

static void make_btf(void)
{
	struct types t = {.writer = skep_btf_writer_new()};

	t.number = skep_btf_add_int(t.writer, "int", 4, true);
	t.wide = skep_btf_add_int(t.writer, "long", 8, true);
	t.skb = pointer_to(&t, "__sk_buff");
	t.xdp = pointer_to(&t, "xdp_md");
	t.pointer = skep_btf_add_ptr(t.writer, t.number);
	func_ids[MAIN] = add_func(&t, "main", t.number, t.skb, 0, true);
	func_ids[REPLACED] = add_func(&t, "replaced", t.number, t.skb, t.number, true);
	func_ids[STATIC] = add_func(&t, "static", t.number, t.skb, t.number, false);
	func_ids[SAME] = add_func(&t, "same", t.number, t.skb, t.number, true);
	func_ids[LESS] = add_func(&t, "less", t.number, t.skb, 0, true);
	func_ids[OTHER_CONTEXT] = add_func(&t, "other_context", t.number, t.xdp, t.number, true);
	func_ids[WIDER] = add_func(&t, "wider", t.number, t.skb, t.wide, true);
	func_ids[POINTER_FOR_NUMBER] =
		add_func(&t, "pointer_for_number", t.number, t.skb, t.pointer, true);
	func_ids[NO_CONTEXT] = add_func(&t, "no_context", t.number, t.pointer, t.number, true);
	func_ids[RETURNS_NOTHING] = add_func(&t, "returns_nothing", 0, t.skb, t.number, true);
	func_ids[RETURNS_LONG] = add_func(&t, "returns_long", t.wide, t.skb, t.number, true);
	skep_btf_finish(t.writer, &btf_data, &btf_bytes);
	skep_btf_writer_free(t.writer);
}

static int load_btf(int side)
{
	union bpf_attr attr = {.btf = ptr(btf_data), .btf_size = (uint32_t)btf_bytes};

	return (int)call_side(side, CMD_BTF_LOAD, &attr, sizeof(attr));
}

static void add_types(int side, const struct bpf_func_info *funcs, uint32_t n, union bpf_attr *attr)
{
	attr->prog_btf_fd = (uint32_t)load_btf(side);
	attr->func_info = ptr(funcs);
	attr->func_info_cnt = n;
	attr->func_info_rec_size = sizeof(*funcs);
}

/* A program whose main function calls one that can be replaced. */
static int load_target(int side)
{
	static const char text[] = "r2 = 1\ncall +1\nexit\nr0 = 0\nexit\n";
	const struct bpf_func_info funcs[] = {{0, func_ids[MAIN]}, {3, func_ids[REPLACED]}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS, .license = ptr("GPL")};
	struct skep_insn *insns = NULL;
	size_t n = 0;
	int fd;

	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	attr.insns = ptr(insns);
	attr.insn_cnt = (uint32_t)n;
	add_types(side, funcs, 2, &attr);
	fd = (int)call_side(side, CMD_PROG_LOAD, &attr, sizeof(attr));
	close((int)attr.prog_btf_fd);
	free(insns);
	return fd;
}

static void replace(int side, const struct program *program, const struct skep_insn *insns,
		    size_t n, union bpf_attr *attr)
{
	static struct bpf_func_info func;

	func.type_id = func_ids[program->type];
	attr->prog_type = BPF_PROG_TYPE_EXT;
	attr->attach_prog_fd = (uint32_t)target_fds[side];
	attr->attach_btf_id = func_ids[REPLACED];
	add_types(side, &func, 1, attr);
}

static const struct program extensions[] = {
	{"the same type", SAME, "r0 = 0\nexit\n"},
	{"fewer arguments", LESS, "r0 = 0\nexit\n"},
	{"a static function", STATIC, "r0 = 0\nexit\n"},
	{"another context", OTHER_CONTEXT, "r0 = 0\nexit\n"},
	{"a wider number", WIDER, "r0 = 0\nexit\n"},
	{"a pointer for a number", POINTER_FOR_NUMBER, "r0 = 0\nexit\n"},
	{"no context", NO_CONTEXT, "r0 = 0\nexit\n"},
	{"no result", RETURNS_NOTHING, "r0 = 0\nexit\n"},
	{"a wider result", RETURNS_LONG, "r0 = 0\nexit\n"},
	{"its context", SAME, "r0 = *(u32 *)(r1 +0)\nexit\n"},
	{"its number", SAME, "r0 = r2\nexit\n"},
	{"an argument too many", SAME, "r0 = r3\nexit\n"},
	{"outside its context", SAME, "r0 = *(u32 *)(r1 +1000)\nexit\n"},
	{"a helper of the target's type", SAME, "call bpf_get_hash_recalc\nr0 = 0\nexit\n"},
	{"a helper of another type", SAME, "r2 = 0\ncall bpf_xdp_adjust_head\nr0 = 0\nexit\n"},
	{"changes packets", SAME, "r2 = 0\ncall bpf_skb_pull_data\nr0 = 0\nexit\n"},
};

/* The kernel may be locked against all of them. */
static bool may_replace(void)
{
	const struct skep_insn end[] = {{.code = SKEP_ALU64 | SKEP_MOV},
					{.code = SKEP_JMP | SKEP_EXIT}};
	union bpf_attr attr = {.insn_cnt = 2, .insns = ptr(end), .license = ptr("GPL")};
	long fd;

	replace(0, &extensions[0], end, 2, &attr);
	fd = call_side(0, CMD_PROG_LOAD, &attr, sizeof(attr));
	close((int)attr.prog_btf_fd);
	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static void test_extensions(void **state)
{
	for (int side = 0; side < 2 && has_kernel; side++)
		target_fds[side] = load_target(side);
	if (has_kernel)
		assert_true(target_fds[0] >= 0 && target_fds[1] >= 0);
	if (may_replace())
		sides_compare(
			&(struct sides){.programs = extensions,
					.n_programs = sizeof(extensions) / sizeof(*extensions),
					.add = replace});
	else
		print_message("this kernel lets no function be replaced\n");
	close(target_fds[0]);
	close(target_fds[1]);
}

/* --- Begin and end --------------------------------------------------------------------------- */

static int begin(void **state)
{
	const struct sides sides = {.maps = maps, .n_maps = N_MAPS};

	if (skep_btf_open_kernel(&kernel_btf, NULL))
		kernel_btf = NULL;
	make_btf();
	return sides_begin(&sides);
}

static int end(void **state)
{
	sides_end();
	skep_btf_free(kernel_btf);
	free(btf_data);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),       cmocka_unit_test(test_members),
		cmocka_unit_test(test_extensions), cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_functions),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
