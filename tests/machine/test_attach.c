/*
 * PROG_ATTACH, PROG_DETACH and PROG_QUERY on the kernel and on the machine: random ones on a
 * cgroup, a socket map and a device have the same results and leave the same programs there, in
 * order.
 */
#include "both.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <skep/map.h>

#include "machine/prog.h"

#define N_PROGS 3
#define STEPS   400

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static int cgroups = -1; /* the root */
static char name[32];
static int cgroup = -1;

/* A cgroup of our own, without processes, in a mount that nobody sees. */
static void make_cgroup(void)
{
	char dir[] = "/tmp/skep-cgroup-XXXXXX";

	assert_non_null(mkdtemp(dir));
	if (!mount("none", dir, "cgroup2", 0, NULL)) {
		cgroups = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	snprintf(name, sizeof(name), "skep-test-%d", getpid());
	if (cgroups >= 0 && !mkdirat(cgroups, name, 0700))
		cgroup = openat(cgroups, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int setup(void **state)
{
	has_kernel = !geteuid();
	if (has_kernel)
		make_cgroup();
	return skep_machine_new(NULL, &machine);
}

static int teardown(void **state)
{
	struct skep_machine_counts counts;

	skep_machine_count(machine, &counts);
	skep_machine_free(machine);
	if (cgroup >= 0)
		close(cgroup);
	if (cgroups >= 0) {
		unlinkat(cgroups, name, AT_REMOVEDIR);
		close(cgroups);
	}
	return counts.programs || counts.maps || counts.links;
}

/* --- Programs on both sides ------------------------------------------------------------------ */

struct side {
	int progs[N_PROGS];
	uint32_t ids[N_PROGS];
	int target;
};

static int load_side(int side, uint32_t type, uint32_t attach_type)
{
	const struct skep_insn insns[] = {{SKEP_ALU64 | SKEP_MOV | SKEP_K, 0, 0, 0, 1},
					  {SKEP_JMP | SKEP_EXIT}};
	union attr attr = {.prog_load = {.type = type,
					 .insn_cnt = 2,
					 .insns = ptr(insns),
					 .license = ptr("GPL"),
					 .expected_attach_type = attach_type}};

	return (int)call_side(side, CMD_PROG_LOAD, &attr, sizeof(attr));
}

static uint32_t id_of(int side, int fd)
{
	uint32_t info[64] = {0};
	union attr attr = {.info = {(uint32_t)fd, sizeof(info), ptr(info)}};

	assert_int_equal(call_side(side, CMD_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
	return info[1];
}

static void load_all(struct side sides[2], uint32_t type, uint32_t attach_type)
{
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < N_PROGS; i++) {
			sides[side].progs[i] = load_side(side, type, attach_type);
			assert_true(sides[side].progs[i] >= 0);
			sides[side].ids[i] = id_of(side, sides[side].progs[i]);
		}
}

static void close_all(struct side sides[2])
{
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < N_PROGS; i++)
			close(sides[side].progs[i]);
}

/* A descriptor by number: a program, none (0), or none at all. */
static uint32_t fd_of(const struct side *side, unsigned n)
{
	return n < N_PROGS ? (uint32_t)side->progs[n] : n == N_PROGS ? 0 : 987654;
}

/* Ids as numbers of programs: those of the sides differ. */
static uint32_t number_of(const struct side *side, uint32_t id)
{
	for (uint32_t i = 0; i < N_PROGS; i++)
		if (side->ids[i] == id)
			return i + 1;
	return id ? 99 : 0;
}

static void compare_query(const struct side sides[2], uint32_t type, uint32_t room, uint32_t flags,
			  const char *what)
{
	uint32_t ids[2][8] = {0};
	union attr attr[2];
	struct both both;

	for (int side = 0; side < 2; side++)
		attr[side] = (union attr){.query = {(uint32_t)sides[side].target, type, flags,
						    .prog_ids = room ? ptr(ids[side]) : 0,
						    .count = room}};
	both = call_both(CMD_PROG_QUERY, attr, offsetof(struct attr_query, revision));
	check_same(both, false, what);
	check_number(attr[0].query.count, attr[1].query.count, what, "count");
	check_number(attr[0].query.attach_flags, attr[1].query.attach_flags, what, "flags");
	for (int i = 0; i < 8; i++)
		check_number(number_of(&sides[0], ids[0][i]), number_of(&sides[1], ids[1][i]), what,
			     "program");
}

/* --- Random ones ----------------------------------------------------------------------------- */

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

struct choices {
	uint32_t type;
	const uint32_t *flags;
	uint32_t n_flags;
};

static void step(const struct side sides[2], const struct choices *choices, unsigned number)
{
	int cmd = below(3) ? CMD_PROG_ATTACH : CMD_PROG_DETACH;
	unsigned prog = below(8) ? below(N_PROGS) : N_PROGS + below(2), other = below(N_PROGS + 1);
	uint32_t flags = choices->flags[below(choices->n_flags)];
	bool named = flags & 4 || !below(20);
	union attr attr[2];
	char what[100];

	if (cmd == CMD_PROG_DETACH && below(10))
		flags = 0;
	snprintf(what, sizeof(what), "step %u: %s, type %u, program %u, flags %u, other %u", number,
		 cmd == CMD_PROG_ATTACH ? "attach" : "detach", choices->type, prog, flags, other);
	for (int side = 0; side < 2; side++)
		attr[side] = (union attr){
			.attach = {(uint32_t)sides[side].target, fd_of(&sides[side], prog),
				   choices->type, flags,
				   named && cmd == CMD_PROG_ATTACH ? fd_of(&sides[side], other)
								   : 0}};
	check_same(call_both(cmd, attr, offsetof(struct attr_attach, relative)), false, what);
	compare_query(sides, choices->type, 8, 0, what);
	compare_query(sides, choices->type, below(3), 0, what);
}

static void clear(const struct side sides[2], uint32_t type)
{
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < N_PROGS; i++) {
			union attr attr = {.attach = {(uint32_t)sides[side].target,
						      (uint32_t)sides[side].progs[i], type}};

			call_side(side, CMD_PROG_DETACH, &attr,
				  offsetof(struct attr_attach, relative));
		}
}

static void run_steps(struct side sides[2], const struct choices *choices)
{
	for (unsigned i = 0; i < STEPS; i++) {
		step(sides, choices, i);
		if (i % 40 == 39)
			clear(sides, choices->type);
	}
	clear(sides, choices->type);
	compare_query(sides, choices->type, 8, 0, "in the end");
}

static void test_cgroup(void **state)
{
	static const struct {
		uint32_t prog_type, attach_type;
	} rows[] = {
		{PROG_CGROUP_DEVICE, ATTACH_CGROUP_DEVICE},
		{PROG_CGROUP_SKB, ATTACH_CGROUP_INET_INGRESS},
		{PROG_CGROUP_SOCK, ATTACH_CGROUP_INET_SOCK_CREATE},
		{PROG_SOCK_OPS, ATTACH_CGROUP_SOCK_OPS},
	};
	static const uint32_t flags[] = {0, 0, 1, 2, 2, 2, 6, 3, 4, 5, 1u << 20};

	if (cgroup < 0)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct choices choices = {rows[i].attach_type, flags,
					  sizeof(flags) / sizeof(*flags)};
		struct side sides[2] = {{.target = cgroup}, {.target = cgroup}};

		load_all(sides, rows[i].prog_type, rows[i].attach_type);
		run_steps(sides, &choices);
		close_all(sides);
	}
}

static int new_map(int side, uint32_t type)
{
	union attr attr = {.map_create = {type, 4, 4, 4}};
	int fd = (int)call_side(side, CMD_MAP_CREATE, &attr, sizeof(attr));

	assert_true(fd >= 0);
	return fd;
}

static void test_sockmap(void **state)
{
	static const struct {
		uint32_t map, prog_type, attach_type;
	} rows[] = {
		{SKEP_MAP_SOCKMAP, PROG_SK_MSG, ATTACH_SK_MSG_VERDICT},
		{SKEP_MAP_SOCKHASH, PROG_SK_SKB, ATTACH_SK_SKB_STREAM_PARSER},
		{SKEP_MAP_SOCKMAP, PROG_SK_SKB, ATTACH_SK_SKB_VERDICT},
		{SKEP_MAP_SOCKMAP, PROG_SK_SKB, ATTACH_SK_SKB_STREAM_VERDICT},
		{SKEP_MAP_ARRAY, PROG_SK_SKB, ATTACH_SK_SKB_STREAM_VERDICT},
	};
	static const uint32_t flags[] = {0, 0, 0, 0, 1, 4};

	if (!has_kernel)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct choices choices = {rows[i].attach_type, flags,
					  sizeof(flags) / sizeof(*flags)};
		struct side sides[2] = {{.target = new_map(0, rows[i].map)},
					{.target = new_map(1, rows[i].map)}};

		load_all(sides, rows[i].prog_type, 0);
		run_steps(sides, &choices);
		close_all(sides);
		close(sides[0].target);
		close(sides[1].target);
	}
}

/* Programs go with the map that they are attached to. */
static void test_map_goes(void **state)
{
	struct skep_machine_counts counts;
	int map = new_map(1, SKEP_MAP_SOCKMAP), prog = load_side(1, PROG_SK_MSG, 0);
	union attr attr = {.attach = {(uint32_t)map, (uint32_t)prog, ATTACH_SK_MSG_VERDICT}};

	assert_int_equal(call_side(1, CMD_PROG_ATTACH, &attr, sizeof(attr)), 0);
	close(prog);
	skep_machine_count(machine, &counts);
	assert_int_equal(counts.programs, 1);
	close(map);
	skep_machine_count(machine, &counts);
	assert_int_equal(counts.programs, 0);
	assert_int_equal(counts.maps, 0);
}

/* What is attached to a device is run when the machine is told of a packet there. */
static void test_hook(void **state)
{
	int prog = load_side(1, PROG_SCHED_CLS, 0);
	uint32_t ifindex = if_nametoindex("lo");
	union attr attr = {.attach = {ifindex, (uint32_t)prog, ATTACH_TCX_INGRESS}};
	uint8_t ctx[256] = {0};
	char hook[16];

	if (!ifindex)
		skip();
	snprintf(hook, sizeof(hook), "%u", ifindex);
	assert_int_equal(call_side(1, CMD_PROG_ATTACH, &attr, sizeof(attr)), 0);
	assert_int_equal(call_side(1, CMD_PROG_ATTACH, &attr, sizeof(attr)), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(
		skep_machine_hook(machine, SKEP_HOOK_INGRESS, hook, ctx, sizeof(ctx), NULL), 1);
	assert_int_equal(call_side(1, CMD_PROG_DETACH, &attr, sizeof(attr)), 0);
	assert_int_equal(
		skep_machine_hook(machine, SKEP_HOOK_INGRESS, hook, ctx, sizeof(ctx), NULL), 0);
	assert_int_equal(call_side(1, CMD_PROG_DETACH, &attr, sizeof(attr)), -1);
	assert_int_equal(errno, ENOENT);
	close(prog);
}

/* --- Every attach type, with a program of another -------------------------------------------- */

static void test_types(void **state)
{
	struct both progs;

	if (!has_kernel)
		skip();
	for (int side = 0; side < 2; side++)
		progs.result[side] = load_side(side, PROG_SOCKET_FILTER, 0);
	for (uint32_t type = 0; type < ATTACH_CNT + 2; type++)
		for (int i = 0; i < 4; i++) {
			union attr attr[2];
			char what[64];

			for (int side = 0; side < 2; side++)
				attr[side] = (union attr){
					.attach = {987654,
						   i % 2 ? (uint32_t)progs.result[side] : 987654,
						   type, i / 2 ? 1u << 20 : 0}};
			snprintf(what, sizeof(what), "attach type %u, case %d", type, i);
			check_same(call_both(CMD_PROG_ATTACH, attr,
					     offsetof(struct attr_attach, relative)),
				   false, what);
		}
	close_both(progs);
}

#define CASE(name) cmocka_unit_test_teardown(name, none_differs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_cgroup), CASE(test_sockmap), CASE(test_map_goes),
		CASE(test_hook),   CASE(test_types),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
