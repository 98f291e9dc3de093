/* Broken bytes: each refused with its own diagnostic; loops and bombs in good bytes survived. */
#include "raw.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect(const void *data, size_t size, const struct skep_btf *base, const char *code)
{
	struct skep_diag diag = {0};
	struct skep_btf *btf = (void *)0x1;

	assert_int_equal(skep_btf_parse(data, size, base, &btf, &diag), -EINVAL);
	assert_ptr_equal(btf, (void *)0x1);
	assert_int_equal(diag.n_items, 1);
	assert_string_equal(skep_diag_code(diag.items[0].id), code);
	skep_diag_done(&diag);
}

static void expect_raw(struct raw *raw, const char *code)
{
	struct skep_buf blob = raw_finish(raw);

	expect(blob.data, blob.len, NULL, code);
	skep_buf_done(&blob);
}

/* One int, with the field at @off of the header changed to @value. */
static void headers(void **state)
{
	static const struct {
		size_t off, bytes;
		uint32_t value;
		const char *code;
	} cases[] = {
		{0, 2, 0x457f, "Y0002"},     {0, 2, WIRE_MAGIC_OTHER, "Y0003"},
		{2, 1, 2, "Y0004"},          {3, 1, 1, "Y0004"},
		{4, 4, 23, "Y0005"},         {4, 4, UINT32_MAX, "Y0005"},
		{8, 4, UINT32_MAX, "Y0006"}, {12, 4, UINT32_MAX, "Y0006"},
		{16, 4, 1000, "Y0006"},      {20, 4, 0x80000000, "Y0006"},
		{8, 4, 1, "Y0007"},          {20, 4, 0, "Y0008"},
		{20, 4, 2, "Y0008"},         {24 + 16, 1, 'x', "Y0008"},
		{12, 4, 15, "Y0010"},        {12, 4, 11, "Y0010"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct raw raw = {0};
		struct skep_buf blob;

		raw_int(&raw, "int", 4, 32);
		blob = raw_finish(&raw);
		memcpy(blob.data + cases[i].off, &cases[i].value, cases[i].bytes);
		expect(blob.data, blob.len, NULL, cases[i].code);
		skep_buf_done(&blob);
	}
}

static void too_short(void **state)
{
	struct raw raw = {0};
	struct skep_buf blob = raw_finish(&raw);

	for (size_t len = 0; len < sizeof(struct wire_header); len++)
		expect(blob.data, len, NULL, "Y0001");
	expect(blob.data, blob.len - 1, NULL, "Y0006");
	skep_buf_done(&blob);
}

static void records(void **state)
{
	struct raw raw = {0};

	raw_type(&raw, SKEP_BTF_VOID, "", 0, 0);
	expect_raw(&raw, "Y0009");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_N_KINDS, "", 0, 0);
	expect_raw(&raw, "Y0009");
	raw = (struct raw){0};
	raw_type(&raw, 31, "", 0, 0);
	expect_raw(&raw, "Y0009");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_STRUCT, "s", 2, 8);
	raw_element(&raw, "only", 0, 0);
	expect_raw(&raw, "Y0010");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_ENUM64, "e", 0xffff, 8);
	expect_raw(&raw, "Y0010");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_INT, "int", 0, 4);
	expect_raw(&raw, "Y0010");
}

static void names(void **state)
{
	struct raw raw = {0};

	raw_type(&raw, SKEP_BTF_STRUCT, "s", 1, 8);
	raw_word(&raw, 3); /* one past the end: NUL, 's', NUL */
	raw_word(&raw, 0);
	raw_word(&raw, 0);
	expect_raw(&raw, "Y0011");
	raw = (struct raw){0};
	raw_word(&raw, UINT32_MAX);
	raw_word(&raw, SKEP_BTF_PTR << 24);
	raw_word(&raw, 0);
	expect_raw(&raw, "Y0011");
}

static void references(void **state)
{
	struct raw raw = {0};

	raw_type(&raw, SKEP_BTF_PTR, "", 0, 2);
	expect_raw(&raw, "Y0012");
	raw = (struct raw){0};
	raw_array(&raw, UINT32_MAX, 1);
	expect_raw(&raw, "Y0012");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_UNION, "u", 1, 8);
	raw_element(&raw, "m", 99, 0);
	expect_raw(&raw, "Y0012");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_FUNC_PROTO, "", 1, 0);
	raw_pair(&raw, "p", 7);
	expect_raw(&raw, "Y0012");
	raw = (struct raw){0};
	raw_type(&raw, SKEP_BTF_DATASEC, ".bss", 1, 8);
	raw_word(&raw, 7);
	raw_word(&raw, 0);
	raw_word(&raw, 8);
	expect_raw(&raw, "Y0012");
}

/* More bytes than any BTF may have; the pointer is not looked at. */
static void too_many(void **state)
{
	expect("", SIZE_MAX / 2, NULL, "Y0013");
}

static void files(void **state)
{
	struct skep_diag diag = {0};
	struct skep_btf *btf = NULL;

	assert_int_equal(skep_btf_open("/no/such/file", NULL, &btf, &diag), -ENOENT);
	assert_string_equal(skep_diag_code(diag.items[0].id), "Y0014");
	assert_int_equal(skep_btf_open("/", NULL, &btf, &diag), -EISDIR);
	assert_int_equal(skep_btf_open("/dev/null", NULL, &btf, &diag), -EINVAL);
	assert_string_equal(skep_diag_code(diag.items[2].id), "Y0001");
	assert_non_null(strstr(diag.items[2].why, "/dev/null"));
	assert_null(btf);
	skep_diag_done(&diag);
}

static void environment(void **state)
{
	char path[] = "/tmp/skep-btf-XXXXXX";
	struct skep_diag diag = {0};
	struct skep_btf *btf = NULL;
	struct raw raw = {0};
	struct skep_buf blob;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	raw_int(&raw, "mine", 4, 32);
	blob = raw_finish(&raw);
	assert_int_equal(write(fd, blob.data, blob.len), blob.len);
	skep_buf_done(&blob);
	close(fd);
	setenv("SKEP_BTF_PATH", path, 1);
	assert_int_equal(skep_btf_open_kernel(&btf, &diag), 0);
	assert_int_equal(find(btf, "mine"), 1);
	skep_btf_free(btf);
	unlink(path);
	assert_int_equal(skep_btf_open_kernel(&btf, &diag), -ENOENT);
	assert_string_equal(skep_diag_code(diag.items[0].id), "Y0014");
	skep_diag_done(&diag);
	unsetenv("SKEP_BTF_PATH");
}

/* In a mount namespace of its own: hide the kernel's BTF, and look for it. 0 it went as it should.
 */
static int open_hidden(void)
{
	struct skep_diag diag = {0};
	struct skep_btf *btf = NULL;
	bool good;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/sys/kernel/btf", "tmpfs", 0, NULL))
		return 2;
	good = skep_btf_open_kernel(&btf, &diag) == -ENOENT && diag.n_items == 1 &&
	       !strcmp(skep_diag_code(diag.items[0].id), "Y0015");
	skep_diag_done(&diag);
	return good ? 0 : 1;
}

static void kernel_without_btf(void **state)
{
	int status = 0;
	pid_t child = fork();

	if (!child)
		_exit(open_hidden());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip(); /* not root, or no BTF to hide */
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- Well-formed, and still out to get us -------------------------------------------- */

static void typedef_loop(void **state)
{
	struct raw raw = {0};
	struct skep_buf out = {0};
	struct skep_btf *btf;

	raw_type(&raw, SKEP_BTF_TYPEDEF, "a", 0, 2);
	raw_type(&raw, SKEP_BTF_CONST, "", 0, 1);
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 3);
	raw_array(&raw, 4, 2);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_strip(btf, 1), 0);
	assert_int_equal(skep_btf_size(btf, 1), -ELOOP);
	assert_int_equal(skep_btf_size(btf, 4), -ELOOP);
	skep_btf_print_def(btf, 1, true, &out);
	assert_string_equal(out.data, "typedef const a a;");
	skep_buf_clear(&out);
	skep_btf_print_decl(btf, 3, "p", &out);
	assert_non_null(strstr(out.data, "..."));
	skep_btf_print_decl(btf, 4, "p", &out);
	skep_buf_done(&out);
	skep_btf_free(btf);
}

static void huge_arrays(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "long", 8, 64);
	raw_array(&raw, 1, UINT32_MAX);
	raw_array(&raw, 2, UINT32_MAX);
	raw_array(&raw, 3, UINT32_MAX);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_size(btf, 2), 8ll * UINT32_MAX);
	assert_int_equal(skep_btf_size(btf, 3), -EOVERFLOW);
	assert_int_equal(skep_btf_size(btf, 4), -EOVERFLOW);
	skep_btf_free(btf);
}

/* A struct that has itself in it, twice and without a name: 2^depth places to look. */
static void anonymous_bomb(void **state)
{
	struct skep_btf_member found;
	struct raw raw = {0};
	struct skep_buf out = {0};
	struct skep_btf *btf;

	raw_type(&raw, SKEP_BTF_STRUCT, "", 3, 8);
	raw_element(&raw, "", 1, 0);
	raw_element(&raw, "", 1, 0xffffff00);
	raw_element(&raw, "", 1, 0);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_find_member(btf, 1, "x", 1, &found), -ENOENT);
	skep_btf_print_def(btf, 1, true, &out);
	assert_in_range(out.len, 1, 64 << 20);
	assert_non_null(strstr(out.data, "..."));
	skep_buf_done(&out);
	skep_btf_free(btf);
}

/* A function whose parameters are the function. */
static void prototype_bomb(void **state)
{
	struct raw raw = {0};
	struct skep_buf out = {0};
	struct skep_btf *btf;

	raw_type(&raw, SKEP_BTF_FUNC_PROTO, "", 4, 2);
	for (int i = 0; i < 4; i++)
		raw_pair(&raw, "", 2);
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 1);
	btf = raw_parse(&raw, NULL);
	skep_btf_print_decl(btf, 2, "f", &out);
	assert_in_range(out.len, 1, 64 << 20);
	assert_non_null(strstr(out.data, "..."));
	skep_buf_done(&out);
	skep_btf_free(btf);
}

static void offsets_beyond_32_bits(void **state)
{
	struct skep_btf_member found;
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, 32);
	raw_type(&raw, SKEP_BTF_STRUCT, "", 1, 4);
	raw_element(&raw, "x", 1, 0x80000000);
	raw_type(&raw, SKEP_BTF_STRUCT, "s", 1, 4);
	raw_element(&raw, "", 2, 0x80000000);
	raw_type(&raw, SKEP_BTF_DATASEC, ".bss", 1, 4);
	raw_word(&raw, 1);
	raw_word(&raw, 0x40000000);
	raw_word(&raw, 4);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_find_member(btf, 3, "x", 1, &found), -ENOENT);
	assert_int_equal(skep_btf_member(btf, 4, 0, &found), -EINVAL);
	skep_btf_free(btf);
}

static void ids_that_are_not(void **state)
{
	static const uint32_t ids[] = {0, 2, 1000, INT32_MAX, UINT32_MAX - 1, UINT32_MAX};
	struct skep_btf_member found;
	struct skep_btf_int info;
	struct raw raw = {0};
	struct skep_btf *btf;
	const char *name;
	int64_t value;

	raw_int(&raw, "int", 4, 32);
	btf = raw_parse(&raw, NULL);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct skep_buf out = {0};

		assert_int_equal(skep_btf_kind(btf, ids[i]), SKEP_BTF_VOID);
		assert_string_equal(skep_btf_name(btf, ids[i]), "");
		assert_int_equal(skep_btf_size(btf, ids[i]), -ENOENT);
		assert_int_equal(skep_btf_n_members(btf, ids[i]), 0);
		assert_int_equal(skep_btf_target(btf, ids[i]), 0);
		assert_int_equal(skep_btf_array_len(btf, ids[i]), 0);
		assert_int_equal(skep_btf_int_info(btf, ids[i], &info), -EINVAL);
		assert_int_equal(skep_btf_member(btf, ids[i], 0, &found), -EINVAL);
		assert_int_equal(skep_btf_enumerator(btf, ids[i], 0, &name, &value), -EINVAL);
		assert_int_equal(skep_btf_find_member(btf, ids[i], "x", 1, &found), -ENOENT);
		skep_btf_print_decl(btf, ids[i], "x", &out);
		assert_string_equal(out.data, "void x");
		skep_buf_done(&out);
	}
	skep_btf_free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(too_short),
		cmocka_unit_test(records),
		cmocka_unit_test(names),
		cmocka_unit_test(references),
		cmocka_unit_test(too_many),
		cmocka_unit_test(files),
		cmocka_unit_test(environment),
		cmocka_unit_test(kernel_without_btf),
		cmocka_unit_test(typedef_loop),
		cmocka_unit_test(huge_arrays),
		cmocka_unit_test(anonymous_bomb),
		cmocka_unit_test(prototype_bomb),
		cmocka_unit_test(offsets_beyond_32_bits),
		cmocka_unit_test(ids_that_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
