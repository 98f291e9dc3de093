/*
 * The tracker on the running kernel: programs that start, load a library, fork, execute another and
 * are killed, each seen in the arrays a moment later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "heap.h"
#include "linux/bpf.h"
#include "linux/maps.h"
#include "unwind/tracker.h"

#define PATIENCE_NS 20000000000ull
#define LIBRARY     "libz.so.1"

struct tracked {
	struct heap heap;
	struct skep_unwind_tracker *tracker;
};

static int begin(void **state)
{
	static struct tracked b;

	heap_init(&b.heap, &skep_unwind_default_sizes);
	int err = skep_unwind_tracker_new(&b.heap.arrays, &b.tracker);
	if (!err)
		*state = &b;
	else
		heap_done(&b.heap);
	return is_refused(err) ? 0 : err;
}

static int end(void **state)
{
	struct tracked *b = *state;

	if (!b)
		return 0;
	skep_unwind_tracker_free(b->tracker);
	heap_done(&b->heap);
	return 0;
}

/* Records of the kernel are for root. */
static struct tracked *needed(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static void poll_once(struct tracked *b, int most_ms)
{
	struct pollfd fd = {.fd = skep_unwind_tracker_fd(b->tracker), .events = POLLIN};

	if (poll(&fd, 1, most_ms) > 0)
		skep_unwind_tracker_step(b->tracker);
}

/* What has been recorded until now is taken in. */
static void catch_up(struct tracked *b)
{
	uint64_t until_ns = skep_clock_ns() + 20000000;

	while (skep_clock_ns() < until_ns)
		poll_once(b, 1);
	for (int i = 0; i < 5; i++) /* however long we did not run */
		poll_once(b, 5);
}

static uint32_t look(const struct tracked *b, pid_t tgid, uint64_t pc)
{
	struct skep_unwind_table table;
	uint64_t bias;

	return heap_look(&b->heap, (uint32_t)tgid, pc, &table, &bias);
}

static bool is_known(const struct tracked *b, pid_t tgid)
{
	return heap_find(&b->heap, (uint32_t)tgid);
}

/* Every mapping of code of a process that stands still is what the arrays have at its first and its
 * last byte. Return how many there are. */
static uint32_t compare(const struct tracked *b, pid_t tgid)
{
	struct skep_maps maps;
	uint32_t n = 0;

	assert_int_equal(skep_maps_read(tgid, &maps), 0);
	for (size_t i = 0; i < maps.n; i++) {
		const struct skep_mapping *m = &maps.data[i];
		const char *path = maps.paths + m->path;
		uint32_t file = look(b, tgid, m->start), last = look(b, tgid, m->end - 1);
		bool is_code = m->exec && strcmp(path, "[vsyscall]") != 0;
		assert_int_equal(file, last);
		if (file == SKEP_UNWIND_FILE_NONE && is_code)
			fail_msg("%d: nothing at %s", tgid, path);
		if (file != SKEP_UNWIND_FILE_NONE && !is_code)
			fail_msg("%d: something at %s", tgid, path);
		if (is_code && (!m->inode && path[0] != '['))
			assert_int_equal(file, SKEP_UNWIND_FILE_FRAMES);
		n += is_code;
	}
	skep_maps_done(&maps);
	return n;
}

static void scan(void **state)
{
	struct tracked *b = needed(state);
	struct skep_unwind_counts counts;

	skep_unwind_tracker_finish_scan(b->tracker);
	skep_unwind_tracker_counts(b->tracker, &counts);
	assert_true(compare(b, getpid()) >= 4);
	assert_int_equal(b->heap.n, counts.n_processes);
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++)
		assert_int_equal(counts.losses.n[i], 0);
}

/* --- A program that does what it is told, a byte at a time ------------------------------------ */

struct child {
	pid_t pid;
	int to, from;
};

/* A file that nobody else has mapped. */
static char copy_path[] = "/tmp/skep-test-XXXXXX";

static void make_copy(void)
{
	_cleanup_buf_ struct skep_buf program = {0};
	int fd = mkstemp(copy_path);

	assert_true(fd >= 0);
	assert_int_equal(skep_file_read("/proc/self/exe", 64 << 20, &program), 0);
	assert_int_equal(write(fd, program.data, program.len), program.len);
	close(fd);
}

static void *map_copy(void)
{
	int fd = open(copy_path, O_RDONLY);

	return mmap(NULL, 1 << 16, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
}

/* Code that comes and goes, at one place: a record each time. */
static void *make_records(int n)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < n; i++)
		mprotect(at, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_EXEC);
	return at;
}

static void obey(int from, int to)
{
	char order;

	while (read(from, &order, 1) == 1) {
		void *at = MAP_FAILED;
		if (order == 'l')
			at = dlopen(LIBRARY, RTLD_NOW);
		if (order == 'f')
			at = map_copy();
		if (order == 'j')
			at = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (order == 'p') /* as makers of code do that want it never writable as well */
			mprotect(at = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
					   0),
				 65536, PROT_READ | PROT_EXEC);
		if (order == 'q')
			at = make_records(20000);
		if (order == 'x')
			execl("/bin/sh", "sh", "-c", "echo; read line", NULL);
		if (write(to, at == MAP_FAILED ? "?" : "!", 1) != 1)
			break;
	}
	_exit(0);
}

static struct child start(void)
{
	int down[2], up[2];
	struct child child;

	assert_int_equal(pipe(down), 0);
	assert_int_equal(pipe(up), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		dup2(down[0], 0);
		dup2(up[1], 1);
		close(down[1]);
		close(up[0]);
		obey(0, 1);
	}
	close(down[0]);
	close(up[1]);
	child.to = down[1];
	child.from = up[0];
	return child;
}

static void tell(const struct child *child, char order)
{
	char answer;

	assert_int_equal(write(child->to, &order, 1), 1);
	assert_int_equal(read(child->from, &answer, 1), 1);
	assert_int_not_equal(answer, '?');
}

static void stop(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->to);
	close(child->from);
}

static void life(void **state)
{
	struct tracked *b = needed(state);
	struct child child = start();

	catch_up(b);
	uint32_t at_first = compare(b, child.pid);
	tell(&child, 'l');
	tell(&child, 'j');
	tell(&child, 'p');
	catch_up(b);
	assert_true(compare(b, child.pid) > at_first + 1);
	tell(&child, 'x');
	catch_up(b);
	assert_true(compare(b, child.pid) >= 3);
	stop(&child);
	catch_up(b);
	assert_false(is_known(b, child.pid));
}

/* The table of what is asked for; and what other processes map of the same file has it too. */
static void asks(void **state)
{
	struct tracked *b = needed(state);
	uint64_t libc = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
	struct child child = start();
	struct skep_unwind_counts counts;

	catch_up(b);
	assert_int_equal(look(b, child.pid, libc), SKEP_UNWIND_FILE_ASK);
	uint32_t number = heap_number(&b->heap, (uint32_t)child.pid, libc);
	assert_true(skep_unwind_tracker_ask(b->tracker, (uint32_t)child.pid, number));
	assert_true(look(b, child.pid, libc) >= SKEP_UNWIND_FILE_FIRST);
	assert_true(look(b, getpid(), libc) >= SKEP_UNWIND_FILE_FIRST);
	stop(&child);

	child = start();
	catch_up(b);
	assert_true(look(b, child.pid, libc) >= SKEP_UNWIND_FILE_FIRST);
	stop(&child);
	skep_unwind_tracker_counts(b->tracker, &counts);
	assert_int_equal(counts.n_asked,
			 1); /* what others start again and again is there unasked */
	assert_true(counts.n_rows > 10000);
}

/* Where @path is mapped; 0: nowhere. */
static uint64_t address_of(pid_t pid, const char *path)
{
	struct skep_maps maps;
	uint64_t at = 0;

	assert_int_equal(skep_maps_read(pid, &maps), 0);
	for (size_t i = 0; i < maps.n; i++) {
		if (!strcmp(maps.paths + maps.data[i].path, path))
			at = maps.data[i].start;
	}
	skep_maps_done(&maps);
	return at;
}

static void await_table(struct tracked *b, pid_t pid, uint64_t addr)
{
	for (uint64_t until_ns = skep_clock_ns() + PATIENCE_NS;
	     look(b, pid, addr) == SKEP_UNWIND_FILE_ASK && skep_clock_ns() < until_ns;)
		poll_once(b, 100);
	assert_int_equal(look(b, pid, addr), SKEP_UNWIND_FILE_FIRST);
}

/* There is room for one file only: whoever asks for another waits until that one, which nobody
 * needs any more, has made room for it. */
static void waits_for_room(void **state)
{
	struct skep_unwind_sizes sizes = skep_unwind_default_sizes;
	uint64_t libc = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
	uint32_t tgid = (uint32_t)getpid();
	struct skep_unwind_counts counts;
	struct tracked b;

	needed(state);
	sizes.files = SKEP_UNWIND_FILE_FIRST + 1;
	heap_init(&b.heap, &sizes);
	assert_int_equal(skep_unwind_tracker_new(&b.heap.arrays, &b.tracker), 0);
	skep_unwind_tracker_finish_scan(b.tracker);
	make_copy();
	struct child child = start();
	tell(&child, 'f');
	catch_up(&b);
	unlink(copy_path);
	uint64_t copy = address_of(child.pid, copy_path);
	assert_int_equal(look(&b, child.pid, copy), SKEP_UNWIND_FILE_ASK);
	uint32_t number = heap_number(&b.heap, (uint32_t)child.pid, copy);
	assert_true(skep_unwind_tracker_ask(b.tracker, (uint32_t)child.pid, number));
	assert_int_equal(look(&b, child.pid, copy), SKEP_UNWIND_FILE_FIRST);
	stop(&child);
	catch_up(&b);
	assert_int_equal(look(&b, getpid(), libc), SKEP_UNWIND_FILE_ASK);
	assert_false(skep_unwind_tracker_ask(b.tracker, tgid, heap_number(&b.heap, tgid, libc)));
	assert_false(skep_unwind_tracker_ask(b.tracker, tgid, heap_number(&b.heap, tgid, libc)));
	await_table(&b, getpid(), libc);
	skep_unwind_tracker_counts(b.tracker, &counts);
	assert_int_equal(counts.n_tables, 1);
	assert_int_equal(counts.losses.n[SKEP_UNWIND_LOST_WAITING], 1);
	assert_int_equal(counts.losses.n[SKEP_UNWIND_LOST_EVICTED], 0);
	skep_unwind_tracker_free(b.tracker);
	heap_done(&b.heap);
}

/* The kernel's own code that every process has mapped. */
static void vdso(void **state)
{
	struct tracked *b = needed(state);
	uint64_t at = address_of(getpid(), "[vdso]");

	if (!at)
		skip();
	catch_up(b);
	uint32_t tgid = (uint32_t)getpid(), number = heap_number(&b->heap, tgid, at);
	assert_true(skep_unwind_tracker_ask(b->tracker, tgid, number));
	assert_true(look(b, getpid(), at) >= SKEP_UNWIND_FILE_FIRST);
}

/* However many steps there are, all processes are looked at once a second: so there are as many
 * seconds, at least, as there are looks behind the first of some. */
static void sweeps_seldom(struct tracked *b)
{
	const uint64_t n_wanted = 2, least_ns = 1000000000;
	struct skep_unwind_counts before, after;
	uint64_t start_ns = skep_clock_ns(), until_ns = start_ns + PATIENCE_NS;

	skep_unwind_tracker_counts(b->tracker, &before);
	do {
		struct child child = start();
		stop(&child);
		poll_once(b, 1);
		skep_unwind_tracker_counts(b->tracker, &after);
	} while ((after.n_sweeps - before.n_sweeps < n_wanted ||
		  after.n_records <= before.n_records + 100) &&
		 skep_clock_ns() < until_ns);
	assert_true(after.n_records > before.n_records + 100);
	assert_in_range(after.n_sweeps - before.n_sweeps, n_wanted,
			(skep_clock_ns() - start_ns) / least_ns + 1);
}

/* Its first thread ends, the others go on: so does the process. */
static void *wait_here(void *ctx)
{
	pause();
	return NULL;
}

static void first_thread_ends(void **state)
{
	struct tracked *b = needed(state);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		pthread_t thread;
		pthread_create(&thread, NULL, wait_here, NULL);
		pthread_exit(NULL);
	}
	catch_up(b);
	catch_up(b);
	assert_int_equal(look(b, pid, (uint64_t)(uintptr_t)wait_here), SKEP_UNWIND_FILE_ASK);
	sweeps_seldom(b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (uint64_t until_ns = skep_clock_ns() + PATIENCE_NS;
	     is_known(b, pid) && skep_clock_ns() < until_ns;)
		poll_once(b, 100);
	assert_false(is_known(b, pid));
}

/* Until its program has been loaded, and sleeps. */
static void await_sleep(pid_t pid)
{
	char path[64], text[16] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (uint64_t until_ns = skep_clock_ns() + PATIENCE_NS; skep_clock_ns() < until_ns;
	     usleep(1000)) {
		_cleanup_close_ int fd = open(path, O_RDONLY);
		if (read(fd, text, sizeof(text) - 1) > 0 && atoi(text) == SYS_clock_nanosleep)
			return;
	}
}

/* A hundred at once, each of another program than its parent. */
static void many(void **state)
{
	struct tracked *b = needed(state);
	pid_t pids[100];

	for (int i = 0; i < 100; i++) {
		pids[i] = vfork();
		assert_true(pids[i] >= 0);
		if (!pids[i]) {
			execl("/bin/sleep", "sleep", "600", NULL);
			_exit(1);
		}
		poll_once(b, 0);
	}
	for (int i = 0; i < 100; i++)
		await_sleep(pids[i]);
	catch_up(b);
	for (int i = 0; i < 100; i++) {
		assert_true(compare(b, pids[i]) >= 4);
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	catch_up(b);
	for (int i = 0; i < 100; i++)
		assert_false(is_known(b, pids[i]));
}

/* More than the rings have room for: what was lost is counted, and found again in /proc. */
static void lost_records(void **state)
{
	struct tracked *b = needed(state);
	struct child child = start();
	struct skep_unwind_counts counts;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(child.pid, sizeof(one), &one), 0);
	tell(&child, 'q');
	catch_up(b);
	tell(&child, 'p'); /* a ring says what it has lost before its next record */
	for (int i = 0; i < 20; i++)
		catch_up(b);
	skep_unwind_tracker_counts(b->tracker, &counts);
	assert_true(counts.losses.n[SKEP_UNWIND_LOST_RECORDS] > 0);
	assert_true(counts.n_scans > 1);
	for (uint64_t until_ns = skep_clock_ns() + PATIENCE_NS;
	     b->heap.n != counts.n_processes && skep_clock_ns() < until_ns;)
		poll_once(b, 100);
	skep_unwind_tracker_finish_scan(b->tracker);
	compare(b, child.pid);
	stop(&child);
}

/* Programs that are started one after the other leave nothing behind. */
static void short_lives(void **state)
{
	struct tracked *b = needed(state);
	struct skep_unwind_counts before, after;

	catch_up(b);
	skep_unwind_tracker_counts(b->tracker, &before);
	for (int i = 0; i < 300; i++) {
		pid_t pid = vfork();
		assert_true(pid >= 0);
		if (!pid) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
		poll_once(b, 0);
	}
	catch_up(b);
	skep_unwind_tracker_counts(b->tracker, &after);
	assert_true(after.n_records > before.n_records + 300 * 5);
	assert_true(after.n_processes < before.n_processes + 150); /* of others */
	assert_true(after.memory_bytes < before.memory_bytes + 150000);
}

/* Whoever has other things to look after may step at any time, and as often. */
static void steps_at_any_time(void **state)
{
	struct tracked *b = needed(state);
	uint64_t until_ns = skep_clock_ns() + PATIENCE_NS, own = (uint64_t)(uintptr_t)needed;
	struct child child = start();

	catch_up(b);
	assert_true(look(b, child.pid, own) != SKEP_UNWIND_FILE_NONE);
	assert_int_equal(write(child.to, "x", 1), 1);
	while (look(b, child.pid, own) != SKEP_UNWIND_FILE_NONE && skep_clock_ns() < until_ns)
		skep_unwind_tracker_step(b->tracker);
	assert_int_equal(look(b, child.pid, own), SKEP_UNWIND_FILE_NONE);
	stop(&child);
}

/* What wakes it up is something to do, whatever others do meanwhile: but that a ring says once that
 * it has something after it has been emptied, and that what the timer was set for may be done. */
static void idle(void **state)
{
	struct tracked *b = needed(state);
	struct pollfd fd = {.fd = skep_unwind_tracker_fd(b->tracker), .events = POLLIN};
	struct skep_unwind_counts before, after;
	uint32_t in_vain = 0;

	catch_up(b);
	skep_unwind_tracker_counts(b->tracker, &before);
	for (int i = 0; i < 1000 && poll(&fd, 1, 50); i++) {
		skep_unwind_tracker_step(b->tracker);
		skep_unwind_tracker_counts(b->tracker, &after);
		in_vain = after.n_useful == before.n_useful ? in_vain + 1 : 0;
		assert_true(in_vain <= skep_possible_cpus() + 1);
		before = after;
	}
}

/* --- Whoever goes on for days ----------------------------------------------------------------- */

struct heard {
	uint32_t pid; /* whose records are counted */
	int n_forked, n_exited;
	uint64_t last_ns;
};

static void hear(void *ctx, const struct skep_perf_record *record)
{
	struct heard *heard = ctx;
	struct skep_perf_change change;

	assert_true(record->time_ns >= heard->last_ns);
	heard->last_ns = record->time_ns;
	if (!skep_perf_record_change(record, &change) || change.pid != heard->pid)
		return;
	heard->n_forked += change.kind == SKEP_PERF_FORKED;
	heard->n_exited += change.kind == SKEP_PERF_EXITED;
}

static pid_t child_that_ends(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* A listener is told all in order; catching up does not wait for the batch, nor for a step. */
static void relaxed(void **state)
{
	struct tracked *b = needed(state);
	struct heard heard = {0};
	const struct timespec settle = {.tv_nsec = 5000000};

	skep_unwind_tracker_relax(b->tracker);
	skep_unwind_tracker_catch_up(b->tracker);
	skep_unwind_tracker_listen(b->tracker, hear, &heard);
	heard.pid = (uint32_t)child_that_ends();
	nanosleep(&settle, NULL);
	skep_unwind_tracker_catch_up(b->tracker);
	assert_int_equal(heard.n_forked, 1);
	assert_int_equal(heard.n_exited, 1);
	skep_unwind_tracker_listen(b->tracker, NULL, NULL);
	heard.pid = (uint32_t)child_that_ends();
	nanosleep(&settle, NULL);
	skep_unwind_tracker_catch_up(b->tracker);
	assert_int_equal(heard.n_forked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan),         cmocka_unit_test(life),
		cmocka_unit_test(asks),         cmocka_unit_test(waits_for_room),
		cmocka_unit_test(vdso),         cmocka_unit_test(first_thread_ends),
		cmocka_unit_test(short_lives),  cmocka_unit_test(many),
		cmocka_unit_test(lost_records), cmocka_unit_test(steps_at_any_time),
		cmocka_unit_test(idle),         cmocka_unit_test(relaxed),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
