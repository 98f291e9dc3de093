/*
 * Random programs: the machine's modes and the running kernel leave the same
 * result, packet, context and maps.
 *
 *	SKEP_PROGRAMS          how many in all modes of the machine (4,000)
 *	SKEP_PROGRAMS_KERNEL   how many of them on the kernel too (400)
 *	SKEP_PROGRAMS_SEED     where to begin (0): case N has seed N
 *	SKEP_PROGRAMS_NOTE     a file that always has the seed that the kernel is at
 *
 * The kernel's part runs in a child: its verifier has crashed on generated
 * programs before, and the child with it. Programs begin straight and small.
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
#include <unistd.h>

#include <cmocka.h>

#include "lab.h"

#define MOST_COMPLAINTS 3

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void complain(struct lab_case *lab, enum lab_engine a, enum lab_engine b)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct lab_outcome of_a, of_b;
	const char *differs;
	char what[200];

	if (!getenv("SKEP_NO_SHRINK"))
		lab_shrink(lab, a, b);
	lab_run(a, lab, &of_a, NULL);
	lab_run(b, lab, &of_b, NULL);
	differs = lab_differ(&of_a, &of_b, what);
	lab_print(lab, &text);
	fprintf(stderr, "%s and %s differ: %s\n%s\n", lab_engine_names[a], lab_engine_names[b],
		differs ? differs : "it does not run", text.data);
}

/* Small and straight first, then all that there is. */
static struct lab_size size_of(uint64_t at, uint64_t n)
{
	if (at < n / 4)
		return (struct lab_size){6, true};
	return at < n / 2 ? (struct lab_size){6, false} : (struct lab_size){14, false};
}

/* --- The machine's modes --------------------------------------------------------------------- */

static bool modes_differ(struct lab_case *lab, uint64_t round, uint64_t *n_unproven)
{
	/* the odd ways of running take turns */
	const enum lab_engine others[] = {LAB_INTERP, LAB_JIT, LAB_INTERP_BUDGET + round / 4 % 3};
	size_t n = round % 4 ? 2 : 3;
	struct lab_outcome first, other;
	char what[200];

	lab_run(LAB_CHECKED, lab, &first, NULL);
	/* A program that is refused would do anything elsewhere. */
	if (first.load_err || first.run_err || *first.fault) {
		complain(lab, LAB_CHECKED, LAB_CHECKED);
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		lab_run(others[i], lab, &other, NULL);
		if (other.load_err) {
			(*n_unproven)++; /* the verifier knows less than who sees it run */
			return false;
		}
		if (lab_differ(&first, &other, what)) {
			complain(lab, LAB_CHECKED, others[i]);
			return true;
		}
	}
	return false;
}

static void test_modes_agree(void **state)
{
	uint64_t n = number("SKEP_PROGRAMS", 4000), seed = number("SKEP_PROGRAMS_SEED", 0);
	uint64_t n_unproven = 0;
	unsigned n_wrong = 0;

	assert_int_equal(lab_open(false), 0);
	for (uint64_t i = 0; i < n && n_wrong < MOST_COMPLAINTS; i++) {
		static const struct lab_size size = {14, false};
		struct lab_case lab;

		lab_generate(seed + i, &size, &lab);
		n_wrong += modes_differ(&lab, i, &n_unproven);
	}
	lab_close();
	print_message("%llu of %llu programs were not verified\n", (unsigned long long)n_unproven,
		      (unsigned long long)n);
	assert_int_equal(n_wrong, 0);
	assert_true(n_unproven * 20 <= n);
}

/* --- And the kernel -------------------------------------------------------------------------- */

/** Shared with the child. */
struct progress {
	uint64_t at; /* seed */
	uint32_t n_run, n_refused, n_wrong;
	bool usable;
};

static void note(struct progress *progress, uint64_t seed)
{
	const char *path = getenv("SKEP_PROGRAMS_NOTE");
	FILE *file = path ? fopen(path, "w") : NULL;

	progress->at = seed;
	if (!file)
		return;
	fprintf(file, "%llu\n", (unsigned long long)seed);
	fflush(file);
	fsync(fileno(file));
	fclose(file);
}

static void print_refusal(const struct lab_case *lab, const char *log)
{
	const char *end = strstr(log, "processed ");
	size_t n = end ? (size_t)(end - log) : strlen(log), from = n;

	for (int lines = 0; from && lines < 3; from--)
		lines += log[from - 1] == '\n';
	print_message("seed %llu, refused: %.*s\n", (unsigned long long)lab->seed, (int)(n - from),
		      log + from);
}

static void one_on_kernel(struct lab_case *lab, struct progress *progress)
{
	_cleanup_buf_ struct skep_buf log = {0};
	struct lab_outcome kernel, ours;
	char what[200];

	note(progress, lab->seed);
	lab_run(LAB_KERNEL, lab, &kernel, getenv("SKEP_PROGRAMS_LOG") ? &log : NULL);
	if (kernel.load_err) {
		progress->n_refused++;
		if (log.data)
			print_refusal(lab, log.data);
		return;
	}
	progress->n_run++;
	lab_run(LAB_CHECKED, lab, &ours, NULL);
	if (lab_differ(&ours, &kernel, what)) {
		complain(lab, LAB_CHECKED, LAB_KERNEL);
		progress->n_wrong++;
	}
}

static bool kernel_usable(void)
{
	const struct skep_insn insns[] = {skep_alu64_imm(SKEP_MOV, SKEP_R0, 0), skep_exit()};
	struct lab_case lab = {.n = 2, .packet_bytes = 64};
	struct lab_outcome outcome;

	memcpy(lab.insns, insns, sizeof(insns));
	lab_run(LAB_KERNEL, &lab, &outcome, NULL);
	return !outcome.load_err;
}

static void on_kernel(struct progress *progress, uint64_t seed, uint64_t n)
{
	if (lab_open(true) || !kernel_usable())
		return;
	progress->usable = true;
	for (uint64_t i = 0; i < n && progress->n_wrong < MOST_COMPLAINTS; i++) {
		struct lab_size size = size_of(i, n);
		struct lab_case lab;

		lab_generate(seed + i, &size, &lab);
		one_on_kernel(&lab, progress);
	}
	lab_close();
}

static void test_as_the_kernel(void **state)
{
	uint64_t n = number("SKEP_PROGRAMS_KERNEL", 400), seed = number("SKEP_PROGRAMS_SEED", 0);
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;

	assert_true(progress != MAP_FAILED);
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		on_kernel(progress, seed, n);
		fflush(stdout);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child died at seed %llu: status %#x",
			 (unsigned long long)progress->at, status);
	if (!progress->usable && n) {
		print_message("[  SKIPPED ] programs cannot be loaded here\n");
		skip();
	}
	print_message("%u programs ran on the kernel, %u were refused\n", progress->n_run,
		      progress->n_refused);
	assert_int_equal(progress->n_wrong, 0);
	assert_true(progress->n_run * 2 >= n);
	munmap(progress, sizeof(*progress));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes_agree),
		cmocka_unit_test(test_as_the_kernel),
	};

	return cmocka_run_group_tests_name("oracle/programs", tests, NULL, NULL);
}
