/*
 * The plugin that bpf_conformance's runner drives:
 *
 *	conformance-plugin [MEMORY] [--program PROGRAM] [--interp|--checked|--jit] [--debug]
 *
 * The program comes as base16 on standard input, or with --program; MEMORY, as
 * base16, is what r1 points to, r2 is its length. Prints r0 in hex. The suite's
 * own helper functions 0 to 5 are here, and callx, which calls them by a register.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/check.h>
#include <skep/helper.h>
#include <skep/image.h>

#include "base/buf.h"
#include "base/fd.h"

/* --- the suite's functions ------------------------------------------------------------------ */

static uint64_t gather_bytes(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			     struct skep_run *run)
{
	return (a & 0xff) << 32 | (b & 0xff) << 24 | (c & 0xff) << 16 | (d & 0xff) << 8 |
	       (e & 0xff);
}

static uint64_t frob_bytes(uint64_t a, uint64_t n, uint64_t c, uint64_t d, uint64_t e,
			   struct skep_run *run)
{
	uint8_t *at = (void *)(uintptr_t)a;

	for (uint64_t i = 0; skep_run_may(run, at, n, SKEP_MAY_WRITE) && i < n; i++)
		at[i] ^= 42;
	return 0;
}

static uint64_t no_op(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		      struct skep_run *run)
{
	return 0;
}

static uint64_t sqrti(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		      struct skep_run *run)
{
	uint64_t root = 0;

	for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1) {
		uint64_t next = root | bit;
		root = next * next <= a ? next : root;
	}
	return root;
}

static uint64_t strcmp_ext(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			   struct skep_run *run)
{
	return (uint64_t)strcmp((const char *)(uintptr_t)a, (const char *)(uintptr_t)b);
}

/* Ends the program where it returns 0, as the suite's plugins do. */
static uint64_t unwind(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		       struct skep_run *run)
{
	if (!a)
		longjmp(*run->unwind, 1);
	return a;
}

#define N_FUNCTIONS 6

static const struct skep_callable functions[N_FUNCTIONS] = {
	{"gather_bytes", gather_bytes, NULL},
	{"memfrob", frob_bytes, NULL},
	{"no_op", no_op, NULL},
	{"sqrti", sqrti, NULL},
	{"strcmp_ext", strcmp_ext, NULL},
	{"unwind", unwind, NULL},
};

static int find_function(void *ctx, int32_t id, const struct skep_callable **ret)
{
	if (id < 0 || id >= N_FUNCTIONS)
		return -1;
	*ret = &functions[id];
	return 0;
}

/* callx: the function whose number a register holds, which is one of the arguments. */
#define BY_REGISTER(reg)                                                                           \
	static uint64_t by_##reg(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,  \
				 struct skep_run *run)                                             \
	{                                                                                          \
		if (reg < N_FUNCTIONS)                                                             \
			return functions[reg].call(r1, r2, r3, r4, r5, run);                       \
		skep_check_refuse(run, 0, "there is no function %llu", (unsigned long long)reg);   \
		return 0;                                                                          \
	}
BY_REGISTER(r1)
BY_REGISTER(r2)
BY_REGISTER(r3)
BY_REGISTER(r4)
BY_REGISTER(r5)

static int find_by_register(void *ctx, uint8_t reg, const struct skep_callable **ret)
{
	static const struct skep_callable rows[] = {{"by r1", by_r1, NULL},
						    {"by r2", by_r2, NULL},
						    {"by r3", by_r3, NULL},
						    {"by r4", by_r4, NULL},
						    {"by r5", by_r5, NULL}};

	*ret = &rows[reg - 1];
	return 0;
}

/* --- running -------------------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t len;
};

static struct bytes read_base16(const char *text)
{
	struct bytes bytes = {malloc(strlen(text) / 2 + 1), 0};
	unsigned byte;
	int used;

	while (sscanf(text, " %2x%n", &byte, &used) == 1) {
		bytes.data[bytes.len++] = (uint8_t)byte;
		text += used;
	}
	return bytes;
}

static uint64_t run_on(const struct skep_program *program, const struct bytes *memory,
		       struct skep_run *run)
{
	const uint64_t args[5] = {memory->len ? (uintptr_t)memory->data : 0, memory->len};
	jmp_buf back;

	*run = (struct skep_run){.program = program,
				 .budget = UINT64_MAX,
				 .depth = 1,
				 .unwind = &back,
				 .check = skep_check_new()};
	skep_run_grant(run, memory->data, memory->len, SKEP_MAY_READ | SKEP_MAY_WRITE);
	return setjmp(back) ? 0 : program->exec->call(program, 0, args, run);
}

static int say_fault(const struct skep_run *run)
{
	const char *why = "the run was stopped";
	uint32_t insn = 0;

	skep_check_fault(run->check, &insn, &why);
	fprintf(stderr, "instruction %u: %s\n", insn, why);
	return 1;
}

static int run_image(const struct skep_image *image, const struct skep_exec *exec,
		     const struct bytes *memory)
{
	struct skep_program program = {image, exec, NULL};
	struct skep_run run;

	if (exec->compile(image, &(struct skep_exec_opts){0}, &program.code)) {
		fprintf(stderr, "%s cannot compile this program\n", exec->name);
		return 1;
	}
	uint64_t r0 = run_on(&program, memory, &run);
	exec->free(program.code);
	int status = run.stop ? say_fault(&run) : 0;
	if (!status)
		printf("%llx\n", (unsigned long long)r0);
	skep_check_free(run.check);
	return status;
}

static int link_and_run(const struct bytes *bytes, const struct skep_exec *exec,
			const struct bytes *memory)
{
	const struct skep_link_env env = {.helper = find_function, .by_register = find_by_register};
	struct skep_image *image = NULL;
	_cleanup_buf_ struct skep_buf log = {0};
	uint32_t n = (uint32_t)(bytes->len / sizeof(struct skep_insn));

	if (bytes->len % sizeof(struct skep_insn) ||
	    skep_image_link((const void *)bytes->data, n, 0, &env, &log, &image)) {
		fprintf(stderr, "not a program: %s", log.len ? log.data : "length\n");
		return 1;
	}
	int status = run_image(image, exec, memory);
	skep_image_free(image);
	return status;
}

/* --- arguments ------------------------------------------------------------------------------ */

struct arguments {
	const char *memory, *program, *exec;
};

static bool read_arguments(int argc, char **argv, struct arguments *args)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--program") && i + 1 < argc)
			args->program = argv[++i];
		else if (!strcmp(argv[i], "--interpret"))
			args->exec = "interp";
		else if (!strncmp(argv[i], "--", 2) && strcmp(argv[i], "--debug"))
			args->exec = argv[i] + 2;
		else if (strcmp(argv[i], "--debug") && *argv[i])
			args->memory = argv[i];
	}
	return true;
}

/* The ways to run that this build has. */
static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_checked,
						&skep_exec_jit};

static const struct skep_exec *find_exec(const char *name)
{
	for (size_t i = 0; i < sizeof(execs) / sizeof(execs[0]); i++) {
		if (!strcmp(execs[i]->name, name))
			return execs[i];
	}
	fprintf(stderr, "this build cannot run programs with --%s\n", name);
	return NULL;
}

int main(int argc, char **argv)
{
	struct arguments args = {"", NULL, "interp"};
	_cleanup_buf_ struct skep_buf input = {0};

	if (!read_arguments(argc, argv, &args))
		return 2;
	if (!args.program && skep_fd_read(0, 16 << 20, &input))
		return 2;
	const struct skep_exec *exec = find_exec(args.exec);
	if (!exec)
		return 2;
	struct bytes memory = read_base16(args.memory);
	struct bytes bytes =
		read_base16(args.program ? args.program : (input.data ? input.data : ""));
	int status = link_and_run(&bytes, exec, &memory);
	free(memory.data);
	free(bytes.data);
	return status;
}
