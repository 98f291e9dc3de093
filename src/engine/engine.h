/*
 * One interface, two engines: the kernel, or the machine of src/machine in this process.
 *
 * While a user engine is open, bpf(2) of the whole process is answered by its machine: the
 * functions of linux/bpf.h and libbpf's loader alike (machine/wrap.c stands where their syscall()
 * would). So all that is above bpf(2) is the same code on either, and this folder is that:
 *
 *	engine.c   which of the two, and why
 *	elffile.c  an object built by clang, through libbpf; said.c: what libbpf says, in our words
 *	prog.c     what an engine knows of a loaded program: instructions, lines, machine code
 *	test.c     running a program on given data; verdict.c: what its result is called
 *	map.c      what is in maps; value.c, text.c: keys and values by their BTF, out and in
 *
 * One engine at a time. Not thread-safe.
 */
#ifndef SKEP_ENGINE_ENGINE_H
#define SKEP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/diag.h>

struct skep_machine;
struct skep_fault;
struct skep_verify_opts;
struct skep_verify_program;
struct skep_verify_report;

enum skep_engine_kind { SKEP_ENGINE_AUTO, SKEP_ENGINE_LINUX, SKEP_ENGINE_USER };

/** What runs programs on the user engine; the kernel decides for itself. CHECKED: unverified, and
 *  each access is looked at. The others run verified programs alone. */
enum skep_engine_code { SKEP_CODE_JIT, SKEP_CODE_INTERP, SKEP_CODE_CHECKED };

struct skep_engine_opts {
	enum skep_engine_kind kind;
	enum skep_engine_code code;
	uint64_t budget; /* instructions a run may take; 0: no limit. The kernel has its own. */
	/* user engine, unless CHECKED: see skep_machine_opts */
	const struct skep_verify_opts *verify_opts;
	void (*verified)(void *ctx, const struct skep_verify_program *program,
			 const struct skep_verify_opts *opts, int err,
			 const struct skep_verify_report *report);
	void *verified_ctx;
	/* What programs print with bpf_printk(), on the user engine; NULL: nowhere. */
	void (*trace)(void *ctx, const char *text, size_t len);
	void *trace_ctx;
};

struct skep_engine {
	enum skep_engine_kind kind; /* LINUX or USER */
	enum skep_engine_code code;
	struct skep_machine *machine; /* owned; NULL: LINUX */
};

/**
 * Open an engine. AUTO is the kernel where it lets this process load and run a program, else the
 * machine, with a note in @diag (L0011) that says why and what would change it.
 *
 * @ret    closed with skep_engine_close(), after all descriptors that came from it
 * Return  0 | -ENOMEM
 * Cost    AUTO loads one program of two instructions
 */
int skep_engine_open(const struct skep_engine_opts *opts, struct skep_engine *ret,
		     struct skep_diag *diag);
/** A zeroed engine is fine. */
void skep_engine_close(struct skep_engine *engine);
/** "linux", "user" */
const char *skep_engine_name(const struct skep_engine *engine);
/** "checked", "interp", "jit"; on linux "kernel" */
const char *skep_engine_code_name(const struct skep_engine *engine);
/** What stopped the last run of the program behind @prog_fd; false: nothing, or the kernel ran it.
 */
bool skep_engine_fault(const struct skep_engine *engine, int prog_fd, struct skep_fault *ret);

#define _cleanup_engine_ __attribute__((cleanup(skep_engine_close)))

#endif
