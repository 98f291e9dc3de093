/*
 * Programs that the verifier accepts do nothing that it did not see: see soundness.h.
 *
 *	SKEP_SOUND_PROGRAMS    how many (40,000)
 *	SKEP_SOUND_SEED        where to begin (0): program N has seed N
 *	SKEP_SOUND_JOBS        processes (1)
 *	SKEP_SOUND_EXTENDED=1  extended mode's second walk, in which states are joined
 *	SKEP_SOUND_LOG=1       why programs are refused, with the log
 *	SKEP_SOUND_COVER=1     which instructions, helpers and kinds of pointers occurred
 *	SKEP_SOUND_SHOW=1      the programs themselves
 *	SKEP_SOUND_FINDINGS    how many end a process (3)
 *
 * Each process has a range of seeds. A program that escapes is made smaller, and printed with its
 * seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "soundness.h"

#define MOST_JOBS     16
#define MOST_FINDINGS 3 /* of a process, if not SKEP_SOUND_FINDINGS */
#define MOST_REASONS  48

/** What refuses programs, by the rule's name. */
struct reason {
	char name[40];
	uint64_t n;
};

/** Of one process, shared with the first. */
struct job {
	struct sound_counts counts;
	struct reason reasons[MOST_REASONS];
	uint64_t seed;
	uint32_t n_unlinked, n_escaped, n_disputed, n_broken;
};

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* --- One process ----------------------------------------------------------------------------- */

static void count_reason(struct job *job, const char *name)
{
	for (int i = 0; i < MOST_REASONS; i++) {
		struct reason *reason = &job->reasons[i];

		if (reason->n && strncmp(reason->name, name, sizeof(reason->name) - 1))
			continue;
		snprintf(reason->name, sizeof(reason->name), "%.39s", name);
		reason->n++;
		return;
	}
}

static void complain(struct sound *sound, struct typed_program *p, enum sound_outcome outcome)
{
	static const char *const words[] = {
		[SOUND_ESCAPED] = "it does what the verifier did not see",
		[SOUND_DISPUTED] = "the verdict depends on pruning",
		[SOUND_BROKEN] = "a state contradicts itself",
	};
	_cleanup_buf_ struct skep_buf text = {0};
	struct sound_finding finding;

	if (!getenv("SKEP_NO_SHRINK"))
		sound_shrink(sound, p, outcome);
	sound_try(sound, p, &finding);
	typed_print(p, &text);
	fprintf(stderr, "%s: instruction %d, %s\n%s\n", words[outcome], (int)finding.insn,
		finding.why, text.data);
}

static void one(struct sound *sound, struct job *job, uint64_t seed)
{
	struct typed_program program;
	struct sound_finding finding;
	enum sound_outcome outcome;

	job->seed = seed;
	typed_generate(seed, sound->kernel ? &sound->kfuncs : NULL, &program);
	if (getenv("SKEP_SOUND_SHOW")) {
		_cleanup_buf_ struct skep_buf text = {0};
		typed_print(&program, &text);
		fprintf(stderr, "%s\n", text.data);
	}
	outcome = sound_try(sound, &program, &finding);
	job->n_unlinked += outcome == SOUND_UNLINKED;
	job->n_escaped += outcome == SOUND_ESCAPED;
	job->n_disputed += outcome == SOUND_DISPUTED;
	job->n_broken += outcome == SOUND_BROKEN;
	if (outcome == SOUND_REFUSED)
		count_reason(job, finding.why);
	if (outcome > SOUND_FINE)
		complain(sound, &program, outcome);
}

static void work(struct job *job, uint64_t seed, uint64_t n)
{
	struct sound sound = {.print_refusals = getenv("SKEP_SOUND_LOG")};
	uint64_t most = number("SKEP_SOUND_FINDINGS", MOST_FINDINGS);

	if (sound_open(&sound, &job->counts))
		_exit(1);
	skep_cpu_enter();
	for (uint64_t i = 0; i < n; i++) {
		one(&sound, job, seed + i);
		if (job->n_escaped + job->n_disputed + job->n_broken >= most)
			break;
	}
	skep_cpu_leave();
	sound_close(&sound);
}

/* --- All of them ----------------------------------------------------------------------------- */

static void print_reasons(const struct job *jobs, uint64_t n_jobs)
{
	for (uint64_t j = 0; j < n_jobs; j++)
		for (int i = 0; i < MOST_REASONS && jobs[j].reasons[i].n; i++)
			print_message("  refused %8llu  %s\n",
				      (unsigned long long)jobs[j].reasons[i].n,
				      jobs[j].reasons[i].name);
}

static void print_coverage(const struct sound_counts *counts)
{
	static const char *const kinds[] = {
#define REG_KIND(NAME, word) #NAME,
#include "verify/reg_kinds.def"
#undef REG_KIND
	};
	unsigned n_codes = 0;

	for (int i = 0; i < 256; i++)
		n_codes += counts->codes[i] != 0;
	print_message("  %u opcodes; helpers:", n_codes);
	for (int i = 0; i < 256; i++)
		if (counts->helpers[i])
			print_message(" %d (%llu)", i, (unsigned long long)counts->helpers[i]);
	print_message("\n  registers:");
	for (int i = 0; i < REG_KIND_CNT; i++)
		if (counts->kinds[i])
			print_message(" %s %llu", kinds[i], (unsigned long long)counts->kinds[i]);
	print_message("\n  slots: spilled %llu, iterators %llu, dynptrs %llu; in callees %llu\n",
		      (unsigned long long)counts->spills, (unsigned long long)counts->iterators,
		      (unsigned long long)counts->dynptrs, (unsigned long long)counts->callees);
}

/* Counts are numbers, one after the other. */
static void add_counts(struct sound_counts *sum, const struct sound_counts *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const struct job *jobs, uint64_t n_jobs, double took)
{
	struct sound_counts sum = {0};
	uint32_t unlinked = 0, escaped = 0, disputed = 0, broken = 0;

	for (uint64_t j = 0; j < n_jobs; j++) {
		add_counts(&sum, &jobs[j].counts);
		unlinked += jobs[j].n_unlinked;
		escaped += jobs[j].n_escaped;
		disputed += jobs[j].n_disputed;
		broken += jobs[j].n_broken;
	}
	print_message("%llu programs in %.0f s, %llu accepted, %llu of these strictly; %llu "
		      "verdicts with every path walked; %llu runs, %llu instructions; %u are no "
		      "programs\n",
		      (unsigned long long)sum.programs, took, (unsigned long long)sum.accepted,
		      (unsigned long long)sum.strict, (unsigned long long)sum.compared,
		      (unsigned long long)sum.runs, (unsigned long long)sum.steps, unlinked);
	print_message("%u escaped, %u verdicts differed, %u states contradicted themselves\n",
		      escaped, disputed, broken);
	if (getenv("SKEP_SOUND_COVER")) {
		print_reasons(jobs, n_jobs);
		print_coverage(&sum);
	}
	assert_int_equal(escaped + broken, 0);
	/* A few are no holes: see docs/soundness.md. */
	assert_true(disputed <= sum.programs / 100000);
	assert_true(sum.programs < 100 || sum.accepted * 2 >= sum.programs);
}

static void test_programs_do_what_was_seen(void **state)
{
	uint64_t n = number("SKEP_SOUND_PROGRAMS", 40000), seed = number("SKEP_SOUND_SEED", 0);
	uint64_t n_jobs = number("SKEP_SOUND_JOBS", 1);
	struct job *jobs = mmap(NULL, MOST_JOBS * sizeof(*jobs), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[MOST_JOBS];
	double began = seconds();

	assert_true(jobs != MAP_FAILED && n_jobs && n_jobs <= MOST_JOBS);
	fflush(stdout);
	for (uint64_t j = 0; j < n_jobs; j++) {
		children[j] = fork();
		if (!children[j]) {
			work(&jobs[j], seed + n * j / n_jobs,
			     n * (j + 1) / n_jobs - n * j / n_jobs);
			_exit(0);
		}
	}
	for (uint64_t j = 0; j < n_jobs; j++) {
		int status = 0;

		assert_int_equal(waitpid(children[j], &status, 0), children[j]);
		if (status)
			fail_msg("seed %llu ended its process: status %#x",
				 (unsigned long long)jobs[j].seed, (unsigned)status);
	}
	report(jobs, n_jobs, seconds() - began);
	munmap(jobs, MOST_JOBS * sizeof(*jobs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs_do_what_was_seen),
	};

	return cmocka_run_group_tests_name("oracle/soundness", tests, NULL, NULL);
}
