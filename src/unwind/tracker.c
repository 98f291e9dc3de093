/*
 * The loop that keeps the arrays in step, see tracker.h.
 *
 * A record is in its ring a moment after its time. So that none is overtaken by
 * a later one from another CPU, the last half of a millisecond waits. The first
 * record therefore only sets the timer, and the rings are let be until it rings:
 * however many programs are started, there are some hundred steps a second. Until
 * then a walk knows of a program that has just been started what the kernel can
 * tell of its mappings, and no more. Who goes on for days takes longer steps
 * (skep_unwind_tracker_relax()): each costs as much as many records do.
 */
#include "unwind/tracker.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "linux/bpf.h"
#include "linux/perfring.h"
#include "unwind/processes.h"

#define RINGS_BYTES   (4u << 20)   /* of all CPUs' together, as far as the next two let them */
#define RING_LEAST    (64u * 1024) /* some fifty programs started */
#define RING_MOST     (512u * 1024)
#define SETTLE_NS     500000u
#define BATCH_NS      1000000u
#define RELAXED_NS    30000000u
#define SCAN_NS       1000000u
#define ROOM_NS       SKEP_UNWIND_GRACE_NS /* there may be more of it after that */
#define SWEEP_NS      1000000000u
#define WANTED_NS     1000000u
#define WANTED_A_STEP 1 /* a table may take a while */
#define SIGHTS_A_STEP 32
#define PENDING_MOST  4096

struct ask {
	uint32_t tgid, number;
};

struct skep_unwind_tracker {
	struct skep_unwind_processes processes;
	struct skep_unwind_losses losses;
	struct skep_perfrings *rings; /* owned */
	DIR *proc;                    /* owned; NULL: all have been read */
	bool scan_again;              /* records were lost */
	bool rings_wait;              /* for the timer */
	bool has_short;               /* mappings that wait for room */
	SKEP_VEC(struct ask) pending; /* that wait for room */
	int epoll_fd, timer_fd;       /* owned */
	uint64_t due_ns;              /* when there is something to do; 0: not known yet */
	uint64_t lost;                /* records, as last seen */
	uint64_t swept_ns;            /* when processes that might have ended were last looked at */
	uint64_t n_records, n_scans, n_sweeps, n_useful;
	uint64_t batch_ns;            /* how long records wait */
	skep_perf_record_fn listener; /* NULL: nobody else wants them */
	void *listener_ctx;
};

/* --- When ------------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How long until there is something to do, if no record comes; 0: nothing. */
static uint64_t next_ns(const struct skep_unwind_tracker *tracker)
{
	uint64_t ns = UINT64_MAX;

	if (tracker->proc)
		ns = SCAN_NS;
	if (tracker->rings_wait)
		ns = least(ns, tracker->batch_ns);
	if (tracker->processes.objects.wanted.len)
		ns = least(ns, WANTED_NS);
	if (tracker->has_short || tracker->pending.len)
		ns = least(ns, ROOM_NS);
	if (tracker->processes.n_leaders_ended)
		ns = least(ns, SWEEP_NS);
	return ns == UINT64_MAX ? 0 : ns;
}

/* However often this is called, what is due earlier is not put off. */
static void arm(struct skep_unwind_tracker *tracker)
{
	uint64_t ns = next_ns(tracker), due_ns = skep_clock_ns() + ns;
	const struct itimerspec when = {.it_value = {.tv_sec = (time_t)(ns / 1000000000u),
						     .tv_nsec = (long)(ns % 1000000000u)}};

	if (!ns || (tracker->due_ns && tracker->due_ns <= due_ns))
		return;
	tracker->due_ns = due_ns;
	timerfd_settime(tracker->timer_fd, 0, &when, NULL);
}

static void heed_rings(struct skep_unwind_tracker *tracker, bool is_heeded)
{
	struct epoll_event event = {.events = is_heeded ? EPOLLIN : 0,
				    .data.fd = skep_perfrings_fd(tracker->rings)};

	tracker->rings_wait = !is_heeded;
	epoll_ctl(tracker->epoll_fd, EPOLL_CTL_MOD, event.data.fd, &event);
}

/* --- Scanning /proc --------------------------------------------------------------------------- */

static void close_proc(struct skep_unwind_tracker *tracker)
{
	if (tracker->proc)
		closedir(tracker->proc);
	tracker->proc = NULL;
}

static void begin_scan(struct skep_unwind_tracker *tracker)
{
	close_proc(tracker);
	tracker->scan_again = false;
	tracker->proc = opendir("/proc");
	tracker->n_scans++;
	skep_unwind_processes_begin_scan(&tracker->processes);
}

static void end_scan(struct skep_unwind_tracker *tracker)
{
	close_proc(tracker);
	skep_unwind_processes_end_scan(&tracker->processes);
	if (tracker->scan_again)
		begin_scan(tracker);
}

static void see_some(struct skep_unwind_tracker *tracker, int n)
{
	while (tracker->proc && n > 0) {
		const struct dirent *entry = readdir(tracker->proc);
		char *end;

		if (!entry) {
			end_scan(tracker);
			return;
		}
		unsigned long tgid = strtoul(entry->d_name, &end, 10);
		if (*end || !tgid || tgid > INT32_MAX)
			continue;
		skep_unwind_processes_read(&tracker->processes, (uint32_t)tgid);
		n--;
	}
}

/* It looks at every process: however many steps there are, once in a while is enough. */
static void sweep(struct skep_unwind_tracker *tracker)
{
	uint64_t now_ns = skep_clock_ns();

	if (!tracker->processes.n_leaders_ended || now_ns - tracker->swept_ns < SWEEP_NS)
		return;
	skep_unwind_processes_sweep(&tracker->processes);
	tracker->swept_ns = now_ns;
	tracker->n_sweeps++;
}

/* --- Records ---------------------------------------------------------------------------------- */

static void on_record(void *ctx, const struct skep_perf_record *record)
{
	struct skep_unwind_tracker *tracker = ctx;

	tracker->n_records++;
	skep_unwind_processes_on_record(&tracker->processes, record);
	if (tracker->listener)
		tracker->listener(tracker->listener_ctx, record);
}

static void count_lost(struct skep_unwind_tracker *tracker)
{
	uint64_t lost = skep_perfrings_lost(tracker->rings);

	if (lost == tracker->lost)
		return;
	tracker->losses.n[SKEP_UNWIND_LOST_RECORDS] += lost - tracker->lost;
	tracker->lost = lost;
	tracker->scan_again = true;
	if (!tracker->proc)
		begin_scan(tracker);
}

static void take_records(struct skep_unwind_tracker *tracker)
{
	skep_perfrings_consume(tracker->rings, skep_clock_ns() - SETTLE_NS, on_record, tracker);
	count_lost(tracker);
	heed_rings(tracker, !skep_perfrings_pending(tracker->rings));
}

/* --- Asks ------------------------------------------------------------------------------------- */

static bool is_pending(const struct skep_unwind_tracker *tracker, const struct ask *ask)
{
	skep_vec_foreach (const struct ask, it, &tracker->pending) {
		if (it->number == ask->number && it->tgid == ask->tgid)
			return true;
	}
	return false;
}

/* Where many are asked for in a row, their tables take longer to build than rings take to fill. */
static void keep_up(struct skep_unwind_tracker *tracker)
{
	take_records(tracker);
	tracker->has_short = skep_unwind_processes_flush(&tracker->processes);
}

static void finish(struct skep_unwind_tracker *tracker, uint64_t n_built_before)
{
	if (n_built_before != tracker->processes.objects.n_built)
		keep_up(tracker);
	arm(tracker);
}

bool skep_unwind_tracker_ask(struct skep_unwind_tracker *tracker, uint32_t tgid, uint32_t number)
{
	uint64_t n_built = tracker->processes.objects.n_built;
	struct ask ask = {tgid, number};

	if (is_pending(tracker, &ask))
		return false;
	int err = skep_unwind_processes_answer(&tracker->processes, tgid, number);
	if (err == -EAGAIN && tracker->pending.len < PENDING_MOST)
		skep_vec_push(&tracker->pending, ask);
	finish(tracker, n_built);
	return err != -EAGAIN;
}

bool skep_unwind_tracker_expect(struct skep_unwind_tracker *tracker, uint32_t tgid, uint32_t number)
{
	uint64_t n_built = tracker->processes.objects.n_built;
	int err = skep_unwind_processes_expect(&tracker->processes, tgid, number);

	finish(tracker, n_built);
	return err != -EAGAIN;
}

static void try_again(struct skep_unwind_tracker *tracker)
{
	size_t n = tracker->pending.len, n_left = 0;

	for (size_t i = 0; i < n; i++) {
		struct ask ask = tracker->pending.data[i];
		if (skep_unwind_processes_answer(&tracker->processes, ask.tgid, ask.number) ==
		    -EAGAIN)
			tracker->pending.data[n_left++] = ask;
	}
	tracker->pending.len = n_left;
}

/* --- The tracker ------------------------------------------------------------------------------ */

static int watch(struct skep_unwind_tracker *tracker, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(tracker->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* As large as is fair; who is not root may not lock much memory. */
static int open_rings(struct skep_unwind_tracker *tracker)
{
	uint32_t bytes = RING_MOST;
	int err;

	while (bytes > RING_LEAST && bytes * skep_possible_cpus() > RINGS_BYTES)
		bytes /= 2;
	do {
		err = skep_perfrings_open(bytes, 1, &tracker->rings);
		bytes /= 2;
	} while (err == -EPERM && bytes >= RING_LEAST);
	return err;
}

static int open_all(struct skep_unwind_tracker *tracker)
{
	int err;

	tracker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (tracker->epoll_fd < 0)
		return -errno;
	tracker->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (tracker->timer_fd < 0)
		return -errno;
	err = open_rings(tracker);
	if (!err)
		err = watch(tracker, tracker->timer_fd);
	return err ? err : watch(tracker, skep_perfrings_fd(tracker->rings));
}

int skep_unwind_tracker_new(const struct skep_unwind_arrays *arrays,
			    struct skep_unwind_tracker **ret)
{
	struct skep_unwind_tracker *tracker = skep_xcalloc(1, sizeof(*tracker));

	tracker->epoll_fd = tracker->timer_fd = -1;
	tracker->batch_ns = BATCH_NS;
	skep_unwind_processes_init(&tracker->processes, arrays, &tracker->losses);
	int err = open_all(tracker);
	if (err) {
		skep_unwind_tracker_free(tracker);
		return err;
	}
	begin_scan(tracker);
	arm(tracker);
	*ret = tracker;
	return 0;
}

void skep_unwind_tracker_free(struct skep_unwind_tracker *tracker)
{
	if (!tracker)
		return;
	close_proc(tracker);
	skep_perfrings_free(tracker->rings);
	skep_close(&tracker->epoll_fd);
	skep_close(&tracker->timer_fd);
	skep_vec_done(&tracker->pending);
	skep_unwind_processes_done(&tracker->processes);
	free(tracker);
}

void skep_unwind_tracker_relax(struct skep_unwind_tracker *tracker)
{
	tracker->batch_ns = RELAXED_NS;
}

void skep_unwind_tracker_listen(struct skep_unwind_tracker *tracker, skep_perf_record_fn fn,
				void *ctx)
{
	tracker->listener = fn;
	tracker->listener_ctx = ctx;
}

int skep_unwind_tracker_fd(const struct skep_unwind_tracker *tracker)
{
	return tracker->epoll_fd;
}

/* What is to be done beside records, and sweeping. */
static bool has_work(const struct skep_unwind_tracker *tracker)
{
	return tracker->proc || tracker->has_short || tracker->pending.len ||
	       tracker->processes.objects.wanted.len;
}

static void work(struct skep_unwind_tracker *tracker)
{
	const struct itimerspec never = {0};
	uint64_t n_records = tracker->n_records, n_sweeps = tracker->n_sweeps;
	bool is_useful = has_work(tracker);

	tracker->due_ns = 0;
	timerfd_settime(tracker->timer_fd, 0, &never, NULL); /* nor has it rung any more */
	take_records(tracker);
	see_some(tracker, SIGHTS_A_STEP);
	sweep(tracker);
	tracker->has_short = skep_unwind_processes_flush(&tracker->processes);
	try_again(tracker);
	skep_unwind_processes_load_wanted(&tracker->processes, WANTED_A_STEP);
	tracker->n_useful +=
		is_useful || tracker->n_records != n_records || tracker->n_sweeps != n_sweeps;
}

void skep_unwind_tracker_step(struct skep_unwind_tracker *tracker)
{
	if (!tracker->rings_wait && skep_perfrings_pending(tracker->rings)) {
		heed_rings(tracker, false);
		tracker->n_useful++;
	}
	if (tracker->due_ns && skep_clock_ns() >= tracker->due_ns)
		work(tracker);
	arm(tracker);
}

void skep_unwind_tracker_catch_up(struct skep_unwind_tracker *tracker)
{
	keep_up(tracker);
	arm(tracker);
}

void skep_unwind_tracker_finish_scan(struct skep_unwind_tracker *tracker)
{
	see_some(tracker, INT32_MAX);
	tracker->has_short = skep_unwind_processes_flush(&tracker->processes);
	arm(tracker);
}

void skep_unwind_tracker_counts(const struct skep_unwind_tracker *tracker,
				struct skep_unwind_counts *ret)
{
	const struct skep_unwind_processes *processes = &tracker->processes;
	const struct skep_unwind_store *store = &processes->objects.store;

	*ret = (struct skep_unwind_counts){
		.losses = tracker->losses,
		.n_processes = processes->n,
		.n_objects = processes->objects.n,
		.n_tables = skep_unwind_space_taken(&store->files) - SKEP_UNWIND_FILE_FIRST,
		.n_rows = skep_unwind_space_taken(&store->rows),
		.n_asked = skep_unwind_store_n_asked(store),
		.n_built = processes->objects.n_built,
		.n_rows_built = processes->objects.n_rows_built,
		.n_records = tracker->n_records,
		.n_scans = tracker->n_scans,
		.n_sweeps = tracker->n_sweeps,
		.n_useful = tracker->n_useful,
		.memory_bytes = sizeof(*tracker) - sizeof(*processes) +
				skep_unwind_processes_memory(processes) +
				tracker->pending.cap * sizeof(*tracker->pending.data),
	};
}
