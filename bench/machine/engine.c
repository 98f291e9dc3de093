/*
 * Nanoseconds that one run of each program takes: as native code, and in each
 * way that libskep can run it. One line an answer, "program engine ns".
 *
 *	bench-machine ROUNDS NAME=FILE...
 *
 * FILE holds a program's instructions. Every round measures all engines one
 * after the other, so that what disturbs one disturbs all.
 */
#include <skep/map.h> /* before <sys/mman.h>, which has a MAP_TYPE of its own */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <skep/image.h>

#include "base/buf.h"
#include "base/fd.h"

#include "bodies.h"

#define DATA_BYTES 1024
#define BATCH_NS   50e3
#define N_BATCHES  100

/* As far as the programs read it. */
struct context {
	uint32_t unused[19], data, data_end;
};

#define NATIVE(name)                                                                               \
	static __attribute__((noinline)) u64 native_##name(u8 *data, u8 *end)                      \
	{                                                                                          \
		return body_##name(data, end);                                                     \
	}
NATIVE(fnv)
NATIVE(h64)
NATIVE(prime)
NATIVE(log2)
NATIVE(copy) NATIVE(parse)

	static const struct {
	const char *name;
	u64 (*native)(u8 *data, u8 *end);
} bodies[] = {
	{"fnv", native_fnv},   {"h64", native_h64},   {"prime", native_prime},
	{"log2", native_log2}, {"copy", native_copy}, {"parse", native_parse},
};
#define N_BODIES (sizeof(bodies) / sizeof(bodies[0]))

/* A column of the table: a way to run. NULL is native code. */
static const struct skep_exec *const engines[] = {
	NULL,
	&skep_exec_interp,
	&skep_exec_jit,
};
#define N_ENGINES (sizeof(engines) / sizeof(engines[0]))

struct subject {
	size_t body;
	u8 *data;
	struct context *ctx;
	struct skep_image *image;
	struct skep_program programs[N_ENGINES];
};

/* --- data ----------------------------------------------------------------------------------- */

/* Ethernet, IPv4, TCP with MSS, SACK permitted, timestamps and a window scale. */
static const u8 packet[] = {
	2,   0, 0, 0,  0,  1, 2, 0,  0,    0, 0,    2,    8, 0, 0x45, 0, 0,   60,   0x1c,
	1,   0, 0, 64, 6,  0, 0, 10, 0,    0, 1,    10,   0, 0, 2,    1, 187, 0x9c, 4,
	0,   0, 0, 1,  0,  0, 0, 0,  0xa0, 2, 0xfa, 0xf0, 0, 0, 0,    0, 2,   4,    5,
	180, 4, 2, 8,  10, 1, 2, 3,  4,    0, 0,    0,    0, 1, 3,    3, 7,
};

static void fill(const struct subject *subject)
{
	u32 seed = 12345, prime = 1000003;

	for (size_t i = 0; i < DATA_BYTES; i++) {
		seed = seed * 1103515245 + 12345;
		subject->data[i] = (u8)(seed >> 16);
	}
	if (!strcmp(bodies[subject->body].name, "prime"))
		memcpy(subject->data, &prime, sizeof(prime));
	if (!strcmp(bodies[subject->body].name, "parse"))
		memcpy(subject->data, packet, sizeof(packet));
}

/* --- one engine on one program -------------------------------------------------------------- */

static u64 run_once(const struct subject *subject, size_t engine, struct skep_run *run)
{
	if (!engines[engine])
		return bodies[subject->body].native(subject->data, subject->data + DATA_BYTES);
	/* The code itself, as the native function is; skep_program_run() adds the same to each. */
	const uint64_t args[5] = {(uintptr_t)subject->ctx};
	return engines[engine]->call(&subject->programs[engine], 0, args, run);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double batch_ns(const struct subject *subject, size_t engine, unsigned long n)
{
	volatile u64 sink = 0;
	struct skep_run run = {.budget = UINT64_MAX};
	double start = now_ns();

	for (unsigned long i = 0; i < n; i++)
		sink += run_once(subject, engine, &run);
	return now_ns() - start;
}

/* The best of short batches: what else the machine does between them is not measured. */
static double measure(const struct subject *subject, size_t engine)
{
	unsigned long n = 1;
	double best = batch_ns(subject, engine, n);

	while (best < BATCH_NS)
		best = batch_ns(subject, engine, n *= 2);
	for (int i = 0; i < N_BATCHES; i++) {
		double took = batch_ns(subject, engine, n);
		best = took < best ? took : best;
	}
	return best / (double)n;
}

static int prepare(struct subject *subject, const char *path)
{
	static const struct skep_link_env env = {0};
	_cleanup_buf_ struct skep_buf code = {0}, log = {0};
	char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED || skep_file_read(path, 1 << 20, &code))
		return -1;
	subject->data = (u8 *)low;
	subject->ctx = (struct context *)(low + 4096);
	subject->ctx->data = (uint32_t)(uintptr_t)low;
	subject->ctx->data_end = subject->ctx->data + DATA_BYTES;
	if (skep_image_link((const void *)code.data, (uint32_t)code.len / 8, 3, &env, &log,
			    &subject->image)) {
		fprintf(stderr, "%s: %s", path, log.data);
		return -1;
	}
	for (size_t i = 1; i < N_ENGINES; i++) {
		subject->programs[i] = (struct skep_program){subject->image, engines[i], NULL};
		if (engines[i]->compile(subject->image, &(struct skep_exec_opts){0},
					&subject->programs[i].code))
			return -1;
	}
	fill(subject);
	return 0;
}

/* Do all engines give one result? */
static int compare(const struct subject *subject)
{
	const char *name = bodies[subject->body].name;
	u64 native, result;
	struct skep_run run = {.budget = UINT64_MAX};

	for (size_t i = 1; i < N_ENGINES; i++) {
		fill(subject);
		native = run_once(subject, 0, &run);
		fill(subject);
		result = run_once(subject, i, &run);
		if (result != native) {
			fprintf(stderr, "%s: %s gives %llx, native code %llx\n", name,
				engines[i]->name, result, native);
			return -1;
		}
	}
	return 0;
}

static int find_body(const char *arg, struct subject *subject, const char **ret_path)
{
	const char *equals = strchr(arg, '=');

	for (size_t i = 0; equals && i < N_BODIES; i++) {
		if (strlen(bodies[i].name) == (size_t)(equals - arg) &&
		    !memcmp(bodies[i].name, arg, (size_t)(equals - arg))) {
			subject->body = i;
			*ret_path = equals + 1;
			return 0;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0;

	skep_cpu_enter(); /* as whoever runs programs one after the other does */
	for (int i = 2; i < argc; i++) {
		struct subject subject = {0};
		const char *path = NULL;
		if (find_body(argv[i], &subject, &path) || prepare(&subject, path) ||
		    compare(&subject))
			return 1;
		for (int round = 0; round < rounds; round++) {
			for (size_t k = 0; k < N_ENGINES; k++)
				printf("%s %s %.3f\n", bodies[subject.body].name,
				       engines[k] ? engines[k]->name : "native",
				       measure(&subject, k));
		}
	}
	return rounds ? 0 : 2;
}
