/*
 * The script of a wish: the source's, with its gaps filled (gaps.def). What comes out is a whole
 * script of the language, and is printed as that, too.
 */
#include <string.h>

#include "base/buf.h"
#include "profiler/impl.h"

#define SOURCE(ID, option, arg, script, ...) extern const char skep_profiler_script_##script[];
#include "profiler/sources.def"
#undef SOURCE
extern const char skep_profiler_script_wakers[];

#define KEYS              262144
#define KEYS_OF_INTERVALS 65536

#define IS_SAMPLED        SKEP_PROFILER_IS_SAMPLED
#define OPEN_IS_SINCE     SKEP_PROFILER_OPEN_IS_SINCE
#define OPEN_IS_SUM       SKEP_PROFILER_OPEN_IS_SUM
#define OF_PROCESS        SKEP_PROFILER_OF_PROCESS
const struct skep_profiler_source_info skep_profiler_sources[SKEP_PROFILER_SOURCE_CNT] = {
#define SOURCE(ID, option, arg, script, n, total, unit, flags, words)                              \
	[SKEP_PROFILER_##ID] = {option, skep_profiler_script_##script, n, total, unit, flags},
#include "profiler/sources.def"
#undef SOURCE
};

/* --- Who is wanted --------------------------------------------------------------------------- */

static void put_pids(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	for (uint32_t i = 0; i < wish->n_pids; i++)
		skep_buf_printf(out, "%spid == %d%s",
				i                  ? " || "
				: wish->n_pids > 1 ? "("
						   : "",
				(int)wish->pids[i],
				wish->n_pids > 1 && i + 1 == wish->n_pids ? ")" : "");
}

static void and (struct skep_buf * out, size_t start)
{
	if (out->len > start)
		skep_buf_puts(out, " && ");
}

static void put_wanted(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	size_t start = out->len;

	put_pids(wish, out);
	if (wish->cpid) {
		and(out, start);
		skep_buf_puts(out, "descends_from(cpid)");
	}
	if (wish->tid) {
		and(out, start);
		skep_buf_printf(out, "tid == %d", (int)wish->tid);
	}
	if (wish->comm) {
		and(out, start);
		skep_buf_puts(out, "comm == ");
		skep_buf_add_quoted(out, wish->comm);
	}
	if (wish->cgroup) {
		and(out, start);
		skep_buf_puts(out, "in_cgroup(");
		skep_buf_add_quoted(out, wish->cgroup);
		skep_buf_addc(out, ')');
	}
	if (out->len == start && wish->but)
		skep_buf_printf(out, "pid != %d", (int)wish->but);
	if (out->len == start)
		skep_buf_puts(out, "true");
}

/* --- The other gaps -------------------------------------------------------------------------- */

static void put_who(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	skep_buf_printf(out, "pid, %s, comm", wish->with_threads ? "tid" : "(uint32)0");
}

bool skep_profiler_is_of_process(const struct skep_profiler_wish *wish)
{
	if (wish->source == SKEP_PROFILER_EVENT)
		return strchr("uU", wish->event[0]);
	return skep_profiler_sources[wish->source].flags & SKEP_PROFILER_OF_PROCESS;
}

/* Of a probe in a process the kernel's stack is that of the probe's own trap. */
static bool has_kernel_stacks(const struct skep_profiler_wish *wish)
{
	return !wish->no_kernel && !skep_profiler_is_of_process(wish);
}

static void put_stacks(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	skep_buf_printf(out, "%s, %s%s", has_kernel_stacks(wish) ? "kstack" : "kstack(0)",
			wish->no_user ? "ustack(0)" : "ustack",
			wish->with_groups ? ", cgroup" : "");
}

static void put_was(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	skep_buf_printf(out, "$was.1, $was.2, $was.3, $was.4, $was.5%s",
			wish->with_groups ? ", $was.6" : "");
}

static void put_hertz(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	skep_buf_printf(out, "%u", wish->hertz);
}

static void put_event(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	skep_buf_puts(out, wish->event);
}

static void put_value(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	if (wish->value)
		skep_buf_printf(out, "stats(%s)", wish->value);
	else
		skep_buf_puts(out, "count()");
}

static void put_allocator(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	skep_buf_add_quoted(out, wish->allocator ? wish->allocator : "libc");
}

/* --- The whole ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*put)(const struct skep_profiler_wish *wish, struct skep_buf *out);
} gaps[] = {
#define GAP(name, put) {"$(" #name ")", put},
#include "profiler/gaps.def"
#undef GAP
};

/* Fill the gap that @at begins with; returns what is behind it. */
static const char *fill(const struct skep_profiler_wish *wish, const char *at, struct skep_buf *out)
{
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		size_t len = strlen(gaps[i].name);
		if (strncmp(at, gaps[i].name, len) != 0)
			continue;
		gaps[i].put(wish, out);
		return at + len;
	}
	skep_buf_addc(out, *at);
	return at + 1;
}

/* Not every malloc() comes with all of its kin; of probes that somebody names some will do. */
static const char *missing_probes(const struct skep_profiler_wish *wish)
{
	if (skep_profiler_sources[wish->source].flags & OF_PROCESS)
		return "; missing_probes = \"ignore\"";
	return wish->source == SKEP_PROFILER_EVENT ? "; missing_probes = \"warn\"" : "";
}

void skep_profiler_script(const struct skep_profiler_wish *wish, struct skep_buf *out)
{
	const char *at = wish->with_wakers ? skep_profiler_script_wakers
					   : skep_profiler_sources[wish->source].script;

	skep_buf_printf(
		out, "config = { max_map_keys = %u; unwind = \"%s\"%s%s }\n\n",
		wish->is_taken ? KEYS_OF_INTERVALS : KEYS, wish->by_frame_pointers ? "fp" : "cfi",
		wish->by_frame_pointers || wish->no_interpreters ? "" : "; interpreters = true",
		missing_probes(wish));
	for (size_t len; *at; at = *at ? fill(wish, at, out) : at) {
		len = strcspn(at, "$");
		skep_buf_add(out, at, len);
		at += len;
	}
}
