/* What Prometheus is told: names, numbers, buckets, the three formats, joining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "sink/metrics.h"
#include "sink/number.h"

static void check_double(double value, const char *want)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_sink_double(&buf, value);
	assert_string_equal(buf.data, want);
}

static void test_doubles_are_the_shortest(void **state)
{
	check_double(0, "0");
	check_double(-0.5, "-0.5");
	check_double(4096, "4096");
	check_double(123456789012345680.0, "123456789012345680");
	check_double(18446744073709551615.0, "18446744073709552000");
	check_double(0.1, "0.1");
	check_double(1.0 / 3, "0.3333333333333333");
	check_double(0.0001, "0.0001");
	check_double(0.000128, "0.000128");
	check_double(0.00001, "1e-05");
	check_double(1.6e-05, "1.6e-05");
	check_double(1e20, "100000000000000000000");
	check_double(1e21, "1e+21");
	check_double(1.5e300, "1.5e+300");
	check_double((double)INFINITY, "+Inf");
	check_double(-(double)INFINITY, "-Inf");
	check_double((double)NAN, "NaN");
	for (int i = 0; i < 20000; i++) {
		_cleanup_buf_ struct skep_buf buf = {0};
		double value = (double)rand() / (double)(1 + rand()) * ldexp(1, rand() % 400 - 200);
		skep_sink_double(&buf, value);
		assert_true(strtod(buf.data, NULL) == value);
	}
}

static void test_names(void **state)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_metric_name_add(&buf, "9lives-of.a cat");
	assert_string_equal(buf.data, "_9lives_of_a_cat");
	assert_true(skep_label_name_is_valid("comm_2"));
	assert_false(skep_label_name_is_valid(""));
	assert_false(skep_label_name_is_valid("2comm"));
	assert_false(skep_label_name_is_valid("__name"));
	assert_false(skep_label_name_is_valid("a-b"));
}

static void add_label(struct skep_labels *labels, const char *name, const char *value)
{
	skep_labels_add(labels, name, value, strlen(value));
}

static const struct skep_family opens = {"x_opens", "Files \"opened\",\n\\ all.",
					 SKEP_METRIC_COUNTER, NULL};

static void check_render(const struct skep_exposition *exposition, const char *want)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_exposition_render(exposition, &buf);
	assert_string_equal(buf.data ? buf.data : "", want);
}

static void test_plain_text(void **state)
{
	struct skep_exposition exposition = {.format = SKEP_METRICS_TEXT};
	struct skep_labels labels = {.n = 0};

	skep_exposition_family(&exposition, &opens);
	skep_exposition_value(&exposition, &labels, 3);
	add_label(&labels, "comm", "a\"b\\c\nd");
	add_label(&labels, "path", "\xff\xc3\xa4");
	skep_exposition_value(&exposition, &labels, 0.5);
	skep_exposition_family(&exposition, &(struct skep_family){"x_none", "", 0, NULL});
	check_render(&exposition,
		     "# HELP x_opens_total Files \"opened\",\\n\\\\ all.\n"
		     "# TYPE x_opens_total counter\n"
		     "x_opens_total 3\n"
		     "x_opens_total{comm=\"a\\\"b\\\\c\\nd\",path=\"\xef\xbf\xbd\xc3\xa4\"} "
		     "0.5\n");
	skep_exposition_done(&exposition);
}

static void test_openmetrics(void **state)
{
	struct skep_exposition exposition = {.format = SKEP_METRICS_OPENMETRICS};
	const struct skep_labels none = {.n = 0};
	const struct skep_family seconds = {"x_seconds", "h", SKEP_METRIC_SUMMARY, "seconds"};

	skep_exposition_family(&exposition, &opens);
	skep_exposition_value(&exposition, &none, 3);
	skep_exposition_family(&exposition, &seconds);
	skep_exposition_summary(&exposition, &none, 2, 0.25);
	check_render(&exposition, "# HELP x_opens Files \\\"opened\\\",\\n\\\\ all.\n"
				  "# TYPE x_opens counter\n"
				  "x_opens_total 3\n"
				  "# HELP x_seconds h\n"
				  "# TYPE x_seconds summary\n"
				  "# UNIT x_seconds seconds\n"
				  "x_seconds_count 2\n"
				  "x_seconds_sum 0.25\n"
				  "# EOF\n");
	skep_exposition_done(&exposition);
}

/* --- Histograms ------------------------------------------------------------------------------ */

/* hist() of 0, 1, 1, 5, 300 in whole units: buckets are 0, 1, [2,4), … */
static const uint64_t by_powers[66] = {[1] = 1, [2] = 2, [4] = 1, [10] = 1};

static void check_bounds(const struct skep_metric_hist *hist, const double *les,
			 const uint64_t *counts, size_t n)
{
	assert_int_equal(hist->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_true(hist->buckets[i].le == les[i]);
		assert_int_equal(hist->buckets[i].count, counts[i]);
	}
}

static void test_bounds_of_integers_are_inside(void **state)
{
	static const double les[] = {0, 1, 3, 7, 15, 31, 63, 127, 255, 511};
	size_t used = skep_metric_hist_used(by_powers, 66);
	struct skep_metric_hist hist = skep_metric_hist_log2(by_powers, used, 0, 0);

	assert_int_equal(used, 11);
	check_bounds(&hist, les, by_powers + 1, 10);
	assert_int_equal(hist.zeros, 1);
	assert_int_equal(hist.powers[0], 2);
	assert_int_equal(hist.powers[2], 1);
	assert_int_equal(hist.powers[8], 1);
	skep_metric_hist_done(&hist);
}

static void test_bounds_of_times_are_the_ends(void **state)
{
	static const double les[] = {1e-6,  2e-6,  4e-6,   8e-6,   16e-6,
				     32e-6, 64e-6, 128e-6, 256e-6, 512e-6};
	struct skep_metric_hist hist = skep_metric_hist_log2(by_powers, 11, 0, 6);

	check_bounds(&hist, les, by_powers + 1, 10);
	assert_int_equal(hist.native_shift, -20);
	skep_metric_hist_done(&hist);
}

/* hist(x, 2): 0 1 2 3 alone, then each power in four. */
static void test_finer_powers_are_one_native_bucket(void **state)
{
	static const double les[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 19};
	static const uint64_t counts[32] = {[4] = 1, [5] = 1, [6] = 1, [8] = 2, [9] = 1, [13] = 7};
	struct skep_metric_hist hist = skep_metric_hist_log2(counts, 14, 2, 0);

	check_bounds(&hist, les, counts + 1, 13);
	assert_int_equal(hist.powers[1], 1);
	assert_int_equal(hist.powers[2], 4);
	assert_int_equal(hist.powers[3], 1);
	assert_int_equal(hist.powers[4], 7);
	skep_metric_hist_done(&hist);
}

static void test_negative_values_have_no_native_form(void **state)
{
	static const uint64_t counts[66] = {[0] = 4, [1] = 1};
	static const double les[] = {-1, 0};
	struct skep_metric_hist hist = skep_metric_hist_log2(counts, 2, 0, 0);

	check_bounds(&hist, les, counts, 2);
	assert_false(hist.has_native);
	skep_metric_hist_done(&hist);
}

/* lhist(x, 10, 40, 10): below 10, three steps, from 40 on. */
static void test_linear(void **state)
{
	static const uint64_t counts[] = {1, 2, 0, 3, 5};
	static const double les[] = {9, 19, 29, 39}, times[] = {0.01, 0.02, 0.03, 0.04};
	struct skep_metric_hist hist = skep_metric_hist_linear(counts, 5, 10, 10, 0);

	check_bounds(&hist, les, counts, 4);
	assert_int_equal(hist.above, 5);
	assert_false(hist.has_native);
	skep_metric_hist_done(&hist);
	hist = skep_metric_hist_linear(counts, 5, 10, 10, 3);
	check_bounds(&hist, times, counts, 4);
	skep_metric_hist_done(&hist);
}

static void test_histogram_as_text(void **state)
{
	struct skep_metric_hist hist = skep_metric_hist_log2(by_powers, 5, 0, 0);
	const struct skep_family family = {"x_size", "h", SKEP_METRIC_HISTOGRAM, NULL};
	struct skep_labels labels = {.n = 0};

	add_label(&labels, "comm", "cat");
	for (int format = SKEP_METRICS_TEXT; format <= SKEP_METRICS_OPENMETRICS; format++) {
		struct skep_exposition exposition = {.format = (enum skep_metrics_format)format};
		skep_exposition_family(&exposition, &family);
		skep_exposition_histogram(&exposition, &labels, &hist);
		check_render(&exposition, format == SKEP_METRICS_TEXT
						  ? "# HELP x_size h\n# TYPE x_size histogram\n"
						    "x_size_bucket{comm=\"cat\",le=\"0\"} 1\n"
						    "x_size_bucket{comm=\"cat\",le=\"1\"} 3\n"
						    "x_size_bucket{comm=\"cat\",le=\"3\"} 3\n"
						    "x_size_bucket{comm=\"cat\",le=\"7\"} 4\n"
						    "x_size_bucket{comm=\"cat\",le=\"+Inf\"} 4\n"
						    "x_size_count{comm=\"cat\"} 4\n"
						  : "# HELP x_size h\n# TYPE x_size histogram\n"
						    "x_size_bucket{comm=\"cat\",le=\"0.0\"} 1\n"
						    "x_size_bucket{comm=\"cat\",le=\"1.0\"} 3\n"
						    "x_size_bucket{comm=\"cat\",le=\"3.0\"} 3\n"
						    "x_size_bucket{comm=\"cat\",le=\"7.0\"} 4\n"
						    "x_size_bucket{comm=\"cat\",le=\"+Inf\"} 4\n"
						    "# EOF\n");
		skep_exposition_done(&exposition);
	}
	skep_metric_hist_done(&hist);
}

/* --- Protobuf -------------------------------------------------------------------------------- */

static void check_bytes(const struct skep_exposition *exposition, const char *want, size_t len)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_exposition_render(exposition, &buf);
	assert_int_equal(buf.len, len);
	assert_memory_equal(buf.data, want, len);
}

static void test_protobuf_counter(void **state)
{
	static const char want[] = "\x29"            /* 41 bytes follow */
				   "\x0a\x07x_total" /* 1: name */
				   "\x12\x01h"       /* 2: help */
				   "\x18\x00"        /* 3: type, counter */
				   "\x22\x19"        /* 4: metric, 25 bytes */
				   "\x0a\x0c"        /* 1: label, 12 bytes */
				   "\x0a\x04"
				   "comm" /* 1: name */
				   "\x12\x04\xef\xbf\xbd"
				   "a"                         /* 2: value */
				   "\x1a\x09"                  /* 3: counter */
				   "\x09\0\0\0\0\0\0\x08\x40"; /* 1: 3.0 */
	struct skep_exposition exposition = {.format = SKEP_METRICS_PROTOBUF};
	struct skep_labels labels = {.n = 0};

	add_label(&labels, "comm",
		  "\x80"
		  "a");
	skep_exposition_family(&exposition,
			       &(struct skep_family){"x", "h", SKEP_METRIC_COUNTER, NULL});
	skep_exposition_value(&exposition, &labels, 3);
	check_bytes(&exposition, want, sizeof(want) - 1);
	skep_exposition_done(&exposition);
}

/* Values 0, 1, 1, 5: classic bounds 0 1 3 7; native: zeros 1, bucket 1 two, 2 none, 3 one. */
static void test_protobuf_histogram(void **state)
{
	static const char want[] =
		"\x63"
		"\x0a\x01x"
		"\x12\x00"
		"\x18\x04"
		"\x22\x5a"
		"\x3a\x58"
		"\x1a\x0b\x08\x01\x11\0\0\0\0\0\0\0\0"
		"\x1a\x0b\x08\x03\x11\0\0\0\0\0\0\xf0\x3f"
		"\x1a\x0b\x08\x03\x11\0\0\0\0\0\0\x08\x40"
		"\x1a\x0b\x08\x04\x11\0\0\0\0\0\0\x1c\x40"
		"\x08\x04"                  /* sample_count */
		"\x11\0\0\0\0\0\0\xf8\x7f"  /* sample_sum: NaN */
		"\x28\x00"                  /* schema 0 */
		"\x31\0\0\0\0\0\0\xf0\x3f"  /* zero_threshold 1 */
		"\x38\x01"                  /* zero_count */
		"\x62\x04\x08\x02\x10\x03"  /* positive_span: offset 1, length 3 */
		"\x68\x04\x68\x03\x68\x02"; /* deltas 2 -2 1 */
	struct skep_metric_hist hist = skep_metric_hist_log2(by_powers, 5, 0, 0);
	struct skep_exposition exposition = {.format = SKEP_METRICS_PROTOBUF};
	const struct skep_labels none = {.n = 0};

	skep_exposition_family(&exposition,
			       &(struct skep_family){"x", "", SKEP_METRIC_HISTOGRAM, NULL});
	skep_exposition_histogram(&exposition, &none, &hist);
	check_bytes(&exposition, want, sizeof(want) - 1);
	skep_metric_hist_done(&hist);
	skep_exposition_done(&exposition);
}

/* --- Labels, joining, Accept ----------------------------------------------------------------- */

static void test_labels_are_bounded(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_labels labels = {.n = 0};
	static char longer[5000];

	/* a two-byte letter does not fit into the last byte */
	for (size_t i = 1; i + 1 < sizeof(longer); i += 2)
		memcpy(longer + i, "\xc3\xa4", 2);
	longer[0] = 'a';
	skep_labels_add(&labels, "x", longer, sizeof(longer) - 1);
	skep_labels_identity(&labels, &text);
	assert_int_equal(text.len, SKEP_LABEL_BYTES_MOST - 1 + 1);
	assert_memory_equal(text.data, longer, text.len - 1);
	for (int i = 0; i < 100; i++)
		add_label(&labels, "y", "z");
	assert_int_equal(labels.n, SKEP_LABELS_MOST);
}

static void add_sample(struct skep_exposition *exposition, const struct skep_family *family,
		       double value)
{
	const struct skep_labels none = {.n = 0};

	skep_exposition_family(exposition, family);
	skep_exposition_value(exposition, &none, value);
}

static void test_joined(void **state)
{
	const struct skep_family gauge = {"x_opens", "h", SKEP_METRIC_GAUGE, NULL};
	const struct skep_family other = {"y", "h", SKEP_METRIC_GAUGE, NULL};
	struct skep_exposition a = {0}, b = {0};
	_cleanup_buf_ struct skep_buf packed = {0};
	uint32_t refused;

	add_sample(&a, &gauge, 1);
	add_sample(&b, &gauge, 2);
	add_sample(&b, &other, 3);
	skep_exposition_pack(&b, &packed);
	assert_int_equal(skep_exposition_join(&a, packed.data, packed.len, &refused), 0);
	assert_int_equal(refused, 0);
	check_render(&a, "# HELP x_opens h\n# TYPE x_opens gauge\nx_opens 1\nx_opens 2\n"
			 "# HELP y h\n# TYPE y gauge\ny 3\n");
	skep_exposition_done(&a);
	a = (struct skep_exposition){0};
	add_sample(&a, &opens, 1);
	assert_int_equal(skep_exposition_join(&a, packed.data, packed.len, &refused), 0);
	assert_int_equal(refused, 1);
	skep_exposition_done(&a);
	skep_exposition_done(&b);
}

static void test_join_trusts_no_length(void **state)
{
	const struct skep_family gauge = {"x_opens", "h", SKEP_METRIC_GAUGE, NULL};
	struct skep_exposition b = {0};
	_cleanup_buf_ struct skep_buf packed = {0};
	uint32_t refused;

	add_sample(&b, &gauge, 2);
	skep_exposition_pack(&b, &packed);
	for (size_t len = 0; len < packed.len; len++) {
		struct skep_exposition a = {0};
		_cleanup_free_ char *cut = malloc(len + 1);
		memcpy(cut, packed.data, len);
		assert_int_equal(skep_exposition_join(&a, cut, len, &refused),
				 len == 1 ? 0 : -EBADMSG);
		skep_exposition_done(&a);
	}
	struct skep_exposition a = {.format = SKEP_METRICS_PROTOBUF};
	assert_int_equal(skep_exposition_join(&a, packed.data, packed.len, &refused), -EBADMSG);
	skep_exposition_done(&a);
	skep_exposition_done(&b);
}

static void test_accept(void **state)
{
	static const struct {
		const char *accept;
		enum skep_metrics_format want;
	} rows[] = {
		{NULL, SKEP_METRICS_TEXT},
		{"", SKEP_METRICS_TEXT},
		{"*/*", SKEP_METRICS_TEXT},
		{"text/html,application/xhtml+xml,*/*;q=0.8", SKEP_METRICS_TEXT},
		{"application/openmetrics-text; version=1.0.0", SKEP_METRICS_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 SKEP_METRICS_OPENMETRICS},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 SKEP_METRICS_PROTOBUF},
		{"application/vnd.google.protobuf", SKEP_METRICS_TEXT},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=text;q=1,text/plain;q=0.1",
		 SKEP_METRICS_TEXT},
		{"application/openmetrics-text;q=0.2, text/plain ; Q=0.3", SKEP_METRICS_TEXT},
		{"application/openmetrics-text;q=0,text/plain;q=0", SKEP_METRICS_TEXT},
		{"application/openmetrics-text;q=nonsense", SKEP_METRICS_TEXT},
		{";;,,==;q,", SKEP_METRICS_TEXT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(skep_metrics_accept(rows[i].accept), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_are_the_shortest),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_bounds_of_integers_are_inside),
		cmocka_unit_test(test_bounds_of_times_are_the_ends),
		cmocka_unit_test(test_finer_powers_are_one_native_bucket),
		cmocka_unit_test(test_negative_values_have_no_native_form),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_histogram_as_text),
		cmocka_unit_test(test_protobuf_counter),
		cmocka_unit_test(test_protobuf_histogram),
		cmocka_unit_test(test_labels_are_bounded),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_join_trusts_no_length),
		cmocka_unit_test(test_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
