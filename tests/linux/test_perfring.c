/*
 * Perf rings that programs send to: a small program copies what its run is
 * given, on the CPU that the test runs on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "raw.h"
#include "linux/perfring.h"

#define RING_BYTES 4096
#define MOST_BYTES 64
#define MOST_CPUS  8

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int event_map(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = skep_possible_cpus();
	int fd = skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	assert_true(fd >= 0);
	return fd;
}

/* Send ctx[1] bytes (at most 64) that begin with ctx[0]; return what the helper returned. */
static int sender(int map)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 2, 1, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 5, 1, 8, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -24, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -32, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -40, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -48, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -56, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 2, -64, 0),
		INSN(BPF_JMP | BPF_JGT | BPF_K, 5, 0, 7, MOST_BYTES),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU | BPF_MOV | BPF_K, 3, 0, 0, -1), /* BPF_F_CURRENT_CPU */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, -64),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_perf_event_output),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, -1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return raw_load(insns, sizeof(insns) / sizeof(insns[0]));
}

static void run_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Records are numbered from 0, and number n has size_of(n) bytes. */
static uint64_t size_of(uint64_t n)
{
	return 8 + n * 7 % 50;
}

struct seen {
	uint64_t next, time_ns, lost;
	bool bad;
};

static void check(void *ctx, const struct skep_perf_record *record)
{
	struct seen *seen = ctx;
	uint64_t value = UINT64_MAX;

	if (record->type == PERF_RECORD_LOST) {
		seen->lost++;
		return;
	}
	memcpy(&value, record->data, sizeof(value));
	if (record->type != PERF_RECORD_SAMPLE || value != seen->next ||
	    (uintptr_t)record->data % 8)
		seen->bad = true;
	if (record->size < size_of(value) || record->size > size_of(value) + 7)
		seen->bad = true;
	if (record->time_ns < seen->time_ns || record->time_ns > now_ns())
		seen->bad = true;
	seen->time_ns = record->time_ns;
	seen->next = value + 1;
}

struct bench {
	int map, prog;
	struct skep_perfrings *rings;
	unsigned cpus[MOST_CPUS], n_cpus;
	struct seen seen;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->map = event_map();
	b->prog = sender(b->map);
	b->n_cpus = skep_online_cpus(b->cpus, MOST_CPUS);
	assert_int_equal(skep_perfrings_open_output(b->map, RING_BYTES, &b->rings), 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	skep_perfrings_free(b->rings);
	close(b->prog);
	close(b->map);
	free(b);
	return 0;
}

/* Many times round small rings, so that records of all lengths go over their ends. */
static void records_of_all_cpus_come_in_order(void **state)
{
	struct bench *b = *state;
	uint64_t sent = 0;

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 30; i++, sent++) {
			run_on(b->cpus[(sent / 3) % b->n_cpus]);
			assert_int_equal(raw_run(b->prog, sent, size_of(sent)), 0);
		}
		assert_true(skep_perfrings_pending(b->rings));
		skep_perfrings_consume(b->rings, UINT64_MAX, check, &b->seen);
		assert_false(skep_perfrings_pending(b->rings));
		assert_int_equal(b->seen.next, sent);
	}
	assert_false(b->seen.bad);
	assert_int_equal(skep_perfrings_lost(b->rings), 0);
}

static void younger_records_wait(void **state)
{
	struct bench *b = *state;

	assert_int_equal(raw_run(b->prog, 0, size_of(0)), 0);
	uint64_t between_ns = now_ns();
	assert_int_equal(raw_run(b->prog, 1, size_of(1)), 0);
	skep_perfrings_consume(b->rings, between_ns, check, &b->seen);
	assert_int_equal(b->seen.next, 1);
	assert_true(skep_perfrings_pending(b->rings));
	skep_perfrings_consume(b->rings, UINT64_MAX, check, &b->seen);
	assert_int_equal(b->seen.next, 2);
	assert_false(b->seen.bad);
}

static void one_record_wakes_the_reader(void **state)
{
	struct bench *b = *state;
	struct pollfd fd = {.fd = skep_perfrings_fd(b->rings), .events = POLLIN};

	for (uint64_t n = 0; n < 3; n++) {
		assert_int_equal(poll(&fd, 1, 0), 0);
		assert_int_equal(raw_run(b->prog, n, size_of(n)), 0);
		assert_int_equal(poll(&fd, 1, 1000), 1);
		skep_perfrings_consume(b->rings, UINT64_MAX, check, &b->seen);
		assert_int_equal(b->seen.next, n + 1);
	}
}

/* The program is told; the kernel's own record of it comes with the next that fits. */
static void a_full_ring_refuses_and_recovers(void **state)
{
	struct bench *b = *state;
	uint64_t sent = 0, refused = 0;

	run_on(b->cpus[0]);
	while (!raw_run(b->prog, sent, size_of(sent)))
		sent++;
	assert_in_range(sent, 30, RING_BYTES / 24);
	for (refused = 1; refused < 10; refused++)
		assert_int_equal(raw_run(b->prog, sent, MOST_BYTES), -ENOSPC);
	skep_perfrings_consume(b->rings, UINT64_MAX, check, &b->seen);
	assert_int_equal(b->seen.next, sent);
	assert_int_equal(raw_run(b->prog, sent, size_of(sent)), 0);
	skep_perfrings_consume(b->rings, UINT64_MAX, check, &b->seen);
	assert_int_equal(b->seen.next, sent + 1);
	assert_int_equal(skep_perfrings_lost(b->rings), refused);
	assert_int_equal(b->seen.lost, 1);
	assert_false(b->seen.bad);
}

static void what_is_no_map_of_events_is_refused(void **state)
{
	struct skep_perfrings *rings = NULL;
	_cleanup_close_ int not_a_map = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(skep_perfrings_open_output(-1, RING_BYTES, &rings), -EBADF);
	assert_int_equal(skep_perfrings_open_output(not_a_map, RING_BYTES, &rings), -EINVAL);
	assert_null(rings);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(records_of_all_cpus_come_in_order),   CASE(younger_records_wait),
		CASE(one_record_wakes_the_reader),         CASE(a_full_ring_refuses_and_recovers),
		CASE(what_is_no_map_of_events_is_refused),
	};

	if (geteuid()) {
		print_message("skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
