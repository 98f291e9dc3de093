/* Keys and values by their types: printed, read back, and types that lie about their sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include <skep/btf.h>

#include "base/buf.h"
#include "engine/value.h"

struct sample {
	uint32_t pid;
	char comm[8];
	int16_t delta;
	uint16_t ports[3];
};

static struct skep_btf *btf;
static uint32_t u32_type, s16_type, sample_type, liar_type, pointer_type;

static int setup(void **state)
{
	struct skep_btf_writer *w = skep_btf_writer_new();
	uint32_t chars, u16_type, comm, ports;
	void *data;
	size_t size;

	u32_type = skep_btf_add_int(w, "unsigned int", 4, false);
	s16_type = skep_btf_add_int(w, "short", 2, true);
	u16_type = skep_btf_add_int(w, "unsigned short", 2, false);
	chars = skep_btf_add_int(w, "char", 1, true);
	comm = skep_btf_add_array(w, chars, 8);
	ports = skep_btf_add_array(w, u16_type, 3);
	pointer_type = skep_btf_add_ptr(w, 0);
	sample_type = skep_btf_add_struct(w, "sample", sizeof(struct sample));
	skep_btf_add_member(w, "pid", u32_type, 0);
	skep_btf_add_member(w, "comm", comm, 32);
	skep_btf_add_member(w, "delta", s16_type, 96);
	skep_btf_add_member(w, "ports", ports, 112);
	/* Its member lies outside of it. */
	liar_type = skep_btf_add_struct(w, "liar", 4);
	skep_btf_add_member(w, "far", u32_type, 8 * 4096);
	skep_btf_finish(w, &data, &size);
	skep_btf_writer_free(w);
	assert_int_equal(skep_btf_parse(data, size, NULL, &btf, NULL), 0);
	free(data);
	return 0;
}

static int teardown(void **state)
{
	skep_btf_free(btf);
	return 0;
}

static void assert_prints(uint32_t type, const void *data, uint32_t len, const char *text,
			  const char *json)
{
	const struct skep_value value = {btf, type, data, len};
	_cleanup_buf_ struct skep_buf out = {0};

	skep_value_print(&value, false, &out);
	assert_string_equal(out.data, text);
	skep_buf_clear(&out);
	skep_value_print(&value, true, &out);
	assert_string_equal(out.data, json);
}

static void test_print(void **state)
{
	const struct sample sample = {7, "sh", -2, {1, 2, 65535}};
	const struct sample odd = {7, {'a', 0, 'b'}, 0, {0}};
	const uint32_t number = 4000000000;
	const uint64_t pointer = 0xffff888000001000;

	assert_prints(u32_type, &number, 4, "4000000000", "4000000000");
	assert_prints(pointer_type, &pointer, 8, "0xffff888000001000", "\"18446612682070036480\"");
	assert_prints(sample_type, &sample, sizeof(sample),
		      "{pid: 7, comm: \"sh\", delta: -2, ports: [1, 2, 65535]}",
		      "{\"pid\": 7, \"comm\": \"sh\", \"delta\": -2, \"ports\": [1, 2, 65535]}");
	/* Text behind the NUL would be lost as a string. */
	assert_prints(sample_type, &odd, sizeof(odd),
		      "{pid: 7, comm: [97, 0, 98, 0, 0, 0, 0, 0], delta: 0, ports: [0, 0, 0]}",
		      "{\"pid\": 7, \"comm\": [97, 0, 98, 0, 0, 0, 0, 0], \"delta\": 0, "
		      "\"ports\": [0, 0, 0]}");
}

static void test_print_unknown(void **state)
{
	const struct skep_value value = {NULL, 0, "\x01\xab", 2};
	_cleanup_buf_ struct skep_buf out = {0};

	skep_value_print(&value, false, &out);
	skep_value_print(&value, true, &out);
	assert_string_equal(out.data, "01 ab\"01ab\"");
	assert_prints(999, "\x01\xab", 2, "01 ab", "\"01ab\"");
}

/* Nothing outside of the bytes is read: the sanitizers watch. */
static void test_print_liar(void **state)
{
	uint8_t *exact = calloc(1, 4);

	assert_prints(liar_type, exact, 4, "{far: }", "{\"far\": \"\"}");
	assert_prints(sample_type, exact, 4, "{pid: 0, comm: , delta: , ports: }",
		      "{\"pid\": 0, \"comm\": \"\", \"delta\": \"\", \"ports\": \"\"}");
	free(exact);
}

static void assert_parses(uint32_t type, uint32_t len, const char *text, const void *bytes)
{
	const struct skep_value value = {btf, type, NULL, len};
	_cleanup_diag_ struct skep_diag diag = {0};
	uint8_t out[64] = {0};

	assert_int_equal(skep_value_parse(&value, text, out, &diag), 0);
	assert_memory_equal(out, bytes, len);
}

static void assert_refuses(uint32_t type, uint32_t len, const char *text)
{
	const struct skep_value value = {btf, type, NULL, len};
	_cleanup_diag_ struct skep_diag diag = {0};
	uint8_t out[64] = {42}, before[64] = {42};

	assert_int_equal(skep_value_parse(&value, text, out, &diag), -EINVAL);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_VALUE_TEXT);
	assert_memory_equal(out, before, sizeof(out));
}

static void test_parse(void **state)
{
	const struct sample sample = {7, "sh", -2, {0}};

	assert_parses(u32_type, 4, "4294967295", "\xff\xff\xff\xff");
	assert_parses(u32_type, 4, "0x10", "\x10\0\0\0");
	assert_parses(s16_type, 2, "-32768", "\0\x80");
	assert_parses(sample_type, sizeof(sample), "delta=-2,pid=7,comm=sh", &sample);
	assert_parses(sample_type, 3, "hex:01 02:ff", "\x01\x02\xff");
	assert_parses(0, 8, "1", "\x01\0\0\0\0\0\0\0");
}

static void test_parse_refused(void **state)
{
	assert_refuses(u32_type, 4, "4294967296");
	assert_refuses(s16_type, 2, "-32769");
	assert_refuses(u32_type, 4, "");
	assert_refuses(u32_type, 4, "-");
	assert_refuses(u32_type, 4, "1x");
	assert_refuses(u32_type, 4, "hex:010203");
	assert_refuses(u32_type, 4, "hex:0102030405");
	assert_refuses(u32_type, 4, "hex:010203g4");
	assert_refuses(sample_type, sizeof(struct sample), "pid");
	assert_refuses(sample_type, sizeof(struct sample), "pod=1");
	assert_refuses(sample_type, sizeof(struct sample), "comm=too long a name");
	assert_refuses(liar_type, 4, "far=1");
	assert_refuses(0, 3, "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),         cmocka_unit_test(test_print_unknown),
		cmocka_unit_test(test_print_liar),    cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
