/* Captures: both formats, both byte orders, both units of time; and what is wrong with a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/buf.h"
#include "capture/capture.h"

static bool swapped; /* files of the other byte order are built */

static void u16(struct skep_buf *out, uint16_t value)
{
	value = swapped ? __builtin_bswap16(value) : value;
	skep_buf_add(out, &value, sizeof(value));
}

static void u32(struct skep_buf *out, uint32_t value)
{
	value = swapped ? __builtin_bswap32(value) : value;
	skep_buf_add(out, &value, sizeof(value));
}

static void pcap_start(struct skep_buf *out, uint32_t magic, uint32_t link)
{
	skep_buf_clear(out);
	u32(out, magic);
	u16(out, 2), u16(out, 4);
	u32(out, 0), u32(out, 0), u32(out, 65535), u32(out, link);
}

static void pcap_frame(struct skep_buf *out, uint32_t fraction, const char *bytes, uint32_t wire)
{
	u32(out, 1000), u32(out, fraction);
	u32(out, (uint32_t)strlen(bytes)), u32(out, wire);
	skep_buf_puts(out, bytes);
}

/* What one file holds; the capture stays open, as frames point into it. */
struct reading {
	FILE *file;
	struct skep_capture *capture;
	struct skep_diag diag;
	struct skep_frame frame;
};

static int open_reading(struct reading *reading, struct skep_buf *bytes)
{
	*reading = (struct reading){.file = fmemopen(bytes->data, bytes->len, "r")};
	assert_non_null(reading->file);
	return skep_capture_open(reading->file, "x.pcap", &reading->capture, &reading->diag);
}

static int next(struct reading *reading)
{
	return skep_capture_next(reading->capture, &reading->frame, &reading->diag);
}

static void close_reading(struct reading *reading)
{
	skep_capture_free(reading->capture);
	skep_diag_done(&reading->diag);
	fclose(reading->file);
}

static void assert_frame(struct reading *reading, const char *bytes, uint32_t wire, uint64_t ns)
{
	assert_int_equal(next(reading), 1);
	assert_int_equal(reading->frame.len, strlen(bytes));
	assert_memory_equal(reading->frame.data, bytes, strlen(bytes));
	assert_int_equal(reading->frame.wire_len, wire);
	assert_int_equal(reading->frame.time_ns, ns);
}

static void assert_fails(struct reading *reading, int result, enum skep_diag_id id)
{
	assert_int_equal(result, -EINVAL);
	assert_int_equal(reading->diag.n_items, 1);
	assert_int_equal(reading->diag.items[0].id, id);
}

/* --- pcap ------------------------------------------------------------------------------------ */

static void test_pcap(void **state)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct reading reading;

	for (int order = 0; order < 2; order++) {
		swapped = order;
		pcap_start(&bytes, 0xa1b2c3d4, 1);
		pcap_frame(&bytes, 5, "first frame", 11);
		pcap_frame(&bytes, 6, "cut", 1500);
		assert_int_equal(open_reading(&reading, &bytes), 0);
		assert_frame(&reading, "first frame", 11, 1000000005000);
		assert_frame(&reading, "cut", 1500, 1000000006000);
		assert_int_equal(reading.frame.link, SKEP_LINK_ETHERNET);
		assert_int_equal(next(&reading), 0);
		assert_int_equal(reading.diag.n_items, 0);
		close_reading(&reading);

		pcap_start(&bytes, 0xa1b23c4d, 113);
		pcap_frame(&bytes, 5, "ns", 2);
		assert_int_equal(open_reading(&reading, &bytes), 0);
		assert_frame(&reading, "ns", 2, 1000000000005);
		assert_int_equal(reading.frame.link, 113);
		close_reading(&reading);
	}
	swapped = false;
}

static void test_pcap_is_cut(void **state)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct reading reading;
	size_t whole;

	pcap_start(&bytes, 0xa1b2c3d4, 1);
	pcap_frame(&bytes, 0, "one", 3);
	whole = bytes.len;
	pcap_frame(&bytes, 0, "two", 3);
	/* Everywhere within the second frame; right before it the file just ends. */
	for (size_t len = whole + 1; len < whole + 19; len++) {
		bytes.len = len;
		assert_int_equal(open_reading(&reading, &bytes), 0);
		assert_frame(&reading, "one", 3, 1000000000000);
		assert_fails(&reading, next(&reading), SKEP_DIAG_CAPTURE_CUT);
		close_reading(&reading);
	}
	bytes.len = 20; /* within the header */
	assert_fails(&reading, open_reading(&reading, &bytes), SKEP_DIAG_CAPTURE_CUT);
	close_reading(&reading);
}

static void test_absurd_length(void **state)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct reading reading;

	pcap_start(&bytes, 0xa1b2c3d4, 1);
	u32(&bytes, 0), u32(&bytes, 0), u32(&bytes, 0x7fffffff), u32(&bytes, 60);
	assert_int_equal(open_reading(&reading, &bytes), 0);
	assert_fails(&reading, next(&reading), SKEP_DIAG_CAPTURE_LENGTH);
	close_reading(&reading);
}

static void test_no_capture(void **state)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct reading reading;

	skep_buf_puts(&bytes, "no capture at all");
	assert_fails(&reading, open_reading(&reading, &bytes), SKEP_DIAG_CAPTURE_FORMAT);
	close_reading(&reading);
	bytes.len = 3;
	assert_fails(&reading, open_reading(&reading, &bytes), SKEP_DIAG_CAPTURE_FORMAT);
	close_reading(&reading);
}

/* --- pcapng ---------------------------------------------------------------------------------- */

static void block(struct skep_buf *out, uint32_t kind, const struct skep_buf *body)
{
	uint32_t length = (uint32_t)(12 + ((body->len + 3) & ~3ul));

	u32(out, kind), u32(out, length);
	skep_buf_add(out, body->data, body->len);
	skep_buf_fill(out, '\0', length - 12 - body->len);
	u32(out, length);
}

static void section(struct skep_buf *out)
{
	_cleanup_buf_ struct skep_buf body = {0};

	u32(&body, 0x1a2b3c4d);
	u16(&body, 1), u16(&body, 0);
	u32(&body, UINT32_MAX), u32(&body, UINT32_MAX);
	block(out, 0x0a0d0d0a, &body);
}

/* @resolution  of its times; 0: left out, so µs */
static void interface(struct skep_buf *out, uint16_t link, uint32_t snap, uint8_t resolution)
{
	_cleanup_buf_ struct skep_buf body = {0};

	u16(&body, link), u16(&body, 0), u32(&body, snap);
	if (resolution) {
		u16(&body, 9), u16(&body, 1);
		skep_buf_addc(&body, (char)resolution);
		skep_buf_fill(&body, '\0', 3);
		u16(&body, 0), u16(&body, 0);
	}
	block(out, 1, &body);
}

static void packet(struct skep_buf *out, uint32_t on, uint64_t time, const char *bytes,
		   uint32_t wire)
{
	_cleanup_buf_ struct skep_buf body = {0};

	u32(&body, on), u32(&body, (uint32_t)(time >> 32)), u32(&body, (uint32_t)time);
	u32(&body, (uint32_t)strlen(bytes)), u32(&body, wire);
	skep_buf_puts(&body, bytes);
	block(out, 6, &body);
}

static void simple(struct skep_buf *out, const char *bytes, uint32_t wire)
{
	_cleanup_buf_ struct skep_buf body = {0};

	u32(&body, wire);
	skep_buf_puts(&body, bytes);
	block(out, 3, &body);
}

static void test_pcapng(void **state)
{
	_cleanup_buf_ struct skep_buf bytes = {0}, other = {0};
	struct reading reading;

	skep_buf_puts(&other, "statistics");
	for (int order = 0; order < 2; order++) {
		swapped = order;
		skep_buf_clear(&bytes);
		section(&bytes);
		interface(&bytes, 1, 4, 0);
		interface(&bytes, 101, 0, 9);
		interface(&bytes, 1, 0, 0x80 | 10);
		packet(&bytes, 0, 7, "in us", 5);
		block(&bytes, 5, &other);
		packet(&bytes, 1, 7, "in ns", 99);
		packet(&bytes, 2, 2048 + 512, "2^-10", 5);
		simple(&bytes, "snap", 70);
		section(&bytes);
		interface(&bytes, 113, 0, 0);
		packet(&bytes, 0, 0, "another section", 15);
		assert_int_equal(open_reading(&reading, &bytes), 0);
		assert_frame(&reading, "in us", 5, 7000);
		assert_int_equal(reading.frame.link, 1);
		assert_frame(&reading, "in ns", 99, 7);
		assert_int_equal(reading.frame.link, 101);
		assert_frame(&reading, "2^-10", 5, 2500000000);
		assert_frame(&reading, "snap", 70, 0);
		assert_frame(&reading, "another section", 15, 0);
		assert_int_equal(reading.frame.link, 113);
		assert_int_equal(next(&reading), 0);
		close_reading(&reading);
	}
	swapped = false;
}

static void test_pcapng_is_broken(void **state)
{
	_cleanup_buf_ struct skep_buf start = {0}, bytes = {0};
	struct reading reading;

	section(&start);
	interface(&start, 1, 0, 0);
	/* A block's length, one after the other: too short, odd, huge, and not what its end says.
	 */
	static const uint32_t lengths[] = {0, 11, 14, 0x7ffffffc, 32};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		skep_buf_clear(&bytes);
		skep_buf_add(&bytes, start.data, start.len);
		packet(&bytes, 0, 0, "x", 1);
		memcpy(bytes.data + start.len + 4, &lengths[i], 4);
		assert_int_equal(open_reading(&reading, &bytes), 0);
		assert_fails(&reading, next(&reading), SKEP_DIAG_CAPTURE_LENGTH);
		close_reading(&reading);
	}
	/* An interface that there is none of; a frame longer than its block. */
	for (int i = 0; i < 2; i++) {
		uint32_t absurd = 5000;

		skep_buf_clear(&bytes);
		skep_buf_add(&bytes, start.data, start.len);
		packet(&bytes, 0, 0, "x", 1);
		memcpy(bytes.data + start.len + (i ? 8 : 20), &absurd, 4);
		assert_int_equal(open_reading(&reading, &bytes), 0);
		assert_fails(&reading, next(&reading), SKEP_DIAG_CAPTURE_LENGTH);
		close_reading(&reading);
	}
}

/* --- writing --------------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
	const struct skep_frame out = {.data = (const uint8_t *)"a frame",
				       .len = 7,
				       .wire_len = 9,
				       .time_ns = 12345678901};
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct reading reading;
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_int_equal(skep_capture_write_start(file, SKEP_LINK_ETHERNET), 0);
	assert_int_equal(skep_capture_write(file, &out), 0);
	fclose(file);
	skep_buf_add(&bytes, text, len);
	free(text);
	assert_int_equal(open_reading(&reading, &bytes), 0);
	assert_frame(&reading, "a frame", 9, 12345678901);
	assert_int_equal(next(&reading), 0);
	close_reading(&reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),          cmocka_unit_test(test_pcap_is_cut),
		cmocka_unit_test(test_absurd_length), cmocka_unit_test(test_no_capture),
		cmocka_unit_test(test_pcapng),        cmocka_unit_test(test_pcapng_is_broken),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
