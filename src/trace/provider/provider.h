/*
 * What the files of provider/ share: one pair of functions for each row of
 * providers.def, and helpers to read specs, report what is missing, and name
 * places.
 */
#ifndef SKEP_TRACE_PROVIDER_H
#define SKEP_TRACE_PROVIDER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "trace/config.h"
#include "trace/probe.h"

/* --- The providers ---------------------------------------------------------------------- */

/* Rows share functions (watchpoint): declaring one twice is legal C. */
#define PROVIDER(name, aliases, synopsis, listed, ctx, prog_type, space, is_return, fn, layout)    \
	int skep_##fn##_expand(struct skep_expand *x, const struct skep_probe_spec *spec);         \
	int skep_##fn##_list(struct skep_expand *x, const struct skep_probe_spec *pattern,         \
			     bool verbose, struct skep_buf *out);
#include "trace/provider/providers.def"
#undef PROVIDER

int skep_iter_layout(struct skep_expand *x, struct skep_probe *probe);
int skep_fentry_layout(struct skep_expand *x, struct skep_probe *probe);
int skep_kprobe_layout(struct skep_expand *x, struct skep_probe *probe);
int skep_lsm_layout(struct skep_expand *x, struct skep_probe *probe);
int skep_rawtracepoint_layout(struct skep_expand *x, struct skep_probe *probe);
int skep_tracepoint_layout(struct skep_expand *x, struct skep_probe *probe);
int skep_usdt_layout(struct skep_expand *x, struct skep_probe *probe);

/* --- Specs ------------------------------------------------------------------------------ */

/** Where part @i of @spec is in the source; the whole spec if that cannot be told. */
struct skep_span skep_spec_span(const struct skep_expand *x, const struct skep_probe_spec *spec,
				uint32_t i);
/** A number as bpftrace writes them: decimal, 0x, 0b, 0 octal, 1e6, 1_000, and durations (5ms) in
 *  nanoseconds. Return 0 | -EINVAL | -ERANGE */
int skep_parse_uint(const char *text, uint64_t *ret);
/** Report that @spec is not written as @provider's synopsis says. Return -EINVAL */
int skep_spec_bad_parts(struct skep_expand *x, const struct skep_provider *provider,
			const struct skep_probe_spec *spec);
/** Report that part @i is not a @what. Return -EINVAL */
int skep_spec_bad_number(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t i,
			 const char *what);

/* --- Names ------------------------------------------------------------------------------ */

/** A growing list of names, for use with the macros of base/vec.h; the names are borrowed. */
struct skep_names {
	const char **data; /* owned: skep_vec_done() */
	size_t len, cap;
};
void skep_spec_names_done(struct skep_names *names);
void skep_spec_names_sort(struct skep_names *names);
/** Sorted, each once. */
void skep_spec_names_sort_unique(struct skep_names *names);
/** Print "PROVIDER:NAME" for each. */
void skep_spec_names_list(const struct skep_names *names, const char *provider,
			  struct skep_buf *out);
#define _cleanup_names_ __attribute__((cleanup(skep_spec_names_done)))

/* --- Reports ---------------------------------------------------------------------------- */

/**
 * Nothing was found: an error, a warning or silence, as config.missing_probes
 * says; an error in any case if the script has no other attach point.
 *
 * @what   "tracepoint sched:sched_swich": follows "there is no"
 * @names  what @word was looked for in, for "did you mean"; may be NULL
 * Return  0 go on without | -ENOENT
 */
int skep_expand_missing(struct skep_expand *x, struct skep_span span, const char *what,
			const char *word, const struct skep_names *names);
/** The same for a provider that this kernel or this build cannot attach; @why may have several
 *  lines; @hint may be NULL. */
int skep_expand_refused(struct skep_expand *x, const struct skep_provider *provider,
			struct skep_span span, const char *why, const char *hint);
/** Set the place's full name: attach.target and name; span too. */
void skep_probe_name(struct skep_expand *x, struct skep_probe *probe, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
