/*
 * How long verification takes, on the running kernel and here:
 *
 *	bench-verify ROUNDS [OBJECT[:PROGRAM][@2]...] [-- ADVERSARY...]
 *
 * For each program, and each of the adversaries of tests/verify that are named (by the beginning of
 * their names; "" all), a line for each side: name, side, errno, instructions processed, the median
 * of ROUNDS in nanoseconds, bytes of memory at the most. Sides take turns. Each loading has a
 * process of its own, so that none finds the memory warm, or in pieces, that another left. @2: with
 * a whole log of level 2.
 */
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adversaries.h"

#define MOST_ROUNDS 99
#define MOST_S      120 /* a loading */

struct subject {
	const char *name;
	int adversary; /* its number; -1: an object's program */
};

static void load(const struct subject *subject, enum bench_side side, struct bench_finding *ret)
{
	if (subject->adversary >= 0)
		bench_load_adversary((unsigned)subject->adversary, side, ret);
	else
		bench_load_object(subject->name, side, ret);
}

static void load_apart(const struct subject *subject, enum bench_side side,
		       struct bench_finding *shared)
{
	int status = 0;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (!pid) {
		alarm(MOST_S);
		load(subject, side, shared);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		shared->err = -WTERMSIG(status);
}

static int compare_ns(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const struct subject *subject, enum bench_side side,
		  const struct bench_finding *last, double *ns, unsigned rounds)
{
	static const char *const sides[] = {"kernel", "skep"};

	qsort(ns, rounds, sizeof(*ns), compare_ns);
	printf("%s %s %d %u %.0f %llu\n", subject->name, sides[side], last->err, last->n_insns,
	       ns[rounds / 2], (unsigned long long)last->peak_bytes);
	fflush(stdout);
}

static void measure(const struct subject *subject, unsigned rounds, struct bench_finding *shared)
{
	double ns[BENCH_SIDES][MOST_ROUNDS];
	struct bench_finding last[BENCH_SIDES];

	for (unsigned round = 0; round < rounds; round++)
		for (int side = 0; side < BENCH_SIDES; side++) {
			load_apart(subject, (enum bench_side)side, shared);
			ns[side][round] = shared->ns;
			last[side] = *shared;
		}
	for (int side = 0; side < BENCH_SIDES; side++)
		print(subject, (enum bench_side)side, &last[side], ns[side], rounds);
}

static void measure_adversaries(const char *name, unsigned rounds, struct bench_finding *shared)
{
	for (unsigned i = 0; i < n_adversaries; i++)
		if (!strncmp(adversaries[i].name, name, strlen(name)))
			measure(&(struct subject){adversaries[i].name, (int)i}, rounds, shared);
}

int main(int argc, char **argv)
{
	struct bench_finding *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	bool adversary = false;

	if (!rounds || rounds > MOST_ROUNDS || shared == MAP_FAILED)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--"))
			adversary = true;
		else if (adversary)
			measure_adversaries(argv[i], rounds, shared);
		else
			measure(&(struct subject){argv[i], -1}, rounds, shared);
	}
	return 0;
}
