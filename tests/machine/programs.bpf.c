/*
 * Programs for tests/machine/test_libbpf.c: a map, global data, a ring buffer, and a read of the
 * kernel's own structures that needs CO-RE.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 dropped = 6;
__u32 emitted = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

struct event {
	__u32 number;
	char text[12];
};

/* As in the kernel, but not where: libbpf finds the offset. */
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

static __noinline void count(__u32 protocol)
{
	__u64 one = 1, *seen = bpf_map_lookup_elem(&counts, &protocol);

	if (seen)
		__sync_fetch_and_add(seen, 1);
	else
		bpf_map_update_elem(&counts, &protocol, &one, BPF_ANY);
}

SEC("xdp")
int count_protocols(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	count(ip->protocol);
	return ip->protocol == dropped ? XDP_DROP : XDP_PASS;
}

SEC("raw_tp/sys_enter")
int emit(void *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 1;
	event->number = __sync_fetch_and_add(&emitted, 1) + 1;
	__builtin_memcpy(event->text, "hello\0\0\0\0\0\0", 12);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("raw_tp/sched_switch")
int read_task(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[1];

	return BPF_CORE_READ(task, pid);
}
