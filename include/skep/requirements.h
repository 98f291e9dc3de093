/*
 * What a program asks of a kernel: since which version of Linux there is all that it uses, and how
 * near it comes to each limit.
 */
#ifndef SKEP_REQUIREMENTS_H
#define SKEP_REQUIREMENTS_H

#include <stdint.h>

#include <skep/verify.h>

#include <skep/begin.h>

struct skep_arena;

/** A version of Linux, so that later ones are greater. */
#define SKEP_LINUX(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8)

/** Something that older kernels do not have. */
struct skep_requirement {
	uint32_t since;   /* SKEP_LINUX() */
	const char *kind; /* "helper", "instruction", "map type", "kernel function", "program type",
			     … */
	const char *name; /* "bpf_loop" */
	uint32_t slot;    /* an instruction that needs it; UINT32_MAX: none does */
};

/** A limit and how far it is used. */
struct skep_use {
	const char *what; /* "instructions processed" */
	uint64_t used, limit;
};

struct skep_requirements {
	uint32_t since; /* the first version that has all of it, and whose limits are kept */
	const struct skep_requirement *needs; /* the latest first, each once */
	uint32_t n_needs;
	const struct skep_use *uses;
	uint32_t n_uses;
};

/**
 * What @program, that came to @report, asks of a kernel.
 *
 * @arena  what @ret points to lives here
 * Return  0 | -ENOMEM
 * Cost    O(instructions)
 * Source  versions.def
 */
int skep_verify_requirements(const struct skep_verify_program *program,
			     const struct skep_verify_report *report, struct skep_arena *arena,
			     struct skep_requirements *ret);

#include <skep/end.h>

#endif
