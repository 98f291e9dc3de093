/*
 * Objects behind descriptors: they live as long as a descriptor, in whatever process, a pin, or
 * another object refers to them; refused loads leave nothing; all of it as an ordinary user.
 */
#include "both.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <skep/map.h>
#include <skep/verify.h>

#include "machine/prog.h"

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static int setup(void **state)
{
	return skep_machine_new(NULL, &machine);
}

static int teardown(void **state)
{
	skep_machine_free(machine);
	return 0;
}

static long call(int cmd, union attr *attr)
{
	return skep_machine_bpf(machine, cmd, (void *)attr, sizeof(*attr));
}

static int new_map(uint32_t type, uint32_t value_size)
{
	union attr attr = {.map_create = {type, 4, value_size, 4}};
	int fd = (int)call(CMD_MAP_CREATE, &attr);

	assert_true(fd >= 0);
	return fd;
}

static long update(int fd, uint32_t key, uint32_t value)
{
	union attr attr = {.elem = {(uint32_t)fd, ptr(&key), ptr(&value)}};

	return call(CMD_MAP_UPDATE_ELEM, &attr);
}

static uint32_t look_up(int fd, uint32_t key)
{
	uint32_t value = 0;
	union attr attr = {.elem = {(uint32_t)fd, ptr(&key), ptr(&value)}};

	assert_int_equal(call(CMD_MAP_LOOKUP_ELEM, &attr), 0);
	return value;
}

static struct skep_machine_counts count(void)
{
	struct skep_machine_counts counts;

	skep_machine_count(machine, &counts);
	return counts;
}

static int load(const struct skep_insn *insns, uint32_t n, uint32_t type)
{
	union attr attr = {
		.prog_load = {
			.type = type, .insn_cnt = n, .insns = ptr(insns), .license = ptr("GPL")}};

	return (int)call(CMD_PROG_LOAD, &attr);
}

/* --- descriptors ----------------------------------------------------------------------------- */

static void test_dup(void **state)
{
	int fd = new_map(SKEP_MAP_ARRAY, 4), copy = dup(fd);

	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(update(fd, 1, 42), 0);
	close(fd);
	assert_int_equal(look_up(copy, 1), 42);
	assert_int_equal(count().maps, 1);
	close(copy);
	assert_int_equal(count().maps, 0);
	assert_int_equal(update(copy, 1, 1), -1);
	assert_int_equal(errno, EBADF);
}

static void test_other_descriptors(void **state)
{
	char path[] = "/tmp/skep-test-XXXXXX";
	int file = mkstemp(path);

	unlink(path);
	assert_int_equal(update(file, 1, 1), -1);
	assert_int_equal(errno, EINVAL);
	close(file);
}

/* A child of fork() shares the map's memory, and keeps the map as long as it has the descriptor. */
static void test_fork(void **state)
{
	int fd = new_map(SKEP_MAP_ARRAY, 4), hold[2], status;
	pid_t child;

	assert_int_equal(pipe(hold), 0);
	child = fork();
	if (!child) {
		char c;

		close(hold[1]);
		_exit(update(fd, 2, 77) || read(hold[0], &c, 1) != 0);
	}
	close(hold[0]);
	while (look_up(fd, 2) != 77)
		usleep(1000);
	close(fd);
	assert_int_equal(count().maps, 1);
	close(hold[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(count().maps, 0);
}

static void test_scm_rights(void **state)
{
	int fd = new_map(SKEP_MAP_ARRAY, 4), pair[2], got;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char c = 'x';
	struct iovec iov = {&c, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
				   .cmsg_level = SOL_SOCKET,
				   .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
	assert_int_equal(update(fd, 3, 99), 0);
	close(fd);
	assert_int_equal(count().maps, 1); /* on its way */
	assert_int_equal(recvmsg(pair[1], &msg, 0), 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	assert_int_equal(look_up(got, 3), 99);
	close(got);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(count().maps, 0);
}

static void test_access(void **state)
{
	union attr attr = {.map_create = {SKEP_MAP_ARRAY, 4, 4, 4, .flags = 1 << 3}};
	int reads = (int)call(CMD_MAP_CREATE, &attr), writes;

	attr = (union attr){.map_create = {SKEP_MAP_ARRAY, 4, 4, 4, .flags = 1 << 4}};
	writes = (int)call(CMD_MAP_CREATE, &attr);
	assert_int_equal(update(reads, 0, 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(look_up(reads, 0), 0);
	assert_int_equal(update(writes, 0, 1), 0);
	assert_int_equal(count().maps, 2);
	close(reads);
	close(writes);
	assert_int_equal(count().maps, 0);
}

/* --- ids and pins ---------------------------------------------------------------------------- */

static uint32_t next_id(int cmd, uint32_t id)
{
	union attr attr = {.id = {id}};

	return call(cmd, &attr) ? 0 : attr.id.next_id;
}

static void test_ids(void **state)
{
	int a = new_map(SKEP_MAP_ARRAY, 4), b = new_map(SKEP_MAP_ARRAY, 4), c;
	uint32_t first = next_id(CMD_MAP_GET_NEXT_ID, 0);
	uint32_t second = next_id(CMD_MAP_GET_NEXT_ID, first);
	union attr attr = {.id = {second}};

	assert_true(second > first);
	assert_int_equal(next_id(CMD_MAP_GET_NEXT_ID, second), 0);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(update(b, 0, 5), 0);
	c = (int)call(CMD_MAP_GET_FD_BY_ID, &attr);
	close(b);
	assert_int_equal(look_up(c, 0), 5);
	close(c);
	assert_int_equal(next_id(CMD_MAP_GET_NEXT_ID, first), 0);
	assert_int_equal(call(CMD_MAP_GET_FD_BY_ID, &attr), -1);
	assert_int_equal(errno, ENOENT);
	close(a);
	/* An id is not given again soon. */
	a = new_map(SKEP_MAP_ARRAY, 4);
	assert_true(next_id(CMD_MAP_GET_NEXT_ID, 0) > second);
	close(a);
}

static void test_pins(void **state)
{
	char folder[] = "/tmp/skep-pins-XXXXXX", path[64];
	int fd = new_map(SKEP_MAP_ARRAY, 4);
	union attr pin, get;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/map", folder);
	pin = (union attr){.pin = {ptr(path), (uint32_t)fd}};
	get = (union attr){.pin = {ptr(path)}};
	assert_int_equal(call(CMD_OBJ_GET, &get), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(call(CMD_OBJ_PIN, &pin), 0);
	assert_int_equal(call(CMD_OBJ_PIN, &pin), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(update(fd, 0, 8), 0);
	close(fd);
	assert_int_equal(count().maps, 1);
	fd = (int)call(CMD_OBJ_GET, &get);
	assert_int_equal(look_up(fd, 0), 8);
	close(fd);
	unlink(path);
	assert_int_equal(count().maps, 0);
	rmdir(folder);
}

/* --- references between objects -------------------------------------------------------------- */

/* A program in an array that it uses itself: the circle ends with the array's last descriptor. */
static void test_circle(void **state)
{
	int array = new_map(SKEP_MAP_PROG_ARRAY, 4), prog;
	struct skep_insn insns[] = {
		{SKEP_LD | SKEP_DW | SKEP_IMM, 2, SKEP_PSEUDO_MAP_FD, 0, array},
		{0},
		{0xb7, 3, 0, 0, 0},
		{0x85, 0, 0, 0, 12}, /* bpf_tail_call() */
		{0xb7, 0, 0, 0, 7},
		{0x95},
	};

	prog = load(insns, 6, PROG_SOCKET_FILTER);
	assert_true(prog >= 0);
	assert_int_equal(update(array, 0, (uint32_t)prog), 0);
	close(prog);
	assert_int_equal(count().programs, 1);
	close(array);
	assert_int_equal(count().programs, 0);
	assert_int_equal(count().maps, 0);
}

/* --- refused loads --------------------------------------------------------------------------- */

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_refused(void **state)
{
	int map = new_map(SKEP_MAP_HASH, 8);
	struct skep_machine_counts before = count();
	unsigned fds = count_fds();
	struct skep_insn insns[][4] = {
		{{0xb7, 0, 0, 0, 1}, {0xb7, 0, 0, 0, 1}, {0}, {0}},
		{{SKEP_LD | SKEP_DW | SKEP_IMM, 1, SKEP_PSEUDO_MAP_FD, 0, map},
		 {0},
		 {0x85, 0, 0, 0, 9999},
		 {0x95}},
		{{SKEP_LD | SKEP_DW | SKEP_IMM, 1, SKEP_PSEUDO_MAP_FD, 0, 9999}, {0}, {0x95}, {0}},
		{{SKEP_LD | SKEP_DW | SKEP_IMM, 1, SKEP_PSEUDO_MAP_FD, 0, map},
		 {0},
		 {0x05, 0, 0, 100},
		 {0x95}},
	};
	union attr bad_map = {.map_create = {SKEP_MAP_HASH, 4, 8, 16, .name = "bad name"}};
	union attr bad_btf = {.btf_load = {ptr(insns), .size = sizeof(insns)}};

	for (uint32_t i = 0; i < 100000; i++) {
		if (i % 8 < 6)
			assert_int_equal(load(insns[i % 4], i % 8 < 4 ? 4 : 3, PROG_XDP), -1);
		else
			assert_int_equal(i % 8 == 6 ? call(CMD_MAP_CREATE, &bad_map)
						    : call(CMD_BTF_LOAD, &bad_btf),
					 -1);
	}
	assert_memory_equal(&(struct skep_machine_counts[]){count()}[0], &before, sizeof(before));
	assert_int_equal(count_fds(), fds);
	close(map);
}

/* Programs that come and go, while something stays: their descriptors here go too. */
static void test_let_go(void **state)
{
	static const struct skep_insn insns[] = {{0xb7, 0, 0, 0, 1}, {0x95}};
	int map = new_map(SKEP_MAP_HASH, 8);
	unsigned fds = count_fds();

	for (uint32_t i = 0; i < 2000; i++)
		close(load(insns, 2, PROG_XDP));
	assert_true(count_fds() < fds + 500);
	close(map);
}

static void test_limits(void **state)
{
	const struct skep_machine_opts opts = {.most_objects = 3, .most_memory = 1 << 20};
	struct skep_machine *usual = machine;
	union attr large = {.map_create = {SKEP_MAP_ARRAY, 4, 4096, 4096}};
	int fds[3];

	assert_int_equal(skep_machine_new(&opts, &machine), 0);
	assert_int_equal(call(CMD_MAP_CREATE, &large), -1);
	assert_int_equal(errno, ENOMEM);
	for (int i = 0; i < 3; i++)
		fds[i] = new_map(SKEP_MAP_ARRAY, 4);
	large.map_create.max_entries = 1;
	assert_int_equal(call(CMD_MAP_CREATE, &large), -1);
	assert_int_equal(errno, ENFILE);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	fds[0] = (int)call(CMD_MAP_CREATE, &large);
	assert_true(fds[0] >= 0);
	close(fds[0]);
	skep_machine_free(machine);
	machine = usual;
}

/* --- links, statistics, faults --------------------------------------------------------------- */

static const struct skep_insn pass[] = {{0xb7, 0, 0, 0, 3}, {0x95}};

static void test_links(void **state)
{
	int prog = load(pass, 2, PROG_RAW_TRACEPOINT), link;
	union attr attr = {.raw_tracepoint = {ptr("sched_switch"), (uint32_t)prog}};
	uint64_t args[4] = {0};

	link = (int)call(CMD_RAW_TRACEPOINT_OPEN, &attr);
	if (link < 0 && errno == ENOENT)
		skip(); /* no BTF here */
	assert_true(link >= 0);
	close(prog);
	assert_int_equal(count().programs, 1);
	assert_int_equal(skep_machine_hook(machine, SKEP_HOOK_RAW_TRACEPOINT, "sched_switch", args,
					   sizeof(args), NULL),
			 3);
	assert_int_equal(skep_machine_hook(machine, SKEP_HOOK_RAW_TRACEPOINT, "sched_wakeup", args,
					   sizeof(args), NULL),
			 0);
	close(link);
	assert_int_equal(skep_machine_hook(machine, SKEP_HOOK_RAW_TRACEPOINT, "sched_switch", args,
					   sizeof(args), NULL),
			 0);
	assert_int_equal(count().programs, 0);
	assert_int_equal(count().links, 0);
}

static uint64_t runs_of(int prog)
{
	struct info_prog info = {0};
	union attr attr = {.info = {(uint32_t)prog, sizeof(info), ptr(&info)}};

	assert_int_equal(call(CMD_OBJ_GET_INFO_BY_FD, &attr), 0);
	return info.run_cnt;
}

static void test_stats(void **state)
{
	int prog = load(pass, 2, PROG_RAW_TRACEPOINT), stats;
	union attr run = {.test = {.prog_fd = (uint32_t)prog}}, enable = {0};

	assert_int_equal(call(CMD_PROG_TEST_RUN, &run), 0);
	assert_int_equal(runs_of(prog), 0);
	stats = (int)call(CMD_ENABLE_STATS, &enable);
	assert_true(stats >= 0);
	assert_int_equal(call(CMD_PROG_TEST_RUN, &run), 0);
	assert_int_equal(runs_of(prog), 1);
	close(stats);
	assert_int_equal(call(CMD_PROG_TEST_RUN, &run), 0);
	assert_int_equal(runs_of(prog), 1);
	close(prog);
}

/* --- who trusts what it runs, and how long --------------------------------------------------- */

/* Which engine programs get with @opts. */
static const struct skep_exec *engine_of(const struct skep_machine_opts *opts)
{
	struct skep_machine *other = NULL, *own = machine;
	const struct skep_exec *exec;

	assert_int_equal(skep_machine_new(opts, &other), 0);
	machine = other;
	int prog = load(pass, 2, PROG_RAW_TRACEPOINT);
	const struct skep_program *program = skep_machine_program(machine, prog);
	assert_non_null(program);
	exec = program->exec;
	skep_machine_program_put(machine, program);
	close(prog);
	machine = own;
	skep_machine_free(other);
	return exec;
}

/* Verified programs run in whatever engine is named, unverified ones in the checked interpreter. */
static void test_engines(void **state)
{
	const struct skep_machine_opts nothing = {0}, limits = {.budget = 1000, .most_objects = 9};
	const struct skep_machine_opts jit = {.exec = &skep_exec_jit};
	const struct skep_machine_opts checked = {.exec = &skep_exec_checked};
	const struct skep_machine_opts unverified = {.exec = &skep_exec_jit, .unverified = true};
	const struct skep_exec *usual = engine_of(NULL);

	assert_true(usual == &skep_exec_jit || usual == &skep_exec_interp);
	assert_ptr_equal(engine_of(&nothing), usual);
	assert_ptr_equal(engine_of(&limits), usual);
	assert_ptr_equal(engine_of(&checked), &skep_exec_checked);
	assert_ptr_equal(engine_of(&unverified), &skep_exec_checked);
	assert_ptr_equal(engine_of(&jit), &skep_exec_jit);
}

/* What it may touch is the kernel's to know: it is verified, and looked at all the same. */
static void test_unsure(void **state)
{
	int map = new_map(SKEP_MAP_ARRAY, 4);
	const struct skep_insn insns[] = {
		{0x18, 1, 1, 0, map}, {0}, {0x79, 0, 1, 0, 0}, {0xb7, 0, 0, 0, 1}, {0x95}};
	int prog = load(insns, 5, PROG_RAW_TRACEPOINT);
	const struct skep_program *program;

	assert_true(prog >= 0);
	program = skep_machine_program(machine, prog);
	assert_ptr_equal(program->exec, &skep_exec_checked);
	skep_machine_program_put(machine, program);
	close(prog);
	close(map);
}

/* What the verifier says no to is not loaded by a machine that verifies, and is stopped where it is
 * wrong by one that does not. */
static void test_unverified(void **state)
{
	static const struct skep_insn reads_nothing[] = {
		{0xb7, 1, 0, 0, 0}, {0x79, 0, 1, 0, 0}, {0x95}};
	const struct skep_machine_opts opts = {.exec = &skep_exec_jit, .unverified = true};
	struct skep_machine *own = machine;
	struct skep_fault fault;

	assert_int_equal(load(reads_nothing, 3, PROG_RAW_TRACEPOINT), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(skep_machine_new(&opts, &machine), 0);
	int prog = load(reads_nothing, 3, PROG_RAW_TRACEPOINT);
	union attr run = {.test = {.prog_fd = (uint32_t)prog}};
	const struct skep_program *program = skep_machine_program(machine, prog);
	assert_false(skep_machine_fault(machine, program, &fault));
	assert_int_equal(call(CMD_PROG_TEST_RUN, &run), 0);
	assert_true(skep_machine_fault(machine, program, &fault));
	assert_int_equal(fault.insn, 1);
	assert_true(strlen(fault.why) > 10);
	skep_machine_program_put(machine, program);
	close(prog);
	assert_int_equal(count().programs, 0);
	skep_machine_free(machine);
	machine = own;
}

struct told {
	unsigned n;
	int err;
	char refusal[40];
};

static void note(void *ctx, const struct skep_verify_program *program,
		 const struct skep_verify_opts *opts, int err,
		 const struct skep_verify_report *report)
{
	struct told *told = ctx;

	told->n++;
	told->err = err;
	snprintf(told->refusal, sizeof(told->refusal), "%s",
		 report->refusal ? report->refusal : "");
}

/* Paths without end are given up, in words of their own. */
static void test_verify_limits(void **state)
{
	static const struct skep_insn loop[] = {
		{0xb7, 0, 0, 0, 0}, {0x07, 0, 0, 0, 1}, {0xa5, 0, 0, -2, 100000}, {0x95}};
	const struct skep_verify_opts limits = {.time_ns = 1, .memory_bytes = 1 << 20};
	struct told told = {0};
	const struct skep_machine_opts opts = {
		.verify_opts = &limits, .verified = note, .verified_ctx = &told};
	struct skep_machine *own = machine;

	assert_int_equal(skep_machine_new(&opts, &machine), 0);
	assert_int_equal(load(loop, 4, PROG_RAW_TRACEPOINT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.err, -EAGAIN);
	assert_string_equal(told.refusal, "time_is_up");
	skep_machine_free(machine);
	machine = own;
}

/* Who has no privileges: small programs of two types, and no pointer as a number. */
static void test_unprivileged(void **state)
{
	static const struct skep_insn leaks[] = {{0xbf, 0, 1}, {0x95}};
	const struct skep_verify_opts unprivileged = {.unprivileged = true};
	const struct skep_machine_opts opts = {.verify_opts = &unprivileged};
	struct skep_machine *own = machine;
	struct skep_insn many[4097] = {{0}};

	assert_int_equal(skep_machine_new(&opts, &machine), 0);
	for (size_t i = 0; i < 4096; i++)
		many[i] = skep_alu64_imm(SKEP_MOV, 0, 0);
	many[4096] = skep_exit();
	assert_int_equal(load(many, 4097, PROG_SOCKET_FILTER), -1);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(load(pass, 2, PROG_RAW_TRACEPOINT), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(load(leaks, 2, PROG_SOCKET_FILTER), -1);
	assert_int_equal(errno, EACCES);
	int prog = load(pass, 2, PROG_SOCKET_FILTER);
	assert_true(prog >= 0);
	close(prog);
	skep_machine_free(machine);
	machine = own;
}

/* A budget ends a loop that takes too long, in every engine, without a further option. */
static void test_budget(void **state)
{
	static const struct skep_exec *const execs[] = {&skep_exec_checked, &skep_exec_interp,
							&skep_exec_jit};
	static const struct skep_insn forever[] = {
		{0xb7, 0, 0, 0, 0}, {0x07, 0, 0, 0, 1}, {0xa5, 0, 0, -2, 2000}, {0x95}};
	struct skep_machine *own = machine;

	for (size_t i = 0; i < 3; i++) {
		const struct skep_machine_opts opts = {.exec = execs[i], .budget = 1000};
		assert_int_equal(skep_machine_new(&opts, &machine), 0);
		int prog = load(forever, 4, PROG_RAW_TRACEPOINT);
		union attr run = {.test = {.prog_fd = (uint32_t)prog}};
		alarm(5); /* else the test would not end either */
		assert_int_equal(call(CMD_PROG_TEST_RUN, &run), 0);
		alarm(0);
		assert_int_equal(run.test.retval, 0);
		close(prog);
		skep_machine_free(machine);
	}
	machine = own;
}

/* --- without any right ----------------------------------------------------------------------- */

static void test_ordinary_user(void **state)
{
	pid_t child = fork();
	int status;

	if (!child) {
		int map, prog;
		union attr run;

		if (!getuid() && (setgid(65534) || setuid(65534)))
			_exit(1);
		if (skep_machine_new(NULL, &machine))
			_exit(2);
		map = new_map(SKEP_MAP_HASH, 4);
		prog = load(pass, 2, PROG_RAW_TRACEPOINT);
		run = (union attr){.test = {.prog_fd = (uint32_t)prog}};
		if (update(map, 1, 2) || look_up(map, 1) != 2)
			_exit(3);
		if (call(CMD_PROG_TEST_RUN, &run) || run.test.retval != 3)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dup),           cmocka_unit_test(test_other_descriptors),
		cmocka_unit_test(test_fork),          cmocka_unit_test(test_scm_rights),
		cmocka_unit_test(test_access),        cmocka_unit_test(test_ids),
		cmocka_unit_test(test_pins),          cmocka_unit_test(test_circle),
		cmocka_unit_test(test_refused),       cmocka_unit_test(test_limits),
		cmocka_unit_test(test_links),         cmocka_unit_test(test_stats),
		cmocka_unit_test(test_engines),       cmocka_unit_test(test_unsure),
		cmocka_unit_test(test_unverified),    cmocka_unit_test(test_verify_limits),
		cmocka_unit_test(test_unprivileged),  cmocka_unit_test(test_budget),
		cmocka_unit_test(test_ordinary_user), cmocka_unit_test(test_let_go),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
