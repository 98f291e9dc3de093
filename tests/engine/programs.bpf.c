/*
 * Programs for the tests of skep prog and skep map: some that are right, some that a verifier
 * refuses and that the checked interpreter must stop.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum mood { CALM, ANGRY = 7 };

struct key {
	__u32 pid;
	char comm[8];
};

struct thing {
	__u64 n;
	__s32 delta;
	enum mood mood;
	__u8 low : 3, high : 5;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct key);
	__type(value, struct thing);
} things SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} by_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u32);
} unsized SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

const volatile __u32 limit = 100;
__u32 seen;

/* Every packet counts; long ones are dropped, and the others get a mark in their last byte. */
SEC("xdp")
int mark_short(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *byte = data + 13;

	seen++;
	if (end - data > limit)
		return XDP_DROP;
	if ((void *)(byte + 1) > end)
		return XDP_ABORTED;
	*byte = 0xee;
	return XDP_TX;
}

SEC("tc")
int describe(struct __sk_buff *skb)
{
	struct key key = {skb->len, "hello"};
	struct thing thing = {5, -3, ANGRY, 2, 9};
	__u32 second = 2, length = skb->len;
	__u64 *count = bpf_map_lookup_elem(&by_cpu, &second);

	if (count)
		*count += 4;
	bpf_map_update_elem(&things, &key, &thing, BPF_ANY);
	bpf_ringbuf_output(&events, &length, sizeof(length), 0);
	bpf_printk("length %d", skb->len);
	skb->mark = 3;
	return 0;
}

SEC("socket")
int keep_twenty(struct __sk_buff *skb)
{
	return 20;
}

/* As in the kernel, but not where: libbpf finds the offset. */
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

SEC("raw_tp/sched_switch")
int task_pid(struct bpf_raw_tracepoint_args *ctx)
{
	return BPF_CORE_READ((struct task_struct *)ctx->args[1], pid);
}

SEC("xdp")
int never_checks(struct xdp_md *ctx)
{
	struct key key = {1, "x"};
	struct thing *thing = bpf_map_lookup_elem(&things, &key);

	thing->n++;
	return XDP_PASS;
}

SEC("xdp")
int reads_on(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data;

	return data[200] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int forever(struct xdp_md *ctx)
{
	while (*(volatile __u32 *)&limit)
		;
	return XDP_PASS;
}

SEC("kprobe/do_nanosleep")
int probe(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_enter")
int first_arg(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[0];
}
