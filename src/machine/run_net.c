/*
 * PROG_TEST_RUN of packet programs: socket filters, traffic control, cgroup and tunnel programs on
 * an skb, XDP on a frame.
 *
 *	          headroom      data_in            room to grow
 *	skb   |      64      | Ethernet | payload |  …          |
 *	XDP   |  256 - meta  | meta | data        |  … to 3776  |
 *
 * Programs of a layer above Ethernet see the payload only; what comes back has an Ethernet header
 * of zeros before it, as the kernel's has.
 *
 * Source  behaviour of Linux 6.18, net/bpf/test_run.c
 */
#include "machine/run.h"

#include <string.h>

#define ETH_BYTES                    14
#define ETH_IP                       0x0800
#define ETH_IPV6                     0x86dd
#define ETH_802_3_MIN                0x0600
#define PAGE                         4096
#define SKB_HEADROOM                 64
#define SHARED_INFO                  320 /* what the kernel keeps behind a packet */
#define SKB_GROWTH                   65536
#define XDP_HEADROOM                 256
#define XDP_MOST_META                252
#define XDP_MOST_FRAGS               17
#define LO_IFINDEX                   1
#define INET                         2
#define INET6                        10
#define GSO_MOST_SEGS                65535
#define GSO_MOST_SIZE                65536

#define TEST_F_SKB_CHECKSUM_COMPLETE (1u << 2)
#define TEST_F_XDP_LIVE_FRAMES       (1u << 1)

static void packet_freep(struct skep_packet **packet)
{
	if (*packet)
		skep_packet_free(*packet);
}
#define _cleanup_packet_ __attribute__((cleanup(packet_freep)))

static uint16_t be16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint16_t to_be16(uint16_t x)
{
	return (uint16_t)(x >> 8 | x << 8);
}

/* --- skb ------------------------------------------------------------------------------------ */

#define SKB_FIELD(name)                                                                            \
	{                                                                                          \
		offsetof(struct wire_sk_buff, name),                                               \
			offsetof(struct wire_sk_buff, name) +                                      \
				sizeof(((struct wire_sk_buff *)NULL)->name)                        \
	}

/* What the caller may say of the packet, ascending; all else must be zero. */
static const struct {
	size_t start, end;
} skb_fields[] = {
	SKB_FIELD(mark),     SKB_FIELD(priority), SKB_FIELD(ingress_ifindex), SKB_FIELD(ifindex),
	SKB_FIELD(cb),       SKB_FIELD(tstamp),   SKB_FIELD(wire_len),        SKB_FIELD(gso_segs),
	SKB_FIELD(gso_size), SKB_FIELD(hwtstamp),
};

static bool is_settable(size_t at)
{
	for (size_t i = 0; i < sizeof(skb_fields) / sizeof(*skb_fields); i++)
		if (at >= skb_fields[i].start && at < skb_fields[i].end)
			return true;
	return false;
}

static int check_skb_ctx(const struct wire_sk_buff *given, uint32_t len)
{
	for (size_t i = 0; i < sizeof(*given); i++)
		if (((const uint8_t *)given)[i] && !is_settable(i))
			return -EINVAL;
	if (given->wire_len && (given->wire_len < len || given->wire_len > GSO_MOST_SIZE))
		return -EINVAL;
	return given->gso_segs > GSO_MOST_SEGS ? -EINVAL : 0;
}

static bool sees_ethernet(uint32_t type)
{
	return type == PROG_SCHED_CLS || type == PROG_SCHED_ACT;
}

/* Ethernet type in network order: what the header says, or that it says a length. */
static uint16_t ethernet_type(const uint8_t *frame, uint32_t len)
{
	uint16_t type = be16_at(frame + 12);

	if (type >= ETH_802_3_MIN)
		return to_be16(type);
	return to_be16(len >= 16 && frame[14] == 0xff && frame[15] == 0xff ? 1 : 4);
}

/* PACKET_HOST, _BROADCAST, _MULTICAST, _OTHERHOST, by whom the frame is for; ours is all zeros. */
static uint32_t packet_type(const uint8_t *frame)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, lo[6];

	if (!memcmp(frame, lo, 6))
		return 0;
	if (!memcmp(frame, all, 6))
		return 1;
	return frame[0] & 1 ? 2 : 3;
}

/* Addresses of the socket that the packet is said to belong to. */
static int set_addresses(const uint8_t *frame, uint32_t len, uint16_t type,
			 struct wire_sk_buff *skb)
{
	const uint8_t *ip = frame + ETH_BYTES;
	uint32_t n = len - ETH_BYTES;

	if (type == to_be16(ETH_IP)) {
		if (n < 20)
			return -EINVAL;
		skb->family = INET;
		memcpy(&skb->local_ip4, ip + 12, 4);
		memcpy(&skb->remote_ip4, ip + 16, 4);
	}
	if (type == to_be16(ETH_IPV6)) {
		if (n < 40)
			return -EINVAL;
		skb->family = INET6;
		memcpy(skb->local_ip6, ip + 8, 16);
		memcpy(skb->remote_ip6, ip + 24, 16);
	}
	return 0;
}

static void fill_skb(const struct wire_sk_buff *given, bool is_given, struct wire_sk_buff *skb,
		     uint32_t len)
{
	skb->mark = given->mark;
	skb->priority = given->priority;
	skb->ingress_ifindex = given->ingress_ifindex;
	skb->ifindex = given->ifindex > 1 ? given->ifindex : LO_IFINDEX;
	skb->tstamp = given->tstamp;
	memcpy(skb->cb, given->cb, sizeof(skb->cb));
	skb->wire_len = is_given && !given->wire_len ? len : given->wire_len;
	skb->gso_segs = given->gso_segs;
	skb->gso_size = given->gso_size;
	skb->hwtstamp = given->hwtstamp;
}

static void give_back_skb(const struct wire_sk_buff *skb, struct wire_sk_buff *given)
{
	given->mark = skb->mark;
	given->priority = skb->priority;
	given->ingress_ifindex = skb->ingress_ifindex;
	given->ifindex = skb->ifindex;
	given->tstamp = skb->tstamp;
	memcpy(given->cb, skb->cb, sizeof(given->cb));
	given->wire_len = skb->wire_len;
	given->gso_segs = skb->gso_segs;
	given->hwtstamp = skb->hwtstamp;
}

static void show_packet(const struct skep_packet *packet, struct wire_sk_buff *skb)
{
	skb->len = (uint32_t)(packet->end - packet->data);
	skb->data = (uint32_t)(uintptr_t)packet->data;
	skb->data_end = (uint32_t)(uintptr_t)packet->end;
	skb->data_meta = (uint32_t)(uintptr_t)packet->meta;
}

static void drop_ethernet(struct skep_packet *packet)
{
	packet->data += ETH_BYTES;
	packet->meta = packet->data;
	packet->mac_off = -ETH_BYTES;
	packet->network_off = 0;
}

/* Return 0 | -ENOMEM the program has taken the room before it, and there is no more. */
static int restore_ethernet(struct skep_packet *packet)
{
	int err = skep_packet_reserve(packet, ETH_BYTES, 0);

	if (err)
		return err;
	packet->data -= ETH_BYTES;
	memset(packet->data, 0, ETH_BYTES);
	return 0;
}

static int check_skb_attr(const struct attr_test *attr)
{
	if (attr->flags & ~TEST_F_SKB_CHECKSUM_COMPLETE || attr->cpu || attr->batch_size)
		return -EINVAL;
	if (attr->data_size_in < ETH_BYTES ||
	    attr->data_size_in > PAGE - SKB_HEADROOM - SHARED_INFO)
		return -EINVAL;
	return 0;
}

/* The frame in @packet; the context as the program sees it, in @skb. */
static int prepare_skb(const struct prog_object *prog, const struct wire_sk_buff *given,
		       bool is_given, struct skep_packet *packet, struct wire_sk_buff *skb)
{
	uint32_t len = (uint32_t)(packet->end - packet->data);
	int err;

	if (given->ifindex > 1 && !skep_device_exists(given->ifindex))
		return -ENODEV;
	packet->protocol = ethernet_type(packet->data, len);
	packet->network_off = ETH_BYTES;
	packet->transport_off = ETH_BYTES;
	packet->ctx = skb;
	skb->protocol = packet->protocol;
	skb->pkt_type = packet_type(packet->data);
	err = set_addresses(packet->data, len, packet->protocol, skb);
	if (err)
		return err;
	if (!sees_ethernet(prog->type)) {
		drop_ethernet(packet);
		len -= ETH_BYTES;
	}
	err = check_skb_ctx(given, len);
	fill_skb(given, is_given, skb, len);
	show_packet(packet, skb);
	return err;
}

static int packet_in(const struct attr_test *attr, uint32_t headroom, uint32_t tailroom,
		     uint32_t linear, struct skep_packet **ret)
{
	_cleanup_free_ void *data = NULL;
	int err = machine_user_dup(attr->data_in, linear, &data);

	if (err)
		return err;
	*ret = skep_packet_new(data, linear, headroom, tailroom);
	return *ret ? 0 : -ENOMEM;
}

int machine_run_skb(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	_cleanup_packet_ struct skep_packet *packet = NULL;
	struct skep_world world = machine_run_world(prog->object.machine);
	struct wire_sk_buff given, skb = {0};
	struct entry entry = {.ctx = &skb,
			      .ctx_bytes = sizeof(skb),
			      .ctx_rights = SKEP_MAY_READ | SKEP_MAY_WRITE,
			      .world = &world};
	uint32_t retval, duration;
	bool is_given;
	int err = check_skb_attr(attr);

	if (!err)
		err = packet_in(attr, SKB_HEADROOM, SKB_GROWTH, attr->data_size_in, &packet);
	if (!err)
		err = machine_run_ctx_in(attr, &given, sizeof(given), &is_given);
	if (!err)
		err = prepare_skb(prog, &given, is_given, packet, &skb);
	if (err)
		return err;
	world.packet = packet;
	world.ifindex = skb.ifindex;
	err = machine_run_repeated(prog, &entry, attr->repeat, &retval, &duration);
	if (!err && !sees_ethernet(prog->type))
		err = restore_ethernet(packet);
	if (err)
		return err;
	give_back_skb(&skb, &given);
	err = machine_run_finish(req, packet->data, (uint32_t)(packet->end - packet->data), retval,
				 duration);
	return err || !is_given ? err : machine_run_ctx_out(req, &given, sizeof(given));
}

/* --- XDP ------------------------------------------------------------------------------------ */

static int check_xdp_attr(const struct prog_object *prog, const struct attr_test *attr)
{
	if (prog->expected_attach_type == ATTACH_XDP_DEVMAP ||
	    prog->expected_attach_type == ATTACH_XDP_CPUMAP)
		return -EINVAL;
	if (attr->flags & ~TEST_F_XDP_LIVE_FRAMES)
		return -EINVAL;
	/* Live frames go out to devices, which the machine has none of. */
	if (attr->flags & TEST_F_XDP_LIVE_FRAMES)
		return -EOPNOTSUPP;
	return attr->batch_size ? -EINVAL : 0;
}

/* Offsets that the caller gives: metadata up to `data`, the packet up to `data_end`. */
static int check_xdp_ctx(const struct wire_xdp_md *given, uint32_t size)
{
	if (given->data_meta || given->data_end > size || given->data > given->data_end ||
	    given->data % 4 || given->data > XDP_MOST_META)
		return -EINVAL;
	return 0;
}

static int check_xdp_device(const struct wire_xdp_md *given)
{
	if (given->egress_ifindex || (!given->ingress_ifindex && given->rx_queue_index))
		return -EINVAL;
	if (given->ingress_ifindex && !skep_device_exists(given->ingress_ifindex))
		return -ENODEV;
	return given->rx_queue_index ? -EINVAL : 0;
}

/* What does not fit into the page, or is behind the caller's data_end, goes into fragments. */
static int add_frags(const struct attr_test *attr, uint32_t linear, struct skep_packet *packet)
{
	uint32_t rest = attr->data_size_in - linear;
	void *frags;
	int err;

	if (!rest)
		return 0;
	if (rest > XDP_MOST_FRAGS * PAGE)
		return -ENOMEM;
	err = machine_user_dup(attr->data_in + linear, rest, &frags);
	if (err)
		return err;
	packet->frags = frags;
	packet->frags_bytes = rest;
	return 0;
}

static int make_frame(const struct attr_test *attr, uint32_t meta, uint32_t end,
		      struct skep_packet **ret)
{
	uint32_t room = PAGE - (XDP_HEADROOM - meta) - SHARED_INFO;
	uint32_t linear = end < room ? end : room;
	int err;

	if (attr->data_size_in < meta || attr->data_size_in - meta < ETH_BYTES)
		return -EINVAL;
	err = packet_in(attr, XDP_HEADROOM - meta, room - linear, linear, ret);
	if (err)
		return err;
	(*ret)->meta = (*ret)->data;
	(*ret)->data += meta;
	(*ret)->is_xdp = true;
	return add_frags(attr, linear, *ret);
}

/* What came of the frame, in one piece. */
static int finish_xdp(struct request *req, const struct skep_packet *packet, uint32_t retval,
		      uint32_t duration)
{
	uint32_t linear = (uint32_t)(packet->end - packet->meta);
	uint32_t room = req->attr.test.data_size_out;
	_cleanup_free_ uint8_t *all = NULL;

	/* Less room than the fragments take: the kernel gives up before it writes anything. */
	if (req->attr.test.data_out && room && room < packet->frags_bytes)
		return -ENOSPC;
	if (!packet->frags_bytes)
		return machine_run_finish(req, packet->meta, linear, retval, duration);
	all = malloc(linear + packet->frags_bytes);
	if (!all)
		return -ENOMEM;
	memcpy(all, packet->meta, linear);
	memcpy(all + linear, packet->frags, packet->frags_bytes);
	return machine_run_finish(req, all, linear + packet->frags_bytes, retval, duration);
}

static void show_frame(const struct skep_packet *packet, const struct wire_xdp_md *given,
		       struct wire_xdp_md *xdp)
{
	*xdp = (struct wire_xdp_md){
		.data = (uint32_t)(uintptr_t)packet->data,
		.data_end = (uint32_t)(uintptr_t)packet->end,
		.data_meta = (uint32_t)(uintptr_t)packet->meta,
		.ingress_ifindex = given->ingress_ifindex ? given->ingress_ifindex : LO_IFINDEX,
		.rx_queue_index = given->rx_queue_index,
	};
}

static int run_frame(struct prog_object *prog, struct request *req, struct skep_packet *packet,
		     struct wire_xdp_md *given)
{
	const struct attr_test *attr = &req->attr.test;
	struct skep_world world = machine_run_world(prog->object.machine);
	struct wire_xdp_md xdp;
	struct entry entry = {
		.ctx = &xdp,
		.ctx_bytes = sizeof(xdp),
		.ctx_rights = SKEP_MAY_READ,
		.world = &world,
	};
	uint32_t retval, duration;
	int err;

	show_frame(packet, given, &xdp);
	packet->ctx = &xdp;
	world.packet = packet;
	world.ifindex = xdp.ingress_ifindex;
	err = machine_run_repeated(prog, &entry, attr->repeat, &retval, &duration);
	if (err)
		return err;
	given->data = (uint32_t)(packet->data - packet->meta);
	given->data_end = (uint32_t)(packet->end - packet->meta);
	return finish_xdp(req, packet, retval, duration);
}

int machine_run_xdp(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	_cleanup_packet_ struct skep_packet *packet = NULL;
	struct wire_xdp_md given;
	bool is_given;
	int err = check_xdp_attr(prog, attr);

	if (!err)
		err = machine_run_ctx_in(attr, &given, sizeof(given), &is_given);
	if (!err && is_given)
		err = check_xdp_ctx(&given, attr->data_size_in);
	if (!err)
		err = make_frame(attr, given.data, is_given ? given.data_end : attr->data_size_in,
				 &packet);
	if (!err && is_given)
		err = check_xdp_device(&given);
	if (!err)
		err = run_frame(prog, req, packet, &given);
	return err || !is_given ? err : machine_run_ctx_out(req, &given, sizeof(given));
}

/* --- Flow dissector -------------------------------------------------------------------------- */

static int check_flow_keys(const struct wire_flow_keys *keys)
{
	const uint32_t known = 7; /* flags */
	struct wire_flow_keys rest = *keys;

	rest.flags = 0;
	for (size_t i = 0; i < sizeof(rest); i++)
		if (((const uint8_t *)&rest)[i])
			return -EINVAL;
	return keys->flags & ~known ? -EINVAL : 0;
}

static uint16_t clamp(uint16_t x, uint32_t low, uint32_t high)
{
	if (x < low)
		return (uint16_t)low;
	return x > high ? (uint16_t)high : x;
}

static int dissect(struct prog_object *prog, struct request *req, struct skep_packet *packet,
		   uint32_t flags)
{
	struct skep_world world = machine_run_world(prog->object.machine);
	struct wire_flow_keys keys = {0}, fresh = {.nhoff = ETH_BYTES, .thoff = ETH_BYTES};
	struct wire_sk_buff skb = {.flow_keys = (uintptr_t)&keys};
	struct entry entry = {
		.ctx = &skb,
		.ctx_bytes = sizeof(skb),
		.ctx_rights = SKEP_MAY_READ,
		.extra = &keys,
		.extra_bytes = sizeof(keys),
		.world = &world,
	};
	uint32_t retval = 0, duration, len = (uint32_t)(packet->end - packet->data);
	int err;

	memcpy(&fresh.n_proto, packet->data + 12, 2);
	fresh.flags = flags;
	keys = fresh;
	packet->ctx = &skb;
	packet->network_off = ETH_BYTES;
	world.packet = packet;
	show_packet(packet, &skb);
	err = machine_run_repeated(prog, &entry, req->attr.test.repeat, &retval, &duration);
	if (err)
		return err;
	keys.nhoff = clamp(keys.nhoff, ETH_BYTES, len);
	keys.thoff = clamp(keys.thoff, keys.nhoff, len);
	return machine_run_finish(req, &keys, sizeof(keys), retval, duration);
}

int machine_run_flow_dissector(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	_cleanup_packet_ struct skep_packet *packet = NULL;
	struct wire_flow_keys given;
	bool is_given;
	int err;

	if (attr->flags || attr->cpu || attr->batch_size || attr->data_size_in < ETH_BYTES ||
	    attr->data_size_in > PAGE)
		return -EINVAL;
	err = packet_in(attr, 0, 0, attr->data_size_in, &packet);
	if (!err)
		err = machine_run_ctx_in(attr, &given, sizeof(given), &is_given);
	if (!err && is_given)
		err = check_flow_keys(&given);
	if (!err)
		err = dissect(prog, req, packet, given.flags);
	return err || !is_given ? err : machine_run_ctx_out(req, &given, sizeof(given));
}
