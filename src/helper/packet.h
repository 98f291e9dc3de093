/*
 * A packet as helpers see it: bytes by offset from where the packet starts, room
 * made before and behind, and a context that says what is so.
 */
#ifndef SKEP_HELPER_PACKET_H
#define SKEP_HELPER_PACKET_H

#include <skep/check.h>

#include "helper/context.h"
#include "helper/helpers.h"

enum {
	ETHERNET_BYTES = 14,
	VLAN_BYTES = 4,
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	SKB_MOST_BYTES = 16064, /* what skb helpers let a packet grow to */
	XDP_FRAME_BYTES = 40,   /* at the start of the headroom, the kernel's own */
	NOT_SET = -1,           /* an offset of a header that nobody found yet */
};

static inline struct skep_packet *packet_of(const struct skep_run *run)
{
	return run->world ? run->world->packet : NULL;
}

/** A helper for @packet, which the program's run must have, and one that @is_right: where nobody
 *  verified it, any program may call it. */
#define DEFINE_HELPER_OF(name, is_right)                                                           \
	static uint64_t packet_##name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,          \
				      uint64_t r5, struct skep_run *run,                           \
				      struct skep_packet *packet);                                 \
	DEFINE_HELPER(name)                                                                        \
	{                                                                                          \
		struct skep_packet *packet = packet_of(run);                                       \
		if (packet && (is_right))                                                          \
			return packet_##name(r1, r2, r3, r4, r5, run, packet);                     \
		skep_check_refuse(run, 0, "a helper was called for a packet that is not there");   \
		return 0;                                                                          \
	}                                                                                          \
	static uint64_t packet_##name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,          \
				      uint64_t r5, struct skep_run *run,                           \
				      struct skep_packet *packet)
#define DEFINE_PACKET_HELPER(name) DEFINE_HELPER_OF(name, true)
#define DEFINE_SKB_HELPER(name)    DEFINE_HELPER_OF(name, !packet->is_xdp)
#define DEFINE_XDP_HELPER(name)    DEFINE_HELPER_OF(name, packet->is_xdp)

static inline uint32_t linear_bytes(const struct skep_packet *packet)
{
	return (uint32_t)(packet->end - packet->data);
}

/** All of it, what lies in further buffers included. */
static inline uint32_t packet_bytes(const struct skep_packet *packet)
{
	return linear_bytes(packet) + packet->frags_bytes;
}

static inline struct skb_context *skb_of(const struct skep_packet *packet)
{
	return packet->ctx;
}

static inline uint16_t swap16(uint16_t n)
{
	return (uint16_t)(n << 8 | n >> 8);
}

/** Between host and network order, on hosts that differ from it. */
static inline uint16_t net16(uint16_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return swap16(n);
#else
	return n;
#endif
}

/** Write addresses and lengths into the context. */
void packet_sync(const struct skep_packet *packet);
/** Have the first @len bytes in one piece. 0 | -ENOMEM there are fewer */
int packet_pull(struct skep_packet *packet, uint32_t len);
/** Bytes by offset, over all buffers; what is outside: -EFAULT, nothing is copied. */
int packet_read(const struct skep_packet *packet, uint32_t off, void *to, uint32_t len);
int packet_write(struct skep_packet *packet, uint32_t off, const void *from, uint32_t len);
/** Where [off, off + len) lies in one piece; NULL: not so. */
void *packet_at(const struct skep_packet *packet, uint32_t off, uint32_t len);

/** bpf_skb_store_bytes(). 0 | -EINVAL | -EFAULT */
int skb_store(struct skep_packet *packet, uint32_t off, const void *from, uint32_t len,
	      uint64_t flags);
/** Put @len zero bytes at @off, or take them away; headers keep their distance from the start.
 *  0 | -ENOMEM */
int skb_open(struct skep_packet *packet, uint32_t off, uint32_t len);
int skb_close(struct skep_packet *packet, uint32_t off, uint32_t len);
/** The Ethernet type that the packet has from now on, in host order. */
void skb_set_protocol(struct skep_packet *packet, uint16_t type);

#endif
