/*
 * The life of a running script, see skep_trace_run().
 *
 * One thread, one poll(). Records are taken in batches: after a pass that found
 * some the loop rests a millisecond before the next, so that a busy script
 * costs the kernel a wake-up a batch, not one a record; an idle one sleeps.
 *
 * The control ring is only looked at when the first ring is empty: its records
 * were sent when that was full, so they are younger than all that is in it.
 * (Perf buffers, which tell the time of each record, are both read up to the
 * same moment.)
 */
#include "trace/run/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include <skep/load.h>
#include <skep/symbol.h>

#include "base/arena.h"
#include "base/fd.h"
#include "linux/ending.h"
#include "trace/column.h"
#include "trace/run/attach.h"
#include "trace/run/iter.h"
#include "trace/run/maps.h"
#include "trace/run/metrics.h"
#include "trace/run/output.h"
#include "trace/run/ring.h"
#include "trace/run/screen.h"
#include "trace/run/unwinding.h"

#define NONE             UINT32_MAX
#define REST_MS          1
#define FLUSH_BYTES      (64 * 1024)
#define COMMAND_OUT_MOST (1 << 20)
#define DRAIN_TRIES      100

struct run {
	struct skep_trace_program *program;
	const struct skep_run_opts *opts;
	struct skep_diag *diag;
	struct skep_session *session;
	struct skep_map_reader maps;
	struct skep_output out;
	struct skep_unwinding *unwinding; /* NULL: no such stacks */
	struct skep_watch *watch;     /* of what processes map; NULL: nobody asks, or not allowed */
	struct skep_metrics *metrics; /* NULL: nobody asked for them */
	struct skep_event_ring ring, control;
	struct skep_buf text, errors;
	struct skep_screen screen;
	uint32_t n_attached; /* places */
	int signal_fd;
	sigset_t old_mask;
	uint64_t end_ns; /* 0: open end */
	bool ending, output_gone, has_failed;
	bool detached; /* nothing sends any more */
	bool exited;   /* by exit(): what was sent after it is not the script's wish any more */
	int status;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- Output ---------------------------------------------------------------------------------- */

/* A reader that has gone (head) ends the script; anything else is an error worth a word. */
static void flush(struct run *run)
{
	if (run->errors.len)
		skep_fd_write(run->opts->err_fd, run->errors.data, run->errors.len);
	skep_buf_clear(&run->errors);
	run->screen.from = 0;
	if (!run->text.len || run->output_gone) {
		skep_buf_clear(&run->text);
		return;
	}
	int err = skep_fd_write(run->opts->out_fd, run->text.data, run->text.len);
	if (err) {
		run->output_gone = run->ending = true;
		if (err != -EPIPE) {
			skep_diag_add(run->diag, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, "the output",
				      strerror(-err));
			run->status = 1;
		}
	}
	skep_buf_clear(&run->text);
}

/* In JSON everything is an object in one stream; in text errors go their own way. */
static struct skep_buf *errors_to(struct run *run)
{
	return run->opts->json ? &run->text : &run->errors;
}

/* --- Events ---------------------------------------------------------------------------------- */

static uint32_t arg_u32(const struct skep_event *event, uint32_t i, const void *data, size_t size)
{
	uint64_t value = 0;

	if (i >= event->n_args || event->args[i].off + event->args[i].type->size > size)
		return 0;
	memcpy(&value, (const char *)data + event->args[i].off,
	       event->args[i].type->size < 8 ? event->args[i].type->size : 8);
	return (uint32_t)value;
}

enum { WITH_UNSET = 1, TAKE = 2 };

/* What a map holds, which with TAKE it does not any more then; where that cannot be had it is said,
 * and nothing printed. */
static int read_map(struct run *run, const struct skep_trace_map *map, unsigned how,
		    struct skep_map_entries *ret)
{
	bool with_unset = how & WITH_UNSET;
	int err = how & TAKE ? skep_map_take(&run->maps, map, with_unset, ret)
			     : skep_map_read(&run->maps, map, with_unset, ret);

	if (err)
		skep_buf_printf(&run->errors, "%s could not be read: %s\n", map->name,
				strerror(-err));
	return err;
}

static void show_map(struct run *run, const struct skep_trace_map *map,
		     const struct skep_event *event, const void *data, size_t size)
{
	struct skep_map_entries entries;
	int err = read_map(run, map, WITH_UNSET | (event->takes ? TAKE : 0), &entries);

	if (!err && !map->key && !entries.n)
		skep_output_map_unset(&run->out, map, &run->text);
	else if (!err)
		skep_output_map(&run->out, map, entries.entries, entries.n,
				arg_u32(event, 0, data, size), arg_u32(event, 1, data, size),
				&run->text);
	skep_map_entries_done(&entries);
}

/* At the end. Only print() shows a scalar that was never set. */
static void print_map(struct run *run, const struct skep_trace_map *map)
{
	struct skep_map_entries entries;

	if (!read_map(run, map, 0, &entries))
		skep_output_map(&run->out, map, entries.entries, entries.n, 0, 0, &run->text);
	skep_map_entries_done(&entries);
}

/* Not more rows than the screen has room for, where it was cleared before. */
static void print_table(struct run *run, const struct skep_event *event, uint32_t top)
{
	struct skep_map_entries entries[SKEP_TABLE_COLUMNS_MAX] = {0};
	struct skep_map_part parts[SKEP_TABLE_COLUMNS_MAX];
	uint32_t room = skep_screen_room(&run->screen, &run->text);
	int err = 0;

	for (uint32_t i = 0; i < event->n_maps; i++) {
		const struct skep_trace_map *map = &run->program->maps[event->maps[i]];
		unsigned how = event->takes >> i & 1 ? TAKE : 0;
		err = err ? err : read_map(run, map, how, &entries[i]);
		parts[i] = (struct skep_map_part){map, entries[i].entries, entries[i].n};
	}
	if (room && (!top || top > room))
		top = room;
	if (!err)
		skep_output_table(&run->out, event, parts, top, &run->text);
	for (uint32_t i = 0; i < event->n_maps; i++)
		skep_map_entries_done(&entries[i]);
}

static void refresh(struct run *run)
{
	skep_output_refresh(&run->out);
	if (!run->opts->json)
		skep_screen_clear(&run->screen, run->opts->out_fd, &run->text);
}

static void run_command(struct run *run, const char *command)
{
	struct skep_buf text = {0};

	flush(run); /* its errors come after what was printed before */
	FILE *pipe = popen(command, "re");
	if (!pipe)
		return;
	skep_fd_read(fileno(pipe), COMMAND_OUT_MOST, &text);
	pclose(pipe);
	skep_output_text(&run->out, "syscall", text.data ? text.data : "", text.len, &run->text);
	skep_buf_done(&text);
}

static void print_file(struct run *run, const char *path)
{
	struct skep_buf file = {0};
	size_t most = run->program->config.max_cat_bytes;
	int err = skep_file_read(path, COMMAND_OUT_MOST, &file);

	if (err && err != -EFBIG)
		skep_buf_printf(&run->errors, "cat: %s: %s\n", path, strerror(-err));
	else
		skep_output_text(&run->out, "cat", file.data ? file.data : "",
				 file.len < most ? file.len : most, &run->text);
	skep_buf_done(&file);
}

static void with_format(struct run *run, const struct skep_event *event, const void *data,
			size_t size)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_output_format(&run->out, event, data, size, event->text, &text);
	if (event->kind == SKEP_EV_SYSTEM)
		run_command(run, text.data ? text.data : "");
	else
		print_file(run, text.data ? text.data : "");
}

static void on_event(struct run *run, const struct skep_event *event, const void *data, size_t size)
{
	switch (event->kind) {
	case SKEP_EV_EXIT:
		run->ending = run->exited = true;
		run->status = (int)arg_u32(event, 0, data, size);
		break;
	case SKEP_EV_PRINT_MAP:
		show_map(run, &run->program->maps[event->map], event, data, size);
		break;
	case SKEP_EV_TABLE: print_table(run, event, arg_u32(event, 0, data, size)); break;
	case SKEP_EV_REFRESH: refresh(run); break;
	case SKEP_EV_CLEAR:
	case SKEP_EV_ZERO:
		skep_map_clear(&run->maps, &run->program->maps[event->map],
			       event->kind == SKEP_EV_ZERO);
		break;
	case SKEP_EV_SYSTEM:
	case SKEP_EV_CAT: with_format(run, event, data, size); break;
	case SKEP_EV_WARNF:
		if (!run->opts->no_warnings)
			skep_output_event(&run->out, event, data, size, errors_to(run));
		break;
	case SKEP_EV_ERRORF: skep_output_event(&run->out, event, data, size, errors_to(run)); break;
	default: skep_output_event(&run->out, event, data, size, &run->text); break;
	}
}

static int on_record(void *ctx, const void *data, size_t size)
{
	struct run *run = ctx;
	const struct skep_event_hdr *hdr = data;

	if (size < sizeof(*hdr) || hdr->event >= run->program->n_events)
		return 0;
	on_event(run, &run->program->events[hdr->event], data, size);
	if (run->text.len >= FLUSH_BYTES)
		flush(run);
	return run->ending ? -ECANCELED : 0;
}

/* @ring that cannot be read ends the script: what it holds is not known any more. */
static bool take(struct run *run, struct skep_event_ring *ring, uint64_t until_ns)
{
	bool more = skep_event_ring_consume(ring, until_ns, on_record, run);

	if (ring->err) {
		skep_diag_add(run->diag, SKEP_DIAG_RUN_MAPS, SKEP_NOWHERE, strerror(-ring->err));
		run->ending = run->has_failed = true;
		run->status = 1;
	}
	return more;
}

/* Everything that is there now. After exit() nothing more is taken; returns whether to look again
 * soon. */
static bool consume(struct run *run)
{
	bool more = skep_watch_step(run->watch);
	/* Of both rings, or exit() overtakes what was sent before it. */
	uint64_t until_ns = run->detached ? UINT64_MAX : skep_event_ring_settled_ns();

	skep_unwinding_step(run->unwinding);
	if (!run->ending)
		more |= take(run, &run->ring, until_ns);
	if (!run->ending && skep_event_ring_is_through(&run->ring))
		more |= take(run, &run->control, until_ns);
	flush(run);
	return more;
}

/* --- Start ----------------------------------------------------------------------------------- */

static int open_ring(struct run *run, uint32_t map, uint32_t bytes, struct skep_event_ring *ring)
{
	if (map == NONE)
		return 0;
	return skep_event_ring_open(ring, &run->program->object.maps[map],
				    skep_session_map_fd(run->session, map), bytes);
}

static int stack_of(void *ctx, bool user, uint32_t stack_id, uint64_t *ret, uint32_t max)
{
	const struct run *run = ctx;

	return skep_map_stack(&run->maps, user, stack_id, ret, max);
}

static enum skep_unwind_end stack_end_of(void *ctx, uint32_t stack_id)
{
	const struct run *run = ctx;

	return skep_map_stack_end(&run->maps, stack_id);
}

static int open_maps(struct run *run)
{
	struct skep_trace_program *program = run->program;
	int err = skep_map_reader_init(&run->maps, program, run->session);

	if (!err)
		err = open_ring(run, program->ring, program->ring_bytes, &run->ring);
	if (!err)
		err = open_ring(run, program->ring_control, program->ring_control_bytes,
				&run->control);
	if (err)
		return skep_diag_fail(run->diag, err, SKEP_DIAG_RUN_MAPS, SKEP_NOWHERE,
				      strerror(-err));
	if (program->needs_elapsed)
		*(uint64_t *)(run->maps.globals + program->elapsed_off) =
			now_ns(skep_trace_clock(program));
	return 0;
}

static void take_signals(struct run *run)
{
	sigset_t mask;

	skep_ending_signals(&mask);
	for (uint32_t i = 0; i < run->program->n_probes; i++) {
		if (run->program->probes[i]->special == SKEP_PROBE_SIGNAL)
			sigaddset(&mask, run->program->probes[i]->signal);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &mask, &run->old_mask);
	run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void run_special(struct run *run, enum skep_probe_special special, int signal_nr)
{
	uint64_t no_args[12] = {0};

	for (uint32_t i = 0; i < run->program->n_probes; i++) {
		const struct skep_probe *probe = run->program->probes[i];
		if (probe->special != special || (signal_nr && probe->signal != signal_nr))
			continue;
		int err = skep_session_run(run->session, probe->attach.prog, no_args,
					   sizeof(no_args), NULL);
		if (err)
			skep_buf_printf(&run->errors, "%s could not be run: %s\n", probe->name,
					strerror(-err));
	}
}

static bool waits_for_signal(const struct run *run)
{
	for (uint32_t i = 0; i < run->program->n_probes; i++) {
		if (run->program->probes[i]->special == SKEP_PROBE_SIGNAL)
			return true;
	}
	return false;
}

static struct skep_metrics_source metrics_source(struct run *run)
{
	return (struct skep_metrics_source){
		.program = run->program,
		.maps = &run->maps,
		.session = run->session,
		.watch = run->watch,
		.out = &run->out,
		.n_attached = run->n_attached,
	};
}

/* Where they are is said to who wants no messages, too: it may be a port that only we know. */
static void start_metrics(struct run *run)
{
	struct skep_metrics_source source = metrics_source(run);

	if (!run->metrics)
		return;
	skep_metrics_start(run->metrics, &source);
	const char *url = skep_metrics_url(run->metrics);
	if (url)
		skep_output_serving(&run->out, url, errors_to(run));
}

static int attach(struct run *run)
{
	const struct skep_attached all = skep_attach_all(run->session, run->program, run->diag);
	int err = skep_attached_check(run->program, &all, run->diag);

	run->n_attached = all.attached;
	if (!all.wanted && !waits_for_signal(run) && !run->opts->child)
		run->end_ns = 1; /* BEGIN has run, and nothing else can happen */
	if (!err && all.attached < all.wanted &&
	    !strcmp(run->program->config.missing_probes, "warn"))
		skep_buf_printf(&run->errors, "warning: %u of %u probes could not be attached\n",
				all.wanted - all.attached, all.wanted);
	return err;
}

/* Who may not watch has no names of processes that ended, as before. */
static void watch_processes(struct run *run)
{
	if (run->program->names_code)
		skep_watch_open(run->out.usyms, run->opts->pid, &run->watch);
}

static int start(struct run *run)
{
	int err = 0;

	if (run->opts->prometheus)
		err = skep_metrics_open(run->program, run->opts->prometheus, run->opts->file,
					&run->metrics, run->diag);
	if (!err)
		err = skep_session_open(&run->program->object, run->opts->log, &run->session,
					run->diag);
	if (err || (err = open_maps(run)) ||
	    (err = skep_unwinding_open(run->program, run->session, &run->unwinding, run->diag)))
		return err;
	take_signals(run);
	watch_processes(run);
	if (!run->opts->quiet)
		skep_output_attached(&run->out, run->program->n_probes, errors_to(run));
	flush(run);
	run_special(run, SKEP_PROBE_BEGIN, 0);
	if ((err = attach(run)))
		return err;
	start_metrics(run);
	if (run->opts->notify)
		skep_buf_printf(&run->errors, "%s\n", run->opts->notify);
	flush(run);
	if (run->opts->child)
		skep_child_release(run->opts->child);
	if (run->opts->for_ns && !run->end_ns)
		run->end_ns = now_ns(CLOCK_MONOTONIC) + run->opts->for_ns;
	return 0;
}

/* --- The loop -------------------------------------------------------------------------------- */

static void on_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int nr = (int)info.ssi_signo;
		bool wanted = false;
		for (uint32_t i = 0; i < run->program->n_probes; i++) {
			const struct skep_probe *probe = run->program->probes[i];
			wanted |= probe->special == SKEP_PROBE_SIGNAL && probe->signal == nr;
		}
		if (wanted)
			run_special(run, SKEP_PROBE_SIGNAL, nr);
		else
			run->ending = true;
	}
}

static int wait_ms(const struct run *run)
{
	if (!run->end_ns)
		return -1;
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	return now >= run->end_ns ? 0 : (int)((run->end_ns - now + 999999) / 1000000);
}

static void wait_for_more(struct run *run, bool busy)
{
	struct pollfd fds[] = {
		{.fd = run->signal_fd, .events = POLLIN},
		{.fd = run->opts->child ? run->opts->child->pid_fd : -1, .events = POLLIN},
		{.fd = busy ? -1 : skep_event_ring_fd(&run->ring), .events = POLLIN},
		{.fd = busy ? -1 : skep_event_ring_fd(&run->control), .events = POLLIN},
		{.fd = skep_watch_fd(run->watch), .events = POLLIN},
		{.fd = skep_unwinding_fd(run->unwinding), .events = POLLIN},
	};
	int timeout = wait_ms(run);

	timeout = busy ? REST_MS : timeout;
	if (run->metrics)
		run->ending |=
			skep_metrics_poll(run->metrics, fds, sizeof(fds) / sizeof(fds[0]), timeout);
	else
		poll(fds, sizeof(fds) / sizeof(fds[0]), timeout);
	if (fds[0].revents)
		on_signals(run);
	if (run->opts->child && skep_child_ended(run->opts->child))
		run->end_ns = 1; /* what it caused is still taken in the next pass */
}

static bool is_over(const struct run *run)
{
	return run->ending || (run->end_ns && now_ns(CLOCK_MONOTONIC) >= run->end_ns);
}

/* Between some objects and the next; false: the script has ended meanwhile. */
static bool after_some_objects(void *ctx)
{
	struct run *run = ctx;

	on_signals(run);
	if (run->metrics)
		run->ending |= skep_metrics_poll(run->metrics, NULL, 0, 0);
	while (!is_over(run) && consume(run))
		;
	return !is_over(run);
}

static bool is_iter(const struct skep_probe *probe)
{
	return probe->special == SKEP_PROBE_ATTACHED && probe->attach.type == SKEP_ATTACH_ITER;
}

/* A script of iterators alone ends when they have been read. */
static void read_iterators(struct run *run)
{
	uint32_t n = 0, others = waits_for_signal(run) || run->opts->child;

	for (uint32_t i = 0; i < run->program->n_probes; i++) {
		n += is_iter(run->program->probes[i]);
		others += !is_iter(run->program->probes[i]) &&
			  skep_places_of(run->program->probes[i]);
	}
	if (!n)
		return;
	int err = skep_iters_read(run->session, after_some_objects, run);
	if (err && err != -ECANCELED)
		skep_buf_printf(&run->errors, "an iterator could not be read: %s\n",
				strerror(-err));
	if (!others)
		run->end_ns = 1;
}

static void loop(struct run *run)
{
	read_iterators(run);
	bool busy = consume(run);

	while (!is_over(run)) {
		wait_for_more(run, busy);
		busy = consume(run);
	}
}

/* --- The end --------------------------------------------------------------------------------- */

static void print_losses(struct run *run)
{
	const struct skep_trace_program *program = run->program;
	const struct skep_metrics_source source = metrics_source(run);

	for (uint32_t i = 0; i < SKEP_LOSS_CNT; i++) {
		uint64_t n = skep_metrics_lost(&source, i);
		if (n)
			skep_output_loss(&run->out, i, n, errors_to(run));
	}
	for (uint32_t i = 0; i < program->n_maps; i++) {
		uint64_t n = skep_metrics_lost(&source, SKEP_LOSS_CNT + i);
		if (n)
			skep_output_map_full(&run->out, &program->maps[i], n, errors_to(run));
	}
	struct skep_unwind_losses unwinding = skep_unwinding_losses(run->unwinding);
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++) {
		if (unwinding.n[i])
			skep_output_unwinding(&run->out, i, unwinding.n[i], errors_to(run));
	}
	struct skep_lines_trouble trouble;
	for (size_t i = 0; skep_usyms_lines_trouble(run->out.usyms, i, &trouble); i++) {
		skep_output_lines_trouble(&run->out, &trouble, false, errors_to(run));
		skep_output_lines_trouble(&run->out, &trouble, true, errors_to(run));
	}
	uint64_t missed = skep_session_missed(run->session);
	if (missed)
		skep_output_missed(&run->out, missed, errors_to(run));
}

/* Programs that were running when they were taken off may have begun a record, behind which others
 * wait: it takes them microseconds, unless their CPU is not given to this machine just then. */
static void drain(struct run *run)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	run->ending = run->has_failed;
	for (int tries = 0; !run->ending && tries < DRAIN_TRIES; tries++) {
		while (consume(run))
			;
		if (skep_event_ring_is_through(&run->ring) &&
		    skep_event_ring_is_through(&run->control))
			break;
		nanosleep(&moment, NULL);
	}
	run->ending = true;
}

static int drop_record(void *ctx, const void *data, size_t size)
{
	return 0;
}

static void drop_rest(struct run *run)
{
	skep_event_ring_consume(&run->ring, UINT64_MAX, drop_record, NULL);
	skep_event_ring_consume(&run->control, UINT64_MAX, drop_record, NULL);
}

static int by_name(const void *a, const void *b)
{
	const struct skep_trace_map *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void print_all_maps(struct run *run)
{
	const struct skep_trace_program *program = run->program;
	_cleanup_free_ const struct skep_trace_map **maps = NULL;

	uint32_t n = 0;
	maps = skep_xcalloc(program->n_maps + 1, sizeof(*maps));
	for (uint32_t i = 0; i < program->n_maps; i++) {
		if (!program->maps[i].is_off)
			maps[n++] = &program->maps[i];
	}
	if (!n)
		return;
	qsort(maps, n, sizeof(*maps), by_name);
	skep_output_end(&run->out, &run->text);
	for (uint32_t i = 0; i < n; i++)
		print_map(run, maps[i]);
}

static void finish(struct run *run)
{
	if (!run->output_gone) {
		skep_session_detach_all(run->session);
		run->detached = true;
		skep_watch_finish(run->watch);
		if (run->exited)
			drop_rest(run);
		else
			drain(run);
		run_special(run, SKEP_PROBE_END, 0);
		drain(run);
		if (run->program->config.print_maps_on_exit)
			print_all_maps(run);
	}
	print_losses(run);
	flush(run);
}

static void done(struct run *run)
{
	skep_metrics_free(run->metrics); /* before what it reads and polls */
	skep_event_ring_done(&run->ring);
	skep_event_ring_done(&run->control);
	skep_unwinding_free(run->unwinding);
	skep_map_reader_done(&run->maps);
	skep_session_close(run->session);
	skep_ksyms_free(run->out.ksyms);
	skep_watch_free(run->watch);
	skep_usyms_free(run->out.usyms);
	skep_output_done(&run->out);
	skep_buf_done(&run->text);
	skep_buf_done(&run->errors);
	if (run->signal_fd >= 0) {
		struct signalfd_siginfo late; /* a second Ctrl-C is not for what comes after us */
		while (read(run->signal_fd, &late, sizeof(late)) == sizeof(late))
			;
		skep_close(&run->signal_fd);
		sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	}
}

static void init_output(struct run *run)
{
	run->out = (struct skep_output){
		.program = run->program,
		.ksyms = skep_ksyms_new(),
		.usyms = skep_usyms_new(run->program->config.cpp_demangle),
		.json = run->opts->json,
		.source = run->program->object.source,
		.stack = stack_of,
		.stack_end = stack_end_of,
		.ctx = run,
		.boot_to_wall_ns = now_ns(CLOCK_REALTIME) - now_ns(skep_trace_clock(run->program)),
	};
	if (run->program->config.show_debug_info)
		skep_usyms_want_lines(run->out.usyms);
}

int skep_trace_run(struct skep_trace_program *program, const struct skep_run_opts *opts,
		   int *ret_status, struct skep_diag *diag)
{
	struct run run = {.program = program, .opts = opts, .diag = diag, .signal_fd = -1};

	init_output(&run);
	int err = start(&run);
	if (!err) {
		loop(&run);
		finish(&run);
		*ret_status = run.status;
	}
	done(&run);
	return err;
}
