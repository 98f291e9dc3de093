/*
 * More paths than may wait: the running kernel and we say so in the same words, and with the errno
 * of whatever parted them last.
 *
 * Not by numbers that are either 0 or negative (arithmetic forks on them too): Linux 6.18.44 takes
 * the fork that there is none of for one, in maybe_fork_scalars(), and dies of it.
 *
 * A program's text is three parts between '|'; the second stands there 8,300 times. Needs CAP_BPF;
 * skips with a message where bpf(2) is refused.
 */
#include "sides.h"

#include <stdlib.h>
#include <string.h>

#define N_REPEATED 8300

#define FILTER     BPF_PROG_TYPE_SOCKET_FILTER
#define END        "r0 = 0\nexit\n"

static const struct program programs[] = {
	{"conditions", FILTER, "r6 = r1\n|r1 = *(u32 *)(r6 +0)\nif r1 == 7 goto pc+0\n|" END},
	{"may_goto", FILTER, "|may_goto pc+0\n|" END},
};

static char *repeat(const struct program *program)
{
	const char *body = strchr(program->text, '|') + 1, *tail = strchr(body, '|') + 1;
	size_t head_len = (size_t)(body - 1 - program->text), body_len = (size_t)(tail - 1 - body);
	char *text = malloc(head_len + N_REPEATED * body_len + strlen(tail) + 1), *at = text;

	if (!text)
		return NULL;
	memcpy(at, program->text, head_len);
	at += head_len;
	for (int i = 0; i < N_REPEATED; i++, at += body_len)
		memcpy(at, body, body_len);
	strcpy(at, tail);
	return text;
}

static const struct sides sides = {
	.programs = programs,
	.n_programs = sizeof(programs) / sizeof(*programs),
	.log_level = 4,
	.text = repeat,
};

static int begin(void **state)
{
	return sides_begin(&sides);
}

static int end(void **state)
{
	sides_end();
	return 0;
}

static void test_too_many(void **state)
{
	sides_compare(&sides);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_too_many)};

	return cmocka_run_group_tests_name("verify/many_paths_kernel", tests, begin, end);
}
