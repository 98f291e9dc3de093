/*
 * Linux's layouts of what packet programs get as their context: struct xdp_md and
 * struct __sk_buff, spelled out here because not every system has <linux/bpf.h>.
 * tests/helper/test_packet.c compares them with it.
 */
#ifndef SKEP_HELPER_CONTEXT_H
#define SKEP_HELPER_CONTEXT_H

#include <stdint.h>

struct xdp_context {
	uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct skb_context {
	uint32_t len, pkt_type, mark, queue_mapping, protocol;
	uint32_t vlan_present, vlan_tci, vlan_proto;
	uint32_t priority, ingress_ifindex, ifindex, tc_index, cb[5];
	uint32_t hash, tc_classid, data, data_end, napi_id;
	uint32_t family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4];
	uint32_t remote_port, local_port, data_meta;
	uint64_t flow_keys, tstamp;
	uint32_t wire_len, gso_segs;
	uint64_t sk;
	uint32_t gso_size;
	uint8_t tstamp_type;
	uint64_t hwtstamp;
};
_Static_assert(sizeof(struct xdp_context) == 24, "as struct xdp_md");
_Static_assert(sizeof(struct skb_context) == 192, "as struct __sk_buff");

#endif
