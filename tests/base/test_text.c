/* JSON strings, files, and diagnostics as people and programs read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"

static void check_json(const char *text, size_t len, const char *want)
{
	_cleanup_buf_ struct skep_buf out = {0};

	skep_json_string(&out, text, len);
	assert_string_equal(out.data, want);
}

static void json_strings(void **state)
{
	check_json("", 0, "\"\"");
	check_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
	check_json("\n\t\r\x01\x1f", 5, "\"\\n\\t\\r\\u0001\\u001f\"");
	check_json("a\0b", 3, "\"a\\u0000b\"");
	check_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9d", 9,
		   "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9d\"");
}

/* Whatever bytes: overlong forms, halves of pairs, ends cut off. */
static void json_of_no_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} broken[] = {{"\xff", 1},
		      {"\xc3", 1},
		      {"\x80", 1},
		      {"\xc0\x80", 2},
		      {"\xed\xa0\x80", 3},
		      {"\xe2\x82", 2},
		      {"\xf5\x80\x80\x80", 4}};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		_cleanup_buf_ struct skep_buf out = {0};
		skep_json_string(&out, broken[i].text, broken[i].len);
		assert_non_null(strstr(out.data, "\xef\xbf\xbd"));
		assert_null(strstr(out.data, broken[i].text));
	}
}

static void files(void **state)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	char path[] = "/tmp/skep-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	skep_buf_puts(&buf, "x");
	assert_int_equal(skep_file_read(path, 10, &buf), 0);
	assert_string_equal(buf.data, "x0123456789");
	assert_int_equal(skep_file_read(path, 9, &buf), -EFBIG);
	skep_buf_clear(&buf);
	assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
	assert_int_equal(skep_fd_read(fd, 100, &buf), 0);
	assert_string_equal(buf.data, "789");
	unlink(path);
	assert_int_equal(skep_file_read(path, 10, &buf), -ENOENT);
	assert_int_equal(skep_file_read("/", 10, &buf), -EISDIR);
	errno = E2BIG;
	skep_close(&fd);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(fd, -1);
	skep_close(&fd);
	skep_buf_clear(&buf);
	assert_int_equal(skep_file_read("/proc/self/status", 1 << 20, &buf), 0);
	assert_non_null(strstr(buf.data, "Pid:"));
}

/* More than a pipe holds, in as many goes as its reader lets it. */
static void written(void **state)
{
	static char data[300 * 1000], got[sizeof(data) + 1];
	int ends[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31 / 7);
	assert_int_equal(pipe(ends), 0);
	if (!fork()) {
		close(ends[0]);
		_exit(skep_fd_write(ends[1], data, sizeof(data)) ? 1 : 0);
	}
	close(ends[1]);
	while ((n = read(ends[0], got + len, sizeof(got) - len)) > 0)
		len += (size_t)n;
	assert_int_equal(len, sizeof(data));
	assert_memory_equal(got, data, len);
	close(ends[0]);
	assert_int_equal(skep_fd_write(full, data, 1), -ENOSPC);
	assert_int_equal(skep_fd_write(full, data, 0), 0);
	assert_int_equal(skep_fd_write(-1, data, 1), -EBADF);
	close(full);
}

static void ownership(void **state)
{
	char *text = strdup("mine");
	_cleanup_free_ char *taken = TAKE_PTR(text);
	int fd = open("/dev/null", O_RDONLY);
	_cleanup_close_ int taken_fd = TAKE_FD(fd);

	assert_null(text);
	assert_string_equal(taken, "mine");
	assert_int_equal(fd, -1);
	assert_true(taken_fd >= 0);
}

/* --- Diagnostics ------------------------------------------------------------------------------ */

static const char script[] = "begin {\n\tprint($abc);\n}\n";
static const struct skep_source source = {"s.bt", script, sizeof(script) - 1};

static void said(void **state)
{
	static const char *const near[] = {"count", "sum", "hist"};
	_cleanup_diag_ struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf text = {0}, json = {0};
	struct skep_span span = {15, 4};
	uint32_t line, col;

	skep_source_pos(&source, 15, &line, &col);
	assert_int_equal(line, 2);
	assert_int_equal(col, 8);
	assert_int_equal(skep_diag_fail(&diag, -EINVAL, SKEP_DIAG_FUNCTION_UNKNOWN, span, "cuont"),
			 -EINVAL);
	skep_diag_why(&diag, "for %d reasons", 2);
	skep_diag_did_you_mean(&diag, "cuont", near, 3);
	skep_diag_render(&diag, false, &text);
	assert_non_null(strstr(text.data, skep_diag_code(SKEP_DIAG_FUNCTION_UNKNOWN)));
	assert_non_null(strstr(text.data, "--> s.bt:2:8\n"));
	assert_non_null(strstr(text.data, "   2 | \tprint($abc);\n     | \t      ^^^^\n"));
	assert_non_null(strstr(text.data, "why: for 2 reasons\n"));
	assert_non_null(strstr(text.data, "count"));
	assert_null(strstr(text.data, "\x1b"));
	skep_diag_render_json(&diag, &json);
	assert_non_null(strstr(json.data, "\"line\""));
	assert_null(strchr(strchr(json.data, '\n') + 1, '\n'));
}

static void far_words(void **state)
{
	static const char *const names[] = {"count", "sum"};
	_cleanup_diag_ struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_FUNCTION_UNKNOWN, SKEP_NOWHERE, "frobnicate");
	skep_diag_did_you_mean(&diag, "frobnicate", names, 2);
	assert_true(!diag.items[0].hint || !strstr(diag.items[0].hint, "count"));
}

/* More than it keeps are counted; a script's own bytes never reach a terminal raw. */
static void bounds(void **state)
{
	static const char hostile[] = "a\x1b[31m\x07 b";
	struct skep_source bad = {"x", hostile, sizeof(hostile) - 1};
	_cleanup_diag_ struct skep_diag diag = {.source = &bad};
	_cleanup_buf_ struct skep_buf text = {0};

	for (int i = 0; i < SKEP_DIAG_MAX + 10; i++)
		skep_diag_add(&diag, SKEP_DIAG_FUNCTION_UNKNOWN, (struct skep_span){(uint32_t)i, 3},
			      "x");
	assert_int_equal(diag.n_items, SKEP_DIAG_MAX);
	assert_int_equal(diag.n_errors, SKEP_DIAG_MAX + 10);
	skep_diag_render(&diag, false, &text);
	assert_null(strchr(text.data, '\x1b'));
	assert_null(strchr(text.data, '\x07'));
	skep_diag_add(NULL, SKEP_DIAG_FUNCTION_UNKNOWN, SKEP_NOWHERE, "x");
}

/* Codes are what people look up: each is there once. */
static void codes(void **state)
{
	for (int i = SKEP_DIAG_NONE + 1; i < SKEP_DIAG_CNT; i++) {
		assert_int_equal(strlen(skep_diag_code(i)), 5);
		for (int j = i + 1; j < SKEP_DIAG_CNT; j++)
			assert_string_not_equal(skep_diag_code(i), skep_diag_code(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_strings), cmocka_unit_test(json_of_no_utf8),
		cmocka_unit_test(files),        cmocka_unit_test(written),
		cmocka_unit_test(ownership),    cmocka_unit_test(said),
		cmocka_unit_test(far_words),    cmocka_unit_test(bounds),
		cmocka_unit_test(codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
