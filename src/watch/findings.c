/*
 * The rules, one function a row of findings.def. A rule looks at a tally's greatest rows, and says
 * what it found with the numbers it found it by; what is ordinary it keeps quiet about.
 */
#include "watch/findings.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sink/units.h"
#include "watch/panel.h"

/** Sentences of one rule at most. */
#define MOST  3

#define US_NS 1000.0

const struct skep_finding_rule skep_finding_rules[SKEP_FINDING_CNT] = {
#define FINDING(name, panel, threshold, when) {#name, when, SKEP_PANEL_##panel, threshold},
#include "watch/findings.def"
#undef FINDING
};

struct search {
	const struct skep_snapshot *now;
	struct skep_findings *findings;
	enum skep_finding_id id;
	double threshold;
	uint32_t n_found;
};

void skep_findings_done(struct skep_findings *findings)
{
	skep_vec_done(&findings->found);
}

static void say(struct search *search, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct search *search, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = skep_arena_vprintf(search->findings->arena, fmt, ap);
	va_end(ap);
	search->n_found++;
	skep_vec_push(&search->findings->found,
		      ((struct skep_finding){.id = search->id, .text = text}));
}

/* --- Words ----------------------------------------------------------------------------------- */

/* A quantity as text of the arena. */
static const char *quantity(struct search *search, enum skep_unit unit, double number)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_unit_text(unit, number, &text);
	return skep_arena_strdup(search->findings->arena, text.data);
}

static const char *duration(struct search *search, double ns)
{
	return quantity(search, SKEP_UNIT_NS, ns);
}

static const char *rate(struct search *search, uint64_t n)
{
	double number = skep_snapshot_rate(search->now, n);

	if (number >= 10 && number < 999.5)
		return skep_arena_printf(search->findings->arena, "%.0f", number);
	return quantity(search, SKEP_UNIT_RATE, number);
}

/* A name as the kernel has it, which need not end in a NUL. */
static const char *name_of(struct search *search, const char *comm, size_t size)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_add_printable(&text, comm, strnlen(comm, size));
	return skep_arena_strdup(search->findings->arena, text.data ? text.data : "");
}

static const char *times(struct search *search, uint64_t n)
{
	return n == 1 ? "once"
		      : skep_arena_printf(search->findings->arena, "%llu times",
					  (unsigned long long)n);
}

typedef bool on_row(struct search *search, const void *key, const uint64_t *words);

/* The greatest rows by a word, until @on says that no further one matters, or MOST are found. */
static void look(struct search *search, enum skep_tally tally, uint64_t words, on_row *on)
{
	const struct skep_rows *rows = &search->now->rows[tally];
	_cleanup_free_ uint32_t *order = skep_rows_sorted(rows, words);

	for (uint32_t i = 0; i < rows->n && search->n_found < MOST; i++) {
		if (!on(search, skep_rows_key(rows, order[i]), skep_rows_value(rows, order[i])))
			return;
	}
}

/* --- Memory ---------------------------------------------------------------------------------- */

static bool on_oom_kill(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_name *key = row_key;

	if ((double)words[0] < search->threshold)
		return false;
	say(search, "memory ran out: the kernel killed %s %s",
	    name_of(search, key->comm, sizeof(key->comm)), times(search, words[0]));
	return true;
}

static void find_oom_kills(struct search *search)
{
	look(search, SKEP_TALLY_KILLED, WORD(0), on_oom_kill);
}

static void find_little_memory(struct search *search)
{
	double total = (double)search->now->memory.total;
	double available = (double)search->now->memory.available;

	if (total > 0 && 100 * available / total < search->threshold)
		say(search, "only %s of %s of memory are available",
		    quantity(search, SKEP_UNIT_BYTES, available),
		    quantity(search, SKEP_UNIT_BYTES, total));
}

static bool on_reclaim(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_name *key = row_key;
	double percent = skep_snapshot_rate(search->now, words[0]) / 1e7;

	if (percent < search->threshold)
		return false;
	say(search, "%s stands still for %.0f%% of the time until memory is freed",
	    name_of(search, key->comm, sizeof(key->comm)), percent);
	return true;
}

static void find_reclaim(struct search *search)
{
	look(search, SKEP_TALLY_RECLAIM_NS, WORD(0), on_reclaim);
}

static bool on_page_reads(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_process *key = row_key;

	if (skep_snapshot_rate(search->now, words[SKEP_USED_MAJOR]) < search->threshold)
		return false;
	say(search, "%s waits for %s pages a second to come from disk",
	    name_of(search, key->comm, sizeof(key->comm)), rate(search, words[SKEP_USED_MAJOR]));
	return true;
}

static void find_page_reads(struct search *search)
{
	look(search, SKEP_TALLY_PROCESSES, WORD(SKEP_USED_MAJOR), on_page_reads);
}

/* --- CPU ------------------------------------------------------------------------------------- */

/* Rows of one name as one, with how many they are in the last word. */
static struct skep_rows by_name(const struct skep_snapshot *now)
{
	const struct skep_rows *rows = &now->rows[SKEP_TALLY_PROCESSES];
	struct skep_rows names;

	skep_rows_init(&names, SKEP_COMM, 8 * (SKEP_USED_CNT + 1));
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct skep_key_process *key = skep_rows_key(rows, i);
		const uint64_t *words = skep_rows_value(rows, i);
		uint64_t *sum = skep_rows_at(&names, key->comm);
		for (int word = 0; sum && word < SKEP_USED_CNT; word++)
			sum[word] += words[word];
		if (sum)
			sum[SKEP_USED_CNT]++;
	}
	return names;
}

static void find_busy(struct search *search)
{
	double percent = skep_panel_busy_percent(search->now);
	struct skep_rows names = by_name(search->now);
	_cleanup_free_ uint32_t *order = skep_rows_sorted(&names, WORD(SKEP_USED_CPU_NS));

	if (percent >= search->threshold && names.n) {
		uint64_t all = skep_rows_sum(&names, SKEP_USED_CPU_NS);
		uint64_t most = skep_rows_weight(&names, order[0], WORD(SKEP_USED_CPU_NS));
		say(search, "the CPUs are %.0f%% busy; %.0f%% of that is %s", percent,
		    100.0 * (double)most / (double)all,
		    name_of(search, skep_rows_key(&names, order[0]), SKEP_COMM));
	}
	skep_rows_done(&names);
}

/* Few waits have no 99th percentile. */
#define WAITS_LEAST 100

static void find_waits(struct search *search)
{
	struct skep_rows names = by_name(search->now);
	_cleanup_free_ uint32_t *order = skep_rows_sorted(&names, WORD(SKEP_USED_WAIT_NS));

	for (uint32_t i = 0; i < names.n && search->n_found < MOST; i++) {
		const char *comm = skep_rows_key(&names, order[i]);
		const uint64_t *words = skep_rows_value(&names, order[i]);
		double ns = skep_panel_wait_p99_ns(search->now, comm, words[SKEP_USED_WAITS]);
		if (words[SKEP_USED_WAITS] >= WAITS_LEAST && ns >= search->threshold * 1e6)
			say(search, "%s waits %s for a CPU at the 99th percentile",
			    name_of(search, comm, SKEP_COMM), duration(search, ns));
	}
	skep_rows_done(&names);
}

static bool on_hog(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_process *key = row_key;
	double percent = skep_snapshot_rate(search->now, words[SKEP_USED_CPU_NS]) / 1e7;

	if (percent < search->threshold)
		return false;
	if (!key->pid)
		return true;
	say(search, "%s (%llu) uses %.0f%% of a CPU", name_of(search, key->comm, sizeof(key->comm)),
	    (unsigned long long)key->pid, percent);
	return true;
}

static void find_hog(struct search *search)
{
	look(search, SKEP_TALLY_PROCESSES, WORD(SKEP_USED_CPU_NS), on_hog);
}

/* --- Disks ----------------------------------------------------------------------------------- */

/* Slow ones are no matter of one or two. */
#define SLOW_LEAST 3

struct slow {
	uint64_t n, slow;
	const struct skep_key_disk *worst;
	uint64_t worst_slow;
};

static struct slow count_slow(const struct skep_snapshot *now, uint64_t op, uint64_t over_us)
{
	const struct skep_rows *rows = &now->rows[SKEP_TALLY_TOOK];
	struct slow slow = {0};

	for (uint32_t i = 0; i < rows->n; i++) {
		const struct skep_key_disk *key = skep_rows_key(rows, i);
		struct skep_histogram took = {.counts = skep_rows_value(rows, i),
					      .n = SKEP_HIST_FINE,
					      .bits = SKEP_HIST_FINE_BITS};
		if (key->op != op)
			continue;
		uint64_t over = skep_histogram_over(&took, over_us);
		slow.n += skep_histogram_total(&took);
		slow.slow += over;
		if (over > slow.worst_slow) {
			slow.worst = key;
			slow.worst_slow = over;
		}
	}
	return slow;
}

static void say_slow(struct search *search, uint64_t op, const char *what, unsigned over_ms)
{
	struct slow slow = count_slow(search->now, op, over_ms * 1000ull);
	double percent = slow.n ? 100.0 * (double)slow.slow / (double)slow.n : 0;

	if (percent < search->threshold || slow.slow < SLOW_LEAST)
		return;
	const char *disk = name_of(search, slow.worst->disk, sizeof(slow.worst->disk));
	if (slow.worst_slow == slow.slow)
		say(search, "%.0f%% of %s took over %u ms, all on %s", percent, what, over_ms,
		    disk);
	else
		say(search, "%.0f%% of %s took over %u ms, %.0f%% of them on %s", percent, what,
		    over_ms, 100.0 * (double)slow.worst_slow / (double)slow.slow, disk);
}

static void find_slow_reads(struct search *search)
{
	say_slow(search, SKEP_OP_READ, "reads", 10);
}

static void find_slow_writes(struct search *search)
{
	say_slow(search, SKEP_OP_WRITE, "writes", 100);
}

/* --- Network --------------------------------------------------------------------------------- */

static bool on_refused(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_refused *key = row_key;
	_cleanup_buf_ struct skep_buf peer = {0};

	if ((double)words[0] < search->threshold)
		return false;
	skep_panel_refused_address(key, &peer);
	say(search, "%llu connections to %s port %llu failed: %s", (unsigned long long)words[0],
	    peer.data ? peer.data : "?", (unsigned long long)key->port,
	    key->err ? strerror((int)key->err) : "given up");
	return true;
}

static void find_refused(struct search *search)
{
	look(search, SKEP_TALLY_REFUSED, WORD(0), on_refused);
}

static void find_sent_again(struct search *search)
{
	const struct skep_rows *peers = &search->now->rows[SKEP_TALLY_PEERS];
	_cleanup_free_ uint32_t *order = skep_rows_sorted(peers, WORD(SKEP_PEER_AGAIN));
	uint64_t all = skep_rows_sum(&search->now->rows[SKEP_TALLY_RETRANSMITS], 0);
	_cleanup_buf_ struct skep_buf peer = {0};

	if ((double)all < search->threshold)
		return;
	uint64_t most = peers->n ? skep_rows_weight(peers, order[0], WORD(SKEP_PEER_AGAIN)) : 0;
	if (!most) {
		say(search, "%llu segments had to be sent again", (unsigned long long)all);
		return;
	}
	const struct skep_key_peer *key = skep_rows_key(peers, order[0]);
	skep_peer_text(key->family, key->address, &peer);
	say(search, "%llu segments had to be sent again, most of them to %s port %llu",
	    (unsigned long long)all, peer.data ? peer.data : "?", (unsigned long long)key->port);
}

static void find_far(struct search *search)
{
	const struct skep_rows *peers = &search->now->rows[SKEP_TALLY_PEERS];

	for (uint32_t i = 0; i < peers->n && search->n_found < MOST; i++) {
		const struct skep_key_peer *key = skep_rows_key(peers, i);
		const uint64_t *words = skep_rows_value(peers, i);
		_cleanup_buf_ struct skep_buf peer = {0};
		double ns = words[SKEP_PEER_RTTS] ? (double)words[SKEP_PEER_RTT_US] * US_NS /
							    (double)words[SKEP_PEER_RTTS]
						  : 0;
		if (ns < search->threshold * 1e6)
			continue;
		skep_peer_text(key->family, key->address, &peer);
		say(search, "a round trip to %s takes %s", peer.data ? peer.data : "?",
		    duration(search, ns));
	}
}

/* --- Processes ------------------------------------------------------------------------------- */

static bool is_crash(uint64_t code)
{
	static const int faults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (WIFSIGNALED((int)code) && WTERMSIG((int)code) == faults[i])
			return true;
	}
	return false;
}

static bool on_crash(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_exit *key = row_key;
	char name[32];

	if ((double)words[0] < search->threshold)
		return false;
	if (!is_crash(key->code))
		return true;
	skep_panel_signal_name((uint64_t)WTERMSIG((int)key->code), name, sizeof(name));
	say(search, "%s crashed %s (%s)", name_of(search, key->comm, sizeof(key->comm)),
	    times(search, words[0]), name);
	return true;
}

static void find_crashes(struct search *search)
{
	look(search, SKEP_TALLY_EXITS, WORD(0), on_crash);
}

static bool on_failing(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_exit *key = row_key;

	if ((double)words[0] < search->threshold)
		return false;
	if (!key->code || WIFSIGNALED((int)key->code))
		return true;
	say(search, "%s failed %s (status %d)", name_of(search, key->comm, sizeof(key->comm)),
	    times(search, words[0]), WEXITSTATUS((int)key->code));
	return true;
}

static void find_failing(struct search *search)
{
	look(search, SKEP_TALLY_EXITS, WORD(0), on_failing);
}

static bool on_short_life(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_exec *key = row_key;
	double ns = skep_panel_lives_ns(search->now, key->comm);

	if (skep_snapshot_rate(search->now, words[0]) < search->threshold)
		return false;
	if (isnan(ns) || ns >= 1e9)
		return true;
	say(search, "%s starts %s %s processes a second, each lives %s",
	    name_of(search, key->parent, sizeof(key->parent)), rate(search, words[0]),
	    name_of(search, key->comm, sizeof(key->comm)), duration(search, ns));
	return true;
}

static void find_short_lives(struct search *search)
{
	look(search, SKEP_TALLY_EXECS, WORD(0), on_short_life);
}

/* --- Syscalls -------------------------------------------------------------------------------- */

/* Answers rather than failures: nothing there yet, somebody else's turn, interrupted. */
static bool is_ordinary(uint64_t err)
{
	return err == EAGAIN || err == EINTR || err == ETIMEDOUT || err == EINPROGRESS;
}

static bool on_failing_call(struct search *search, const void *row_key, const uint64_t *words)
{
	const struct skep_key_failed *key = row_key;
	char call[48];

	if (skep_snapshot_rate(search->now, words[0]) < search->threshold)
		return false;
	if (is_ordinary(key->err))
		return true;
	skep_panel_syscall_name(key->nr, call, sizeof(call));
	say(search, "%s of %s fails %s times a second: %s", call,
	    name_of(search, key->comm, sizeof(key->comm)), rate(search, words[0]),
	    strerror((int)key->err));
	return true;
}

static void find_failing_calls(struct search *search)
{
	look(search, SKEP_TALLY_FAILED, WORD(0), on_failing_call);
}

/* --- All of them ----------------------------------------------------------------------------- */

void skep_findings_find(const struct skep_snapshot *snapshot, struct skep_findings *ret)
{
	static void (*const find[SKEP_FINDING_CNT])(struct search *) = {
#define FINDING(name, ...) find_##name,
#include "watch/findings.def"
#undef FINDING
	};

	for (int id = 0; id < SKEP_FINDING_CNT; id++) {
		struct search search = {.now = snapshot,
					.findings = ret,
					.id = id,
					.threshold = skep_finding_rules[id].threshold};
		find[id](&search);
	}
}
