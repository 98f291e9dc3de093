/*
 * printf(): conversions of integers are held against the C library's on random
 * formats; the language's own against what bpftrace's runtime tests expect.
 */
#include "output_test.h"

#include <time.h>

#include "trace/run/output_impl.h"

/* --- Against the C library -------------------------------------------------------------------- */

static uint32_t seed = 12345;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_format(char *ret, const char **ret_length, char *ret_type)
{
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "j", "z", "t"};
	char *at = ret;

	*at++ = '%';
	for (const char *flag = "-+ #0"; *flag; flag++) {
		if (random_below(4) == 0)
			*at++ = *flag;
	}
	if (random_below(2))
		at += sprintf(at, "%u", 1 + random_below(24));
	if (random_below(3) == 0)
		at += sprintf(at, ".%u", random_below(24));
	*ret_length = lengths[random_below(8)];
	*ret_type = "diuoxX"[random_below(6)];
	sprintf(at, "%s%c", *ret_length, *ret_type);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
static void by_libc(char *ret, size_t size, const char *format, const char *length, int64_t value)
{
	if (!strcmp(length, "hh") || !strcmp(length, "h") || !strcmp(length, ""))
		snprintf(ret, size, format, (int)value);
	else
		snprintf(ret, size, format, (long long)value);
}

static void test_integers_as_libc(void **state)
{
	struct bench b;

	bench_init(&b);
	for (int i = 0; i < 200000; i++) {
		char format[64], want[256], type;
		const char *length;
		int64_t value = (int64_t)((uint64_t)random_below(1 << 24) << random_below(40));
		if (random_below(2))
			value = -value;
		if (random_below(16) == 0)
			value = 0;
		random_format(format, &length, &type);
		by_libc(want, sizeof(want), format, length, value);
		bench_again(&b);
		arg_s64(&b, value);
		const char *got = print_event(&b, SKEP_EV_PRINTF, format);
		if (strcmp(got, want))
			fail_msg("%s of %lld: '%s', libc: '%s'", format, (long long)value, got,
				 want);
	}
	bench_done(&b);
}

/* --- A table of formats with their arguments ------------------------------------------------- */

struct value {
	char kind; /* d: s64, u: u64, w: s32, b: bool, s: string[16], p: pointer, c: u8; \0: end */
	int64_t number;
	const char *text;
};

static const struct {
	const char *format;
	struct value values[4];
	const char *want;
} cases[] = {
	{"hello\n", {{0}}, "hello\n"},
	{"", {{0}}, ""},
	{"100%%\n", {{0}}, "100%\n"},
	{"%%%d%%%%", {{'d', 5}}, "%5%%"},
	{"test %d", {{'d', 5}}, "test 5"},
	{"%s %d\n", {{'s', 0, "cat"}, {'d', -42}}, "cat -42\n"},
	/* No length: 32 bits. */
	{"%hhx %hx %x %jx",
	 {{'d', 0x12345678abcdef},
	  {'d', 0x12345678abcdef},
	  {'d', 0x12345678abcdef},
	  {'d', 0x12345678abcdef}},
	 "ef cdef 78abcdef 12345678abcdef"},
	{"%d %ld", {{'d', 1ll << 32}, {'d', 1ll << 32}}, "0 4294967296"},
	{"%d %u", {{'w', -1}, {'w', -1}}, "-1 4294967295"},
	{"%llu", {{'u', -1}}, "18446744073709551615"},
	{"%lld", {{'d', INT64_MIN}}, "-9223372036854775808"},
	{"%5s %04x", {{'s', 0, "ba"}, {'d', 2}}, "   ba 0002"},
	{"%-10s|", {{'s', 0, "a"}}, "a         |"},
	{"%.3s|", {{'s', 0, "abcdef"}}, "abc|"},
	{"%-8.3s|", {{'s', 0, "abcdef"}}, "abc     |"},
	{"%*d|%-*d|", {{'w', 5}, {'d', 42}, {'w', 4}, {'d', 7}}, "   42|7   |"},
	{"%*d|", {{'w', -5}, {'d', 42}}, "42   |"},
	{"%.*s|", {{'w', 2}, {'s', 0, "abc"}}, "ab|"},
	{"%c%c%c", {{'d', 'a'}, {'c', 'b'}, {'w', 'c'}}, "abc"},
	{"%3c|%-3c|", {{'d', 'a'}, {'d', 'b'}}, "  a|b  |"},
	{"%p %p", {{'p', 0xffff888000001234ll}, {'p', 0}}, "0xffff888000001234 0"},
	{"%20p|", {{'p', 0x1234}}, "              0x1234|"},
	{"%s %d %llx", {{'p', 0x10}, {'p', 0x10}, {'p', 0x10}}, "0x10 16 10"},
	{"%s %s %d", {{'b', 1}, {'b', 0}, {'b', 1}}, "true false 1"},
	{"%s %6s|", {{'d', -5}, {'u', 7}}, "-5      7|"},
	/* As in the language: flags behind each other, lengths before types. */
	{"%+d % d %+d", {{'d', 1}, {'d', 1}, {'d', -1}}, "+1  1 -1"},
	{"%#x %#o %#X %#x", {{'d', 255}, {'d', 8}, {'d', 255}, {'d', 0}}, "0xff 010 0XFF 0"},
};

static void add_value(struct bench *b, const struct value *value)
{
	uint8_t byte = (uint8_t)value->number;

	switch (value->kind) {
	case 'd': arg_s64(b, value->number); break;
	case 'u': arg_u64(b, (uint64_t)value->number); break;
	case 'w': arg_s32(b, (int32_t)value->number); break;
	case 'b': arg(b, &skep_type_bool, &byte); break;
	case 'c': arg(b, &skep_type_u8, &byte); break;
	case 'p': arg(b, &skep_type_void_ptr, &value->number); break;
	case 's': arg_str(b, 16, value->text); break;
	}
}

static void test_formats(void **state)
{
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bench_again(&b);
		for (int n = 0; n < 4 && cases[i].values[n].kind; n++)
			add_value(&b, &cases[i].values[n]);
		assert_string_equal(print_event(&b, SKEP_EV_PRINTF, cases[i].format),
				    cases[i].want);
		/* The second time the format is known. */
		assert_string_equal(print_event(&b, SKEP_EV_PRINTF, cases[i].format),
				    cases[i].want);
	}
	bench_done(&b);
}

static void test_formats_as_json(void **state)
{
	struct bench b;

	bench_init(&b);
	b.out.json = true;
	arg_s64(&b, 5);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "test %d"),
			    "{\"type\": \"printf\", \"data\": \"test 5\"}\n");
	bench_again(&b);
	assert_string_equal(
		print_event(&b, SKEP_EV_PRINTF, "test \r \n \t \\ \" bar"),
		"{\"type\": \"printf\", \"data\": \"test \\r \\n \\t \\\\ \\\" bar\"}\n");
	bench_again(&b);
	arg_str(&b, 16, "a\xff\xc3\xa9");
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s"),
			    "{\"type\": \"printf\", \"data\": \"a\xef\xbf\xbd\xc3\xa9\"}\n");
	bench_done(&b);
}

/* --- Bytes ----------------------------------------------------------------------------------- */

static void test_buffers(void **state)
{
	static const char bytes[] = {0, 3, 'A', '\\', '\n', (char)0xff};
	struct bench b;

	bench_init(&b);
	struct {
		uint32_t used;
		char data[8];
	} in_place = {.used = sizeof(bytes)};
	memcpy(in_place.data, bytes, sizeof(bytes));
	const struct skep_type *small = skep_type_buffer(&b.program.types, 8);
	const struct skep_type *large = skep_type_buffer(&b.program.types, 256);

	static const char *const formats[][2] = {{"%r", "\\x00\\x03A\\\\x0a\\xff"},
						 {"%rx", "\\x00\\x03\\x41\\x5c\\x0a\\xff"},
						 {"%rh|", "00 03 41 5c 0a ff|"},
						 {"%s", "\\x00\\x03A\\\\x0a\\xff"}};
	for (int i = 0; i < 4; i++) {
		bench_again(&b);
		arg(&b, small, &in_place);
		assert_string_equal(print_event(&b, SKEP_EV_PRINTF, formats[i][0]), formats[i][1]);
		bench_again(&b);
		arg_varying(&b, large, bytes, sizeof(bytes));
		assert_string_equal(print_event(&b, SKEP_EV_PRINTF, formats[i][0]), formats[i][1]);
	}
	/* A length that is a lie shows what there is. */
	in_place.used = UINT32_MAX;
	bench_again(&b);
	arg(&b, small, &in_place);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%rh"), "00 03 41 5c 0a ff 00 00");
	bench_done(&b);
}

static void test_gfp_flags(void **state)
{
	struct bench b;

	bench_init(&b);
	arg_u64(&b, 1);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "GFPFlags: %gr"), "GFPFlags: GFP_DMA");
	bench_again(&b);
	arg_u64(&b, 0xcc0);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%gr"), "GFP_KERNEL");
	bench_again(&b);
	arg_u64(&b, 0xdc0);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%gr"), "GFP_KERNEL|__GFP_ZERO");
	bench_again(&b);
	arg_u64(&b, 1ull << 50 | 0x100);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%gr"), "__GFP_ZERO|0x4000000000000");
	bench_again(&b);
	arg_u64(&b, 0);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%gr"), "0");
	bench_done(&b);
}

/* --- Cut strings ----------------------------------------------------------------------------- */

static void test_cut_strings(void **state)
{
	struct bench b;

	bench_init(&b);
	b.program.config.max_strlen = 5;
	/* str(): full but for the NUL. */
	arg_str(&b, 6, "/test");
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "P: %s\n"), "P: /test..\n");
	assert_int_equal(b.out.strings_cut, 1);
	b.program.config.str_trunc_trailer = "_xxx";
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "P: %s\n"), "P: /test_xxx\n");
	bench_again(&b);
	arg_str(&b, 6, "/tes");
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s"), "/tes");
	/* comm is full by right; so is a literal. */
	bench_again(&b);
	arg_str(&b, 16, "kworker/u8:1-ev");
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s"), "kworker/u8:1-ev");
	/* An array without a NUL is whole. */
	bench_again(&b);
	arg_str(&b, 4, "abcd");
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s"), "abcd");
	/* The script asked for this length. */
	bench_again(&b);
	struct skep_type own = *skep_type_string(&b.program.types, 5);
	own.is_explicit = true;
	arg(&b, &own, "zzte");
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s"), "zzte");
	bench_done(&b);
}

static void test_long_strings(void **state)
{
	struct bench b;
	char text[1025];

	bench_init(&b);
	memset(text, 'x', sizeof(text));
	text[1023] = '\0';
	arg_s64(&b, 1);
	arg_varying(&b, skep_type_string(&b.program.types, 1024), text, 1024);
	const char *got = print_event(&b, SKEP_EV_PRINTF, "%d %s");
	assert_int_equal(strlen(got), 2 + 1023 + 2);
	assert_string_equal(got + strlen(got) - 3, "x..");
	bench_again(&b);
	arg_varying(&b, skep_type_string(&b.program.types, 1024), "short", 6);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s|"), "short|");
	bench_done(&b);
}

/* --- Hostile records ------------------------------------------------------------------------- */

static void test_short_records(void **state)
{
	struct bench b;
	char text[100] = "some text";

	bench_init(&b);
	arg_s64(&b, 5);
	arg_varying(&b, skep_type_string(&b.program.types, 100), text, 10);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%d %s"), "5 some text");
	for (uint32_t size = 0; size < b.size; size++) {
		/* A copy of exactly this size, so that reading on is seen. */
		uint8_t *record = malloc(size ? size : 1);
		memcpy(record, b.record, size);
		skep_buf_clear(&b.buf);
		skep_output_event(&b.out, &b.event, record, size, &b.buf);
		assert_string_equal(b.buf.data, size < 16 ? "? ?" : "5 ?");
		free(record);
	}
	/* Offsets and lengths out of the record, also such that their sum wraps. */
	static const uint32_t places[][2] = {{UINT32_MAX, 1},
					     {0, UINT32_MAX},
					     {16, 1000000},
					     {UINT32_MAX, UINT32_MAX},
					     {1u << 31, 1u << 31}};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		memcpy(b.record + b.args[1].off, places[i], 8);
		assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%d %s"), "5 ?");
	}
	bench_done(&b);
}

static void test_missing_arguments(void **state)
{
	struct bench b;

	bench_init(&b);
	arg_s64(&b, 5);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%d %d %s %*d|"), "5   |");
	bench_again(&b);
	arg_s64(&b, 2000000000);
	arg_s64(&b, 5);
	assert_int_equal(strlen(print_event(&b, SKEP_EV_PRINTF, "%*d")), 65536);
	bench_done(&b);
}

/* --- Speed: a figure, no assertion ----------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void measure(struct bench *b, const char *format, const char *name)
{
	const int n = 2000000;

	b->event.kind = SKEP_EV_PRINTF;
	b->event.text = format;
	skep_buf_clear(&b->buf);
	double start = now();
	for (int i = 0; i < n; i++) {
		skep_output_event(&b->out, &b->event, b->record, b->size, &b->buf);
		if (b->buf.len > 60000)
			skep_buf_clear(&b->buf);
	}
	print_message("%s: %.1f million events/s\n", name, n / (now() - start) / 1e6);
	assert_true(b->buf.len > 0);
}

static void test_speed(void **state)
{
	struct bench b;

	bench_init(&b);
	arg_str(&b, 16, "systemd-journal");
	arg_s64(&b, 123456);
	measure(&b, "%s %d\n", "text \"%s %d\\n\"");
	bench_again(&b);
	arg_u64(&b, 123456789012345);
	arg_s64(&b, 42);
	arg_str(&b, 16, "cat");
	arg_varying(&b, skep_type_string(&b.program.types, 200), "/etc/ld.so.cache", 17);
	measure(&b, "%-12llu %-6d %-16s %s\n", "text \"%-12llu %-6d %-16s %s\\n\"");
	b.out.json = true;
	measure(&b, "%-12llu %-6d %-16s %s\n", "json of the same");
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers_as_libc),  cmocka_unit_test(test_formats),
		cmocka_unit_test(test_formats_as_json),   cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_gfp_flags),         cmocka_unit_test(test_cut_strings),
		cmocka_unit_test(test_long_strings),      cmocka_unit_test(test_short_records),
		cmocka_unit_test(test_missing_arguments), cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
