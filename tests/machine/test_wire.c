/* Layouts of wire.h are the running kernel's: every size and offset that its BTF tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <skep/btf.h>

#include "machine/wire.h"

static struct skep_btf *btf;

static uint32_t type_called(const char *name)
{
	return skep_btf_find(btf, name, strlen(name),
			     SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION));
}

static int setup(void **state)
{
	skep_btf_open_kernel(&btf, NULL);
	return 0;
}

static int teardown(void **state)
{
	skep_btf_free(btf);
	return 0;
}

/* The offset of a member, given as a path ("test.repeat"); -1: this kernel has none. */
static int64_t offset_of(const char *type, const char *path)
{
	uint32_t id = type_called(type);
	int64_t off = 0;

	while (*path) {
		size_t len = strcspn(path, ".");
		struct skep_btf_member member;

		if (skep_btf_find_member(btf, id, path, len, &member))
			return -1;
		off += member.bit_off / 8;
		id = skep_btf_strip(btf, member.type);
		path += len + (path[len] == '.');
	}
	return off;
}

static const struct {
	const char *type, *path;
	size_t off;
} rows[] = {
#define ATTR(theirs, ours)                                                                         \
	{                                                                                          \
		"bpf_attr", theirs, offsetof(union attr, ours)                                     \
	}
	ATTR("map_name", map_create.name),
	ATTR("btf_fd", map_create.btf_fd),
	ATTR("map_extra", map_create.extra),
	ATTR("map_token_fd", map_create.token_fd),
	ATTR("excl_prog_hash_size", map_create.excl_prog_hash_size),
	ATTR("key", elem.key),
	ATTR("batch.flags", batch.flags),
	ATTR("batch.count", batch.count),
	ATTR("insns", prog_load.insns),
	ATTR("prog_name", prog_load.name),
	ATTR("func_info", prog_load.func_info),
	ATTR("line_info_cnt", prog_load.line_info_cnt),
	ATTR("attach_prog_fd", prog_load.attach_fd),
	ATTR("fd_array", prog_load.fd_array),
	ATTR("log_true_size", prog_load.log_true_size),
	ATTR("fd_array_cnt", prog_load.fd_array_cnt),
	ATTR("keyring_id", prog_load.keyring_id),
	ATTR("path_fd", pin.path_fd),
	ATTR("expected_revision", attach.expected_revision),
	ATTR("test.data_out", test.data_out),
	ATTR("test.ctx_out", test.ctx_out),
	ATTR("test.batch_size", test.batch_size),
	ATTR("fd_by_id_token_fd", id.token_fd),
	ATTR("info.info", info.info),
	ATTR("query.prog_cnt", query.count),
	ATTR("query.revision", query.revision),
	ATTR("raw_tracepoint.cookie", raw_tracepoint.cookie),
	ATTR("btf_log_true_size", btf_load.log_true_size),
	ATTR("btf_token_fd", btf_load.token_fd),
	ATTR("task_fd_query.probe_addr", task_fd.probe_addr),
	ATTR("link_create.attach_type", link_create.type),
	ATTR("link_create.perf_event.bpf_cookie", link_create.perf_cookie),
	ATTR("link_create.tracing.cookie", link_create.tracing_cookie),
	ATTR("link_create.netfilter.flags", link_create.netfilter_flags),
	ATTR("link_create.tcx.expected_revision", link_create.expected_revision),
	ATTR("link_create.uprobe_multi.pid", link_create.pid),
	ATTR("link_update.old_prog_fd", link_update.old_fd),
	ATTR("iter_create.flags", iter.flags),
	ATTR("prog_bind_map.flags", bind.flags),
	ATTR("prog_stream_read.prog_fd", stream.prog_fd),
#undef ATTR
#define PROG(theirs, ours)                                                                         \
	{                                                                                          \
		"bpf_prog_info", theirs, offsetof(struct info_prog, ours)                          \
	}
	PROG("load_time", load_time),
	PROG("map_ids", map_ids),
	PROG("name", name),
	PROG("netns_dev", netns_dev),
	PROG("jited_ksyms", jited_ksyms),
	PROG("btf_id", btf_id),
	PROG("func_info", func_info),
	PROG("nr_jited_line_info", nr_jited_line_info),
	PROG("prog_tags", prog_tags),
	PROG("run_cnt", run_cnt),
	PROG("attach_btf_id", attach_btf_id),
#undef PROG
	{"bpf_map_info", "netns_dev", offsetof(struct info_map, netns_dev)},
	{"bpf_map_info", "map_extra", offsetof(struct info_map, extra)},
	{"bpf_map_info", "hash_size", offsetof(struct info_map, hash_size)},
	{"bpf_btf_info", "kernel_btf", offsetof(struct info_btf, kernel_btf)},
	{"bpf_link_info", "tracing.cookie", offsetof(struct info_link, tracing.cookie)},
	{"bpf_link_info", "tcx.attach_type", offsetof(struct info_link, device.attach_type)},
	{"__sk_buff", "data_meta", offsetof(struct wire_sk_buff, data_meta)},
	{"__sk_buff", "gso_size", offsetof(struct wire_sk_buff, gso_size)},
	{"__sk_buff", "hwtstamp", offsetof(struct wire_sk_buff, hwtstamp)},
	{"xdp_md", "egress_ifindex", offsetof(struct wire_xdp_md, egress_ifindex)},
	{"bpf_flow_keys", "flow_label", offsetof(struct wire_flow_keys, flow_label)},
	{"bpf_sk_lookup", "local_port", offsetof(struct wire_sk_lookup, local_port)},
	{"bpf_sk_lookup", "ingress_ifindex", offsetof(struct wire_sk_lookup, ingress_ifindex)},
};

static void test_offsets(void **state)
{
	size_t n = 0;

	if (!btf || !type_called("bpf_attr"))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t off = offset_of(rows[i].type, rows[i].path);

		if (off < 0)
			continue; /* an older kernel */
		n++;
		if (off != (int64_t)rows[i].off)
			fail_msg("%s.%s: kernel %lld, ours %zu", rows[i].type, rows[i].path,
				 (long long)off, rows[i].off);
	}
	assert_true(n > 40);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *type;
		size_t size;
	} sizes[] = {
		{"bpf_attr", sizeof(union attr)},
		{"bpf_prog_info", sizeof(struct info_prog)},
		{"bpf_map_info", sizeof(struct info_map)},
		{"bpf_btf_info", sizeof(struct info_btf)},
		{"bpf_link_info", sizeof(struct info_link)},
		{"bpf_func_info", sizeof(struct wire_func_info)},
		{"bpf_line_info", sizeof(struct wire_line_info)},
		{"__sk_buff", sizeof(struct wire_sk_buff)},
		{"xdp_md", sizeof(struct wire_xdp_md)},
		{"bpf_flow_keys", sizeof(struct wire_flow_keys)},
		{"bpf_sk_lookup", sizeof(struct wire_sk_lookup)},
	};

	if (!btf || offset_of("bpf_attr", "keyring_id") < 0)
		skip(); /* before 6.18 */
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (skep_btf_size(btf, type_called(sizes[i].type)) != (int64_t)sizes[i].size)
			fail_msg("%s: kernel %lld, ours %zu", sizes[i].type,
				 (long long)skep_btf_size(btf, type_called(sizes[i].type)),
				 sizes[i].size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
