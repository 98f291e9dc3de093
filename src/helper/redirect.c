/*
 * Sending packets elsewhere. As in the kernel's test runs nothing leaves: the
 * answer is the action, and where to is kept in the packet for the caller.
 */
#include "helper/packet.h"

enum { ACTION_SHOT = 2, ACTION_REDIRECT = 7 };               /* tc */
enum { XDP_ABORTED = 0, XDP_ACTIONS = 3, XDP_REDIRECT = 4 }; /* XDP */
enum { TO_INGRESS = 1 };
enum { BROADCAST = 8, EXCLUDE_INGRESS = 16 };
enum { NEIGHBOUR_BYTES = 20 };

static uint64_t go(struct skep_packet *packet, uint32_t ifindex, uint64_t flags, uint64_t action)
{
	packet->redirect_ifindex = ifindex;
	packet->redirect_flags = flags;
	packet->redirect_map = NULL;
	return action;
}

DEFINE_PACKET_HELPER(redirect)
{
	if (packet->is_xdp)
		return r2 ? XDP_ABORTED : go(packet, (uint32_t)r1, r2, XDP_REDIRECT);
	if (r2 & ~(uint64_t)TO_INGRESS)
		return ACTION_SHOT;
	return go(packet, (uint32_t)r1, r2, ACTION_REDIRECT);
}

DEFINE_SKB_HELPER(redirect_peer)
{
	return r2 ? ACTION_SHOT : go(packet, (uint32_t)r1, 0, ACTION_REDIRECT);
}

DEFINE_SKB_HELPER(redirect_neigh)
{
	int32_t bytes = (int32_t)r3;

	if ((bytes && bytes < NEIGHBOUR_BYTES) || r4)
		return ACTION_SHOT;
	return go(packet, (uint32_t)r1, 0, ACTION_REDIRECT);
}

/* The head of Linux's struct bpf_fib_lookup, and its size. */
struct route_question {
	uint8_t family, l4_protocol;
	uint16_t sport, dport, bytes;
	uint32_t ifindex;
};
enum { QUESTION_BYTES = 64, QUESTION_FLAGS = 0x3f };
enum { INET = 2, INET6 = 10 };
enum { FORWARDING_IS_OFF = 5 };

/* Nothing is forwarded here: what the kernel says on a device whose forwarding is off. */
static int ask_route(const struct route_question *question, uint32_t bytes, uint32_t flags)
{
	if (bytes < QUESTION_BYTES || flags & ~(uint32_t)QUESTION_FLAGS)
		return -EINVAL;
	if (question->family != INET && question->family != INET6)
		return -EAFNOSUPPORT;
	return skep_device_exists(question->ifindex) ? FORWARDING_IS_OFF : -ENODEV;
}

DEFINE_HELPER(fib_lookup)
{
	return as_r0(ask_route(ptr_of(r2), (uint32_t)r3, (uint32_t)r4));
}

DEFINE_SKB_HELPER(clone_redirect)
{
	if (r3 & ~(uint64_t)TO_INGRESS)
		return as_r0(-EINVAL);
	if (packet->ctx && skb_of(packet)->gso_size)
		return as_r0(-EBADMSG);
	if (!(uint32_t)r2)
		return as_r0(-EINVAL);
	packet->n_clones++;
	packet->clone_ifindex = (uint32_t)r2;
	return 0;
}

static bool has_target(struct skep_map *map, uint64_t key)
{
	uint32_t index = (uint32_t)key;

	if (map->type == SKEP_MAP_XSKMAP)
		return skep_map_object(map, &index) != NULL;
	return skep_map_lookup(map, &index) != NULL;
}

DEFINE_XDP_HELPER(redirect_map)
{
	struct skep_map *map = map_of(r1);
	bool to_devices = map->type == SKEP_MAP_DEVMAP || map->type == SKEP_MAP_DEVMAP_HASH;
	uint64_t known = XDP_ACTIONS | (to_devices ? BROADCAST | EXCLUDE_INGRESS : 0);

	if (r3 & ~known)
		return XDP_ABORTED;
	if (!has_target(map, r2) && !(r3 & BROADCAST))
		return r3 & XDP_ACTIONS;
	packet->redirect_ifindex = 0;
	packet->redirect_map = map;
	packet->redirect_key = r2;
	packet->redirect_flags = r3;
	return XDP_REDIRECT;
}

enum { MTU = 1500, CHECK_SEGMENTS = 1, MTU_TOO_LONG = 1, MTU_SEGMENTS = 2 };

/* Devices here all have the usual MTU. *r3: in, a length to check instead of the packet's; out,
 * the MTU. */
DEFINE_PACKET_HELPER(check_mtu)
{
	uint32_t *mtu = ptr_of(r3), len = packet_bytes(packet);
	int64_t off = (int32_t)r4, bytes;

	if (r5 & ~(uint64_t)CHECK_SEGMENTS || (r5 && packet->is_xdp) || (r5 && (off || *mtu)))
		return as_r0(-EINVAL);
	bytes = (*mtu ? (int64_t)*mtu + ETHERNET_BYTES : (int64_t)len) + off;
	*mtu = MTU;
	if (bytes <= MTU + ETHERNET_BYTES)
		return 0;
	return MTU_TOO_LONG;
}
