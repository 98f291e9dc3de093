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

/* --- Maps of programs that sleep ---------------------------------------------------------------
 */

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

/* --- Members of structures of functions --------------------------------------------------------
 */

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

static void try_members(const char *name)
{
	struct program programs[2 * MOST_MEMBERS];
	char names[2 * MOST_MEMBERS][64];
	uint32_t n_members;
	size_t n = 0;

	struct_id = skep_btf_find(kernel_btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	n_members = skep_btf_n_members(kernel_btf, struct_id);
	assert_true(struct_id && n_members < MOST_MEMBERS);
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
}

/* --- Begin and end ------------------------------------------------------------------------------
 */

static int begin(void **state)
{
	const struct sides sides = {.maps = maps, .n_maps = N_MAPS};

	if (skep_btf_open_kernel(&kernel_btf, NULL))
		kernel_btf = NULL;
	return sides_begin(&sides);
}

static int end(void **state)
{
	sides_end();
	skep_btf_free(kernel_btf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
