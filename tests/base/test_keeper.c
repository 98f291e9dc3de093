/* A worker that is asked about many: who is late, or breaks it, costs the others nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/keeper.h"

#define ANSWER_MS 500

enum what { ECHO, NEVER, BREAK, WRONG };

struct question {
	uint32_t what, number;
};

static void serve(void *ctx)
{
	struct question question;

	(void)ctx;
	while (skep_work_take(&question, sizeof(question))) {
		if (question.what == NEVER)
			pause();
		if (question.what == BREAK)
			_exit(1);
		question.number += question.what == WRONG;
		skep_work_give(&question.number, sizeof(question.number));
	}
}

static void init(struct skep_keeper *keeper)
{
	const struct skep_worker_job job = {.run = serve, .ending_fd = -1, .answer_ms = ANSWER_MS};

	skep_keeper_init(keeper, &job);
}

static int ask(struct skep_keeper *keeper, uint64_t who, enum what what)
{
	const struct question question = {what, (uint32_t)who};
	uint32_t got = 0;
	int err = skep_keeper_ask(keeper, who, &question, sizeof(question));

	if (!err)
		err = skep_keeper_receive(keeper, &got, sizeof(got));
	if (!err && got != who)
		err = -EBADMSG;
	return skep_keeper_end(keeper, err);
}

static void test_late(void **state)
{
	struct skep_keeper keeper;

	init(&keeper);
	assert_int_equal(ask(&keeper, 1, ECHO), 0);
	assert_int_equal(ask(&keeper, 2, NEVER), -ETIMEDOUT);
	assert_int_equal(ask(&keeper, 2, ECHO), -EBUSY);
	assert_int_equal(ask(&keeper, 1, ECHO), 0);
	assert_int_equal(ask(&keeper, 3, ECHO), 0);
	skep_keeper_done(&keeper);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

static void test_broken(void **state)
{
	struct skep_keeper keeper;

	init(&keeper);
	assert_int_equal(ask(&keeper, 1, BREAK), -EPIPE);
	assert_int_equal(ask(&keeper, 1, ECHO), -EBUSY);
	assert_int_equal(ask(&keeper, 2, ECHO), 0);
	assert_int_equal(ask(&keeper, 3, WRONG), -EBADMSG);
	assert_int_equal(ask(&keeper, 3, ECHO), -EBUSY);
	assert_int_equal(ask(&keeper, 2, ECHO), 0);
	skep_keeper_done(&keeper);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

/* It may be begun again a few times only; and then, when time has gone by. */
static void test_many(void **state)
{
	struct skep_keeper keeper;

	init(&keeper);
	for (uint64_t who = 1; who <= 4; who++)
		assert_int_equal(ask(&keeper, who, BREAK), -EPIPE);
	assert_int_equal(ask(&keeper, 5, ECHO), -EBUSY);
	keeper.filled_ns -= 100ull * ANSWER_MS * 1000000; /* so much later */
	assert_int_equal(ask(&keeper, 1, ECHO), -EBUSY);
	assert_int_equal(ask(&keeper, 5, ECHO), 0);
	skep_keeper_done(&keeper);
}

/* What one has spent by being slow is forgotten in a hundred times that. */
static void test_slow(void **state)
{
	struct skep_keeper keeper;

	init(&keeper);
	keeper.slow[0] = (struct skep_keeper_slow){
		.who = 7, .spent_ns = 2ull * ANSWER_MS * 1000000, .at_ns = keeper.filled_ns};
	keeper.n_slow = 1;
	assert_int_equal(ask(&keeper, 7, ECHO), -EBUSY);
	keeper.slow[0].at_ns -= 101ull * ANSWER_MS * 1000000;
	assert_int_equal(ask(&keeper, 7, ECHO), 0);
	skep_keeper_done(&keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
