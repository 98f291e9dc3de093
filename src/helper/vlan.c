/*
 * VLAN tags: the outermost is kept beside the packet (the context's vlan_ fields),
 * those inside it are in its bytes, as in the kernel.
 */
#include "helper/packet.h"

#include <string.h>

enum { ADDRESSES = 12 /* bytes of the two in an Ethernet header */ };

static bool is_vlan(uint16_t type)
{
	return type == TYPE_VLAN || type == TYPE_QINQ;
}

static void put_16(uint8_t *at, uint16_t n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void set_tag(struct skep_packet *packet, uint16_t type, uint16_t tci)
{
	struct skb_context *skb = skb_of(packet);

	skb->vlan_present = 1;
	skb->vlan_proto = net16(type);
	skb->vlan_tci = tci;
}

static int push(struct skep_packet *packet, uint16_t type, uint16_t tci)
{
	struct skb_context *skb = skb_of(packet);

	if (skb->vlan_present) {
		int err = skb_open(packet, ADDRESSES, VLAN_BYTES);
		if (err)
			return err;
		put_16(packet->data + ADDRESSES, net16((uint16_t)skb->vlan_proto));
		put_16(packet->data + ADDRESSES + 2, (uint16_t)skb->vlan_tci);
		packet->protocol = (uint16_t)skb->vlan_proto;
	}
	set_tag(packet, type, tci);
	return 0;
}

DEFINE_SKB_HELPER(skb_vlan_push)
{
	uint16_t type = net16((uint16_t)r2);
	int err = push(packet, is_vlan(type) ? type : TYPE_VLAN, (uint16_t)r3);

	packet_sync(packet);
	return as_r0(err);
}

/* What a type field below 1536 is: a length, before 802.2 or old Novell frames. */
static uint16_t type_of(const uint8_t *at)
{
	uint16_t type = get_16(at);

	if (type >= 1536)
		return type;
	return get_16(at + 2) == 0xffff ? 0x0001 : 0x0004;
}

/* The tag in the bytes. 0 | -ENOMEM they are too few */
static int take_inner(struct skep_packet *packet, uint16_t *ret_tci)
{
	int err = packet_pull(packet, ETHERNET_BYTES + VLAN_BYTES);

	if (err)
		return err;
	*ret_tci = get_16(packet->data + ADDRESSES + 2);
	uint16_t type = type_of(packet->data + ADDRESSES + VLAN_BYTES);
	err = skb_close(packet, ADDRESSES, VLAN_BYTES);
	if (err)
		return err;
	skb_set_protocol(packet, type);
	packet->network_off = packet->network_off < ETHERNET_BYTES + VLAN_BYTES
				      ? ETHERNET_BYTES
				      : packet->network_off - VLAN_BYTES;
	return 0;
}

static int pop(struct skep_packet *packet)
{
	struct skb_context *skb = skb_of(packet);
	uint16_t tci, type = net16(packet->protocol);
	int err;

	if (skb->vlan_present) {
		skb->vlan_present = skb->vlan_tci = skb->vlan_proto = 0;
	} else {
		if (!is_vlan(type))
			return 0;
		err = take_inner(packet, &tci);
		if (err)
			return err;
	}
	type = net16(packet->protocol);
	if (!is_vlan(type))
		return 0;
	err = take_inner(packet, &tci);
	if (!err)
		set_tag(packet, type, tci);
	return err;
}

DEFINE_SKB_HELPER(skb_vlan_pop)
{
	int err = pop(packet);

	packet_sync(packet);
	return as_r0(err);
}
