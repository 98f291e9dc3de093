/* Text for people: the tree and the list of functions; and what is in the flame graph's picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "profile/format.h"
#include "profile_test.h"

static void read_text(const char *text, struct skep_profile *ret)
{
	assert_int_equal(skep_profile_read(text, strlen(text), "test", ret, NULL), 0);
}

static void assert_written(const struct skep_profile *p, enum skep_profile_format format,
			   const struct skep_profile_options *options, const char *want)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_int_equal(skep_profile_write(p, format, options, &buf, NULL), 0);
	assert_string_equal(buf.data ? buf.data : "", want);
}

static const char text[] = "w;main;heavy 60\nw;main;light 25\nw;main;light;leaf_[k] 5\n"
			   "w;main;heavy;main 5\nother 5\n";

static void test_tree(void **state)
{
	struct skep_profile p = {0};
	struct skep_profile_options options = {.title = "on-CPU"};

	read_text(text, &p);
	skep_profile_lose(&p, "stack maps full", 3);
	assert_written(&p, SKEP_PROFILE_TREE, &options,
		       "on-CPU: 100 samples\n"
		       " TOTAL   SELF\n"
		       " 95.0%   0.0%  ├─ w\n"
		       " 95.0%   0.0%  │  main\n"
		       " 65.0%  60.0%  │  ├─ heavy\n"
		       "  5.0%   5.0%  │  │  main\n"
		       " 30.0%  25.0%  │  └─ light\n"
		       "  5.0%   5.0%  │     leaf\n"
		       "  5.0%   5.0%  └─ other\n"
		       "lost: 3 stack maps full\n");
	options.least = 0.1;
	options.is_inverted = true;
	options.has_color = true;
	assert_written(&p, SKEP_PROFILE_TREE, &options,
		       "on-CPU: 100 samples\n"
		       " TOTAL   SELF\n"
		       " 60.0%   0.0%  ├─ heavy\n"
		       " 60.0%   0.0%  │  main\n"
		       " 60.0%  60.0%  │  w\n"
		       " 25.0%   0.0%  └─ light\n"
		       " 25.0%   0.0%     main\n"
		       " 25.0%  25.0%     w\n"
		       "not shown: 3 smaller ones and what they call\n"
		       "lost: 3 stack maps full\n");
	skep_profile_done(&p);
}

/* Of few rows, the heaviest; of a narrow screen, names cut. */
static void test_tree_cut(void **state)
{
	struct skep_profile p = {0};
	struct skep_profile_options options = {.rows = 3, .width = 29};

	read_text("a;b;a_very_long_name_that_is 50\na;b;c 40\nd;e;f;g;h 10\n", &p);
	assert_written(&p, SKEP_PROFILE_TREE, &options,
		       "100 samples\n"
		       " TOTAL   SELF\n"
		       " 90.0%   0.0%  a\n"
		       " 90.0%   0.0%  b\n"
		       " 50.0%  50.0%  a_very_long_n…\n"
		       "not shown: 2 smaller ones and what they call\n");
	skep_profile_done(&p);
}

static void test_top(void **state)
{
	struct skep_profile p = {0};
	struct skep_profile_options options = {.rows = 4, .has_color = true};

	read_text(text, &p);
	assert_written(&p, SKEP_PROFILE_TOP, &options,
		       "100 samples\n"
		       "  SELF  TOTAL  FUNCTION  MODULE\n"
		       " 60.0%  65.0%  heavy\n"
		       " 25.0%  30.0%  light\n"
		       "  5.0%  95.0%  main\n"
		       "  5.0%   5.0%  \033[33mleaf\033[0m\n"
		       "not shown: 2 more functions\n");
	skep_profile_done(&p);
}

static void test_units(void **state)
{
	struct skep_profile p;
	struct skep_profile_sample sample = {.values = {3, 1500000, 2048}};
	struct skep_profile_frame frame = {0};
	static const char *const heads[] = {"3 samples", "1.50 ms of cpu", "2.00 KiB of mem"};
	static const char *const values[] = {"samples", "cpu", "mem"};

	skep_profile_init(&p);
	skep_profile_add_type(&p, "samples", "count");
	skep_profile_add_type(&p, "cpu", "nanoseconds");
	skep_profile_add_type(&p, "mem", "bytes");
	p.duration_ns = 2000000000;
	frame.name = skep_profile_text(&p, "f\033[2J");
	frame.module = skep_profile_text(&p, "/bin/f");
	sample.node = skep_profile_node(&p, 0, skep_profile_frame(&p, &frame));
	skep_profile_add(&p, &sample);
	for (unsigned i = 0; i < 3; i++) {
		struct skep_profile_options options = {.value = values[i]};
		char want[256];
		snprintf(want, sizeof(want),
			 "%s in 2.00 s\n  SELF  TOTAL  FUNCTION  MODULE\n"
			 "100.0%% 100.0%%  f?[2J     /bin/f\n",
			 heads[i]);
		assert_written(&p, SKEP_PROFILE_TOP, &options, want);
	}
	skep_profile_done(&p);
}

static void test_diff(void **state)
{
	struct skep_profile p = {0};

	read_text("a;b 50 10\na;c 50 80\na;d 0 10\n", &p);
	assert_written(&p, SKEP_PROFILE_TOP, NULL,
		       "100 before, 100 now\n"
		       "BEFORE    NOW CHANGE  FUNCTION  MODULE\n"
		       " 50.0%  10.0% -40.0  b\n"
		       " 50.0%  80.0% +30.0  c\n"
		       "  0.0%  10.0% +10.0  d\n"
		       "  0.0%   0.0%  +0.0  a\n");
	assert_written(&p, SKEP_PROFILE_TREE, NULL,
		       "100 before, 100 now\n"
		       "BEFORE    NOW CHANGE\n"
		       "100.0% 100.0%  +0.0  a\n"
		       " 50.0%  80.0% +30.0  ├─ c\n"
		       " 50.0%  10.0% -40.0  ├─ b\n"
		       "  0.0%  10.0% +10.0  └─ d\n");
	skep_profile_done(&p);
}

#define BROKEN_3 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
#define BROKEN_7 BROKEN_3 BROKEN_3 "\xef\xbf\xbd"

/* What is no UTF-8 is as wide as what stands for it. */
static void test_broken_text(void **state)
{
	struct skep_profile p = {0};
	struct skep_profile_options options = {.width = 40};

	read_text("\x96\xa0\x96\xa0\xe2\x82 "
		  "1\n\xc3\xa9\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96\x96 "
		  "3\n",
		  &p);
	p.frames[1].module = skep_profile_text(&p, "x");
	assert_written(&p, SKEP_PROFILE_TOP, &options,
		       "4 samples\n  SELF  TOTAL  FUNCTION          MODULE\n"
		       " 75.0%  75.0%  \xc3\xa9" BROKEN_7 BROKEN_7 "…\n"
		       " 25.0%  25.0%  " BROKEN_3 BROKEN_3 "            x\n");
	skep_profile_done(&p);
}

/* Whatever a stranger's file has names of: none of them acts on a terminal. */
static void test_escapes(void **state)
{
	static const enum skep_profile_format formats[] = {SKEP_PROFILE_TREE, SKEP_PROFILE_TOP,
							   SKEP_PROFILE_FOLDED};
	struct skep_profile p;
	struct skep_profile_frame frame = {0};
	struct skep_profile_sample sample = {.values = {1}};

	skep_profile_init(&p);
	skep_profile_add_type(&p, "t\033[1m", "u\033[1m");
	p.title = skep_profile_text(&p, "title\033]0;x\a");
	frame.name = skep_profile_text(&p, "f\xc2\x9b\x31m\tg");
	frame.module = skep_profile_text(&p, "m\r\n");
	sample.comm = skep_profile_text(&p, "c\b");
	sample.node = skep_profile_node(&p, 0, skep_profile_frame(&p, &frame));
	skep_profile_add(&p, &sample);
	skep_profile_lose(&p, "l\033[1m", 1);
	for (unsigned i = 0; i < 3; i++) {
		_cleanup_buf_ struct skep_buf buf = {0};
		assert_int_equal(skep_profile_write(&p, formats[i], NULL, &buf, NULL), 0);
		for (size_t at = 0; at < buf.len; at++)
			assert_true(buf.data[at] == '\n' || (unsigned char)buf.data[at] >= ' ');
		assert_non_null(strstr(buf.data, "f?1m?g"));
	}
	skep_profile_done(&p);
}

/* What cannot be drawn is said; folded stacks and JSON have it. */
static void test_negative(void **state)
{
	struct skep_profile p = {0};

	read_text("a 10\nb -5\n", &p);
	assert_written(&p, SKEP_PROFILE_TOP, NULL,
		       "10 samples\n  SELF  TOTAL  FUNCTION  MODULE\n100.0% 100.0%  a\n"
		       "lost: 1 stacks with values below zero, shown as nothing\n");
	assert_written(&p, SKEP_PROFILE_FOLDED, NULL, "a 10\nb -5\n");
	skep_profile_done(&p);
}

/* Colours take no columns: what is cut off is the same without them. */
static void test_color_width(void **state)
{
	struct skep_profile p = {0};
	struct skep_profile_options options = {.width = 50, .has_color = true};

	read_text("leaf_[k] 1\n", &p);
	p.frames[1].module = skep_profile_text(&p, "/a/module/of/20/bytes");
	assert_written(&p, SKEP_PROFILE_TOP, &options,
		       "1 samples\n  SELF  TOTAL  FUNCTION  MODULE\n"
		       "100.0% 100.0%  \033[33mleaf\033[0m      /a/module/of/20/bytes\n");
	skep_profile_done(&p);
}

/* Nothing to show is no error: it is said. */
static void test_empty(void **state)
{
	struct skep_profile p;
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_profile_init(&p);
	skep_profile_add_type(&p, "samples", "count");
	assert_written(&p, SKEP_PROFILE_TREE, NULL, "0 samples\n");
	assert_written(&p, SKEP_PROFILE_TOP, NULL, "0 samples\n");
	assert_written(&p, SKEP_PROFILE_FOLDED, NULL, "");
	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++) {
		enum skep_profile_format format = (enum skep_profile_format)i;
		if (skep_profile_format_info(format)->is_written)
			assert_int_equal(skep_profile_write(&p, format, NULL, &buf, NULL), 0);
	}
	skep_profile_done(&p);
}

/* Names are a stranger's: none of them is markup, in the picture or in the JSON. */
static void test_svg_escapes(void **state)
{
	struct skep_profile p = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	read_text("<img src=x>&\"]]>\xff\xef\xbf\xbf</script> 1\n", &p);
	assert_int_equal(skep_profile_write(&p, SKEP_PROFILE_SVG, NULL, &buf, NULL), 0);
	assert_non_null(strstr(buf.data,
			       ">&lt;img src=x&gt;&amp;&quot;]]&gt;\xef\xbf\xbd\xef\xbf\xbd"
			       "&lt;/script&gt;</text>"));
	assert_non_null(strstr(buf.data,
			       "\"\\u003cimg src=x\\u003e\\u0026\\\"]]\\u003e\xef\xbf\xbd\\uffff"
			       "\\u003c/script\\u003e\""));
	assert_null(strstr(buf.data, "<img"));
	skep_profile_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),        cmocka_unit_test(test_tree_cut),
		cmocka_unit_test(test_top),         cmocka_unit_test(test_units),
		cmocka_unit_test(test_diff),        cmocka_unit_test(test_empty),
		cmocka_unit_test(test_svg_escapes), cmocka_unit_test(test_broken_text),
		cmocka_unit_test(test_escapes),     cmocka_unit_test(test_negative),
		cmocka_unit_test(test_color_width),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
