/*
 * What programs may do by their type and where they attach, as the running kernel's verifier and as
 * ours sees it: each type loads and stores every field of its context in every width, calls every
 * helper, returns numbers around the limits. Verdict and errno must be the same, and what a load
 * brings ("R0=pkt(r=0)").
 *
 * Needs CAP_BPF; skips with a message where bpf(2) is refused. Types that the running kernel
 * refuses (EPERM: it is locked down; no such type) are passed over, and told.
 */
#include "../machine/both.h"

#include <linux/bpf.h>

#include <skep/btf.h>

#define LOG_BYTES    (1u << 16)
#define MOST_HELPERS 212
#define SLEEPS       (1u << 4)

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static const struct type {
	const char *name;
	uint32_t type, attach;
	uint32_t context_bytes; /* looked at from -8 to 16 behind it; tracepoints' from 0 on */
	const char *target;     /* what it attaches to; NULL: nothing */
	uint32_t target_kind, flags;
} types[] = {
	{"socket_filter", 1, 0, 192},
	{"kprobe", 2, 0, 168},
	{"kprobe.session", 2, 56, 168},
	{"sched_cls", 3, 0, 192},
	{"sched_act", 4, 0, 192},
	{"tracepoint", 5, 0, 64},
	{"xdp", 6, 0, 24},
	{"xdp/devmap", 6, BPF_XDP_DEVMAP, 24},
	{"perf_event", 7, 0, 184},
	{"cgroup_skb/ingress", 8, 0, 192},
	{"cgroup_skb/egress", 8, 1, 192},
	{"cgroup/sock_create", 9, BPF_CGROUP_INET_SOCK_CREATE, 80},
	{"cgroup/sock_release", 9, BPF_CGROUP_INET_SOCK_RELEASE, 80},
	{"cgroup/post_bind4", 9, BPF_CGROUP_INET4_POST_BIND, 80},
	{"cgroup/post_bind6", 9, BPF_CGROUP_INET6_POST_BIND, 80},
	{"lwt_in", 10, 0, 192},
	{"lwt_out", 11, 0, 192},
	{"lwt_xmit", 12, 0, 192},
	{"sockops", 13, BPF_CGROUP_SOCK_OPS, 224},
	{"sk_skb", 14, 0, 192},
	{"cgroup/dev", 15, BPF_CGROUP_DEVICE, 12},
	{"sk_msg", 16, BPF_SK_MSG_VERDICT, 80},
	{"raw_tracepoint", 17, 0, 96},
	{"cgroup/bind4", 18, BPF_CGROUP_INET4_BIND, 72},
	{"cgroup/bind6", 18, BPF_CGROUP_INET6_BIND, 72},
	{"cgroup/connect4", 18, BPF_CGROUP_INET4_CONNECT, 72},
	{"cgroup/connect_unix", 18, 49, 72},
	{"cgroup/sendmsg4", 18, BPF_CGROUP_UDP4_SENDMSG, 72},
	{"cgroup/sendmsg6", 18, BPF_CGROUP_UDP6_SENDMSG, 72},
	{"cgroup/recvmsg6", 18, BPF_CGROUP_UDP6_RECVMSG, 72},
	{"cgroup/getpeername4", 18, BPF_CGROUP_INET4_GETPEERNAME, 72},
	{"cgroup/getsockname_unix", 18, 53, 72},
	{"lwt_seg6local", 19, 0, 192},
	{"sk_reuseport", 21, BPF_SK_REUSEPORT_SELECT, 56},
	{"flow_dissector", 22, 0, 192},
	{"cgroup/sysctl", 23, BPF_CGROUP_SYSCTL, 8},
	{"raw_tracepoint.w", 24, 0, 96},
	{"cgroup/getsockopt", 25, BPF_CGROUP_GETSOCKOPT, 40},
	{"cgroup/setsockopt", 25, BPF_CGROUP_SETSOCKOPT, 40},
	{"tp_btf/sched_switch", 26, BPF_TRACE_RAW_TP, 96, "btf_trace_sched_switch", 8},
	{"tp_btf/kfree_skb", 26, BPF_TRACE_RAW_TP, 96, "btf_trace_kfree_skb", 8},
	{"tp_btf/signal_generate", 26, BPF_TRACE_RAW_TP, 96, "btf_trace_signal_generate", 8},
	{"fentry", 26, BPF_TRACE_FENTRY, 96, "vfs_read", 12},
	{"fexit", 26, BPF_TRACE_FEXIT, 96, "vfs_read", 12},
	{"iter/task", 26, BPF_TRACE_ITER, 96, "bpf_iter_task", 12},
	{"iter/task_file", 26, BPF_TRACE_ITER, 96, "bpf_iter_task_file", 12},
	{"iter/task_vma", 26, BPF_TRACE_ITER, 96, "bpf_iter_task_vma", 12},
	{"iter/bpf_map", 26, BPF_TRACE_ITER, 96, "bpf_iter_bpf_map", 12},
	{"iter/bpf_map_elem", 26, BPF_TRACE_ITER, 96, "bpf_iter_bpf_map_elem", 12},
	{"iter/bpf_prog", 26, BPF_TRACE_ITER, 96, "bpf_iter_bpf_prog", 12},
	{"iter/bpf_link", 26, BPF_TRACE_ITER, 96, "bpf_iter_bpf_link", 12},
	{"iter/bpf_sk_storage_map", 26, BPF_TRACE_ITER, 96, "bpf_iter_bpf_sk_storage_map", 12},
	{"iter/sockmap", 26, BPF_TRACE_ITER, 96, "bpf_iter_sockmap", 12},
	{"iter/cgroup", 26, BPF_TRACE_ITER, 96, "bpf_iter_cgroup", 12},
	{"iter/netlink", 26, BPF_TRACE_ITER, 96, "bpf_iter_netlink", 12},
	{"iter/tcp", 26, BPF_TRACE_ITER, 96, "bpf_iter_tcp", 12},
	{"iter/udp", 26, BPF_TRACE_ITER, 96, "bpf_iter_udp", 12},
	{"iter/unix", 26, BPF_TRACE_ITER, 96, "bpf_iter_unix", 12},
	{"iter/ipv6_route", 26, BPF_TRACE_ITER, 96, "bpf_iter_ipv6_route", 12},
	{"iter/ksym", 26, BPF_TRACE_ITER, 96, "bpf_iter_ksym", 12},
	{"iter/kmem_cache", 26, BPF_TRACE_ITER, 96, "bpf_iter_kmem_cache", 12},
	{"iter/dmabuf", 26, BPF_TRACE_ITER, 96, "bpf_iter_dmabuf", 12},
	{"struct_ops/ssthresh", 27, 0, 96, "tcp_congestion_ops", 4},
	{"struct_ops/cong_avoid", 27, 1, 96, "tcp_congestion_ops", 4},
	{"lsm/file_open", 29, BPF_LSM_MAC, 96, "bpf_lsm_file_open", 12},
	{"sk_lookup", 30, BPF_SK_LOOKUP, 72},
	{"syscall", 31, 0, 64, NULL, 0, SLEEPS},
	{"netfilter", 32, 45, 16},
};

static char logs[2][LOG_BYTES];
static uint32_t target_id;

/* --- One program on both sides ---------------------------------------------------------------- */

static int load(int side, const struct type *type, const struct skep_insn *insns, uint32_t n)
{
	union bpf_attr attr = {
		.prog_type = type->type,
		.expected_attach_type = type->attach,
		.insns = ptr(insns),
		.insn_cnt = n,
		.license = ptr("GPL"),
		.log_buf = ptr(logs[side]),
		.log_size = LOG_BYTES,
		.log_level = 2,
		.prog_flags = type->flags,
		.attach_btf_id = target_id,
	};
	long fd;

	logs[side][0] = 0;
	errno = 0;
	fd = call_side(side, CMD_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return errno;
	close((int)fd);
	return 0;
}

static bool find_target(const struct type *type)
{
	struct skep_btf *btf;

	target_id = 0;
	if (!type->target)
		return true;
	if (skep_btf_open_kernel(&btf, NULL))
		return false;
	target_id = skep_btf_find(btf, type->target, strlen(type->target),
				  SKEP_BTF_MASK(type->target_kind));
	skep_btf_free(btf);
	return target_id;
}

/* Does the kernel take programs of this type here? */
static bool is_there(const struct type *type)
{
	const struct skep_insn insns[] = {{.code = 0xb7, .imm = 1}, {.code = 0x95}};
	int err;

	if (!find_target(type))
		return false;
	err = load(0, type, insns, 2);
	return !err || (err != EPERM && logs[0][0]);
}

/* --- Contexts --------------------------------------------------------------------------------- */

static const char *loaded(const char *log)
{
	const char *at = strstr(log, " R0=");

	return at ? at : "\n";
}

static void check_loaded(const struct type *type, int off, int bytes)
{
	const char *kernel = loaded(logs[0]), *ours = loaded(logs[1]);
	size_t n = strcspn(kernel, "\n");

	if (n != strcspn(ours, "\n") || strncmp(kernel, ours, n))
		differ("%s: %d bytes at %d: kernel \"%.*s\", machine \"%.*s\"\n", type->name, bytes,
		       off, (int)n, kernel, (int)strcspn(ours, "\n"), ours);
}

static void try_access(const struct type *type, int off, unsigned size, const char *what,
		       uint8_t code)
{
	static const int sizes[] = {4, 2, 1, 8};
	bool stores = (code & 7) == 3;
	struct skep_insn insns[] = {
		{.code = 0xb7, .dst = 0, .imm = 1},
		{.code = (uint8_t)(code | size << 3),
		 .dst = stores ? 1 : 0,
		 .src = stores ? 0 : 1,
		 .off = (int16_t)off},
		{.code = 0xb7, .dst = 0, .imm = type->type == 26 ? 0 : 1},
		{.code = 0x95},
	};
	int err[2] = {load(0, type, insns, 4), load(1, type, insns, 4)};

	if (err[0] != err[1])
		differ("%s: %s of %d at %d: kernel %d, machine %d: %s\n", type->name, what,
		       sizes[size], off, err[0], err[1], err[0] ? logs[0] : logs[1]);
	else if (!err[0] && !stores)
		check_loaded(type, off, sizes[size]);
}

/* Before the record of a tracepoint the kernel lets programs read (it compares a negative offset
 * with an unsigned size); nothing is there, and ours does not. */
static int first_offset(const struct type *type)
{
	return type->type == BPF_PROG_TYPE_TRACEPOINT ? 0 : -8;
}

static void test_context(const struct type *type)
{
	for (int off = first_offset(type); off < (int)type->context_bytes + 16; off++)
		for (unsigned size = 0; size < 4; size++) {
			if (off % 2 && size != 2)
				continue; /* one that is not aligned tells as much as another */
			try_access(type, off, size, "load", 0x61);
			try_access(type, off, size, "store", 0x63);
			if (size != 3)
				try_access(type, off, size, "signed load", 0x81);
		}
}

/* --- Helpers ---------------------------------------------------------------------------------- */

static void test_helpers(const struct type *type)
{
	for (int id = 0; id < MOST_HELPERS; id++) {
		const struct skep_insn insns[] = {{.code = 0x85, .imm = id}, {.code = 0x95}};
		bool refused[2];

		for (int side = 0; side < 2; side++) {
			load(side, type, insns, 2);
			refused[side] = strstr(logs[side], "cannot use helper") ||
					strstr(logs[side], "invalid func");
		}
		if (refused[0] != refused[1])
			differ("%s: helper %d: kernel: %s\nmachine: %s\n", type->name, id, logs[0],
			       logs[1]);
	}
}

/* --- Results ---------------------------------------------------------------------------------- */

static void test_results(const struct type *type)
{
	static const int results[] = {INT32_MIN, -4096, -4095, -1, 0, 1, 2, 3, 4, INT32_MAX};

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		const struct skep_insn insns[] = {{.code = 0xb7, .imm = results[i]},
						  {.code = 0x95}};
		int kernel = load(0, type, insns, 2), ours = load(1, type, insns, 2);

		if (kernel != ours)
			differ("%s: returns %d: kernel %d, machine %d: %s\n", type->name,
			       results[i], kernel, ours, kernel ? logs[0] : logs[1]);
	}
}

/* --- All -------------------------------------------------------------------------------------- */

static void each_type(void (*test)(const struct type *type))
{
	unsigned n_asked = 0;

	if (!has_kernel) {
		print_message("bpf(2) is refused here\n");
		skip();
	}
	n_differences = 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!is_there(&types[i])) {
			print_message("%s: not asked, the kernel has none\n", types[i].name);
			continue;
		}
		test(&types[i]);
		n_asked++;
	}
	assert_int_equal(n_differences, 0);
	assert_true(n_asked > 0);
}

static void test_contexts(void **state)
{
	each_type(test_context);
}

static void test_all_helpers(void **state)
{
	each_type(test_helpers);
}

static void test_all_results(void **state)
{
	each_type(test_results);
}

static int begin(void **state)
{
	const struct skep_machine_opts opts = {0};

	has_kernel = is_there(&types[0]);
	return skep_machine_new(&opts, &machine);
}

static int end(void **state)
{
	skep_machine_free(machine);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_all_helpers),
		cmocka_unit_test(test_all_results),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
