/*
 * A program as text, verified by itself: no machine, no maps, no types.
 */
#ifndef SKEP_TESTS_VERIFY_ALONE_H
#define SKEP_TESTS_VERIFY_ALONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skep/buf.h>
#include <skep/isa.h>
#include <skep/verify.h>

#define SOCKET_FILTER 1

/** skep_verify() of @text, a socket filter. */
static inline int verify(const char *text, const struct skep_verify_opts *opts,
			 struct skep_buf *log, struct skep_verify_report *report)
{
	static const struct skep_link_env env;
	struct skep_verify_program program = {.gpl = true};
	struct skep_image *image = NULL;
	struct skep_insn *insns = NULL;
	size_t n = 0;
	int err;

	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	assert_int_equal(skep_image_link(insns, (uint32_t)n, SOCKET_FILTER, &env, NULL, &image), 0);
	program.image = image;
	program.insns = insns;
	err = skep_verify(&program, opts, log, report);
	skep_image_free(image);
	free(insns);
	return err;
}

#endif
