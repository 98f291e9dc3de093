/*
 * For tests of lower/: a script through the whole compiler and into the kernel, and past the
 * machine's own verifier. Nothing is attached; what is loaded can be run once (BEGIN), and its
 * maps read.
 */
#ifndef TESTS_TRACE_LOWER_COMPILED_H
#define TESTS_TRACE_LOWER_COMPILED_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/load.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/program.h"
#include "trace/run/maps.h"

struct compiled {
	struct skep_arena arena;
	struct skep_source source;
	struct skep_diag diag;
	struct skep_trace_program program;
	struct skep_session *session;
	struct skep_map_reader maps;
	struct skep_output out;
	uint64_t compile_ns, load_ns, verify_ns; /* how long each took */
	int compile_err, load_err, verify_err;
};

/** What this kernel can do, as skep trace finds it out. */
const struct skep_ir_target *compiled_target(void);
/** Compile @text (borrowed until compiled_done()). Return 0 | -errno, see diag */
int compiled_open(struct compiled *c, const char *text);
/** Then load it. Return 0 | -errno, see diag */
int compiled_load(struct compiled *c);
/** Then load it into a machine that verifies. Return 0 | -errno, see diag */
int compiled_verify(struct compiled *c);
void compiled_done(struct compiled *c);
/** The deepest stack of all programs. */
uint32_t compiled_stack_bytes(const struct compiled *c);
/** How many instructions the verifier walked through, most of all programs: at most a million are
 *  granted. 0 where the kernel does not tell (before 5.16). */
uint32_t compiled_verified_insns(const struct compiled *c);
/** What was reported, appended. */
void compiled_report(const struct compiled *c, struct skep_buf *out);

/** Compile, load and run the BEGIN probes once; the test fails if that fails. */
void compiled_run(struct compiled *c, const char *text);
/** The map called @name; the test fails if there is none. */
const struct skep_trace_map *compiled_find(const struct compiled *c, const char *name);
/** A map as print(@name) shows it, whatever lines it has. Owned by the arena. */
const char *compiled_map(struct compiled *c, const char *name);
/** The sum of a loss counter. */
uint64_t compiled_loss(const struct compiled *c, enum skep_loss loss);

uint64_t compiled_now_ns(void);

#endif
