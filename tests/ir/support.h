/*
 * What the tests of the IR share: a module with its object, loading what was
 * emitted into the running kernel, running it there, reading maps back.
 */
#ifndef TESTS_IR_SUPPORT_H
#define TESTS_IR_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <skep/ir.h>
#include <skep/isa.h>

#include "base/arena.h"
#include "base/buf.h"

#define N_INPUTS 8 /* 64-bit words of the context */

struct module {
	struct skep_arena arena;
	struct skep_object object;
	struct skep_diag diag;
	struct skep_ir *ir;
	struct skep_ir_func *f; /* the program */
	int map_fds[64];
	int prog_fd;
	uint32_t log_level; /* that module_load() asks for at once; 0: when it is refused */
};

extern const struct skep_ir_target newest, oldest;

/** A module with one raw tracepoint program. */
void module_init(struct module *m, const struct skep_ir_target *target);
void module_done(struct module *m);
uint32_t module_add_map(struct module *m, uint32_t type, uint32_t key_size, uint32_t value_size,
			uint32_t max_entries);
/** Emit; the test fails if that does. */
void module_emit(struct module *m);
/** Load maps, BTF and the first program. Return 0 | -errno, with the log in @log. */
int module_load(struct module *m, struct skep_buf *log);
/** Emit and load; the test fails with the kernel's log if it is refused. The machine's verifier is
 *  asked too, and must say the same. */
void module_make(struct module *m);
/** The same, but return false if the kernel gave up on the number of paths. */
bool module_make_unless_complex(struct module *m);
/** Run the program on a context of N_INPUTS words; returns its result. */
uint32_t module_run(struct module *m, const uint64_t inputs[N_INPUTS]);
int map_lookup(int fd, const void *key, void *value);
int map_update(int fd, const void *key, const void *value);
/** The code as text. Free it. */
char *module_code(const struct module *m);

#endif
