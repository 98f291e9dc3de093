/*
 * Nanoseconds that programs take, in each way that there is to run them. A line
 * an answer, "program way ns", and "program compile ns" for the JIT's work.
 *
 *	bench-machine ROUNDS NAME=FILE...
 *
 * FILE holds a program's instructions. Every round measures all ways one after
 * the other, so that what disturbs one disturbs all. The programs on maps are
 * in maps.c; of those, the time of one operation is said.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <skep/helper.h>

#include "base/buf.h"
#include "base/fd.h"

#include "bodies.h"

#define BATCH_NS  50e3
#define N_BATCHES 40
#define MOST      32

/* As programs.bpf.c has them: native code too is given the context and finds the packet by it. */
#define EACH_BODY(X) X(nop) X(fnv) X(h64) X(prime) X(log2) X(copy) X(parse)
#define NATIVE(name)                                                                               \
	static __attribute__((noinline)) uint64_t native_##name(const struct context *ctx)         \
	{                                                                                          \
		return body_##name((u8 *)(uintptr_t)ctx->data, (u8 *)(uintptr_t)ctx->data_end);    \
	}
static u64 body_nop(const u8 *data, const u8 *end)
{
	return 0;
}
EACH_BODY(NATIVE)

#define ROW(name) {#name, native_##name},
static const struct body {
	const char *name;
	uint64_t (*native)(const struct context *ctx);
} bodies[] = {EACH_BODY(ROW)};
#define N_BODIES (sizeof(bodies) / sizeof(bodies[0]))

/* The columns of the table. */
static const struct way *const ways[] = {
	&way_native, &way_interp, &way_jit, &way_run, &way_ubpf, &way_kernel,
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static struct subject subjects[MOST];
static unsigned n_subjects;

/* --- data ----------------------------------------------------------------------------------- */

/* Ethernet, IPv4, TCP with MSS, SACK permitted, timestamps and a window scale. */
static const u8 packet[] = {
	2,   0, 0, 0,  0,  1, 2, 0,  0,    0, 0,    2,    8, 0, 0x45, 0, 0,   60,   0x1c,
	1,   0, 0, 64, 6,  0, 0, 10, 0,    0, 1,    10,   0, 0, 2,    1, 187, 0x9c, 4,
	0,   0, 0, 1,  0,  0, 0, 0,  0xa0, 2, 0xfa, 0xf0, 0, 0, 0,    0, 2,   4,    5,
	180, 4, 2, 8,  10, 1, 2, 3,  4,    0, 0,    0,    0, 1, 3,    3, 7,
};

void bench_fill(const struct subject *subject)
{
	u32 seed = 12345, prime = 1000003;

	for (size_t i = 0; i < DATA_BYTES; i++) {
		seed = seed * 1103515245 + 12345;
		subject->data[i] = (u8)(seed >> 16);
	}
	if (!strcmp(subject->name, "prime"))
		memcpy(subject->data, &prime, sizeof(prime));
	if (!strcmp(subject->name, "parse"))
		memcpy(subject->data, packet, sizeof(packet));
}

double bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- one way on one program ----------------------------------------------------------------- */

static unsigned long batch_size(const struct way *way, const struct subject *subject, void *state)
{
	unsigned long n = 1;
	uint64_t result;

	while (!subject->most_runs && way->batch(subject, state, n, &result) < BATCH_NS)
		n *= 2;
	return n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * The lower quartile of short batches. What else the machine does between them is not measured;
 * the very best are not to be trusted: in virtual machines the clock now and then counts too
 * little.
 */
static double quartile(double *ns)
{
	qsort(ns, N_BATCHES, sizeof(*ns), by_value);
	return ns[N_BATCHES / 4];
}

static double measure(const struct way *way, const struct subject *subject, void *state)
{
	unsigned long n = batch_size(way, subject, state);
	double ns[N_BATCHES];
	uint64_t result;

	for (int i = 0; i < N_BATCHES; i++)
		ns[i] = way->batch(subject, state, n, &result);
	return quartile(ns) / (double)n / subject->ops;
}

/* How long it takes to make code of it. */
static double measure_compile(const struct subject *subject)
{
	double ns[N_BATCHES];

	for (int i = 0; i < N_BATCHES; i++) {
		double start = bench_now_ns();
		struct skep_code *code = NULL;
		if (skep_exec_jit.compile(subject->image, &(struct skep_exec_opts){0}, &code))
			exit(1);
		ns[i] = bench_now_ns() - start;
		skep_exec_jit.free(code);
	}
	return quartile(ns);
}

/* All ways on @subject; those that can run it must agree. */
static int open_ways(const struct subject *subject, void *states[N_WAYS], bool open[N_WAYS])
{
	uint64_t expected = 0, result;
	bool any = false;

	for (size_t i = 0; i < N_WAYS; i++) {
		int err = ways[i]->open(subject, &states[i]);
		if (err && err != -ENOTSUP)
			return err;
		open[i] = !err;
		if (err)
			continue;
		bench_fill(subject);
		ways[i]->batch(subject, states[i], 1, &result);
		if (any && (u32)result != (u32)expected) {
			fprintf(stderr, "%s: %s gives %#lx, not %#lx\n", subject->name,
				ways[i]->name, (unsigned long)result, (unsigned long)expected);
			return -EINVAL;
		}
		expected = result;
		any = true;
	}
	return 0;
}

static int run_subject(const struct subject *subject, int rounds)
{
	void *states[N_WAYS] = {NULL};
	bool open[N_WAYS] = {false};
	int err = open_ways(subject, states, open);

	if (err)
		return err;
	for (int round = 0; round < rounds; round++) {
		printf("%s compile %.3f\n", subject->name, measure_compile(subject));
		for (size_t i = 0; i < N_WAYS; i++)
			if (open[i])
				printf("%s %s %.3f\n", subject->name, ways[i]->name,
				       measure(ways[i], subject, states[i]));
	}
	for (size_t i = 0; i < N_WAYS; i++)
		if (open[i])
			ways[i]->close(states[i]);
	return 0;
}

/* --- subjects ------------------------------------------------------------------------------- */

static int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	*ret = ((struct subject *)ctx)->map;
	skep_map_ref(*ret);
	return 0;
}

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = skep_helper(id);
	return *ret ? 0 : -EINVAL;
}

static int prepare(struct subject *subject)
{
	const struct skep_link_env env = {.map = find_map, .helper = find_helper, .ctx = subject};
	_cleanup_buf_ struct skep_buf log = {0};
	char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int err;

	if (low == MAP_FAILED)
		return -errno;
	subject->data = (u8 *)low;
	subject->ctx = (struct context *)(low + 4096);
	subject->ctx->data = (uint32_t)(uintptr_t)low;
	subject->ctx->data_end = subject->ctx->data + DATA_BYTES;
	err = skep_image_link(subject->insns, subject->n_insns, 3, &env, &log, &subject->image);
	if (err)
		fprintf(stderr, "%s: %s", subject->name, log.data ? log.data : "no image\n");
	return err;
}

/* NAME=FILE */
static int read_subject(const char *arg, struct subject *ret)
{
	const char *equals = strchr(arg, '=');
	struct skep_buf code = {0};

	for (size_t i = 0; equals && i < N_BODIES; i++) {
		size_t len = (size_t)(equals - arg);
		if (strlen(bodies[i].name) != len || memcmp(bodies[i].name, arg, len))
			continue;
		*ret = (struct subject){.name = bodies[i].name,
					.native = bodies[i].native,
					.ops = 1,
					.kernel_map = -1};
		int err = skep_file_read(equals + 1, 1 << 20, &code);
		ret->insns = (struct skep_insn *)code.data; /* kept until the end */
		ret->n_insns = (uint32_t)code.len / 8;
		return err;
	}
	return -EINVAL;
}

static int gather(int argc, char **argv)
{
	int n, err = 0;

	for (int i = 2; !err && i < argc && n_subjects < MOST; i++)
		err = read_subject(argv[i], &subjects[n_subjects++]);
	if (err)
		return err;
	n = bench_map_subjects(&subjects[n_subjects], MOST - n_subjects);
	n_subjects += n < 0 ? 0 : (unsigned)n;
	for (unsigned i = 0; n >= 0 && !err && i < n_subjects; i++)
		err = prepare(&subjects[i]);
	return n < 0 ? n : err;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, err;

	if (rounds <= 0)
		return 2;
	skep_cpu_enter(); /* as whoever runs programs one after the other does */
	err = gather(argc, argv);
	for (unsigned i = 0; !err && i < n_subjects; i++)
		err = run_subject(&subjects[i], rounds);
	if (err)
		fprintf(stderr, "bench-machine: %s\n", strerror(-err));
	return err ? 1 : 0;
}
