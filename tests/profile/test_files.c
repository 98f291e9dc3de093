/* Files: the table of formats, what is written, and what of it and of others' is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "profile/format.h"
#include "profile/gzip.h"
#include "profile_test.h"

static void assert_path(const char *path, const char *name)
{
	enum skep_profile_format format = SKEP_PROFILE_FORMAT_CNT;

	assert_int_equal(skep_profile_format_by_path(path, &format), name ? 0 : -ENOENT);
	if (name)
		assert_string_equal(skep_profile_format_info(format)->name, name);
	else
		assert_int_equal(format, SKEP_PROFILE_FORMAT_CNT);
}

static void test_paths(void **state)
{
	assert_path("out.folded", "folded");
	assert_path("a/b.x/out.pb.gz", "pprof");
	assert_path("out.pprof", "pprof");
	assert_path("out.gz", NULL);
	assert_path(".folded", NULL);
	assert_path("", NULL);
	assert_path("folded", NULL);
}

/* Every row can be found by its name and by each of its suffixes. */
static void test_table(void **state)
{
	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++) {
		const struct skep_profile_format_info *info =
			skep_profile_format_info((enum skep_profile_format)i);
		enum skep_profile_format format;
		char suffixes[64], path[80];
		assert_int_equal(skep_profile_format_by_name(info->name, &format), 0);
		assert_int_equal(format, i);
		snprintf(suffixes, sizeof(suffixes), "%s", info->suffixes);
		for (char *rest = suffixes, *one; (one = strtok_r(rest, " ", &rest));) {
			snprintf(path, sizeof(path), "x%s", one);
			assert_path(path, info->name);
		}
		assert_true(info->is_written || info->is_read);
		assert_true(strlen(info->words) > 10);
	}
	enum skep_profile_format format;
	assert_int_equal(skep_profile_format_by_name("nothing", &format), -ENOENT);
}

/* --- Reading --------------------------------------------------------------------------------- */

static void assert_read(const char *text, const char *want)
{
	struct skep_profile p = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_int_equal(skep_profile_read(text, strlen(text), "test", &p, NULL), 0);
	profile_dump(&p, &buf);
	assert_string_equal(buf.data + strlen("title  start 0 duration 0 period 0   diff "), want);
	skep_profile_done(&p);
}

static void assert_refused(const void *data, size_t len, int err, enum skep_diag_id id)
{
	struct skep_profile p = {0};
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_int_equal(skep_profile_read(data, len, "test", &p, &diag), err);
	assert_int_equal(diag.items[0].id, id);
	assert_null(p.index);
}

static void test_folded_read(void **state)
{
	assert_read("# a comment\na;b_[k] 3\r\n\na;b_[k] 4\nc x;d_[j];e_[i]\t1.5\n",
		    "0\ntype samples count\nlost 1 values whose fractions were rounded\n"
		    "sample 0/0  7\n  b [ ] :0 0x0 1\n  a [ ] :0 0x0 0\n"
		    "sample 0/0  2\n  e [ ] :0 0x0 2\n  d [ ] :0 0x0 3\n  c x [ ] :0 0x0 0\n");
	assert_read("a 1 2\nb 0 3",
		    "1\ntype before count\ntype now count\nsample 0/0  1 2\n  a [ ] :0 0x0 0\n"
		    "sample 0/0  0 3\n  b [ ] :0 0x0 0\n");
	/* Not all have two: "1" is of the name. */
	assert_read("a 1 2\nb 3", "0\ntype samples count\nsample 0/0  2\n  a 1 [ ] :0 0x0 0\n"
				  "sample 0/0  3\n  b [ ] :0 0x0 0\n");
	assert_read("a 1\nno value\nb 99999999999999999999\n",
		    "0\ntype samples count\nlost 2 lines that are no folded stacks\n"
		    "sample 0/0  1\n  a [ ] :0 0x0 0\n");
}

/* Frames without a name, numbers that are names', stacks like comments, values below zero. */
static void test_folded_odd(void **state)
{
	assert_read(";a;;b; 3\n#0_main 2\n#\n# n 4\n-a -5\n",
		    "0\ntype samples count\n"
		    "sample 0/0  3\n  [unknown] [ ] :0 0x0 0\n  b [ ] :0 0x0 0\n"
		    "  [unknown] [ ] :0 0x0 0\n  a [ ] :0 0x0 0\n  [unknown] [ ] :0 0x0 0\n"
		    "sample 0/0  2\n  #0_main [ ] :0 0x0 0\n"
		    "sample 0/0  -5\n  -a [ ] :0 0x0 0\n");
	/* A line without any value does not make names of all the others' first. */
	assert_read("a 1 2\nno value\nb 0 3\n",
		    "1\ntype before count\ntype now count\nlost 1 lines that are no folded stacks\n"
		    "sample 0/0  1 2\n  a [ ] :0 0x0 0\nsample 0/0  0 3\n  b [ ] :0 0x0 0\n");
	/* A name may look like perf script's head of a sample. */
	assert_read("a 1 [000] 1.5: 1 cycles: 5\n", "0\ntype samples count\nsample 0/0  5\n"
						    "  a 1 [000] 1.5: 1 cycles: [ ] :0 0x0 0\n");
	/* A name may have a control character. */
	assert_read("a\033[1m 5\n",
		    "0\ntype samples count\nsample 0/0  5\n  a\033[1m [ ] :0 0x0 0\n");
}

static void assert_perf(const char *head, const char *want)
{
	char text[256], dump[256];

	snprintf(text, sizeof(text), "%s\n\tab f+0x1 (/bin/x)\n\n", head);
	snprintf(dump, sizeof(dump), "0\ntype %s\n  f [/bin/x ] :0 0x0 0\n", want);
	assert_read(text, dump);
}

/* -F may leave out anything, and names may be anything. */
static void test_perf_heads(void **state)
{
	assert_perf("a 12/13 [000] 1.5: 100 cycles:", "cycles count\nsample 12/13 a 100");
	assert_perf("a b 12 c (d) [e] 12/13 [000] 1.5: 100 cycles: ",
		    "cycles count\nsample 12/13 a b 12 c (d) [e] 100");
	assert_perf("kworker/1:2-e 12 [000] 1.5: cycles:u:",
		    "cycles:u count\nsample 0/12 kworker/1:2-e 1");
	assert_perf("#x 12/13 [000] 1.5: 9 cycles:", "cycles count\nsample 12/13 #x 9");
	assert_perf("   ab c 12/13 [000] 1.5: 9 cycles:", "cycles count\nsample 12/13 ab c 9");
	assert_perf(" 12/13 [000] 1.5: 9 cycles:", "cycles count\nsample 12/13  9");
	assert_perf("12 1.5: 9 cycles:", "cycles count\nsample 0/12  9");
	assert_perf("a 12 9 cycles:", "cycles count\nsample 0/12 a 9");
	assert_perf("a b 12 cycles:", "cycles count\nsample 0/12 a b 1");
	assert_perf("a b cycles:", "cycles count\nsample 0/0 a b 1");
	assert_perf("cycles:", "cycles count\nsample 0/0  1");
	assert_perf("a 99999999999/13 [000] 1.5: 9 cycles:", "cycles count\nsample 0/13 a 9");
	assert_perf("a 12/13 [000] 1.5: sched:sched_switch: prev_comm=x 7 ==> 3",
		    "sched:sched_switch count\nsample 12/13 a 1");
	assert_perf("a 12/13 [000] 1.5: 250000 cpu-clock:u:",
		    "cpu-clock:u nanoseconds\nsample 12/13 a 250000");
	assert_read(
		"\tab f (/bin/x)\n\n\tab g (/bin/x)\n\n",
		"0\ntype samples count\nlost 2 heads of samples\n"
		"sample 0/0  1\n  f [/bin/x ] :0 0x0 0\nsample 0/0  1\n  g [/bin/x ] :0 0x0 0\n");
}

/* Of several events the first counts, with fields behind them or without. */
static void test_perf_events(void **state)
{
	assert_read("a 1 [0] 1.5: 7 cycles:\n\tab f (x)\n\n"
		    "a 1 [0] 1.6: sched:sched_switch: prev_comm=y\n\tab g (x)\n\n"
		    "a 1 [0] 1.7: faults:\n\tab h (x)\n\n"
		    "a 1 [0] 1.8: 3 cycles:\n\tab f (x)\n\n",
		    "0\ntype cycles count\nlost 2 samples of other events\n"
		    "sample 0/1 a 10\n  f [x ] :0 0x0 0\n");
}

/* Without stacks a sample is a line, its name put to the right; of samples whose stacks are empty,
 * each counts. */
static void test_perf_flat(void **state)
{
	assert_read("     a b 1 [000] 1.5:  7 cycles:  ffffab f+0x1 ([kernel.kallsyms])\n"
		    "       c 2 [000] 1.6:  5 cycles:      ab [unknown] (/bin/x)\n"
		    "c 2 [000] 1.6:  5 cycles: \nc 3 [000] 1.6:  5 cycles: \n\n",
		    "0\ntype cycles count\nsample 0/1 a b 7\n  f [[kernel.kallsyms] ] :0 0x0 1\n"
		    "sample 0/2 c 5\n  [x] [/bin/x ] :0 0xab 0\nsample 0/2 c 5\nsample 0/3 c 5\n");
}

/* Files with brackets and blanks, functions that begin with one. */
static void test_perf_frames(void **state)
{
	assert_read("a 1 [0] 1.5: 7 cycles:\n"
		    "\tab f (/lib/x.so (deleted))\n"
		    "\tab g(int) (/tmp/a (b)/c d)\n"
		    "\tab h (/tmp/a)b)\n"
		    "\tab (anonymous namespace)::i(int) (/x)\n"
		    "\tab (a)\n"
		    "\tab (process) (/x)\n\n",
		    "0\ntype cycles count\nsample 0/1 a 7\n"
		    "  f [/lib/x.so (deleted) ] :0 0x0 0\n"
		    "  g [/tmp/a (b)/c d ] :0 0x0 0\n"
		    "  h [/tmp/a)b ] :0 0x0 0\n"
		    "  (anonymous namespace)::i [/x ] :0 0x0 0\n"
		    "  [a] [a ] :0 0xab 0\n");
}

static const char perf_text[] =
	"# cmdline : perf record\n"
	"java 24636/25607 [000] 4794564.109216:     104345 cycles:u: \n"
	"\tffffffff8103ce3b native_safe_halt+0x6 ([kernel.kallsyms])\n"
	"\t    7f722d1427 Ljava/io/File;::read(Ljava/x;)V->Lb/C;::d (/tmp/perf-24636.map)\n"
	"\t    7f722d1428 [unknown] (/lib/libc-2.31.so)\n\n"
	"V8 Worker 7 12.5: page-faults:\n\tab f (x)\n\n"
	"V8 Worker 7 12.5: cycles:u:\n\tab ns::(anonymous namespace)::f(int, \"x\") (/bin/a b)\n"
	"\tac ns::T::operator->() const (/bin/a b)\n\nstrange line\n"
	"swapper 0 12.5: cycles:u:\n\tab cut (x)\n";

static void test_perf_read(void **state)
{
	assert_read(perf_text,
		    "0\ntype cycles:u count\nlost 1 samples that the file's end cuts off\n"
		    "lost 1 samples of other events\nlost 1 lines that are not perf script's\n"
		    "sample 24636/25607 java 104345\n"
		    "  native_safe_halt [[kernel.kallsyms] ] :0 0x0 1\n"
		    "  b/C;::d [/tmp/perf-24636.map ] :0 0x0 2\n"
		    "  java/io/File;::read [/tmp/perf-24636.map ] :0 0x0 3\n"
		    "  [libc-2.31.so] [/lib/libc-2.31.so ] :0 0x7f722d1428 0\n"
		    "sample 0/7 V8 Worker 1\n"
		    "  ns::(anonymous namespace)::f [/bin/a b ] :0 0x0 0\n"
		    "  ns::T::operator-> [/bin/a b ] :0 0x0 0\n");
}

static void test_no_profiles(void **state)
{
	assert_refused("", 0, -EINVAL, SKEP_DIAG_PROFILE_UNKNOWN);
	assert_refused("hello\nworld\n", 12, -EINVAL, SKEP_DIAG_PROFILE_UNKNOWN);
	assert_refused("\x7f"
		       "ELF\2\1\1\0",
		       8, -EINVAL, SKEP_DIAG_PROFILE_UNKNOWN);
	assert_refused("\x1f\x8b\x08\x00", 4, -EINVAL, SKEP_DIAG_PROFILE_BROKEN);
	assert_refused("\x0a\x04\x08\x01\x10\x02\x12", 7, -EINVAL, SKEP_DIAG_PROFILE_BROKEN);
}

/* A few bytes that would be gigabytes. */
static void test_too_large(void **state)
{
	size_t len = SKEP_PROFILE_FILE_MOST_BYTES + 10;
	char *zeros = calloc(1, len);
	_cleanup_buf_ struct skep_buf small = {0};

	assert_non_null(zeros);
	skep_gzip(zeros, len, &small);
	assert_true(small.len < 1u << 20);
	assert_refused(small.data, small.len, -EFBIG, SKEP_DIAG_PROFILE_LARGE);
	assert_refused(zeros, len, -EFBIG, SKEP_DIAG_PROFILE_LARGE);
	free(zeros);
}

/* --- Writing, and reading it back ------------------------------------------------------------- */

static void test_folded_write(void **state)
{
	struct skep_profile p = {0};
	struct skep_profile_options options = {.marks = SKEP_PROFILE_MARKS_ALL};
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_int_equal(skep_profile_read(perf_text, strlen(perf_text), "test", &p, NULL), 0);
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_FOLDED, &options, &buf, NULL), 0);
	assert_string_equal(buf.data, "V8_Worker;ns::T::operator->;ns::(anonymous namespace)::f 1\n"
				      "java;[libc-2.31.so];java/io/File:::read_[j];b/C:::d_[i];"
				      "native_safe_halt_[k] 104345\n");
	skep_buf_clear(&buf);
	options = (struct skep_profile_options){
		.root = SKEP_PROFILE_ROOT_THREAD, .is_inverted = true, .has_addresses = true};
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_FOLDED, &options, &buf, NULL), 0);
	assert_string_equal(buf.data,
			    "native_safe_halt;b/C:::d;java/io/File:::read;"
			    "[libc-2.31.so <7f722d1428>];java-24636/25607 104345\n"
			    "ns::(anonymous namespace)::f;ns::T::operator->;V8_Worker-?/7 1\n");
	skep_profile_done(&p);
}

static void test_write_refused(void **state)
{
	struct skep_profile p;
	struct skep_profile_options options = {.value = "memory"};
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	random_profile(&p, 1, 3);
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_PERF, NULL, &buf, &diag), -EOPNOTSUPP);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROFILE_FORMAT);
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_FOLDED, &options, &buf, &diag),
			 -ENOENT);
	assert_int_equal(diag.items[1].id, SKEP_DIAG_PROFILE_TYPE);
	assert_int_equal(buf.len, 0);
	skep_profile_done(&p);
}

/* Write @p as @format, read it, and say all that it says. */
static void round_trip(const struct skep_profile *p, enum skep_profile_format format,
		       const struct skep_profile_options *options, struct skep_profile *ret)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_int_equal(skep_profile_write(p, format, options, &buf, NULL), 0);
	assert_int_equal(skep_profile_read(buf.data, buf.len, "test", ret, NULL), 0);
}

static void assert_same(const struct skep_profile *a, const struct skep_profile *b)
{
	_cleanup_buf_ struct skep_buf x = {0}, y = {0};

	profile_dump(a, &x);
	profile_dump(b, &y);
	assert_string_equal(x.data, y.data);
}

static void test_pprof_round_trip(void **state)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct skep_profile p, q = {0};
		random_profile(&p, seed, 1 + (uint32_t)seed);
		round_trip(&p, SKEP_PROFILE_PPROF, NULL, &q);
		assert_same(&p, &q);
		skep_profile_done(&p);
		skep_profile_done(&q);
	}
}

/* The second value type is shown: so it is the first of what is read. */
static void test_pprof_default_type(void **state)
{
	struct skep_profile p, q = {0};
	struct skep_profile_options options = {.value = "cpu"};

	random_profile(&p, 1, 10);
	round_trip(&p, SKEP_PROFILE_PPROF, &options, &q);
	assert_string_equal(q.strings[q.types[0].name], "cpu");
	assert_string_equal(q.strings[q.types[1].name], "samples");
	assert_int_equal(skep_profile_total(&q, 0), skep_profile_total(&p, 1));
	assert_int_equal(skep_profile_total(&q, 1), skep_profile_total(&p, 0));
	skep_profile_done(&p);
	skep_profile_done(&q);
}

/* Folded stacks have names, marks and one value; so the way back is the same from the second on. */
static void test_folded_round_trip(void **state)
{
	struct skep_profile_options options = {.marks = SKEP_PROFILE_MARKS_ALL};

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct skep_profile p, q = {0}, r = {0};
		_cleanup_buf_ struct skep_buf first = {0}, second = {0};
		random_profile(&p, seed, 1 + (uint32_t)seed);
		round_trip(&p, SKEP_PROFILE_FOLDED, &options, &q);
		assert_int_equal(skep_profile_total(&p, 0), skep_profile_total(&q, 0));
		round_trip(&q, SKEP_PROFILE_FOLDED, &options, &r);
		assert_same(&q, &r);
		skep_profile_write(&p, SKEP_PROFILE_FOLDED, &options, &first, NULL);
		skep_profile_write(&q, SKEP_PROFILE_FOLDED, &options, &second, NULL);
		assert_string_equal(first.data, second.data);
		skep_profile_done(&p);
		skep_profile_done(&q);
		skep_profile_done(&r);
	}
}

/* Names that are numbers, comments, or nothing: what is written reads back as as many frames and as
 * much as there was. */
static void test_odd_names(void **state)
{
	static const char *const names[] = {"",       "f 12",  "# f",  "-",   "; ",
					    "f -1.5", "f 7  ", "_[k]", "a\tb"};
	struct skep_profile p, q = {0}, r = {0};
	uint32_t n = sizeof(names) / sizeof(*names);

	skep_profile_init(&p);
	skep_profile_add_type(&p, "samples", "count");
	for (uint32_t i = 0; i < n * n; i++) {
		struct skep_profile_sample sample = {.values = {1 + i}};
		for (uint32_t k = 0; k < 2; k++) {
			struct skep_profile_frame frame = {0};
			frame.name = skep_profile_text(&p, names[k ? i % n : i / n]);
			uint32_t at = skep_profile_frame(&p, &frame);
			sample.node = skep_profile_node(&p, sample.node, at);
		}
		skep_profile_add(&p, &sample);
	}
	round_trip(&p, SKEP_PROFILE_PPROF, NULL, &q);
	assert_same(&p, &q);
	round_trip(&p, SKEP_PROFILE_FOLDED, NULL, &r);
	assert_false(r.is_diff);
	assert_int_equal(skep_profile_total(&r, 0), skep_profile_total(&p, 0));
	assert_int_equal(r.n_samples, p.n_samples);
	assert_int_equal(r.n_losses, 0);
	skep_profile_done(&p);
	skep_profile_done(&q);
	skep_profile_done(&r);
}

static void test_diff_round_trip(void **state)
{
	static const char text[] = "a;b 1 2\na;c 0 4\n";
	struct skep_profile p = {0}, q = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_int_equal(skep_profile_read(text, strlen(text), "test", &p, NULL), 0);
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_FOLDED, NULL, &buf, NULL), 0);
	assert_string_equal(buf.data, text);
	round_trip(&p, SKEP_PROFILE_PPROF, NULL, &q);
	assert_same(&p, &q);
	skep_profile_done(&p);
	skep_profile_done(&q);
}

/* Cut anywhere, or with any byte changed, it is read or refused; nothing else. */
static void test_pprof_hostile(void **state)
{
	struct skep_profile p;
	_cleanup_buf_ struct skep_buf gz = {0}, plain = {0};
	unsigned n_refused = 0;

	random_profile(&p, 5, 20);
	skep_profile_write(&p, SKEP_PROFILE_PPROF, NULL, &gz, NULL);
	assert_int_equal(skep_gunzip(gz.data, gz.len, 1 << 20, &plain), 0);
	for (size_t i = 0; i < plain.len; i++) {
		struct skep_profile q = {0};
		n_refused += skep_profile_read(plain.data, i, "test", &q, NULL) != 0;
		skep_profile_done(&q);
		plain.data[i] = (char)(plain.data[i] ^ 0x81);
		n_refused += skep_profile_read(plain.data, plain.len, "test", &q, NULL) != 0;
		skep_profile_done(&q);
		plain.data[i] = (char)(plain.data[i] ^ 0x81);
	}
	assert_true(n_refused > plain.len / 2);
	skep_profile_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_folded_read),
		cmocka_unit_test(test_perf_read),
		cmocka_unit_test(test_no_profiles),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_folded_write),
		cmocka_unit_test(test_write_refused),
		cmocka_unit_test(test_folded_odd),
		cmocka_unit_test(test_perf_heads),
		cmocka_unit_test(test_perf_events),
		cmocka_unit_test(test_perf_flat),
		cmocka_unit_test(test_perf_frames),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_pprof_round_trip),
		cmocka_unit_test(test_pprof_default_type),
		cmocka_unit_test(test_folded_round_trip),
		cmocka_unit_test(test_diff_round_trip),
		cmocka_unit_test(test_pprof_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
