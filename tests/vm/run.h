/*
 * What the tests of the interpreters share: programs are linked, run in each
 * of them, and on the running kernel.
 */
#ifndef SKEP_TESTS_VM_RUN_H
#define SKEP_TESTS_VM_RUN_H

#include <skep/check.h>
#include <skep/helper.h>
#include <skep/image.h>

#include "base/buf.h"

/** A program under way. */
struct code {
	struct skep_insn *insns;
	uint32_t n, cap;
};

void code_add(struct code *code, struct skep_insn insn);
void code_imm64(struct code *code, int dst, uint64_t value);
void code_done(struct code *code);

/** What a run came to. */
struct outcome {
	uint64_t r0;
	enum skep_stop stop;
	uint32_t fault_insn;
	char why[160];
};

/** Link and run once; @run brings budget, world and ctx, or is NULL. */
struct outcome run_in(const struct skep_exec *exec, const struct skep_image *image,
		      const struct skep_run *run);
struct skep_image *link_code(const struct code *code, const struct skep_link_env *env);
/** Assemble @text and link it; fails the test if it is no program. */
struct skep_image *link_text(const char *text, const struct skep_link_env *env);

/** A program that the kernel has loaded as a traffic classifier; -errno, and its @log. */
int kernel_load(const struct code *code, struct skep_buf *log);
/** Its result on @len bytes of packet. */
int kernel_run(int fd, const void *packet, uint32_t len, uint32_t *ret);
bool kernel_usable(void);

#endif
