/*
 * Perf rings, one for each CPU, merged by time; see perfring.h.
 *
 * A ring is one page that says where it begins and ends, and its bytes behind.
 * The kernel moves data_head, we move data_tail, both count up for ever; a
 * record may go over the end to the beginning, and is then put together in
 * `joined`. A process moves between CPUs, so the rings are merged by the
 * records' times: what was mapped before an execution must not seem to come
 * after it.
 */
#include "linux/perfring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "linux/bpf.h"

#define CPUS_MAX         8192
#define RECORD_BYTES_MAX 65536
#define RAW_OFF          12 /* of a sample's data, behind its time and size */

struct ring {
	int fd;                            /* owned */
	struct perf_event_mmap_page *page; /* owned mapping, page and data */
	uint64_t head, tail;               /* what may be read now */
};

struct skep_perfrings {
	struct ring *rings; /* owned */
	unsigned n;
	size_t bytes, page_bytes;
	uint32_t wakeup_bytes;
	int epoll_fd; /* owned */
	int map_fd;   /* borrowed: where programs find the rings; -1: no programs write here */
	uint64_t lost;
	uint64_t joined[RECORD_BYTES_MAX / 8];
};

/* --- Opening --------------------------------------------------------------------------------- */

static int open_sideband(int cpu, uint32_t wakeup_bytes)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.watermark = 1,
		.wakeup_watermark = wakeup_bytes,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return skep_perf_event_open(&attr, -1, cpu, -1, 0);
}

/* What bpf_perf_event_output() writes to: each record wakes us, as a ring buffer's does. */
static int open_output(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
		.sample_period = 1,
		.sample_id_all = 1,
		.wakeup_events = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return skep_perf_event_open(&attr, -1, cpu, -1, 0);
}

/* To be done last: from now on programs write. */
static int offer_ring(const struct skep_perfrings *rings, const struct ring *ring, int cpu)
{
	if (rings->map_fd < 0)
		return 0;
	return skep_bpf_map_update(rings->map_fd, &cpu, &ring->fd, BPF_ANY);
}

static int open_ring(struct skep_perfrings *rings, int cpu)
{
	struct ring *ring = &rings->rings[rings->n];
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	_cleanup_close_ int fd =
		rings->map_fd < 0 ? open_sideband(cpu, rings->wakeup_bytes) : open_output(cpu);

	if (fd == -ENODEV) /* the CPU went away */
		return 0;
	if (fd < 0)
		return fd;
	void *page = mmap(NULL, rings->page_bytes + rings->bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ring = (struct ring){.page = page};
	ring->fd = TAKE_FD(fd);
	rings->n++;
	if (epoll_ctl(rings->epoll_fd, EPOLL_CTL_ADD, ring->fd, &event) < 0)
		return -errno;
	return offer_ring(rings, ring, cpu);
}

static int open_rings(struct skep_perfrings *rings)
{
	_cleanup_free_ unsigned *cpus = skep_xcalloc(CPUS_MAX, sizeof(*cpus));
	unsigned n = skep_online_cpus(cpus, CPUS_MAX);
	int err = 0;

	rings->rings = skep_xcalloc(n, sizeof(*rings->rings));
	rings->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rings->epoll_fd < 0)
		return -errno;
	for (unsigned i = 0; i < n && !err; i++)
		err = open_ring(rings, (int)cpus[i]);
	return err;
}

static int open_all(int map_fd, size_t bytes, uint32_t wakeup_bytes, struct skep_perfrings **ret)
{
	struct skep_perfrings *rings = skep_xcalloc(1, sizeof(*rings));

	rings->bytes = bytes;
	rings->wakeup_bytes = wakeup_bytes;
	rings->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	rings->epoll_fd = -1;
	rings->map_fd = map_fd;
	int err = open_rings(rings);
	if (err) {
		skep_perfrings_free(rings);
		return err;
	}
	*ret = rings;
	return 0;
}

int skep_perfrings_open(size_t bytes, uint32_t wakeup_bytes, struct skep_perfrings **ret)
{
	return open_all(-1, bytes, wakeup_bytes, ret);
}

int skep_perfrings_open_output(int map_fd, size_t bytes, struct skep_perfrings **ret)
{
	return map_fd < 0 ? -EBADF : open_all(map_fd, bytes, 1, ret);
}

void skep_perfrings_free(struct skep_perfrings *rings)
{
	if (!rings)
		return;
	for (unsigned i = 0; i < rings->n; i++) {
		munmap(rings->rings[i].page, rings->page_bytes + rings->bytes);
		skep_close(&rings->rings[i].fd);
	}
	skep_close(&rings->epoll_fd);
	free(rings->rings);
	free(rings);
}

int skep_perfrings_fd(const struct skep_perfrings *rings)
{
	return rings->epoll_fd;
}

uint64_t skep_perfrings_lost(const struct skep_perfrings *rings)
{
	return rings->lost;
}

/* --- Reading --------------------------------------------------------------------------------- */

static const uint8_t *data_of(const struct skep_perfrings *rings, const struct ring *ring)
{
	return (const uint8_t *)ring->page + rings->page_bytes;
}

static void copy_out(const struct skep_perfrings *rings, const struct ring *ring, uint64_t from,
		     void *to, size_t bytes)
{
	size_t at = from & (rings->bytes - 1);
	size_t first = bytes < rings->bytes - at ? bytes : rings->bytes - at;

	memcpy(to, data_of(rings, ring) + at, first);
	memcpy((uint8_t *)to + first, data_of(rings, ring), bytes - first);
}

/* The next record's header; false: there is none, or what is there makes no sense. */
static bool next_header(const struct skep_perfrings *rings, const struct ring *ring,
			struct perf_event_header *ret)
{
	if (ring->head - ring->tail < sizeof(*ret))
		return false;
	copy_out(rings, ring, ring->tail, ret, sizeof(*ret));
	return ret->size >= sizeof(*ret) + sizeof(uint64_t) && ret->size % 8 == 0 &&
	       ret->size <= ring->head - ring->tail;
}

static bool next_time(const struct skep_perfrings *rings, const struct ring *ring, uint64_t *ret)
{
	struct perf_event_header header;

	if (!next_header(rings, ring, &header))
		return false;
	size_t off =
		header.type == PERF_RECORD_SAMPLE ? sizeof(header) : header.size - sizeof(*ret);
	copy_out(rings, ring, ring->tail + off, ret, sizeof(*ret));
	return true;
}

static struct ring *oldest(const struct skep_perfrings *rings, uint64_t until_ns)
{
	struct ring *found = NULL;
	uint64_t time_ns;

	for (unsigned i = 0; i < rings->n; i++) {
		if (!next_time(rings, &rings->rings[i], &time_ns) || time_ns >= until_ns)
			continue;
		until_ns = time_ns;
		found = &rings->rings[i];
	}
	return found;
}

uint64_t skep_perf_record_lost(const struct skep_perf_record *record)
{
	uint64_t lost[2]; /* id, number */

	if (record->type != PERF_RECORD_LOST || record->size < sizeof(lost))
		return 0;
	memcpy(lost, record->data, sizeof(lost));
	return lost[1];
}

/* The record's body into `joined`; of a sample so that its data are aligned. */
static struct skep_perf_record read_record(struct skep_perfrings *rings, const struct ring *ring,
					   const struct perf_event_header *header)
{
	size_t bytes = header->size - sizeof(*header), body = bytes - sizeof(uint64_t);
	uint64_t from = ring->tail + sizeof(*header);
	struct skep_perf_record record = {
		.type = header->type, .misc = header->misc, .data = rings->joined};

	if (header->type != PERF_RECORD_SAMPLE) {
		copy_out(rings, ring, from, rings->joined, bytes);
		record.size = body;
		record.time_ns = rings->joined[body / 8];
		return record;
	}
	uint32_t size = 0, most = bytes > RAW_OFF ? (uint32_t)bytes - RAW_OFF : 0;
	copy_out(rings, ring, from, &record.time_ns, sizeof(record.time_ns));
	if (most)
		copy_out(rings, ring, from + sizeof(record.time_ns), &size, sizeof(size));
	record.size = size < most ? size : most;
	copy_out(rings, ring, from + RAW_OFF, rings->joined, record.size);
	return record;
}

static void take(struct skep_perfrings *rings, struct ring *ring, skep_perf_record_fn fn, void *ctx)
{
	struct perf_event_header header;

	next_header(rings, ring, &header);
	struct skep_perf_record record = read_record(rings, ring, &header);
	ring->tail += header.size;
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
	rings->lost += skep_perf_record_lost(&record);
	fn(ctx, &record);
}

void skep_perfrings_consume(struct skep_perfrings *rings, uint64_t until_ns, skep_perf_record_fn fn,
			    void *ctx)
{
	struct epoll_event events[16];
	struct ring *ring;

	while (epoll_wait(rings->epoll_fd, events, 16, 0) == 16) /* no longer ready */
		;
	for (unsigned i = 0; i < rings->n; i++)
		rings->rings[i].head =
			__atomic_load_n(&rings->rings[i].page->data_head, __ATOMIC_ACQUIRE);
	while ((ring = oldest(rings, until_ns)))
		take(rings, ring, fn, ctx);
}

bool skep_perfrings_pending(const struct skep_perfrings *rings)
{
	for (unsigned i = 0; i < rings->n; i++)
		if (__atomic_load_n(&rings->rings[i].page->data_head, __ATOMIC_ACQUIRE) !=
		    rings->rings[i].tail)
			return true;
	return false;
}

/* --- Records ---------------------------------------------------------------------------------- */

struct mmap2 {
	uint32_t pid, tid;
	uint64_t start, len, off;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t prot, flags; /* the path follows */
};

static bool take_mapping(const struct skep_perf_record *record, struct skep_perf_change *ret)
{
	const char *path = (const char *)record->data + sizeof(struct mmap2);
	struct mmap2 from;

	if (record->size <= sizeof(from) || !memchr(path, '\0', record->size - sizeof(from)))
		return false;
	memcpy(&from, record->data, sizeof(from));
	ret->mapping = (struct skep_mapping){
		.start = from.start,
		.end = from.start + from.len,
		.off = from.off,
		.inode = from.inode,
		.dev = from.major << 20 | from.minor,
		.generation = (uint32_t)from.generation,
	};
	ret->kind = SKEP_PERF_MAPPED;
	ret->pid = from.pid;
	ret->tid = from.tid;
	ret->path = path;
	return true;
}

/* A fork's, and an exit's. */
static bool take_task(const struct skep_perf_record *record, enum skep_perf_change_kind kind,
		      struct skep_perf_change *ret)
{
	struct {
		uint32_t pid, parent, tid, parent_tid;
	} from;

	if (record->size < sizeof(from))
		return false;
	memcpy(&from, record->data, sizeof(from));
	ret->kind = kind;
	ret->pid = from.pid;
	ret->tid = from.tid;
	ret->parent = from.parent;
	return true;
}

/* A name that is another by an execution; pid and tid are before it. */
static bool take_execution(const struct skep_perf_record *record, struct skep_perf_change *ret)
{
	uint32_t ids[2];

	if (!(record->misc & PERF_RECORD_MISC_COMM_EXEC) || record->size < sizeof(ids))
		return false;
	memcpy(ids, record->data, sizeof(ids));
	ret->kind = SKEP_PERF_EXECUTED;
	ret->pid = ids[0];
	ret->tid = ids[1];
	return true;
}

bool skep_perf_record_change(const struct skep_perf_record *record, struct skep_perf_change *ret)
{
	*ret = (struct skep_perf_change){0};
	switch (record->type) {
	case PERF_RECORD_MMAP2: return take_mapping(record, ret);
	case PERF_RECORD_FORK: return take_task(record, SKEP_PERF_FORKED, ret);
	case PERF_RECORD_EXIT: return take_task(record, SKEP_PERF_EXITED, ret);
	case PERF_RECORD_COMM: return take_execution(record, ret);
	default: return false;
	}
}
