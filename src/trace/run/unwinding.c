/* See unwinding.h. All of it but the tracker's start may be done without one: NULL. */
#include "trace/run/unwinding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <skep/diag.h>
#include <skep/load.h>

#include "base/arena.h"
#include "base/fd.h"
#include "interp/hotspot.h"
#include "linux/bpf.h"
#include "linux/maps.h"
#include "linux/ringbuf.h"
#include "unwind/bpfmaps.h"

#define FILES_AT_ONCE 256

struct skep_unwinding {
	struct skep_unwind_maps maps;
	struct skep_unwind_tracker *tracker; /* owned */
	struct skep_ringbuf *asks;           /* owned */
	struct skep_ringbuf *fresh;          /* owned; NULL: interpreters are not looked into */
	struct skep_interp_names *names;     /* owned; NULL: likewise */
	int asked_fd;                        /* the session's, as the next */
	int interp_fd;                       /* of interpreters' stacks */
	int epoll_fd;                        /* owned */
	uint64_t n_machines_lost;
};

static int take_maps(struct skep_unwinding *unwinding, const struct skep_unwind_walk_maps *walk,
		     const struct skep_session *session)
{
	int fds[SKEP_UNWIND_MAP_CNT];

	for (int i = 0; i < SKEP_UNWIND_MAP_CNT; i++)
		fds[i] = skep_session_map_fd(session, walk->of[i]);
	unwinding->asked_fd = skep_session_map_fd(session, walk->asked);
	return skep_unwind_maps_take(&unwinding->maps, fds, &walk->sizes);
}

static int wait_for(const struct skep_unwinding *unwinding, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(unwinding->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Interpreters' frames want names as long as their processes are there. */
static int open_interpreters(struct skep_unwinding *unwinding,
			     const struct skep_trace_program *program,
			     const struct skep_session *session)
{
	const struct skep_interp_maps *maps = &program->unwind.interp;
	int fd, err;

	if (!maps->thread_pointer_off)
		return 0;
	unwinding->interp_fd = skep_session_map_fd(session, maps->stacks);
	fd = skep_session_map_fd(session, maps->fresh);
	err = skep_ringbuf_open(fd, program->object.maps[maps->fresh].max_entries,
				&unwinding->fresh);
	if (err)
		return err;
	unwinding->names = skep_interp_names_new();
	return wait_for(unwinding, fd);
}

static int open_asks(struct skep_unwinding *unwinding, const struct skep_trace_program *program,
		     const struct skep_session *session)
{
	const struct skep_unwind_walk_maps *walk = &program->unwind;
	int fd = skep_session_map_fd(session, walk->asks);
	int err = skep_ringbuf_open(fd, program->object.maps[walk->asks].max_entries,
				    &unwinding->asks);

	return err ? err : wait_for(unwinding, fd);
}

/* Who watches processes, and what wakes us for it. */
static int open_tracker(struct skep_unwinding *unwinding)
{
	int err = skep_unwind_tracker_new(&unwinding->maps.arrays, &unwinding->tracker);

	return err ? err : wait_for(unwinding, skep_unwind_tracker_fd(unwinding->tracker));
}

static int open_all(struct skep_unwinding *unwinding, const struct skep_trace_program *program,
		    const struct skep_session *session, struct skep_diag *diag)
{
	int err = take_maps(unwinding, &program->unwind, session);

	if (!err && (unwinding->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		err = -errno;
	if (!err)
		err = open_asks(unwinding, program, session);
	if (!err)
		err = open_interpreters(unwinding, program, session);
	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_RUN_MAPS, SKEP_NOWHERE, strerror(-err));
	err = open_tracker(unwinding);
	return err ? skep_diag_fail(diag, err, SKEP_DIAG_UNWIND_WATCH, SKEP_NOWHERE, strerror(-err))
		   : 0;
}

int skep_unwinding_open(const struct skep_trace_program *program,
			const struct skep_session *session, struct skep_unwinding **ret,
			struct skep_diag *diag)
{
	struct skep_unwinding *unwinding;

	*ret = NULL;
	if (!program->unwinds)
		return 0;
	unwinding = skep_xcalloc(1, sizeof(*unwinding));
	unwinding->epoll_fd = -1;
	int err = open_all(unwinding, program, session, diag);
	if (err)
		skep_unwinding_free(unwinding);
	else
		*ret = unwinding;
	return err;
}

void skep_unwinding_free(struct skep_unwinding *unwinding)
{
	if (!unwinding)
		return;
	skep_close(&unwinding->epoll_fd);
	skep_ringbuf_free(unwinding->asks);
	skep_ringbuf_free(unwinding->fresh);
	skep_interp_names_free(unwinding->names);
	skep_unwind_tracker_free(unwinding->tracker);
	skep_unwind_maps_done(&unwinding->maps);
	free(unwinding);
}

void skep_unwinding_relax(struct skep_unwinding *unwinding)
{
	if (unwinding)
		skep_unwind_tracker_relax(unwinding->tracker);
}

bool skep_unwinding_listen(struct skep_unwinding *unwinding, skep_perf_record_fn fn, void *ctx)
{
	if (unwinding)
		skep_unwind_tracker_listen(unwinding->tracker, fn, ctx);
	return unwinding;
}

void skep_unwinding_catch_up(struct skep_unwinding *unwinding)
{
	if (unwinding)
		skep_unwind_tracker_catch_up(unwinding->tracker);
}

int skep_unwinding_fd(const struct skep_unwinding *unwinding)
{
	return unwinding ? unwinding->epoll_fd : -1;
}

/* --- Machines of Java ------------------------------------------------------------------------- */

/* Where libjvm.so begins; 0: it has none. */
static uint64_t find_machine(uint32_t tgid)
{
	const size_t end_len = strlen(SKEP_HOTSPOT_FILE);
	struct skep_maps maps;
	uint64_t base = 0;

	if (skep_maps_read((pid_t)tgid, &maps))
		return 0;
	for (size_t i = 0; i < maps.n && !base; i++) {
		const char *path = maps.paths + maps.data[i].path;
		size_t len = strlen(path);
		if (!maps.data[i].off && len >= end_len &&
		    !strcmp(path + len - end_len, SKEP_HOTSPOT_FILE))
			base = maps.data[i].start;
	}
	skep_maps_done(&maps);
	return base;
}

/* Whatever it is, it is said: so it is not asked for again, until the process executes another
 * program. */
static void answer_machine(struct skep_unwinding *unwinding, uint32_t tgid, uint64_t base)
{
	struct skep_hotspot hotspot = {.version = SKEP_INTERP_NONE};

	if (base && unwinding->names &&
	    skep_interp_names_machine(unwinding->names, tgid, base, &hotspot))
		unwinding->n_machines_lost++;
	skep_bpf_map_update(unwinding->maps.fds[SKEP_UNWIND_MAP_HOTSPOTS], &tgid, &hotspot,
			    BPF_ANY);
}

/* --- Questions -------------------------------------------------------------------------------- */

/* A stack leads through several files: what else the process has mapped is sure to be asked for,
 * but only one at a time, and each time a stack would be cut short. */
static void load_rest(const struct skep_unwinding *unwinding, uint32_t tgid)
{
	const struct skep_unwind_arrays *arrays = &unwinding->maps.arrays;
	struct skep_unwind_process_entry entry;

	if (skep_bpf_map_lookup(unwinding->maps.fds[SKEP_UNWIND_MAP_PROCESSES], &tgid, &entry, 0))
		return;
	for (uint32_t i = 0; i < entry.n && i < FILES_AT_ONCE; i++) {
		const struct skep_unwind_mapping *mapping = &arrays->mappings[entry.first + i];
		if (mapping->file == SKEP_UNWIND_FILE_ASK &&
		    !skep_unwind_tracker_expect(unwinding->tracker, tgid, mapping->number))
			return;
	}
}

void skep_unwinding_prepare(struct skep_unwinding *unwinding, pid_t pid)
{
	if (!unwinding)
		return;
	if (skep_unwind_tracker_ask(unwinding->tracker, (uint32_t)pid, SKEP_UNWIND_ASK_PROCESS))
		load_rest(unwinding, (uint32_t)pid);
	uint64_t base = find_machine((uint32_t)pid);
	if (base) /* if not, there may be one later */
		answer_machine(unwinding, (uint32_t)pid, base);
}

/* Whatever came of it, it may be asked for again: what waits for room is known to be waited for. */
static int answer(void *ctx, const void *data, size_t size)
{
	struct skep_unwinding *unwinding = ctx;
	const struct skep_unwind_asked *asked = data;

	if (size < sizeof(*asked))
		return 0;
	if (asked->number == SKEP_UNWIND_ASK_MACHINE)
		answer_machine(unwinding, asked->tgid, find_machine(asked->tgid));
	else if (skep_unwind_tracker_ask(unwinding->tracker, asked->tgid, asked->number))
		load_rest(unwinding, asked->tgid);
	skep_bpf_map_delete(unwinding->asked_fd, asked);
	return 0;
}

static int note_fresh(void *ctx, const void *data, size_t size)
{
	const struct skep_unwinding *unwinding = ctx;
	const struct skep_interp_fresh *fresh = data;
	struct skep_interp_stack stack;

	if (size >= sizeof(*fresh) &&
	    !skep_bpf_map_lookup(unwinding->interp_fd, &fresh->number, &stack, 0))
		skep_interp_names_note(unwinding->names, fresh->tgid, &stack);
	return 0;
}

void skep_unwinding_step(struct skep_unwinding *unwinding)
{
	if (!unwinding)
		return;
	skep_ringbuf_consume(unwinding->asks, 0, answer, unwinding);
	if (unwinding->fresh)
		skep_ringbuf_consume(unwinding->fresh, 0, note_fresh, unwinding);
	skep_unwind_tracker_step(unwinding->tracker);
}

struct skep_interp_names *skep_unwinding_names(const struct skep_unwinding *unwinding)
{
	return unwinding ? unwinding->names : NULL;
}

struct skep_unwind_losses skep_unwinding_losses(const struct skep_unwinding *unwinding)
{
	struct skep_unwind_counts counts = {0};

	if (unwinding) {
		skep_unwind_tracker_counts(unwinding->tracker, &counts);
		counts.losses.n[SKEP_UNWIND_LOST_MACHINES] += unwinding->n_machines_lost;
	}
	return counts.losses;
}
