/* The linux engine against the running kernel: map commands, ring buffers, closing, probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "raw.h"
#include "linux/close.h"
#include "linux/privilege.h"
#include "linux/feature.h"
#include "linux/ringbuf.h"

enum { RING_BYTES = 4096, RECORD_BYTES = 24, HEADER_BYTES = 8 };

static int new_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key;
	attr.value_size = value;
	attr.max_entries = entries;
	int fd = skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	assert_true(fd >= 0);
	return fd;
}

static void maps_are_read_and_written(void **state)
{
	_cleanup_close_ int map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 100);
	uint64_t value, sum = 0;
	uint32_t key, next, n = 0;

	for (key = 1; key <= 10; key++) {
		value = key * 100;
		assert_int_equal(skep_bpf_map_update(map, &key, &value, BPF_NOEXIST), 0);
	}
	assert_int_equal(skep_bpf_map_update(map, &(uint32_t){3}, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(skep_bpf_map_lookup(map, &(uint32_t){7}, &value, 0), 0);
	assert_int_equal(value, 700);
	assert_int_equal(skep_bpf_map_delete(map, &(uint32_t){7}), 0);
	assert_int_equal(skep_bpf_map_lookup(map, &(uint32_t){7}, &value, 0), -ENOENT);
	for (int err = skep_bpf_map_next_key(map, NULL, &key); !err;
	     err = skep_bpf_map_next_key(map, &next, &key)) {
		sum += key;
		next = key;
		n++;
	}
	assert_int_equal(n, 9);
	assert_int_equal(sum, 55 - 7);
}

static void batches_end_with_enoent(void **state)
{
	_cleanup_close_ int map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 1000);
	uint32_t keys[1000], count = 1000, batch;
	uint64_t values[1000], sum = 0;

	for (uint32_t key = 0; key < 500; key++) {
		uint64_t value = key;
		assert_int_equal(skep_bpf_map_update(map, &key, &value, 0), 0);
	}
	assert_int_equal(skep_bpf_map_lookup_batch(map, NULL, &batch, keys, values, &count, true),
			 -ENOENT);
	assert_int_equal(count, 500);
	for (uint32_t i = 0; i < count; i++)
		sum += values[i] + keys[i];
	assert_int_equal(sum, 2 * (499 * 500 / 2));
	count = 1000;
	assert_int_equal(skep_bpf_map_lookup_batch(map, NULL, &batch, keys, values, &count, false),
			 -ENOENT);
	assert_int_equal(count, 0);
	count = 1000;
	assert_int_equal(skep_bpf_map_lookup_batch(-1, NULL, &batch, keys, values, &count, false),
			 -EBADF);
	assert_int_equal(count, 0);
}

/* --- ring buffer ----------------------------------------------------------------------------- */

/*
 * reserve @bytes, write ctx[0] into it, submit or (ctx[1]
 * != 0) discard it; return whether there was room.
 */
static int writer_prog(int ring, int bytes)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, ring),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, bytes),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_reserve),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 11, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 2, 6, 0, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 0, 2, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 7, 6, 8, 0),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 7, 0, 2, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_submit),
		INSN(BPF_JMP | BPF_JA, 0, 0, 1, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_discard),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return raw_load(insns, sizeof(insns) / sizeof(insns[0]));
}

static bool write_record(int prog, uint64_t value, bool discard)
{
	return raw_run(prog, value, discard) == 1;
}

struct seen {
	uint64_t next, stop_at;
	size_t size; /* of a record */
	bool bad;
};

static int check_record(void *ctx, const void *data, size_t size)
{
	struct seen *seen = ctx;
	uint64_t value;

	memcpy(&value, data, sizeof(value));
	if (size != seen->size || value != seen->next || (uintptr_t)data % 8)
		seen->bad = true;
	seen->next++;
	return seen->next == seen->stop_at ? -ECANCELED : 0;
}

/* Many times round a ring, so that records wrap; every fifth is discarded. */
static void go_round(uint32_t ring_bytes, int record_bytes, int rounds, int n)
{
	_cleanup_close_ int map = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, ring_bytes);
	_cleanup_close_ int prog = writer_prog(map, record_bytes);
	struct skep_ringbuf *ring = NULL;
	struct seen seen = {.size = (size_t)record_bytes};
	uint64_t written = 0;

	assert_int_equal(skep_ringbuf_open(map, ring_bytes, &ring), 0);
	assert_int_equal(skep_ringbuf_pending(ring), 0);
	assert_int_equal(skep_ringbuf_consume(ring, 0, check_record, &seen), 0);
	for (int round = 0; round < rounds; round++) {
		int64_t expect = 0;
		for (int i = 0; i < n; i++) {
			bool discard = i % 5 == 4;
			assert_true(write_record(prog, written, discard));
			written += !discard;
			expect += !discard;
		}
		assert_int_equal(skep_ringbuf_pending(ring), n * (record_bytes + HEADER_BYTES));
		assert_int_equal(skep_ringbuf_consume(ring, 0, check_record, &seen), expect);
		assert_int_equal(skep_ringbuf_pending(ring), 0);
	}
	assert_false(seen.bad);
	assert_int_equal(seen.next, written);
	skep_ringbuf_free(ring);
}

static void records_come_in_order_and_wrap(void **state)
{
	go_round(RING_BYTES, RECORD_BYTES, 200, 37);
}

/* Larger than what of it is mapped at a time, with records across that window's end; and records
 * that are larger than it. */
static void large_rings_are_read_through_a_window(void **state)
{
	go_round(1 << 20, 32, 60, 900);
	go_round(1 << 20, 300000, 20, 3);
}

static void consuming_stops_where_asked(void **state)
{
	_cleanup_close_ int map = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES);
	_cleanup_close_ int prog = writer_prog(map, RECORD_BYTES);
	struct skep_ringbuf *ring = NULL;
	struct seen seen = {.stop_at = 5, .size = RECORD_BYTES};
	struct pollfd poll_fd = {.fd = map, .events = POLLIN};

	assert_int_equal(skep_ringbuf_open(map, RING_BYTES, &ring), 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	for (uint64_t i = 0; i < 10; i++)
		assert_true(write_record(prog, i, false));
	assert_int_equal(poll(&poll_fd, 1, 0), 1);
	assert_int_equal(skep_ringbuf_consume(ring, 3, check_record, &seen), 3);
	assert_int_equal(skep_ringbuf_consume(ring, 0, check_record, &seen), -ECANCELED);
	assert_int_equal(skep_ringbuf_pending(ring), 5 * 32);
	assert_int_equal(skep_ringbuf_consume(ring, 0, check_record, &seen), 5);
	assert_false(seen.bad);
	skep_ringbuf_free(ring);
	skep_ringbuf_free(NULL);
}

static void a_full_ring_refuses_and_recovers(void **state)
{
	_cleanup_close_ int map = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES);
	_cleanup_close_ int prog = writer_prog(map, RECORD_BYTES);
	struct skep_ringbuf *ring = NULL;
	struct seen seen = {.size = RECORD_BYTES};
	int64_t n = 0;

	assert_int_equal(skep_ringbuf_open(map, RING_BYTES, &ring), 0);
	while (write_record(prog, (uint64_t)n, false))
		n++;
	assert_in_range(n, 100, RING_BYTES / 32);
	assert_int_equal(skep_ringbuf_consume(ring, 0, check_record, &seen), n);
	assert_true(write_record(prog, (uint64_t)n, false));
	assert_int_equal(skep_ringbuf_consume(ring, 0, check_record, &seen), 1);
	assert_false(seen.bad);
	skep_ringbuf_free(ring);
}

static void rings_need_a_ring_map(void **state)
{
	_cleanup_close_ int map = new_map(BPF_MAP_TYPE_HASH, 4, 4, 1);
	struct skep_ringbuf *ring = NULL;

	assert_true(skep_ringbuf_open(map, RING_BYTES, &ring) < 0);
	assert_int_equal(skep_ringbuf_open(map, 0, &ring), -EINVAL);
	assert_int_equal(skep_ringbuf_open(map, 5000, &ring), -EINVAL);
	assert_null(ring);
}

/* --- closing --------------------------------------------------------------------------------- */

static bool all_closed(const int *fds, size_t n)
{
	bool closed = true;

	for (size_t i = 0; i < n; i++)
		closed = closed && fcntl(fds[i], F_GETFD) < 0 && errno == EBADF;
	return closed;
}

static void files_are_closed_in_bulk(void **state)
{
	static const size_t counts[] = {0, 1, 3, 5, 300};
	int fds[300];

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (size_t k = 0; k < counts[i]; k++)
			fds[k] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		skep_close_parallel(fds, counts[i]);
		assert_true(all_closed(fds, counts[i]));
		for (size_t k = 0; k < counts[i]; k++)
			fds[k] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		skep_close_background(fds, counts[i]);
		assert_true(all_closed(fds, counts[i]));
	}
}

/* --- probes ---------------------------------------------------------------------------------- */

static void features_of_this_kernel_are_found(void **state)
{
	/* what any kernel these tests run on has */
	static const enum skep_feature_id certain[] = {
		SKEP_FEATURE_BPF,        SKEP_FEATURE_MAP_HASH,         SKEP_FEATURE_MAP_RINGBUF,
		SKEP_FEATURE_TRACEPOINT, SKEP_FEATURE_RAW_TRACEPOINT,   SKEP_FEATURE_UPROBE,
		SKEP_FEATURE_URETPROBE,  SKEP_FEATURE_COOKIE,           SKEP_FEATURE_PERF_SOFTWARE,
		SKEP_FEATURE_BATCH,      SKEP_FEATURE_MAP_TASK_STORAGE,
	};

	for (size_t i = 0; i < sizeof(certain) / sizeof(certain[0]); i++)
		assert_true(skep_has_feature(certain[i]));
}

/* What is concluded from a newer feature without asking is what asking finds. */
static void the_newer_implies_the_older(void **state)
{
	static const enum skep_feature_id ages[] = {
		SKEP_FEATURE_MAY_GOTO,
		SKEP_FEATURE_ISA_V4,
		SKEP_FEATURE_NO_PREALLOC,
		SKEP_FEATURE_MAP_RINGBUF,
		SKEP_FEATURE_MAP_TASK_STORAGE,
		SKEP_FEATURE_HELPER_task_storage_get_KPROBE,
		SKEP_FEATURE_BATCH,
		SKEP_FEATURE_ATOMICS,
		SKEP_FEATURE_HELPER_ktime_get_boot_ns_KPROBE,
		SKEP_FEATURE_HELPER_map_lookup_percpu_elem_KPROBE,
		SKEP_FEATURE_COOKIE,
		SKEP_FEATURE_TEST_RUN,
	};

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		bool concluded = skep_has_feature(ages[i]);
		struct skep_feature_result asked;

		skep_feature_try(ages[i], &asked);
		assert_int_equal(concluded, asked.yes);
	}
}

/* In a process of its own, and before all other cases: what was asked is known from then on. */
static int ask_without(void)
{
	struct skep_diag diag = {0};
	struct skep_feature_result result;

	setenv("SKEP_WITHOUT", "RINGBUF,,attach_cookies,instruction set v4", 1);
	if (skep_features_check(&diag) || skep_has_feature(SKEP_FEATURE_MAP_RINGBUF) ||
	    skep_has_feature(SKEP_FEATURE_COOKIE) || skep_has_feature(SKEP_FEATURE_ISA_V4))
		return 1;
	if (!skep_has_feature(SKEP_FEATURE_MAP_USER_RINGBUF) ||
	    !skep_has_feature(SKEP_FEATURE_MAP_TASK_STORAGE))
		return 2;
	skep_feature_try(SKEP_FEATURE_MAP_RINGBUF, &result);
	if (result.yes || result.err != -EOPNOTSUPP || strcmp(result.why, "SKEP_WITHOUT says so"))
		return 3;
	setenv("SKEP_WITHOUT", "ringbuf,ring", 1);
	if (skep_features_check(&diag) != -EINVAL || diag.n_items != 1)
		return 4;
	setenv("SKEP_WITHOUT", "ringbuffer", 1);
	return skep_features_check(&diag) == -EINVAL ? 0 : 5;
}

static void features_can_be_done_without(void **state)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(ask_without());
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

/* Or SKEP_WITHOUT could not tell them apart. */
static void names_of_features_are_unique(void **state)
{
	for (int a = 0; a < SKEP_FEATURE_CNT; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(skep_feature(a)->name, skep_feature(b)->name);
}

static size_t count_open_files(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void every_probe_says_why_and_leaves_nothing(void **state)
{
	skep_tracefs();
	size_t before = count_open_files();

	for (int id = 0; id < SKEP_FEATURE_CNT; id++) {
		struct skep_feature_result probe;
		skep_feature_try(id, &probe);
		assert_true(probe.yes == (probe.err == 0));
		if (!probe.yes && !probe.why[0])
			print_error("%s\n", skep_feature(id)->name);
		assert_true(probe.yes || probe.why[0]);
		assert_true(skep_feature(id)->name[0] && skep_feature(id)->gives[0]);
	}
	assert_int_equal(count_open_files(), before);
}

static int probes_as_nobody(void)
{
	struct skep_feature_result probe;

	if (setgid(65534) || setuid(65534))
		return 1;
	skep_feature_try(SKEP_FEATURE_TRACEPOINT, &probe);
	if (probe.yes || !probe.why[0])
		return 2;
	skep_feature_try(SKEP_FEATURE_MAP_TASK_STORAGE, &probe);
	if (probe.yes || probe.err != -EPERM || !strstr(probe.why, "user 65534 lacks CAP_BPF"))
		return 3;
	skep_feature_try(SKEP_FEATURE_CAP_BPF, &probe);
	return probe.yes || !strstr(probe.hint, "CAP_BPF") ? 4 : 0;
}

static void missing_privileges_are_told(void **state)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(probes_as_nobody());
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static int need_root(void **state)
{
	if (geteuid() == 0 && skep_has_cap(39 /* CAP_BPF */))
		return 0;
	print_message("skipped: needs root with CAP_BPF\n");
	exit(77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_can_be_done_without),
		cmocka_unit_test(maps_are_read_and_written),
		cmocka_unit_test(batches_end_with_enoent),
		cmocka_unit_test(records_come_in_order_and_wrap),
		cmocka_unit_test(large_rings_are_read_through_a_window),
		cmocka_unit_test(consuming_stops_where_asked),
		cmocka_unit_test(a_full_ring_refuses_and_recovers),
		cmocka_unit_test(rings_need_a_ring_map),
		cmocka_unit_test(files_are_closed_in_bulk),
		cmocka_unit_test(features_of_this_kernel_are_found),
		cmocka_unit_test(the_newer_implies_the_older),
		cmocka_unit_test(names_of_features_are_unique),
		cmocka_unit_test(every_probe_says_why_and_leaves_nothing),
		cmocka_unit_test(missing_privileges_are_told),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
