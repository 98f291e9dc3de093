/* A process for hostile work: what it has, what it may do to who asks, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/worker.h"

#define PATIENT_MS 60000 /* nothing here waits so long, unless something is wrong */
#define HASTY_MS   50

static void echo(void *ctx)
{
	uint64_t word;

	while (skep_work_take(&word, sizeof(word))) {
		word += *(const uint64_t *)ctx;
		skep_work_give(&word, sizeof(word));
	}
}

static void say_nothing(void *ctx)
{
	for (;;)
		pause();
}

/* A byte, and soon another one, for ever. */
static void drip(void *ctx)
{
	while (skep_work_give("", 1))
		usleep(1000);
}

static void spin(void *ctx)
{
	for (volatile uint64_t i = 0;; i++)
		;
}

static void give_up(void *ctx)
{
}

static void trap(void *ctx)
{
	__builtin_trap();
}

static struct skep_worker *start(void (*run)(void *), void *ctx, uint32_t answer_ms)
{
	const struct skep_worker_job job = {
		.run = run, .ctx = ctx, .ending_fd = -1, .answer_ms = answer_ms, .cpu_seconds = 1};
	struct skep_worker *worker = NULL;

	assert_int_equal(skep_worker_start(&job, &worker), 0);
	return worker;
}

/* Our one child; 0: we have none. */
static pid_t child(void)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(skep_file_read(path, 4096, &text), 0);
	return text.data ? atoi(text.data) : 0;
}

static void expect_echo(struct skep_worker *worker, uint64_t add)
{
	uint64_t word = 5, got = 0;

	assert_int_equal(skep_worker_ask(worker, &word, sizeof(word)), 0);
	assert_int_equal(skep_worker_receive(worker, &got, sizeof(got)), 0);
	assert_int_equal(got, 5 + add);
}

static void test_answers(void **state)
{
	uint64_t add = 37;
	struct skep_worker *worker = start(echo, &add, PATIENT_MS);

	add = 1; /* is ours */
	expect_echo(worker, 37);
	kill(child(), SIGINT); /* as Ctrl-C does */
	kill(child(), SIGTERM);
	expect_echo(worker, 37);
	assert_true(skep_worker_stop(&worker, NULL));
	assert_null(worker);
	assert_int_equal(child(), 0);
	assert_true(skep_worker_stop(&worker, NULL));
	assert_true(skep_worker_stop(NULL, NULL));
	skep_worker_free(NULL);
}

static void expect_error(void (*run)(void *), uint32_t answer_ms, int err, int *ret_status)
{
	struct skep_worker *worker = start(run, NULL, answer_ms);
	char *room = calloc(1, 1 << 20);

	int got = skep_worker_ask(worker, "?", 1);
	if (!got)
		got = skep_worker_receive(worker, room, 1 << 20);
	assert_int_equal(got, err);
	assert_true(skep_worker_stop(&worker, ret_status));
	assert_int_equal(child(), 0);
	free(room);
}

static void test_late(void **state)
{
	int status = 0;

	expect_error(say_nothing, HASTY_MS, -ETIMEDOUT, &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	expect_error(drip, HASTY_MS, -ETIMEDOUT, &status);
}

static void test_ends(void **state)
{
	int status = 0;

	expect_error(give_up, PATIENT_MS, -EPIPE, &status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	expect_error(trap, PATIENT_MS, -EPIPE, &status);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGILL);
	expect_error(spin, PATIENT_MS, -EPIPE, &status);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGXCPU);
}

/* Busy for longer than an answer may take, and for ever. */
static void answer_late(void *ctx)
{
	struct timespec used = {0};

	(void)ctx;
	while (used.tv_sec == 0 && used.tv_nsec < 4 * HASTY_MS * 1000000L)
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	skep_work_give("!", 1);
	pause();
}

static void test_busy(void **state)
{
	const struct skep_worker_job job = {.run = answer_late,
					    .ending_fd = -1,
					    .answer_ms = HASTY_MS,
					    .busy_ms = PATIENT_MS},
				     endless = {.run = spin,
						.ending_fd = -1,
						.answer_ms = HASTY_MS,
						.busy_ms = HASTY_MS};
	struct skep_worker *worker = NULL;
	char answer = 0;

	assert_int_equal(skep_worker_start(&job, &worker), 0);
	assert_int_equal(skep_worker_ask(worker, "?", 1), 0);
	assert_int_equal(skep_worker_receive(worker, &answer, 1), 0);
	assert_int_equal(answer, '!');
	assert_int_equal(skep_worker_receive(worker, &answer, 1), -ETIMEDOUT);
	skep_worker_free(worker);
	assert_int_equal(skep_worker_start(&endless, &worker), 0);
	assert_int_equal(skep_worker_ask(worker, "?", 1), 0);
	assert_int_equal(skep_worker_receive(worker, &answer, 1), -ETIMEDOUT);
	skep_worker_free(worker);
	assert_int_equal(child(), 0);
}

/* More than the socket holds, to one that reads nothing. */
static void test_late_to_ask(void **state)
{
	struct skep_worker *worker = start(say_nothing, NULL, HASTY_MS);
	char *room = calloc(1, 64 << 20);

	assert_int_equal(skep_worker_ask(worker, room, 64 << 20), -ETIMEDOUT);
	free(room);
	skep_worker_free(worker);
	assert_int_equal(child(), 0);
}

static void test_we_are_to_end(void **state)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	const struct skep_worker_job job = {
		.run = say_nothing, .ending_fd = ends[0], .answer_ms = PATIENT_MS};
	struct skep_worker *worker = NULL;
	char byte;

	assert_int_equal(skep_worker_start(&job, &worker), 0);
	assert_int_equal(write(ends[1], "", 1), 1);
	assert_int_equal(skep_worker_ask(worker, "?", 1), 0);
	assert_int_equal(skep_worker_receive(worker, &byte, 1), -ECANCELED);
	skep_worker_free(worker);
	close(ends[0]);
	close(ends[1]);
}

/* --- Descriptors ------------------------------------------------------------------------------ */

/* For each descriptor below 16 the inode that it is; 0: it is none. */
static void tell_fds(void *ctx)
{
	uint64_t inodes[16];

	while (skep_work_take(inodes, 1)) {
		for (int fd = 0; fd < 16; fd++) {
			struct stat st;
			inodes[fd] = fstat(fd, &st) ? 0 : st.st_ino;
		}
		skep_work_give(inodes, sizeof(inodes));
	}
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static int temporary(void)
{
	char path[] = "/tmp/skep-worker-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

/* Whatever the numbers are that they have with us; and there may be none to spare. */
static void expect_fds(int first, int second, int third, bool is_scarce)
{
	const struct skep_worker_job job = {.run = tell_fds,
					    .fds = {first, -1, second, third},
					    .n_fds = 4,
					    .ending_fd = -1,
					    .answer_ms = PATIENT_MS};
	uint64_t want[] = {inode_of(first), 0, inode_of(second), inode_of(third)}, got[16];
	struct rlimit limit, low;
	struct skep_worker *worker = NULL;
	int null = open("/dev/null", O_RDWR);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	uint64_t null_inode = inode_of(null);
	int taken[64], n_taken = 0, fd;
	while (is_scarce && (fd = dup(null)) >= 0)
		taken[n_taken++] = fd;
	for (int i = 0; i < 2 && n_taken; i++) /* for the socket's ends */
		close(taken[--n_taken]);
	assert_int_equal(skep_worker_start(&job, &worker), 0);
	while (n_taken)
		close(taken[--n_taken]);
	close(null);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(skep_worker_ask(worker, "?", 1), 0);
	assert_int_equal(skep_worker_receive(worker, got, sizeof(got)), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(got[i], null_inode);
	assert_int_not_equal(got[3], 0);
	assert_memory_equal(got + SKEP_WORKER_FD_FIRST, want, sizeof(want));
	for (int i = 8; i < 16; i++)
		assert_int_equal(got[i], 0);
	skep_worker_free(worker);
}

static void test_fds(void **state)
{
	int a = temporary(), b = temporary(), c = temporary();
	int high = dup2(a, 40), higher = dup2(b, 50), low = dup2(c, 9);

	expect_fds(a, b, c, false);
	expect_fds(c, a, b, false);
	expect_fds(high, higher, low, false);
	expect_fds(low, b, high, true);
	close(high);
	close(higher);
	close(low);
	close(a);
	close(b);
	close(c);
}

static void test_no_fds(void **state)
{
	const struct skep_worker_job job = {.run = echo, .ending_fd = -1, .answer_ms = PATIENT_MS};
	struct skep_worker *worker = NULL;
	struct rlimit limit, low;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	int err = skep_worker_start(&job, &worker);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(err, -EMFILE);
	assert_null(worker);
	assert_int_equal(child(), 0);
}

/* --- Memory ----------------------------------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__ /* that needs terabytes of addresses of its own */
static void take_memory(void *ctx)
{
	uint64_t n;

	skep_work_bound_memory(16 << 20);
	while (skep_work_take(&n, sizeof(n))) {
		char *room = calloc(1, n);
		uint64_t has = room != NULL;
		free(room);
		skep_work_give(&has, sizeof(has));
	}
}

static void test_memory(void **state)
{
	struct skep_worker *worker = start(take_memory, NULL, PATIENT_MS);
	uint64_t most = 4 << 20, more = 64 << 20, has = 2;

	assert_int_equal(skep_worker_ask(worker, &most, sizeof(most)), 0);
	assert_int_equal(skep_worker_receive(worker, &has, sizeof(has)), 0);
	assert_int_equal(has, 1);
	assert_int_equal(skep_worker_ask(worker, &more, sizeof(more)), 0);
	assert_int_equal(skep_worker_receive(worker, &has, sizeof(has)), 0);
	assert_int_equal(has, 0);
	skep_worker_free(worker);
}
#endif

/* --- Sealed ----------------------------------------------------------------------------------- */

/* Each is a way out. Nothing of it may come to pass: the process is to end at once. */
static void open_file(void)
{
	open("/dev/null", O_RDONLY);
}

static void open_socket(void)
{
	socket(AF_UNIX, SOCK_STREAM, 0);
}

static void start_process(void)
{
	if (fork() == 0)
		_exit(0);
}

static void start_program(void)
{
	execl("/bin/true", "true", NULL);
}

static void kill_who_asks(void)
{
	kill(getppid(), 0);
}

static void trace_who_asks(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void make_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void change_to_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

static void get_rights_back(void)
{
	prctl(PR_SET_DUMPABLE, 1);
}

static void (*const forbidden[])(void) = {open_file,     open_socket,    start_process,
					  start_program, kill_who_asks,  trace_who_asks,
					  make_code,     change_to_code, get_rights_back};

static int by_byte(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/* Memory, a file that it was given, an answer; before that, if asked for, what is forbidden. */
static void work_sealed(void *ctx)
{
	uint64_t which;
	char bytes[4];

	skep_work_seal();
	while (skep_work_take(&which, sizeof(which))) {
		char *room = malloc(8 << 20);
		memset(room, 1, 8 << 20);
		qsort(room, 4096, 1, by_byte);
		bool is_read = pread(SKEP_WORKER_FD_FIRST, bytes, 4, 0) == 4;
		free(room);
		if (which)
			forbidden[which - 1]();
		skep_work_give(&is_read, 1);
	}
}

static struct skep_worker *start_sealed(int fd)
{
	const struct skep_worker_job job = {.run = work_sealed,
					    .fds = {fd},
					    .n_fds = 1,
					    .ending_fd = -1,
					    .answer_ms = PATIENT_MS};
	struct skep_worker *worker = NULL;

	assert_int_equal(skep_worker_start(&job, &worker), 0);
	return worker;
}

static int ask_sealed(struct skep_worker *worker, uint64_t which)
{
	bool is_read = false;

	int err = skep_worker_ask(worker, &which, sizeof(which));
	if (!err)
		err = skep_worker_receive(worker, &is_read, 1);
	assert_true(err || is_read);
	return err;
}

static void expect_status(const char *row)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", child());
	assert_int_equal(skep_file_read(path, 1 << 16, &text), 0);
	assert_non_null(strstr(text.data, row));
}

static void test_sealed(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct skep_worker *worker = start_sealed(fd);

	assert_int_equal(ask_sealed(worker, 0), 0);
	assert_int_equal(ask_sealed(worker, 0), 0);
	expect_status("\nCapPrm:\t0000000000000000\n");
	expect_status("\nCapEff:\t0000000000000000\n");
	expect_status("\nNoNewPrivs:\t1\n");
	expect_status("\nSeccomp:\t2\n");
	skep_worker_free(worker);
	for (uint64_t i = 1; i <= sizeof(forbidden) / sizeof(*forbidden); i++) {
		int status = 0;
		worker = start_sealed(fd);
		assert_int_equal(ask_sealed(worker, i), -EPIPE);
		assert_true(skep_worker_stop(&worker, &status));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_late),
		cmocka_unit_test(test_ends),    cmocka_unit_test(test_late_to_ask),
		cmocka_unit_test(test_busy),    cmocka_unit_test(test_we_are_to_end),
		cmocka_unit_test(test_fds),     cmocka_unit_test(test_no_fds),
		cmocka_unit_test(test_sealed),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
