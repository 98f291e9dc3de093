/* skep doctor as a person runs it: output, exit status, with and without privileges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/doctor/doctor.h"
#include "linux/choice.h"

/* Run it in a child, as @user if that is not 0; its exit status and what it wrote. */
static int doctor(uid_t user, const char *option, struct skep_buf *ret_out)
{
	char *argv[] = {(char *)"doctor", (char *)option, NULL};
	int fds[2], status;

	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	if (child == 0) {
		if (user && setuid(user))
			_exit(99);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		optind = 1;
		status = skep_cmd_doctor(option ? 2 : 1, argv);
		fflush(stdout);
		_exit(status);
	}
	close(fds[1]);
	assert_int_equal(skep_fd_read(fds[0], 1 << 20, ret_out), 0);
	close(fds[0]);
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void the_table_has_every_group(void **state)
{
	_cleanup_buf_ struct skep_buf out = {0};

	assert_int_equal(doctor(0, NULL, &out), 0);
	for (int group = 0; group < SKEP_GROUP_CNT; group++)
		assert_non_null(strstr(out.data, skep_feature_group_name(group)));
	assert_int_equal(count(out.data, "\n  yes  ") + count(out.data, "\n  no   "),
			 SKEP_FEATURE_CNT);
	assert_non_null(strstr(out.data, "tracing is usable\n"));
	assert_null(strstr(out.data, "\033"));
}

static void json_has_one_object_a_line(void **state)
{
	_cleanup_buf_ struct skep_buf out = {0};

	assert_int_equal(doctor(0, "--json", &out), 0);
	assert_int_equal(count(out.data, "\n"), SKEP_FEATURE_CNT + SKEP_PURPOSE_CNT + 1);
	assert_int_equal(count(out.data, "{\"type\": \"feature\""), SKEP_FEATURE_CNT);
	assert_int_equal(count(out.data, "{\"type\": \"choice\""), SKEP_PURPOSE_CNT);
	assert_int_equal(count(out.data, "}\n"), SKEP_FEATURE_CNT + SKEP_PURPOSE_CNT + 1);
	assert_non_null(strstr(out.data, "\"tracing\": true}\n"));
}

/* Features that SKEP_WITHOUT takes away: they are missed, and others are used. */
static void choices_follow_the_features(void **state)
{
	_cleanup_buf_ struct skep_buf all = {0}, less = {0}, json = {0};

	assert_int_equal(doctor(0, NULL, &all), 0);
	assert_non_null(strstr(all.data, "  events                      ring buffer\n"));
	assert_non_null(strstr(all.data, "  values kept with threads    task storage\n"));
	setenv("SKEP_WITHOUT", "ringbuf,batched_map_reads", 1);
	assert_int_equal(doctor(0, "--missing", &less), 0);
	assert_int_equal(doctor(0, "--json", &json), 0);
	unsetenv("SKEP_WITHOUT");
	assert_non_null(strstr(less.data, "why: SKEP_WITHOUT says so"));
	assert_non_null(strstr(less.data, "  events                      perf buffers, one for "
					  "each CPU\n       not: ring buffer\n       lost: "));
	assert_null(strstr(less.data, "values kept with threads    "));
	assert_non_null(strstr(json.data, "\"for\": \"map reads\", \"uses\": \"one entry after the "
					  "other\", \"best\": false, \"instead_of\": "
					  "\"batches\", \"lost\": \""));
}

/* The first way of each purpose loses nothing, and all others say what they lose. */
static void every_purpose_has_ways(void **state)
{
	size_t n = 0;

	for (int i = 0; i < SKEP_PURPOSE_CNT; i++) {
		const struct skep_way *ways = skep_best_way(i);
		assert_true(skep_purpose_name(i)[0] && skep_n_ways(i) > 1);
		for (size_t k = 0; k < skep_n_ways(i); k++, n++)
			assert_true(ways[k].by[0] && !ways[k].lost[0] == !k);
	}
	assert_ptr_equal(skep_best_way(0) + n - 1, skep_best_way(SKEP_PURPOSE_CNT - 1) +
							   skep_n_ways(SKEP_PURPOSE_CNT - 1) - 1);
}

static void without_privileges_it_says_what_is_missing(void **state)
{
	_cleanup_buf_ struct skep_buf out = {0};

	assert_int_equal(doctor(65534, "--missing", &out), 1);
	assert_non_null(strstr(out.data, "tracing is not usable; it needs bpf(2)"));
	assert_non_null(strstr(out.data, "user 65534 lacks CAP_BPF"));
	assert_null(strstr(out.data, "\n  yes  "));
}

static void options_are_checked(void **state)
{
	_cleanup_buf_ struct skep_buf out = {0};

	assert_int_equal(doctor(0, "--help", &out), 0);
	assert_non_null(strstr(out.data, "Usage: skep doctor"));
	assert_int_equal(doctor(0, "--nonsense", &out), 2);
	assert_int_equal(doctor(0, "word", &out), 2);
	assert_int_equal(doctor(0, "-fxml", &out), 2);
}

static int need_root(void **state)
{
	if (geteuid() == 0 && skep_has_feature(SKEP_FEATURE_BPF))
		return 0;
	print_message("skipped: needs root with CAP_BPF\n");
	_exit(77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_every_group),
		cmocka_unit_test(json_has_one_object_a_line),
		cmocka_unit_test(choices_follow_the_features),
		cmocka_unit_test(every_purpose_has_ways),
		cmocka_unit_test(without_privileges_it_says_what_is_missing),
		cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
