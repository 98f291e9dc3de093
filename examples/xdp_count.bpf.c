/* Counts packets by the protocol in IPv4, drops ICMP and passes the rest; for xdp.c. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static void count(__u32 protocol)
{
	__u64 one = 1, *n = bpf_map_lookup_elem(&counts, &protocol);

	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&counts, &protocol, &one, BPF_ANY);
}

SEC("xdp")
int count_protocols(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	count(ip->protocol);
	return ip->protocol == IPPROTO_ICMP ? XDP_DROP : XDP_PASS;
}
