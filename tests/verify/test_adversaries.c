/*
 * Programs that take a verifier's time (adversaries.h): the verdict and how much was looked at are
 * the kernel's. How long it takes is measured in bench/verify.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/machine.h>
#include <skep/verify.h>

#include "adversaries.h"

#define LOG_BYTES (1u << 20)

static struct skep_machine *machine;
static struct skep_verify_report last;
static char log_text[LOG_BYTES];

static void keep_report(void *ctx, const struct skep_verify_program *program,
			const struct skep_verify_opts *opts, int err,
			const struct skep_verify_report *report)
{
	last = *report;
}

static long machine_bpf(int cmd, void *attr, unsigned size)
{
	return skep_machine_bpf(machine, cmd, attr, size);
}

static long kernel_bpf(int cmd, void *attr, unsigned size)
{
	return syscall(__NR_bpf, cmd, attr, size);
}

static uint32_t processed(void)
{
	const char *at = strstr(log_text, "processed ");

	return at ? (uint32_t)strtoul(at + strlen("processed "), NULL, 10) : 0;
}

static void is_decided_so(const struct adversary *adversary)
{
	int err = adversary_load(adversary, adversary->n, machine_bpf, log_text, LOG_BYTES);

	if (err != adversary->err || last.n_processed != adversary->n_processed)
		print_message("%s: errno %d, %u instructions\n", adversary->name, err,
			      last.n_processed);
	assert_int_equal(err, adversary->err);
	assert_int_equal(last.n_processed, adversary->n_processed);
	if (adversary->most_bytes)
		assert_in_range(last.peak_bytes, 1, adversary->most_bytes);
	if (adversary->refusal)
		assert_string_equal(last.refusal, adversary->refusal);
	else
		assert_null(last.refusal);
}

static void test_verdicts(void **state)
{
	for (unsigned i = 0; i < n_adversaries; i++)
		is_decided_so(&adversaries[i]);
}

static void test_as_the_kernel(void **state)
{
	int err;

	for (unsigned i = 0; i < n_adversaries; i++) {
		const struct adversary *adversary = &adversaries[i];

		memset(log_text, 0, LOG_BYTES);
		if (adversary->not_on_kernel)
			continue;
		err = adversary_load(adversary, adversary->n, kernel_bpf, log_text, LOG_BYTES);
		if (!processed()) {
			print_message("the kernel is not asked: bpf(2) is refused here\n");
			skip();
		}
		assert_int_equal(err, adversary->err);
		assert_int_equal(processed(), adversary->n_processed);
	}
}

int main(void)
{
	const struct skep_machine_opts opts = {.verified = keep_report};
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts),
					   cmocka_unit_test(test_as_the_kernel)};
	int failed = skep_machine_new(&opts, &machine) ? 1 : 0;

	if (!failed)
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	skep_machine_free(machine);
	return failed;
}
