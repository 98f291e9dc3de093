/*
 * Programs with the faults that people make, one each. The verifier refuses them all, and
 * docs/explanations.md shows what is said of each; see explanations.py.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct flow {
	__u32 saddr, daddr;
};

struct counter {
	__u64 packets, bytes;
	struct bpf_spin_lock lock;
	__u32 errors;
	__u32 sizes[64];
};

struct event {
	__u32 kind;
	__u32 length;
	char text[56];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, struct counter);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct counter);
} by_port SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

__u32 table[100];
const volatile __u32 limit = 8;

/* A map's element that may not be there. */
SEC("xdp")
int unchecked_lookup(struct xdp_md *ctx)
{
	__u32 port = ctx->ingress_ifindex;
	struct counter *counter = bpf_map_lookup_elem(&by_port, &port);

	counter->packets++;
	return XDP_PASS;
}

/* A header that the packet may not have. */
SEC("xdp")
int unchecked_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;

	return eth->h_proto == bpf_htons(ETH_P_IP) ? XDP_DROP : XDP_PASS;
}

/* One header is checked, the next is read. */
SEC("xdp")
int short_check(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	return ip->protocol == IPPROTO_UDP ? XDP_DROP : XDP_PASS;
}

/* An index off by one. */
SEC("tc")
int off_by_one(struct __sk_buff *skb)
{
	__u32 zero = 0, size = skb->len;
	struct counter *total = bpf_map_lookup_elem(&totals, &zero);

	if (!total)
		return TC_ACT_OK;
	if (size > 64)
		size = 64;
	total->sizes[size]++;
	return TC_ACT_OK;
}

/* An index without a check, into a global array. */
SEC("tc")
int unchecked_index(struct __sk_buff *skb)
{
	return table[skb->mark & 127];
}

/* An index that may be negative. */
SEC("tc")
int negative_index(struct __sk_buff *skb)
{
	int i = (int)skb->priority;

	if (i >= 100)
		return TC_ACT_OK;
	return table[i];
}

/* A socket that is looked up, looked at, and kept. */
SEC("tc")
int kept_socket(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {.ipv4.dport = bpf_htons(80)};
	struct bpf_sock *sk;

	sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	return sk ? (int)sk->state : TC_ACT_OK;
}

/* A field of the packet's context that programs cannot set. */
SEC("tc")
int sets_length(struct __sk_buff *skb)
{
	skb->len = 64;
	return TC_ACT_OK;
}

/* A record that is neither sent nor given back on one way. */
SEC("tc")
int leaked_record(struct __sk_buff *skb)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return TC_ACT_OK;
	event->length = skb->len;
	if (skb->len > 1500)
		return TC_ACT_SHOT;
	bpf_ringbuf_submit(event, 0);
	return TC_ACT_OK;
}

/* A record that is used after it was sent. */
SEC("tc")
int used_after_submit(struct __sk_buff *skb)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return TC_ACT_OK;
	event->length = skb->len;
	bpf_ringbuf_submit(event, 0);
	event->kind = 1;
	return TC_ACT_OK;
}

/* Pointers into the packet, after it was moved. */
SEC("tc")
int stale_packet(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return TC_ACT_OK;
	bpf_skb_pull_data(skb, 64);
	return eth->h_proto == bpf_htons(ETH_P_IP) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* A size that is not held against the memory. */
SEC("tc")
int unbounded_size(struct __sk_buff *skb)
{
	char buffer[64] = {};

	bpf_skb_load_bytes(skb, 0, buffer, skb->len);
	return buffer[0];
}

/* An address in the kernel, followed as if it were the program's own. */
SEC("tp/sched/sched_switch")
int raw_address(void *ctx)
{
	void *task = (void *)bpf_get_current_task();

	return *(int *)(task + 16);
}

/* A lock that is still held at the end. */
SEC("tc")
int held_lock(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct counter *total = bpf_map_lookup_elem(&totals, &zero);

	if (!total)
		return TC_ACT_OK;
	bpf_spin_lock(&total->lock);
	total->packets++;
	if (total->packets > 1000)
		return TC_ACT_SHOT;
	bpf_spin_unlock(&total->lock);
	return TC_ACT_OK;
}

/* A call that may take long, while a lock is held. */
SEC("tc")
int call_under_lock(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct counter *total = bpf_map_lookup_elem(&totals, &zero);

	if (!total)
		return TC_ACT_OK;
	bpf_spin_lock(&total->lock);
	total->packets = bpf_ktime_get_ns();
	bpf_spin_unlock(&total->lock);
	return TC_ACT_OK;
}

/* A loop that nothing ends. */
SEC("tc")
int endless_loop(struct __sk_buff *skb)
{
	volatile __u32 i = 0;

	while (i < 10)
		table[0]++;
	return TC_ACT_OK;
}

/* A loop over more than the verifier goes through. */
SEC("tc")
int too_long_loop(struct __sk_buff *skb)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < 1000000; i++)
		sum += (sum >> 3) ^ skb->mark;
	return (int)sum;
}

/* A result that this type of program does not have. */
SEC("cgroup/sock_create")
int wrong_result(struct bpf_sock *sk)
{
	return (int)sk->mark;
}

/* A helper of other types of programs. */
SEC("xdp")
int other_helper(struct xdp_md *ctx)
{
	return bpf_get_current_pid_tgid() && bpf_skb_pull_data((void *)ctx, 64) ? XDP_DROP
										: XDP_PASS;
}

/* A field of the context that is not there. */
SEC("xdp")
int no_such_field(struct xdp_md *ctx)
{
	return *(int *)((char *)ctx + 64);
}

static __noinline int look(struct counter *total, __u32 i)
{
	return (int)total->sizes[i];
}

/* An index that goes through a function. */
SEC("tc")
int index_through_function(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct counter *total = bpf_map_lookup_elem(&totals, &zero);

	if (!total)
		return TC_ACT_OK;
	return look(total, skb->queue_mapping) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Constants cannot be changed. */
SEC("tc")
int writes_constant(struct __sk_buff *skb)
{
	*(volatile __u32 *)&limit = skb->len;
	return TC_ACT_OK;
}

/* Memory of another type than the helper takes. */
SEC("tc")
int wrong_argument(struct __sk_buff *skb)
{
	__u64 key = skb->hash;

	return bpf_map_lookup_elem(&flows, (void *)(long)key) ? TC_ACT_SHOT : TC_ACT_OK;
}
