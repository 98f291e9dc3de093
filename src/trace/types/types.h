/*
 * Meaning: gives every expression a type, resolves names, folds constants,
 * finds every map's key and value, and reports what makes no sense.
 */
#ifndef SKEP_TRACE_TYPES_H
#define SKEP_TRACE_TYPES_H

#include "trace/ast.h"
#include "trace/config.h"
#include "trace/probe.h"
#include "trace/program.h"

/** Size of the string that syscall_name() gives. */
#define SKEP_SYSCALL_BYTES   32
#define SKEP_SYSCALL_UNKNOWN "unknown" /* of numbers that have no name */
#define SKEP_STRJOIN_USUAL   16        /* strings that strjoin() takes */
#define SKEP_STRJOIN_MOST    64

/** The kernel's array of where each CPU's copies of variables lie, from the symbols' addresses. */
#define SKEP_PERCPU_OFFSETS "__per_cpu_offset"

struct skep_typer;

/** What all passes over one script share. The caller fills all but the last. */
struct skep_check {
	struct skep_types *types;
	struct skep_arena *arena;
	struct skep_diag *diag;
	struct skep_config *config;
	const struct skep_compile_opts *opts;
	const char *const *options; /* what getopt() takes: "--name", "--name=value" */
	uint32_t n_options;
	struct skep_script *script;
	struct skep_expand *expand; /* for layouts of arguments; may be NULL: none are known */
	struct skep_typer *typer;   /* the passes' own, on the arena; NULL at first */
};

/** Before anything else: config items, struct definitions (into types->records), map
 *  declarations. Return 0 | -EINVAL */
int skep_check_preamble(struct skep_check *check);
/** Probes whose predicate asks only for options and parameters, and is not met, are off: they
 *  are attached nowhere. Before probes are expanded. */
void skep_check_predicates(struct skep_check *check);
/**
 * Type all probes, with maps' types found across all of them (a map may be
 * read before the probe that assigns it: types are settled by repeating until
 * nothing changes, at most 8 rounds).
 *
 * @probes  every place, grouped by def as expansion made them; a def whose
 *          body uses `args` is checked once for each place, others once for
 *          each provider.
 * Return 0 | -EINVAL (see diag)
 */
int skep_check_script(struct skep_check *check, struct skep_probe **probes, uint32_t n_probes);
/** After that, where config.missing_probes is `some`: whether there is a place that events come
 *  from. Return 0 | -ENOENT (see diag) */
int skep_check_missing(const struct skep_check *check, struct skep_probe *const *probes,
		       uint32_t n);
/** Annotate @probe->def's tree again for this one place (its args), just before it is lowered.
 *  After skep_check_script() has succeeded; map types no longer change. Return 0 | -EINVAL */
int skep_check_probe(struct skep_check *check, struct skep_probe *probe);

#endif
