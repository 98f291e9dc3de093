/* The doors to the overlay of the static program do without it what the C library does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#include "../../static/doors.c"

static int loads;

int skep_overlay_load(void)
{
	loads++;
	return 0;
}

int __real___printf_fp(FILE *to, const struct printf_info *how, const void *const *number)
{
	return 17;
}

struct taken {
	unsigned short hours, minutes, seconds;
	int at[3], a, b;
};

static int take_offset(int (*scan)(const char *, const char *, ...), const char *text,
		       struct taken *ret)
{
	return scan(text, "%hu%n:%hu%n:%hu%n", &ret->hours, &ret->at[0], &ret->minutes, &ret->at[1],
		    &ret->seconds, &ret->at[2]);
}

static int take_rule(int (*scan)(const char *, const char *, ...), const char *text,
		     struct taken *ret)
{
	return scan(text, "M%hu.%hu.%hu%n", &ret->hours, &ret->minutes, &ret->seconds, &ret->at[0]);
}

static int take_mount(int (*scan)(const char *, const char *, ...), const char *text,
		      struct taken *ret)
{
	return scan(text, " %d %d ", &ret->a, &ret->b);
}

/* Every format, of every text: the same numbers, and as many. */
static void numbers_are_scanned_alike(void **state)
{
	static const char *const texts[] = {
		"1",    "12:30",   "12:30:59 x", "3:",        ":3",    "x",   "M3.5.0/2",
		"M3.5", "M10.5.0", "M3,5",       "  0   17 ", "0\t-2", "7 x", "1:2x"};
	static int (*const takes[])(int (*)(const char *, const char *, ...), const char *,
				    struct taken *) = {take_offset, take_rule, take_mount};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) * 3; i++) {
		struct taken ours = {0}, theirs = {0};
		const char *text = texts[i / 3];
		assert_int_equal(takes[i % 3](__wrap___isoc99_sscanf, text, &ours),
				 takes[i % 3](sscanf, text, &theirs));
		assert_memory_equal(&ours, &theirs, sizeof(ours));
	}
	assert_int_equal(loads, 0);
}

static void others_need_the_overlay(void **state)
{
	char word[8];
	unsigned number;

	loads = 0;
	assert_int_equal(__wrap___isoc99_sscanf("ab 7", "%7s %u", word, &number), 2);
	assert_string_equal(word, "ab");
	assert_int_equal(number, 7);
	assert_int_equal(loads, 1);
	assert_int_equal(__wrap___printf_fp(NULL, NULL, NULL), 17);
	assert_int_equal(loads, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_scanned_alike),
		cmocka_unit_test(others_need_the_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
