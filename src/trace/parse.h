/* Script text to syntax tree: preprocessing, tokens, grammar. */
#ifndef SKEP_TRACE_PARSE_H
#define SKEP_TRACE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "trace/ast.h"

/** $1…, for positional parameters inside probe names and `$1` expressions; and options, for
 *  getopt(): "--name", "--name=value". */
struct skep_params {
	const char *const *values;
	uint32_t n;
	const char *const *options;
	uint32_t n_options;
};

/** The option @name as given: what is behind its name, "" or "=value"; the last one counts.
 *  NULL: not given. */
const char *skep_params_option(const char *const *options, uint32_t n, const char *name);

/**
 * Parse @source.
 *
 * Several errors are reported in one run (the parser recovers at statements
 * and probes). Spans point into @source's text.
 * @ret    on @arena; untouched on error
 * Return  0 | -EINVAL (see @diag) | -E2BIG over a limit (1 MiB of text, depth 200)
 */
int skep_parse(struct skep_arena *arena, const struct skep_source *source,
	       const struct skep_params *params, struct skep_script **ret, struct skep_diag *diag);

/**
 * A constant that scripts know from C headers and BTF does not have: AF_INET,
 * O_CREAT, ENOENT, PATH_MAX… (rows of parse/constants.def).
 * Return whether there is one; @ret is untouched if not. Cost O(log n).
 */
bool skep_constant_find(const char *name, int64_t *ret);

/** The system call with this number on the machine compiled for; NULL: there is none. */
const char *skep_syscall_name(uint32_t number);
/** One more than the highest number of a system call. */
uint32_t skep_syscall_end(void);
/** A system call's number by its name ("openat"). Return whether there is one. */
bool skep_syscall_find(const char *name, int64_t *ret);

#endif
