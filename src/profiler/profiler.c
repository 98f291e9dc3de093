/* A profile from its script's start to its end, see profiler.h. */
#include "profiler/profiler.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "profiler/impl.h"

#define SETTLE_NS   1000000
#define NAMES_MOST  (4u << 20)                                 /* bytes */
#define RENEW_EACH  32                                         /* intervals */
#define LOSSES_MOST (SKEP_LOSS_CNT + SKEP_UNWIND_LOSS_CNT + 8) /* see tell_losses() */

struct skep_profiler {
	struct skep_profiler_wish wish;
	struct skep_buf text; /* of the script */
	struct skep_buf allocator;
	struct skep_live *live;
	struct skep_namer namer;
	struct skep_watch *watch;    /* of what processes map; NULL: not allowed */
	uint64_t n_unwatched;        /* that were lost by those before it */
	uint64_t began_ns, start_ns; /* by CLOCK_MONOTONIC, and since 1970 */
	struct skep_groups groups;
	struct skep_stacks_seen seen;
	uint64_t told[LOSSES_MOST]; /* losses that a profile had */
	/* The same of trouble with lines, two each, of the names that there are now. */
	SKEP_VEC(uint64_t) told_lines;
	struct skep_debuginfod *debuginfod; /* owned; NULL: nothing is fetched */
	SKEP_VEC(uint64_t) told_fetching;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- Start ----------------------------------------------------------------------------------- */

/* The one process whose code is probed. Timers and events of the kernel are those of all: the
 * kernel would look at its first thread only. */
static pid_t place_of(const struct skep_profiler_wish *wish)
{
	if (!skep_profiler_is_of_process(wish))
		return 0;
	return wish->cpid ? wish->cpid : wish->n_pids == 1 ? wish->pids[0] : 0;
}

static int open_live(struct skep_profiler *profiler, struct skep_diag *diag)
{
	const struct skep_profiler_wish *wish = &profiler->wish;
	struct skep_prepared prepared;

	skep_prepared_init(wish, &prepared);
	const struct skep_live_opts opts = {
		.pid = place_of(wish),
		.cpid = (uint32_t)wish->cpid,
		.cmd_path = wish->cmd_path,
		.prepared = prepared.pids.data,
		.n_prepared = prepared.pids.len,
		.is_lasting = wish->is_taken,
	};
	int err = skep_live_open_with("profile", profiler->text.data, &opts, &profiler->live, diag);
	skep_prepared_done(&prepared);
	return err;
}

static void find_allocator(struct skep_profiler *profiler)
{
	struct skep_profiler_wish *wish = &profiler->wish;

	if (wish->allocator ||
	    !(skep_profiler_sources[wish->source].flags & SKEP_PROFILER_OF_PROCESS))
		return;
	skep_profiler_allocator(profiler->namer.usyms, wish, &profiler->allocator);
	wish->allocator = profiler->allocator.data;
}

static void on_record(void *ctx, const struct skep_perf_record *record)
{
	const struct skep_profiler *profiler = ctx;

	if (profiler->watch)
		skep_watch_take(profiler->watch, record);
}

/* Who may not watch has no names of processes that ended. */
static void watch(struct skep_profiler *profiler)
{
	const struct skep_profiler_wish *wish = &profiler->wish;
	pid_t only = wish->n_pids == 1 && !wish->cpid ? wish->pids[0] : 0;

	if (wish->no_user)
		return;
	if (skep_live_listen(profiler->live, on_record, profiler))
		skep_watch_open_fed(profiler->namer.usyms, only, &profiler->watch);
	else
		skep_watch_open(profiler->namer.usyms, only, &profiler->watch);
}

/* What goes on for days keeps the names that it has given out, and no symbols beside. */
static void limit_names(const struct skep_profiler *profiler)
{
	if (profiler->wish.is_taken)
		skep_usyms_be_lean(profiler->namer.usyms);
}

static int start(struct skep_profiler *profiler, struct skep_diag *diag)
{
	const struct skep_profiler_wish *wish = &profiler->wish;

	limit_names(profiler);
	find_allocator(profiler);
	skep_profiler_script(wish, &profiler->text);
	int err = open_live(profiler, diag);
	if (!err)
		watch(profiler);
	profiler->began_ns = now_ns(CLOCK_MONOTONIC);
	profiler->start_ns = now_ns(CLOCK_REALTIME);
	return err;
}

int skep_profiler_open(const struct skep_profiler_wish *wish, struct skep_profiler **ret,
		       struct skep_diag *diag)
{
	struct skep_profiler *profiler = skep_xcalloc(1, sizeof(*profiler));

	profiler->wish = *wish;
	skep_namer_init(&profiler->namer, wish->with_lines);
	profiler->debuginfod = skep_debuginfod_new();
	skep_namer_want_debuginfod(&profiler->namer, profiler->debuginfod);
	skep_groups_init(&profiler->groups);
	int err = start(profiler, diag);
	if (err)
		skep_profiler_close(profiler);
	else
		*ret = profiler;
	return err;
}

void skep_profiler_close(struct skep_profiler *profiler)
{
	if (!profiler)
		return;
	skep_live_close(profiler->live);
	skep_watch_free(profiler->watch);
	skep_namer_done(&profiler->namer);
	skep_groups_done(&profiler->groups);
	skep_stacks_seen_done(&profiler->seen);
	skep_buf_done(&profiler->text);
	skep_buf_done(&profiler->allocator);
	skep_vec_done(&profiler->told_lines);
	skep_debuginfod_free(profiler->debuginfod);
	skep_vec_done(&profiler->told_fetching);
	free(profiler);
}

void skep_profiler_fds(const struct skep_profiler *profiler, int ret[SKEP_PROFILER_FDS])
{
	ret[0] = skep_watch_fd(profiler->watch);
	ret[1] = skep_live_fd(profiler->live);
}

bool skep_profiler_step(struct skep_profiler *profiler)
{
	skep_live_step(profiler->live);
	return skep_watch_step(profiler->watch);
}

/* --- The end --------------------------------------------------------------------------------- */

void skep_profiler_types(const struct skep_profiler_wish *wish, struct skep_profile *profile)
{
	const struct skep_profiler_source_info *source = &skep_profiler_sources[wish->source];

	if (wish->value)
		skep_profile_add_type(profile, wish->value, "");
	if (source->total[0])
		skep_profile_add_type(profile, source->total, source->unit);
	if (source->n[0])
		skep_profile_add_type(profile, source->n, "count");
	/* Each hit of that. */
	if (wish->event) {
		profile->period = 1;
		profile->period_type.name = skep_profile_text(profile, wish->event);
		profile->period_type.unit = skep_profile_text(profile, "count");
	}
	if (!(source->flags & SKEP_PROFILER_IS_SAMPLED))
		return;
	profile->period = 1000000000 / wish->hertz;
	profile->period_type.name = skep_profile_text(profile, "cpu");
	profile->period_type.unit = skep_profile_text(profile, "nanoseconds");
}

/* @n since the start: what is more than was @told. */
static void lose(struct skep_profile *profile, const char *what, uint64_t n, uint64_t *told)
{
	if (n > *told)
		skep_profile_lose(profile, what, n - *told);
	*told = n;
}

static uint64_t n_unwatched(const struct skep_profiler *profiler)
{
	return profiler->n_unwatched + (profiler->watch ? skep_watch_lost(profiler->watch) : 0);
}

static void tell_losses(struct skep_profiler *profiler, struct skep_profile *profile)
{
	static const char *const causes[SKEP_LOSS_CNT] = {
#define LOSS(name, text, hint) [SKEP_LOSS_##name] = text,
#include "trace/losses.def"
#undef LOSS
	};
	const struct skep_live_losses losses = skep_live_losses(profiler->live);
	uint64_t *told = profiler->told;

	for (int i = 0; i < SKEP_LOSS_CNT; i++)
		lose(profile, causes[i], losses.by_cause[i], told++);
	lose(profile, "additions to maps that were full", losses.map_full, told++);
	lose(profile, "hits of probes that the kernel left out", losses.missed, told++);
	lose(profile, "places where no probe could be put", losses.unattached, told++);
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++)
		lose(profile, skep_unwind_loss_words(i), losses.unwinding.n[i], told++);
	lose(profile, "frames of interpreted functions whose names could not be read",
	     profiler->namer.lost.n_unread, told++);
	lose(profile, "stacks without what the interpreter ran, which was not kept",
	     profiler->namer.lost.n_chainless, told++);
	lose(profile, "readings of such names that were given up: the memory did not answer",
	     profiler->namer.interp ? skep_interp_names_given_up(profiler->namer.interp) : 0,
	     told++);
	lose(profile, "frames of interpreted functions that may not stand where they belong",
	     profiler->namer.lost.n_displaced, told++);
	lose(profile, causes[SKEP_LOSS_MAPPING], n_unwatched(profiler), told);
}

static void lose_lines(struct skep_profile *profile, const struct skep_lines_trouble *trouble,
		       bool is_partial, uint64_t *told)
{
	_cleanup_buf_ struct skep_buf what = {0};

	skep_lines_trouble_words(trouble, is_partial, &what);
	lose(profile, what.data, is_partial ? trouble->n_partial : trouble->n, told);
}

static void tell_trouble_with_lines(struct skep_profiler *profiler, struct skep_profile *profile)
{
	struct skep_lines_trouble trouble;

	for (size_t i = 0; skep_usyms_lines_trouble(profiler->namer.usyms, i, &trouble); i++) {
		while (profiler->told_lines.len < 2 * (i + 1))
			skep_vec_push(&profiler->told_lines, 0);
		uint64_t *told = profiler->told_lines.data + 2 * i;
		lose_lines(profile, &trouble, false, told);
		lose_lines(profile, &trouble, true, told + 1);
	}
}

static void tell_trouble_with_fetching(struct skep_profiler *profiler, struct skep_profile *profile)
{
	const char *words;
	uint32_t n;

	for (size_t i = 0; skep_debuginfod_trouble(profiler->debuginfod, i, &words, &n); i++) {
		if (profiler->told_fetching.len <= i)
			skep_vec_push(&profiler->told_fetching, 0);
		lose(profile, words, n, &profiler->told_fetching.data[i]);
	}
}

/* A moment by all clocks that are asked for it. */
struct moment {
	uint64_t ns, real_ns, trace_ns;
};

static struct moment take_moment(const struct skep_profiler *profiler)
{
	return (struct moment){
		.ns = now_ns(CLOCK_MONOTONIC),
		.real_ns = now_ns(CLOCK_REALTIME),
		.trace_ns = now_ns(skep_trace_clock(skep_live_maps(profiler->live)->program)),
	};
}

/* What was until @end. @seen  NULL: it is the last that is collected */
static int collect(struct skep_profiler *profiler, const struct moment *end,
		   struct skep_stacks_seen *seen, struct skep_profile *ret, struct skep_diag *diag)
{
	struct skep_profile profile;

	skep_profile_init(&profile);
	profile.start_ns = profiler->start_ns;
	profile.duration_ns = end->ns - profiler->began_ns;
	skep_profiler_types(&profiler->wish, &profile);
	const struct skep_collect collect = {
		.namer = &profiler->namer,
		.wish = &profiler->wish,
		.source = &skep_profiler_sources[profiler->wish.source],
		.end_ns = end->trace_ns,
		.groups = &profiler->groups,
		.seen = seen,
	};
	profiler->namer.interp = skep_live_names(profiler->live);
	profiler->namer.maps = skep_live_maps(profiler->live);
	skep_namer_begin(&profiler->namer, &profile);
	int err = skep_collect_all(&collect, profiler->live);
	skep_namer_end(&profiler->namer);
	if (err) {
		skep_profile_done(&profile);
		return skep_diag_fail(diag, err, SKEP_DIAG_RUN_MAPS, SKEP_NOWHERE, strerror(-err));
	}
	tell_losses(profiler, &profile);
	tell_trouble_with_lines(profiler, &profile);
	tell_trouble_with_fetching(profiler, &profile);
	profiler->began_ns = end->ns;
	profiler->start_ns = end->real_ns;
	*ret = profile;
	return 0;
}

int skep_profiler_finish(struct skep_profiler *profiler, struct skep_profile *ret,
			 struct skep_diag *diag)
{
	/* A record is in its ring a moment after its time. */
	const struct timespec settle = {.tv_nsec = SETTLE_NS};
	/* Before probes are taken off, of which those in code of processes may take a second. */
	const struct moment end = take_moment(profiler);

	skep_live_detach(profiler->live);
	skep_live_step(profiler->live);
	skep_watch_finish(profiler->watch);
	nanosleep(&settle, NULL);
	skep_live_catch_up(profiler->live);
	return collect(profiler, &end, NULL, ret, diag);
}

/* Names that were given out stay in memory: when they are many it begins anew; and where reports
 * were lost, so what is known of some process may be wrong. Symbols of the kernel do where it has
 * loaded something since. */
static void renew_names(struct skep_profiler *profiler)
{
	skep_ksyms_refresh(profiler->namer.ksyms);
	if (skep_usyms_names_bytes(profiler->namer.usyms) < NAMES_MOST &&
	    !(profiler->watch && skep_watch_lost(profiler->watch)))
		return;
	profiler->n_unwatched = n_unwatched(profiler);
	skep_watch_free(profiler->watch);
	profiler->watch = NULL;
	skep_namer_renew(&profiler->namer);
	limit_names(profiler);
	profiler->told_lines.len = 0;
	watch(profiler);
}

int skep_profiler_take(struct skep_profiler *profiler, struct skep_profile *ret,
		       struct skep_diag *diag)
{
	skep_live_catch_up(profiler->live);
	const struct moment end = take_moment(profiler);
	int err = collect(profiler, &end, &profiler->seen, ret, diag);

	if (err)
		return err;
	skep_stacks_forget(&profiler->seen, profiler->namer.maps);
	skep_usyms_forget_ended(profiler->namer.usyms);
	if (profiler->seen.intervals % RENEW_EACH == 0)
		renew_names(profiler);
	return 0;
}

bool skep_profiler_kernel_ns(const struct skep_profiler *profiler, uint64_t *ret)
{
	*ret = skep_live_cost(profiler->live).ns;
	return *ret > 0;
}
