/* What the writer writes: read back by the reader, and accepted by the kernel. */
#include "raw.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Every kind the writer knows, in the order its ids are asserted below. */
static struct skep_btf_writer *everything(void)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();

	assert_int_equal(skep_btf_add_int(writer, "unsigned long", 8, false), 1);
	assert_int_equal(skep_btf_add_int(writer, "char", 1, true), 2);
	assert_int_equal(skep_btf_add_array(writer, 2, 16), 3);
	assert_int_equal(skep_btf_add_struct(writer, "event", 32), 4);
	skep_btf_add_member(writer, "when", 1, 0);
	skep_btf_add_member(writer, "comm", 3, 64);
	skep_btf_add_member(writer, "next", 5, 192);
	assert_int_equal(skep_btf_add_ptr(writer, 4), 5);
	assert_int_equal(skep_btf_add_func_proto(writer, 1), 6);
	skep_btf_add_param(writer, "ctx", 5);
	skep_btf_add_param(writer, "n", 1);
	assert_int_equal(skep_btf_add_func(writer, "handle", 6, false), 7);
	assert_int_equal(skep_btf_add_func(writer, "local", 6, true), 8);
	assert_int_equal(skep_btf_add_var(writer, "last", 4, false), 9);
	assert_int_equal(skep_btf_add_var(writer, "count", 1, true), 10);
	assert_int_equal(skep_btf_add_datasec(writer, ".bss", 40), 11);
	skep_btf_add_secinfo(writer, 9, 0, 32);
	skep_btf_add_secinfo(writer, 10, 32, 8);
	return writer;
}

static struct skep_btf *finish_and_read(const struct skep_btf_writer *writer)
{
	struct skep_btf *btf = NULL;
	void *data = NULL;
	size_t size = 0;

	skep_btf_finish(writer, &data, &size);
	assert_int_equal(skep_btf_parse(data, size, NULL, &btf, NULL), 0);
	free(data);
	return btf;
}

static void round_trip(void **state)
{
	static const struct {
		enum skep_btf_kind kind;
		const char *name;
		uint32_t target, n_members;
		int64_t size;
	} expected[] = {
		{SKEP_BTF_VOID, "", 0, 0, -ENOENT},       {SKEP_BTF_INT, "unsigned long", 0, 0, 8},
		{SKEP_BTF_INT, "char", 0, 0, 1},          {SKEP_BTF_ARRAY, "", 2, 0, 16},
		{SKEP_BTF_STRUCT, "event", 0, 3, 32},     {SKEP_BTF_PTR, "", 4, 0, 8},
		{SKEP_BTF_FUNC_PROTO, "", 1, 2, -ENOENT}, {SKEP_BTF_FUNC, "handle", 6, 0, -ENOENT},
		{SKEP_BTF_FUNC, "local", 6, 0, -ENOENT},  {SKEP_BTF_VAR, "last", 4, 0, 32},
		{SKEP_BTF_VAR, "count", 1, 0, 8},         {SKEP_BTF_DATASEC, ".bss", 0, 2, 40},
	};
	struct skep_btf_writer *writer = everything();
	struct skep_btf *btf = finish_and_read(writer);

	assert_int_equal(skep_btf_n_types(btf), 11);
	for (uint32_t id = 0; id <= 11; id++) {
		assert_int_equal(skep_btf_kind(btf, id), expected[id].kind);
		assert_string_equal(skep_btf_name(btf, id), expected[id].name);
		assert_int_equal(skep_btf_target(btf, id), expected[id].target);
		assert_int_equal(skep_btf_n_members(btf, id), expected[id].n_members);
		assert_int_equal(skep_btf_size(btf, id), expected[id].size);
	}
	assert_int_equal(skep_btf_array_len(btf, 3), 16);
	skep_btf_free(btf);
	skep_btf_writer_free(writer);
}

static void members_round_trip(void **state)
{
	struct skep_btf_writer *writer = everything();
	struct skep_btf *btf = finish_and_read(writer);
	struct skep_btf_member found;
	struct skep_btf_int info;

	found = member(btf, 4, "comm");
	assert_int_equal(found.type, 3);
	assert_int_equal(found.bit_off, 64);
	assert_int_equal(found.bit_size, 0);
	assert_int_equal(skep_btf_member(btf, 6, 1, &found), 0);
	assert_string_equal(found.name, "n");
	assert_int_equal(found.type, 1);
	assert_int_equal(skep_btf_member(btf, 11, 1, &found), 0);
	assert_string_equal(found.name, "count");
	assert_int_equal(found.bit_off, 32 * 8);
	assert_int_equal(skep_btf_int_info(btf, 1, &info), 0);
	assert_true(info.bits == 64 && !info.is_signed);
	assert_int_equal(skep_btf_int_info(btf, 2, &info), 0);
	assert_true(info.bits == 8 && info.is_signed);
	skep_btf_free(btf);
	skep_btf_writer_free(writer);
}

static void strings_are_shared(void **state)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	uint32_t first = skep_btf_add_string(writer, "count()", 7);

	assert_int_equal(skep_btf_add_string(writer, "count() ", 7), first);
	assert_int_equal(skep_btf_add_string(writer, "count()\0x", 9), first);
	assert_int_not_equal(skep_btf_add_string(writer, "count", 5), first);
	assert_int_equal(skep_btf_add_string(writer, "", 0), 0);
	assert_int_equal(skep_btf_add_string(writer, NULL, 0), 0);
	/* Many enough that the buffer behind the keys has moved. */
	for (int i = 0; i < 5000; i++) {
		char text[16];
		int len = snprintf(text, sizeof(text), "s%d", i);
		uint32_t off = skep_btf_add_string(writer, text, len);
		assert_int_equal(skep_btf_add_string(writer, text, len), off);
	}
	assert_int_equal(skep_btf_add_string(writer, "count()", 7), first);
	skep_btf_writer_free(writer);
}

static void array_brings_its_index(void **state)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	uint32_t array = skep_btf_add_array(writer, 3, 4);
	uint32_t event = skep_btf_add_struct(writer, "s", 8);
	struct skep_btf *btf;

	assert_int_equal(event, 3);
	btf = finish_and_read(writer);
	assert_int_equal(skep_btf_kind(btf, array), SKEP_BTF_ARRAY);
	assert_int_equal(skep_btf_size(btf, array), 32);
	assert_string_equal(skep_btf_name(btf, array - 1), "int");
	skep_btf_free(btf);
	skep_btf_writer_free(writer);
}

static void finish_twice(void **state)
{
	struct skep_btf_writer *writer = everything();
	struct skep_btf *before = finish_and_read(writer), *after;

	skep_btf_add_ptr(writer, 1);
	after = finish_and_read(writer);
	assert_int_equal(skep_btf_n_types(before), 11);
	assert_int_equal(skep_btf_n_types(after), 12);
	assert_int_equal(skep_btf_target(after, 12), 1);
	skep_btf_free(before);
	skep_btf_free(after);
	skep_btf_writer_free(writer);
}

static void empty(void **state)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	struct skep_btf *btf = finish_and_read(writer);

	assert_int_equal(skep_btf_n_types(btf), 0);
	assert_int_equal(find(btf, "int"), 0);
	skep_btf_free(btf);
	skep_btf_writer_free(writer);
	skep_btf_writer_free(NULL);
	skep_btf_free(NULL);
}

/* Load into the kernel; on refusal its log says why. */
static int load(const void *data, size_t size, char *log, size_t log_size)
{
	union bpf_attr attr = {0};
	int fd;

	attr.btf = (uintptr_t)data;
	attr.btf_size = size;
	attr.btf_log_buf = (uintptr_t)log;
	attr.btf_log_size = log_size;
	attr.btf_log_level = 1;
	fd = syscall(SYS_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

static void kernel_accepts(void **state)
{
	struct skep_btf_writer *writer = everything();
	static char log[65536];
	void *data = NULL;
	size_t size = 0;
	int fd;

	skep_btf_finish(writer, &data, &size);
	fd = load(data, size, log, sizeof(log));
	free(data);
	skep_btf_writer_free(writer);
	if (fd == -EPERM || fd == -ENOSYS) {
		print_message("bpf(2) is refused here: %s\n", strerror(-fd));
		skip();
	}
	if (fd < 0)
		print_error("%s\n%s\n", strerror(-fd), log);
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),         cmocka_unit_test(members_round_trip),
		cmocka_unit_test(strings_are_shared), cmocka_unit_test(array_brings_its_index),
		cmocka_unit_test(finish_twice),       cmocka_unit_test(empty),
		cmocka_unit_test(kernel_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
