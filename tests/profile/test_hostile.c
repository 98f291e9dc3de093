/* Files as strangers have them: profile.proto with what skep does not know or what is not there,
 * and files that would be more than anybody has room for. */
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
#include "sink/protobuf.h"

/* --- profile.proto ---------------------------------------------------------------------------- */

static const char *const words[] = {"",     "samples", "count", "f",        "pid", "tid",
				    "comm", "nginx",   "other", "a remark", NULL};

static void put(struct skep_buf *file, unsigned field, struct skep_buf *message)
{
	skep_proto_add_message(file, field, message);
	skep_buf_done(message);
}

/* Strings, one type; location 1 is of function 1, "f". */
static void start_file(struct skep_buf *file)
{
	struct skep_buf message = {0}, line = {0};

	for (unsigned i = 0; words[i]; i++)
		skep_proto_add_bytes(file, 6, words[i], strlen(words[i]));
	skep_proto_put(&message, 1, 1);
	skep_proto_put(&message, 2, 2);
	put(file, 1, &message);
	skep_proto_put(&message, 1, 1);
	skep_proto_put(&message, 2, 3);
	put(file, 5, &message);
	skep_proto_put(&message, 1, 1);
	skep_proto_put(&line, 1, 1);
	put(&message, 4, &line);
	put(file, 4, &message);
}

static void put_label(struct skep_buf *sample, unsigned key, uint64_t string, uint64_t number)
{
	struct skep_buf label = {0};

	skep_proto_put(&label, 1, key);
	skep_proto_put(&label, 2, string);
	skep_proto_put(&label, 3, number);
	put(sample, 3, &label);
}

static void put_sample(struct skep_buf *file, uint64_t location)
{
	struct skep_buf sample = {0};

	skep_proto_put(&sample, 1, location);
	skep_proto_put(&sample, 2, 5);
	put(file, 2, &sample);
}

static void assert_file(const struct skep_buf *file, const char *want)
{
	struct skep_profile p = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_int_equal(skep_profile_read(file->data, file->len, "test", &p, NULL), 0);
	profile_dump(&p, &buf);
	assert_string_equal(strstr(buf.data, "type samples count\n") + 19, want);
	skep_profile_done(&p);
}

/* Fields that later versions have, and groups of bytes that are no numbers. */
static void test_unknown_fields(void **state)
{
	_cleanup_buf_ struct skep_buf file = {0};

	start_file(&file);
	put_sample(&file, 1);
	skep_proto_add_bytes(&file, 40, "\xff\xff\xff", 3);
	skep_proto_add_bytes(&file, 15, "\xff", 1);
	skep_proto_add_double(&file, 41, 1.5);
	assert_file(&file, "sample 0/0  5\n  f [ ] :0 0x0 0\n");
}

/* Labels are kept, or counted: whatever their values are. */
static void test_labels(void **state)
{
	_cleanup_buf_ struct skep_buf file = {0};
	struct skep_buf sample = {0};

	start_file(&file);
	skep_proto_put(&sample, 1, 1);
	skep_proto_put(&sample, 2, 5);
	put_label(&sample, 4, 0, 7);
	put_label(&sample, 4, 0, 8);          /* a second pid */
	put_label(&sample, 5, 7, 0);          /* a tid that is text */
	put_label(&sample, 5, 0, 1ull << 40); /* and one that nobody has */
	put_label(&sample, 6, 7, 0);
	put_label(&sample, 8, 7, 0);
	put_label(&sample, 8, 0, 3);
	put(&file, 2, &sample);
	assert_file(&file, "lost 5 labels that are no process or thread\n"
			   "sample 7/0 nginx 5\n  f [ ] :0 0x0 0\n");
}

/* What is named and is not there is counted; the first string is "" whatever is there. */
static void test_bad_numbers(void **state)
{
	_cleanup_buf_ struct skep_buf file = {0};
	struct skep_buf message = {0}, line = {0};

	skep_proto_add_bytes(&file, 6, "zero", 4);
	start_file(&file);
	file.data[file.len] = '\0';
	put_sample(&file, 99);
	skep_proto_put(&message, 1, 2); /* a location of a function that is not there */
	skep_proto_put(&message, 3, 0x4000);
	skep_proto_put(&line, 1, 77);
	put(&message, 4, &line);
	put(&file, 4, &message);
	put_sample(&file, 2);
	skep_proto_put(&message, 1, 2); /* a function whose name is not there */
	skep_proto_put(&message, 2, 1000);
	put(&file, 5, &message);
	skep_proto_put(&message, 1, 3);
	skep_proto_put(&line, 1, 2);
	put(&message, 4, &line);
	put(&file, 4, &message);
	put_sample(&file, 3);
	skep_proto_put(&file, 13, 10);
	struct skep_profile p = {0};
	_cleanup_buf_ struct skep_buf buf = {0};
	assert_int_equal(skep_profile_read(file.data, file.len, "test", &p, NULL), 0);
	profile_dump(&p, &buf);
	/* Its strings are one place further on than its messages say. */
	assert_string_equal(strstr(buf.data, "diff 0\n") + 7,
			    "type  samples\n"
			    "lost 1 frames of unknown locations\n"
			    "lost 2 names, functions or files that the profile does not have\n"
			    "lost 1 comments\n"
			    "sample 0/0  5\n"
			    "sample 0/0  5\n  0x4000 [ ] :0 0x4000 0\n"
			    "sample 0/0  5\n  [unknown] [ ] :0 0x0 0\n");
	skep_profile_done(&p);
}

static void assert_refused(const void *data, size_t len, int err, const char *why)
{
	struct skep_profile p = {0};
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_buf_ struct skep_buf text = {0};

	assert_int_equal(skep_profile_read(data, len, "test", &p, &diag), err);
	skep_diag_render(&diag, false, &text);
	assert_non_null(strstr(text.data, why));
	assert_null(p.index);
}

static void test_too_many_types(void **state)
{
	_cleanup_buf_ struct skep_buf file = {0};
	struct skep_buf message = {0};

	start_file(&file);
	for (int i = 0; i < 64; i++) {
		skep_proto_put(&message, 1, 1);
		put(&file, 1, &message);
	}
	assert_refused(file.data, file.len, -EINVAL, "over 64 types");
}

/* --- Sizes ------------------------------------------------------------------------------------ */

/* Cut anywhere, it is said that it is cut; changed, that it is broken. */
static void test_gzip(void **state)
{
	struct skep_profile p;
	_cleanup_buf_ struct skep_buf gz = {0};

	random_profile(&p, 3, 30);
	skep_profile_write(&p, SKEP_PROFILE_PPROF, NULL, &gz, NULL);
	for (size_t len = 3; len < gz.len; len += 7)
		assert_refused(gz.data, len, -EINVAL, "it is cut");
	gz.data[gz.len - 6] ^= 1; /* its checksum */
	assert_refused(gz.data, gz.len, -EINVAL, "cannot be unpacked");
	skep_profile_done(&p);
}

/* More frames than are read, in one line: of folded stacks, and of perf script. */
static void test_long_stacks(void **state)
{
	size_t n = SKEP_PROFILE_FILE_MOST_NODES + 10;
	char *text = malloc(3 * n + 100);

	assert_non_null(text);
	memset(text, ';', n);
	memcpy(text + n, " 1\n", 3);
	assert_refused(text, n + 3, -EFBIG, "frames");
	size_t at = (size_t)sprintf(text, "a 1/1 [000] 1.5: 1 cycles:\n\tab f");
	for (size_t i = 0; i < n; i++, at += 3)
		memcpy(text + at, "->f", 3);
	at += (size_t)sprintf(text + at, " (x)\n");
	assert_refused(text, at, -EFBIG, "frames");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_fields), cmocka_unit_test(test_labels),
		cmocka_unit_test(test_bad_numbers),    cmocka_unit_test(test_too_many_types),
		cmocka_unit_test(test_gzip),           cmocka_unit_test(test_long_stacks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
