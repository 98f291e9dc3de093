/* Running a program on given data: see test.h. */
#include "engine/test.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "linux/bpf.h"

/* Newer than the headers and the libbpf that this is built with. */
#define BPF_PROG_TYPE_NETFILTER 32

#define OUT_ROOM                (64u << 10) /* more than a packet grows by */
#define ZERO_BYTES              96

static const struct skep_testable testables[] = {
#define TESTABLE(type, ...) {BPF_PROG_TYPE_##type, __VA_ARGS__},
#include "engine/testable.def"
#undef TESTABLE
};

const struct skep_testable *skep_testable(uint32_t prog_type)
{
	for (size_t i = 0; i < sizeof(testables) / sizeof(testables[0]); i++) {
		if (testables[i].type == prog_type)
			return &testables[i];
	}
	return NULL;
}

static uint64_t pointer(const void *at)
{
	return (uint64_t)(uintptr_t)at;
}

static void fill_ctx(const struct skep_testable *kind, struct skep_test *test, union bpf_attr *attr)
{
	static const uint8_t zeros[ZERO_BYTES];

	attr->test.ctx_in = pointer(test->ctx ? test->ctx : kind->ctx_bytes ? zeros : NULL);
	attr->test.ctx_size_in = test->ctx ? test->ctx_len : kind->ctx_bytes;
	if (!test->ctx || !kind->ctx_out)
		return;
	attr->test.ctx_out = pointer(skep_buf_reserve(&test->ctx_out, test->ctx_len));
	attr->test.ctx_size_out = test->ctx_len;
}

static void fill_data(const struct skep_testable *kind, struct skep_test *test,
		      union bpf_attr *attr)
{
	uint32_t room = test->data_len + OUT_ROOM;

	if (!kind->data)
		return;
	attr->test.data_in = pointer(test->data);
	attr->test.data_size_in = test->data_len;
	attr->test.data_out = pointer(skep_buf_reserve(&test->data_out, room));
	attr->test.data_size_out = room;
}

/* Programs above Ethernet do not see its header, and get one of zeros back. */
static void keep_header(const struct skep_testable *kind, struct skep_test *test)
{
	if (kind->out == SKEP_OUT_PAYLOAD && test->data_out.len >= SKEP_TEST_LEAST_BYTES)
		memcpy(test->data_out.data, test->data, SKEP_TEST_LEAST_BYTES);
}

int skep_test_run(const struct skep_testable *kind, struct skep_test *test)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	skep_buf_clear(&test->data_out);
	skep_buf_clear(&test->ctx_out);
	attr.test.prog_fd = (uint32_t)test->prog_fd;
	attr.test.repeat = kind->repeats ? test->repeat : 0;
	fill_ctx(kind, test, &attr);
	fill_data(kind, test, &attr);
	err = skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
	if (err)
		return err;
	test->retval = attr.test.retval;
	test->duration_ns = attr.test.duration;
	if (attr.test.data_out)
		test->data_out.len = attr.test.data_size_out;
	keep_header(kind, test);
	if (attr.test.ctx_out)
		test->ctx_out.len = attr.test.ctx_size_out;
	return 0;
}

void skep_test_done(struct skep_test *test)
{
	skep_buf_done(&test->data_out);
	skep_buf_done(&test->ctx_out);
}

/* --- Results --------------------------------------------------------------------------------- */

struct skep_verdict_name skep_test_verdict(uint32_t prog_type, uint32_t retval)
{
	static const struct skep_verdict_name verdicts[] = {
#define VERDICT(type, value, name, passes) {BPF_PROG_TYPE_##type, (uint32_t)(value), name, passes},
#include "engine/verdicts.def"
#undef VERDICT
	};

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (verdicts[i].type == prog_type && verdicts[i].value == retval)
			return verdicts[i];
	}
	if (prog_type == BPF_PROG_TYPE_SOCKET_FILTER)
		return (struct skep_verdict_name){prog_type, retval, "keep", true};
	return (struct skep_verdict_name){prog_type, retval, "", false};
}

const char *skep_prog_type_name(uint32_t type)
{
	const char *name = libbpf_bpf_prog_type_str((enum bpf_prog_type)type);

	if (name)
		return name;
	return type == BPF_PROG_TYPE_NETFILTER ? "netfilter" : "unknown";
}

int skep_prog_type_by_name(const char *name)
{
	for (int type = 1; type <= BPF_PROG_TYPE_NETFILTER; type++) {
		if (!strcmp(skep_prog_type_name((uint32_t)type), name))
			return type;
	}
	return -1;
}
