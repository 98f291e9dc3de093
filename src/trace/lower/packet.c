/*
 * From a packet to the values of its fields.
 *
 * All fields that a probe uses are read once, in one walk from the first header
 * to the last that matters, before the statements (and before the predicate, if
 * that asks for any). No pointer into the packet lives longer than that: what
 * follows are numbers in registers, and addresses in memory of ours. What a packet
 * has not got is 0, and its layer's bit in `present` is not set.
 *
 *	[Ethernet [VLAN [VLAN]]] ─► IPv4 | IPv6 [extension headers…] | ARP ─► TCP | UDP | ICMP
 *
 * A header is read where it lies, if it lies in the packet's linear part; else
 * (paged buffers, XDP's further buffers) a helper copies it to a slot, and the
 * loads that follow do not know the difference. A header that is cut short, or
 * contradicts itself, ends the walk and is counted. Fragments other than the
 * first have no header above IP. Only the outermost IP header is looked at.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "trace/lower/packet.h"

#define IP_HEAD_BYTES   20
#define IP6_HEAD_BYTES  40
#define IP_OFFSET_MASK  0x1fff
#define IP6_OFFSET_MASK 0xfff8
#define MOST_TAGS       2
#define MOST_EXTENSIONS 8
#define EXTENSION_BYTES 8
#define MOST_OFF        0x3fff /* where a header begins, at most: what the verifier can add */
#define NO_LIMIT        0xffffff
#define BIT(NAME)       SKEP_LAYER_BIT(SKEP_LAYER_##NAME)
#define L4_BITS         (BIT(TCP) | BIT(UDP) | BIT(ICMP) | BIT(ICMP6))

struct walk {
	struct skep_lower *l;
	struct skep_ir_func *f;
	struct skep_packet_homes *homes;
	bool is_xdp;
	struct skep_opnd ctx;
	struct skep_opnd data, end; /* of the linear part */
	struct skep_opnd room;      /* for a header that does not lie there */
	uint32_t off;               /* register: where the next header begins */
	uint32_t limit;             /* register: where the datagram says that it ends */
	uint32_t type, proto;       /* registers: of what is next; type as it lies in the packet */
	uint32_t bad, done;         /* blocks */
};

static bool wants(const struct walk *w, uint32_t bits)
{
	return w->homes->wanted & bits;
}

static bool uses(const struct walk *w, const char *path)
{
	return w->homes->fields[skep_packet_row(skep_packet_find(path))].is_used;
}

/* --- Values and homes --------------------------------------------------------------------- */

static void set_home(struct skep_lower *l, const struct skep_packet_home *home,
		     struct skep_opnd value)
{
	if (home->is_reg)
		skep_ir_set(l->f, home->reg, value);
	else
		skep_ir_store(l->f, 8, l->packet->block, (int32_t)home->off, value);
}

static struct skep_opnd get_home(struct skep_lower *l, const struct skep_packet_home *home)
{
	if (home->is_reg)
		return R(home->reg);
	return R(skep_ir_load(l->f, 8, l->packet->block, (int32_t)home->off));
}

static void add_present(const struct walk *w, uint32_t bits)
{
	const struct skep_packet_home *home = &w->homes->present;

	set_home(w->l, home, R(skep_ir_alu(w->f, SKEP_IR_OR, get_home(w->l, home), I(bits))));
}

struct skep_opnd skep_lower_packet_present(struct skep_lower *l)
{
	return get_home(l, &l->packet->present);
}

/* A number of the packet's in the host's order. */
static uint32_t to_host(const struct walk *w, uint32_t reg, uint32_t bytes)
{
	return bytes == 1 || htons(1) == 1 ? reg : skep_ir_bswap(w->f, R(reg), bytes);
}

static uint32_t bits_of(const struct walk *w, uint32_t reg, const struct skep_packet_field *field)
{
	if (field->shift)
		reg = skep_ir_alu(w->f, SKEP_IR_SHR, R(reg), I(field->shift));
	if (field->bits && field->shift + field->bits < 8 * field->bytes)
		reg = skep_ir_alu(w->f, SKEP_IR_AND, R(reg), I((1u << field->bits) - 1));
	return reg;
}

/* Bytes as they lie: in halves where a copy on the stack could not be read otherwise. */
static uint32_t raw(const struct walk *w, uint32_t head, uint32_t off, uint32_t bytes)
{
	if (off % bytes == 0)
		return skep_ir_load(w->f, bytes, R(head), (int32_t)off);
	uint32_t half = bytes / 2, first = raw(w, head, off, half);
	uint32_t second = raw(w, head, off + half, half);
	if (htons(1) == 1) {
		uint32_t swap = first;
		first = second;
		second = swap;
	}
	second = skep_ir_alu(w->f, SKEP_IR_SHL, R(second), I(8 * half));
	return skep_ir_alu(w->f, SKEP_IR_OR, R(first), R(second));
}

/* An address with its family, as ntop() gives it. */
static void take_inet(const struct walk *w, uint32_t head, const struct skep_packet_field *field,
		      const struct skep_packet_home *home)
{
	struct skep_opnd block = w->homes->block;
	int32_t at = (int32_t)home->off;
	bool is_v6 = field->kind == SKEP_PACKET_IP6;

	skep_ir_store(w->f, 4, block, at, I(is_v6 ? AF_INET6 : AF_INET));
	skep_ir_copy(w->f, block, at + 4, R(head), (int32_t)field->off, field->bytes,
		     field->off % 4 ? 2 : 4);
}

static void take_field(const struct walk *w, uint32_t head, const struct skep_packet_field *field,
		       const struct skep_packet_home *home)
{
	if (field->kind == SKEP_PACKET_NUMBER) {
		uint32_t value = to_host(w, raw(w, head, field->off, field->bytes), field->bytes);
		set_home(w->l, home, R(bits_of(w, value, field)));
	} else if (field->kind == SKEP_PACKET_IP4 && home->size == 8) {
		set_home(w->l, home, R(raw(w, head, field->off, field->bytes)));
	} else if (field->kind == SKEP_PACKET_MAC) {
		skep_ir_copy(w->f, w->homes->block, (int32_t)home->off, R(head),
			     (int32_t)field->off, field->bytes, 2);
	} else {
		take_inet(w, head, field, home);
	}
}

static bool lies_in_header(const struct skep_packet_field *field)
{
	return field->kind == SKEP_PACKET_NUMBER || field->kind == SKEP_PACKET_MAC ||
	       field->kind == SKEP_PACKET_IP4 || field->kind == SKEP_PACKET_IP6;
}

/* The packet has @layer (and @also), and its header is at @head: take what is used of it. */
static void take(const struct walk *w, enum skep_layer layer, uint32_t also, uint32_t head)
{
	const struct skep_packet_field *rows;
	size_t n = skep_packet_fields(&rows);

	add_present(w, SKEP_LAYER_BIT(layer) | also);
	for (uint32_t i = 0; i < n; i++) {
		const struct skep_packet_home *home = &w->homes->fields[skep_packet_home_row(i)];
		if (rows[i].layer == layer && home->is_used && lies_in_header(&rows[i]))
			take_field(w, head, &rows[i], home);
	}
}

/* What is no place in a header: every used field of this kind becomes @value. */
static void take_found(const struct walk *w, enum skep_packet_kind kind, struct skep_opnd value)
{
	const struct skep_packet_field *rows;
	size_t n = skep_packet_fields(&rows);

	for (uint32_t i = 0; i < n; i++) {
		const struct skep_packet_home *home = &w->homes->fields[i];
		if (rows[i].kind != kind || !home->is_used)
			continue;
		struct skep_opnd bits =
			rows[i].bits ? R(bits_of(w, skep_ir_mov(w->f, value), &rows[i])) : value;
		set_home(w->l, home, bits);
	}
}

/* --- Headers ------------------------------------------------------------------------------ */

/* Copy @bytes at @off to the room, wherever they lie; out of the packet: bad. */
static void fetch(const struct walk *w, struct skep_opnd off, uint32_t bytes)
{
	uint32_t err =
		skep_ir_calln(w->f, w->is_xdp ? BPF_FUNC_xdp_load_bytes : BPF_FUNC_skb_load_bytes,
			      w->ctx, off, w->room, I(bytes));

	skep_ir_branch_cold(w->f, SKEP_IR_NE, R(err), I(0), w->bad);
}

/* The address of @bytes at @off of the packet. */
static uint32_t header(const struct walk *w, struct skep_opnd off, uint32_t bytes)
{
	struct skep_ir_func *f = w->f;
	uint32_t head = skep_ir_var(f), elsewhere = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, w->data, off);

	skep_ir_set(f, head, R(at));
	skep_ir_branch_cold(f, SKEP_IR_UGT, R(skep_ir_addr(f, R(at), bytes)), w->end, elsewhere);
	skep_ir_jump(f, on);
	skep_ir_at(f, elsewhere);
	fetch(w, off, bytes);
	skep_ir_set(f, head, R(skep_ir_addr(f, w->room, 0)));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return head;
}

/* --- Ethernet ----------------------------------------------------------------------------- */

/* The tag that the device has taken out of the frame, and tells beside it. */
static void offloaded_tag(const struct walk *w)
{
	struct skep_ir_func *f = w->f;
	uint32_t some = skep_ir_block(f), on = skep_ir_block(f);

	if (w->is_xdp || !wants(w, BIT(VLAN)))
		return;
	uint32_t is_there = skep_ir_load(f, 4, w->ctx, offsetof(struct __sk_buff, vlan_present));
	skep_ir_branch(f, SKEP_IR_NE, R(is_there), I(0), some, on);
	skep_ir_at(f, some);
	take_found(w, SKEP_PACKET_TAG,
		   R(skep_ir_load(f, 4, w->ctx, offsetof(struct __sk_buff, vlan_tci))));
	add_present(w, BIT(VLAN));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

/* The outer tag counts. */
static void take_tag(const struct walk *w, uint32_t head)
{
	struct skep_ir_func *f = w->f;
	uint32_t first = skep_ir_block(f), on = skep_ir_block(f);

	if (!wants(w, BIT(VLAN)))
		return;
	skep_ir_branch(f, SKEP_IR_TEST, get_home(w->l, &w->homes->present), I(BIT(VLAN)), on,
		       first);
	skep_ir_at(f, first);
	take_found(w, SKEP_PACKET_TAG, R(to_host(w, raw(w, head, 0, 2), 2)));
	add_present(w, BIT(VLAN));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

/* Branch on whether a tag is next. */
static void if_tag(const struct walk *w, uint32_t tag, uint32_t none)
{
	uint32_t other = skep_ir_block(w->f);

	skep_ir_branch(w->f, SKEP_IR_EQ, R(w->type), I(htons(ETH_P_8021Q)), tag, other);
	skep_ir_at(w->f, other);
	skep_ir_branch(w->f, SKEP_IR_EQ, R(w->type), I(htons(ETH_P_8021AD)), tag, none);
}

/*
 * Behind a generic XDP program the kernel may forget how long the link's header is (a copy of the
 * packet is made without it), and packets then begin with IP at tc's ingress. What the kernel
 * took the type for tells: it is not where it would be. Such go to @bare.
 */
static void lost_header(const struct walk *w, uint32_t bare)
{
	static const uint16_t types[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP};
	struct skep_ir_func *f = w->f;
	uint32_t differs = skep_ir_block(f), on = skep_ir_block(f), lost = skep_ir_block(f);
	uint32_t said;

	if (w->l->probe->hook->id != SKEP_AT_TC_INGRESS)
		return;
	said = skep_ir_load(f, 4, w->ctx, offsetof(struct __sk_buff, protocol));
	skep_ir_branch(f, SKEP_IR_EQ, R(w->type), R(said), on, differs);
	skep_ir_at(f, differs);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint32_t other = skep_ir_block(f);
		skep_ir_branch(f, SKEP_IR_EQ, R(said), I(htons(types[i])), lost, other);
		skep_ir_at(f, other);
	}
	skep_ir_jump(f, on);
	skep_ir_at(f, lost);
	skep_ir_set(f, w->type, R(said));
	skep_ir_set(f, w->off, I(0));
	offloaded_tag(w);
	skep_ir_jump(f, bare);
	skep_ir_at(f, on);
}

static void ethernet(const struct walk *w)
{
	struct skep_ir_func *f = w->f;
	uint32_t none = skep_ir_block(f);
	uint32_t head = header(w, I(0), ETH_HLEN);

	skep_ir_set(f, w->type, R(raw(w, head, 12, 2)));
	lost_header(w, none);
	skep_ir_set(f, w->off, I(ETH_HLEN));
	take(w, SKEP_LAYER_ETH, 0, head);
	offloaded_tag(w);
	for (uint32_t i = 0; i < MOST_TAGS; i++) {
		uint32_t tag = skep_ir_block(f);
		if_tag(w, tag, none);
		skep_ir_at(f, tag);
		head = header(w, R(w->off), 4);
		skep_ir_set(f, w->type, R(raw(w, head, 2, 2)));
		skep_ir_set(f, w->off, I(ETH_HLEN + 4 * (i + 1)));
		take_tag(w, head);
	}
	if_tag(w, w->bad, none);
	skep_ir_at(f, none);
	take_found(w, SKEP_PACKET_ETHERTYPE, R(to_host(w, skep_ir_mov(f, R(w->type)), 2)));
}

/* --- Above IP ----------------------------------------------------------------------------- */

static const struct transport {
	enum skep_layer layer;
	uint32_t also;
	uint32_t proto[2]; /* by version, 4 and 6; 0: not there */
} transports[] = {
	{SKEP_LAYER_TCP, BIT(PORT), {IPPROTO_TCP, IPPROTO_TCP}},
	{SKEP_LAYER_UDP, BIT(PORT), {IPPROTO_UDP, IPPROTO_UDP}},
	{SKEP_LAYER_ICMP, 0, {IPPROTO_ICMP, 0}},
	{SKEP_LAYER_ICMP6, 0, {0, IPPROTO_ICMPV6}},
};
enum { N_TRANSPORTS = sizeof(transports) / sizeof(transports[0]) };

/* By the protocol to the header's block. */
static void dispatch(const struct walk *w, const uint32_t *blocks, bool is_v6)
{
	for (int i = 0; i < N_TRANSPORTS; i++) {
		uint32_t proto = transports[i].proto[is_v6], other;
		if (!proto || !wants(w, SKEP_LAYER_BIT(transports[i].layer)))
			continue;
		other = skep_ir_block(w->f);
		skep_ir_branch(w->f, SKEP_IR_EQ, R(w->proto), I(proto), blocks[i], other);
		skep_ir_at(w->f, other);
	}
	skep_ir_jump(w->f, w->done);
}

static void transport(const struct walk *w, const struct transport *row)
{
	uint32_t bytes = skep_layer_bytes(row->layer);
	uint32_t past = skep_ir_alu(w->f, SKEP_IR_ADD, R(w->off), I(bytes));

	skep_ir_branch_cold(w->f, SKEP_IR_UGT, R(past), R(w->limit), w->bad);
	take(w, row->layer, row->also, header(w, R(w->off), bytes));
	skep_ir_jump(w->f, w->done);
}

/* The datagram says how long it is; 0: longer than its field can say. */
static void set_limit(const struct walk *w, uint32_t head, uint32_t at, uint32_t behind)
{
	struct skep_ir_func *f = w->f;
	uint32_t zero = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t said = to_host(w, raw(w, head, at, 2), 2);
	uint32_t from = behind ? skep_ir_alu(f, SKEP_IR_ADD, R(said), I(behind)) : said;

	skep_ir_set(f, w->limit, R(skep_ir_alu(f, SKEP_IR_ADD, R(from), R(w->off))));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(said), I(0), zero);
	skep_ir_jump(f, on);
	skep_ir_at(f, zero);
	skep_ir_set(f, w->limit, I(NO_LIMIT));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

/* --- IP ----------------------------------------------------------------------------------- */

static void ip4(const struct walk *w, const uint32_t *blocks)
{
	struct skep_ir_func *f = w->f;
	uint32_t head = header(w, R(w->off), IP_HEAD_BYTES), whole = skep_ir_block(f);
	uint32_t first = skep_ir_load(f, 1, R(head), 0);
	uint32_t words = skep_ir_alu(f, SKEP_IR_AND, R(first), I(15));

	skep_ir_branch_cold(f, SKEP_IR_NE, R(skep_ir_alu(f, SKEP_IR_SHR, R(first), I(4))), I(4),
			    w->bad);
	skep_ir_branch_cold(f, SKEP_IR_ULT, R(words), I(IP_HEAD_BYTES / 4), w->bad);
	take(w, SKEP_LAYER_IP, BIT(ADDR), head);
	skep_ir_set(f, w->proto, R(skep_ir_load(f, 1, R(head), 9)));
	take_found(w, SKEP_PACKET_PROTOCOL, R(w->proto));
	if (!wants(w, L4_BITS)) {
		skep_ir_jump(f, w->done);
		return;
	}
	set_limit(w, head, 2, 0);
	skep_ir_branch(f, SKEP_IR_TEST, R(raw(w, head, 6, 2)), I(htons(IP_OFFSET_MASK)), w->done,
		       whole);
	skep_ir_at(f, whole);
	uint32_t bytes = skep_ir_alu(f, SKEP_IR_SHL, R(words), I(2));
	skep_ir_set(f, w->off, R(skep_ir_alu(f, SKEP_IR_ADD, R(w->off), R(bytes))));
	dispatch(w, blocks, false);
}

/* Branch on whether an extension header that can be passed over is next. */
static void if_extension(const struct walk *w, uint32_t yes, uint32_t no)
{
	static const uint64_t passed = 1ull << IPPROTO_HOPOPTS | 1ull << IPPROTO_ROUTING |
				       1ull << IPPROTO_FRAGMENT | 1ull << IPPROTO_AH |
				       1ull << IPPROTO_DSTOPTS;
	struct skep_ir_func *f = w->f;
	uint32_t low = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_UGT, R(w->proto), I(IPPROTO_DSTOPTS), no, low);
	skep_ir_at(f, low);
	uint32_t bit = skep_ir_alu(f, SKEP_IR_SHR, R(skep_ir_mov(f, I(passed))), R(w->proto));
	skep_ir_branch(f, SKEP_IR_TEST, R(bit), I(1), yes, no);
}

/* How long the extension header in the room is, its type in w->proto; a later fragment's goes to
 * @rest. */
static uint32_t extension_bytes(const struct walk *w, uint32_t rest)
{
	struct skep_ir_func *f = w->f;
	uint32_t bytes = skep_ir_var(f), not_fragment = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t fragment = skep_ir_block(f), auth = skep_ir_block(f), usual = skep_ir_block(f);
	uint32_t said = skep_ir_load(f, 1, w->room, 1);

	skep_ir_set(f, bytes, I(EXTENSION_BYTES));
	skep_ir_branch(f, SKEP_IR_EQ, R(w->proto), I(IPPROTO_FRAGMENT), fragment, not_fragment);
	skep_ir_at(f, fragment);
	uint32_t field = skep_ir_load(f, 2, w->room, 2);
	skep_ir_branch(f, SKEP_IR_TEST, R(field), I(htons(IP6_OFFSET_MASK)), rest, on);
	skep_ir_at(f, not_fragment);
	skep_ir_branch(f, SKEP_IR_EQ, R(w->proto), I(IPPROTO_AH), auth, usual);
	skep_ir_at(f, auth);
	uint32_t words = skep_ir_alu(f, SKEP_IR_ADD, R(said), I(2));
	skep_ir_set(f, bytes, R(skep_ir_alu(f, SKEP_IR_SHL, R(words), I(2))));
	skep_ir_jump(f, on);
	skep_ir_at(f, usual);
	words = skep_ir_alu(f, SKEP_IR_ADD, R(said), I(1));
	skep_ir_set(f, bytes, R(skep_ir_alu(f, SKEP_IR_SHL, R(words), I(3))));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return bytes;
}

/*
 * However a place behind an extension header was come by, the verifier knows the same of it: that
 * it is no further than MOST_OFF. Else it would walk every sequence of extensions there may be.
 */
static void forget_off(const struct walk *w)
{
	struct skep_ir_func *f = w->f;
	uint32_t zero =
		skep_ir_load(f, 8, R(skep_ir_map_value(f, skep_lower_zeroes(w->l, 8), 0)), 0);
	uint32_t some = skep_ir_alu(f, SKEP_IR_XOR, R(w->off), R(zero));

	skep_ir_branch_cold(f, SKEP_IR_UGT, R(w->off), I(MOST_OFF), w->bad);
	skep_ir_set(f, w->off, R(skep_ir_alu(f, SKEP_IR_AND, R(some), I(MOST_OFF))));
}

/*
 * Behind the extension headers: a function of its own, which few packets need, so that its loop
 * is not in the way of all others. Its result: where the next header begins, from bit 16 on;
 * whether it is in another fragment; and its protocol, in the low byte. -1: there is none.
 */
enum { EXTENSIONS_OFF_SHIFT = 16, EXTENSIONS_ELSEWHERE = 1 << 8, EXTENSIONS_PROTO = 0xff };

static void extensions_end(const struct walk *w, uint32_t flags)
{
	uint32_t place = skep_ir_alu(w->f, SKEP_IR_SHL, R(w->off), I(EXTENSIONS_OFF_SHIFT));
	uint32_t proto = skep_ir_load(w->f, 1, w->room, 0);

	if (flags)
		proto = skep_ir_alu(w->f, SKEP_IR_OR, R(proto), I(flags));
	skep_ir_exit(w->f, R(skep_ir_alu(w->f, SKEP_IR_OR, R(place), R(proto))));
}

static void extensions_body(const struct walk *w)
{
	struct skep_ir_func *f = w->f;
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t later = skep_ir_block(f), n = skep_ir_var(f);

	skep_ir_set(f, n, I(0));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_branch(f, SKEP_IR_ULT, R(n), I(MOST_EXTENSIONS), body, w->bad);
	skep_ir_at(f, body);
	fetch(w, R(w->off), EXTENSION_BYTES);
	uint32_t bytes = extension_bytes(w, later);
	skep_ir_set(f, w->off, R(skep_ir_alu(f, SKEP_IR_ADD, R(w->off), R(bytes))));
	forget_off(w);
	skep_ir_set(f, w->proto, R(skep_ir_load(f, 1, w->room, 0)));
	skep_ir_set(f, n, R(skep_ir_alu(f, SKEP_IR_ADD, R(n), I(1))));
	if_extension(w, head, on);
	skep_ir_at(f, on);
	extensions_end(w, 0);
	skep_ir_at(f, later);
	extensions_end(w, EXTENSIONS_ELSEWHERE);
	skep_ir_at(f, w->bad);
	skep_ir_exit(f, I(-1));
}

static struct skep_ir_func *extensions_new(const struct walk *w)
{
	struct skep_ir_func *f = skep_ir_subprog(w->f, "ip6_extensions", 3);
	struct walk own = *w;

	own.f = f;
	own.ctx = R(skep_ir_param(f, 0));
	own.off = skep_ir_var(f);
	own.proto = skep_ir_var(f);
	own.bad = skep_ir_block(f);
	own.room = S(skep_ir_slot(f, EXTENSION_BYTES, 8), 0);
	skep_ir_set(f, own.off, R(skep_ir_param(f, 1)));
	skep_ir_set(f, own.proto, R(skep_ir_param(f, 2)));
	extensions_body(&own);
	return f;
}

/* Go on behind extension headers to @on; a later fragment has its protocol and goes to @rest. */
static void extensions(const struct walk *w, uint32_t on, uint32_t rest)
{
	struct skep_ir_func *f = w->f;
	struct skep_opnd args[] = {w->ctx, R(w->off), R(w->proto)};
	uint32_t found = skep_ir_call_func(f, extensions_new(w), 3, args);

	skep_ir_branch_cold(f, SKEP_IR_EQ, R(found), I(-1), w->bad);
	skep_ir_set(f, w->proto, R(skep_ir_alu(f, SKEP_IR_AND, R(found), I(EXTENSIONS_PROTO))));
	uint32_t place = skep_ir_alu(f, SKEP_IR_SHR, R(found), I(EXTENSIONS_OFF_SHIFT));
	skep_ir_set(f, w->off, R(skep_ir_alu(f, SKEP_IR_AND, R(place), I(MOST_OFF))));
	skep_ir_branch(f, SKEP_IR_TEST, R(found), I(EXTENSIONS_ELSEWHERE), rest, on);
}

static void ip6(const struct walk *w, const uint32_t *blocks)
{
	struct skep_ir_func *f = w->f;
	uint32_t head = header(w, R(w->off), IP6_HEAD_BYTES);
	uint32_t first = skep_ir_load(f, 1, R(head), 0);

	skep_ir_branch_cold(f, SKEP_IR_NE, R(skep_ir_alu(f, SKEP_IR_SHR, R(first), I(4))), I(6),
			    w->bad);
	take(w, SKEP_LAYER_IP6, BIT(ADDR), head);
	if (!wants(w, L4_BITS) && !uses(w, "proto")) {
		skep_ir_jump(f, w->done);
		return;
	}
	uint32_t more = skep_ir_block(f), on = skep_ir_block(f), rest = skep_ir_block(f);
	set_limit(w, head, 4, IP6_HEAD_BYTES);
	skep_ir_set(f, w->proto, R(skep_ir_load(f, 1, R(head), 6)));
	skep_ir_set(f, w->off, R(skep_ir_alu(f, SKEP_IR_ADD, R(w->off), I(IP6_HEAD_BYTES))));
	if_extension(w, more, on);
	skep_ir_at(f, more);
	extensions(w, on, rest);
	skep_ir_at(f, rest);
	take_found(w, SKEP_PACKET_PROTOCOL, R(w->proto));
	skep_ir_jump(f, w->done);
	skep_ir_at(f, on);
	take_found(w, SKEP_PACKET_PROTOCOL, R(w->proto));
	dispatch(w, blocks, true);
}

/* Six bytes of hardware address, four of IPv4: anything else is not what the fields say. */
static void arp(const struct walk *w, const uint32_t *blocks)
{
	uint32_t head = header(w, R(w->off), skep_layer_bytes(SKEP_LAYER_ARP));
	uint32_t sizes = raw(w, head, 4, 2), known = skep_ir_block(w->f);

	skep_ir_branch(w->f, SKEP_IR_EQ, R(sizes), I(htons(6 << 8 | 4)), known, w->done);
	skep_ir_at(w->f, known);
	take(w, SKEP_LAYER_ARP, 0, head);
	skep_ir_jump(w->f, w->done);
}

/* --- The walk ----------------------------------------------------------------------------- */

static const struct network {
	uint32_t wanted; /* by whom */
	uint16_t type;
	uint32_t version; /* what the first half byte says; 0: it says nothing */
	void (*walk)(const struct walk *w, const uint32_t *blocks);
} networks[] = {
	{BIT(IP) | BIT(TCP) | BIT(UDP) | BIT(ICMP), ETH_P_IP, 4, ip4},
	{BIT(IP6) | BIT(TCP) | BIT(UDP) | BIT(ICMP6), ETH_P_IPV6, 6, ip6},
	{BIT(ARP), ETH_P_ARP, 0, arp},
};
enum { N_NETWORKS = sizeof(networks) / sizeof(networks[0]) };

/* Packets without a link header: the version tells what is next. */
static void version(const struct walk *w)
{
	uint32_t first = skep_ir_load(w->f, 1, R(header(w, I(0), 1)), 0);

	skep_ir_set(w->f, w->type, R(skep_ir_alu(w->f, SKEP_IR_SHR, R(first), I(4))));
	skep_ir_set(w->f, w->off, I(0));
}

static void network(const struct walk *w)
{
	uint32_t uppers[N_TRANSPORTS], blocks[N_NETWORKS];
	bool by_type = w->l->probe->link == SKEP_LINK_ETHER;

	for (int i = 0; i < N_TRANSPORTS; i++)
		uppers[i] = skep_ir_block(w->f);
	for (int i = 0; i < N_NETWORKS; i++) {
		uint32_t other = skep_ir_block(w->f);
		uint32_t is = by_type ? htons(networks[i].type) : networks[i].version;
		blocks[i] = skep_ir_block(w->f);
		if (!wants(w, networks[i].wanted) || !is)
			continue;
		skep_ir_branch(w->f, SKEP_IR_EQ, R(w->type), I(is), blocks[i], other);
		skep_ir_at(w->f, other);
	}
	skep_ir_jump(w->f, w->done);
	for (int i = 0; i < N_NETWORKS; i++) {
		skep_ir_at(w->f, blocks[i]);
		networks[i].walk(w, uppers);
	}
	for (int i = 0; i < N_TRANSPORTS; i++) {
		skep_ir_at(w->f, uppers[i]);
		transport(w, &transports[i]);
	}
}

static void clear_homes(struct skep_lower *l)
{
	struct skep_packet_homes *homes = l->packet;

	if (homes->block_bytes)
		skep_lower_zero(l, homes->block, 0, homes->block_bytes);
	for (uint32_t i = 0; i < SKEP_PACKET_FIELDS_MOST; i++) {
		if (homes->fields[i].is_used && homes->fields[i].is_reg)
			skep_ir_set(l->f, homes->fields[i].reg, I(0));
	}
	if (homes->present.is_reg)
		skep_ir_set(l->f, homes->present.reg, I(0));
}

static struct skep_opnd length(const struct walk *w)
{
	if (w->is_xdp)
		return R(skep_ir_calln(w->f, BPF_FUNC_xdp_get_buff_len, w->ctx));
	return R(skep_ir_load(w->f, 4, w->ctx, offsetof(struct __sk_buff, len)));
}

/* The linear part; a pointer that the verifier knows by the field it is loaded from. */
static void find_data(struct walk *w)
{
	int32_t at = w->is_xdp ? (int32_t)offsetof(struct xdp_md, data)
			       : (int32_t)offsetof(struct __sk_buff, data);
	int32_t end = w->is_xdp ? (int32_t)offsetof(struct xdp_md, data_end)
				: (int32_t)offsetof(struct __sk_buff, data_end);

	w->end = R(skep_ir_load(w->f, 4, w->ctx, end));
	w->data = R(skep_ir_load(w->f, 4, w->ctx, at));
}

void skep_lower_packet_walk(struct skep_lower *l)
{
	struct skep_ir_func *f = l->f;
	struct walk w = {.l = l,
			 .f = f,
			 .ctx = l->ctx,
			 .homes = l->packet,
			 .is_xdp = l->probe->hook->id == SKEP_AT_XDP};

	clear_homes(l);
	if (uses(&w, "len"))
		take_found(&w, SKEP_PACKET_LENGTH, length(&w));
	if (!w.homes->wanted)
		return;
	w.off = skep_ir_var(f);
	w.limit = skep_ir_var(f);
	w.type = skep_ir_var(f);
	w.proto = skep_ir_var(f);
	w.bad = skep_ir_block(f);
	w.done = skep_ir_block(f);
	w.room = S(skep_ir_slot(f, IP6_HEAD_BYTES, 8), 0);
	find_data(&w);
	if (l->probe->link == SKEP_LINK_ETHER)
		ethernet(&w);
	else
		version(&w);
	network(&w);
	skep_ir_at(f, w.bad);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_PACKET));
	skep_ir_jump(f, w.done);
	skep_ir_at(f, w.done);
}

/* --- Values ------------------------------------------------------------------------------- */

/* IPv4 addresses are kept as four bytes as they lie in the packet. */
static void put_inet4(struct skep_lower *l, const struct skep_packet_home *home,
		      struct skep_opnd dst, int32_t off)
{
	skep_lower_zero(l, dst, off, skep_type_inet.size);
	skep_ir_store(l->f, 4, dst, off, I(AF_INET));
	skep_ir_store(l->f, 4, dst, off + 4, get_home(l, home));
}

static bool is_inet4(const struct skep_expr *expr, const struct skep_packet_home *home)
{
	return expr->type->kind == SKEP_T_INET && home->size == 8;
}

struct skep_value skep_lower_packet(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_packet_field *field = expr->packet;
	const struct skep_packet_home *home = &l->packet->fields[skep_packet_row(field)];

	if (field->kind == SKEP_PACKET_PRESENT) {
		uint32_t bit = skep_ir_alu(l->f, SKEP_IR_AND, skep_lower_packet_present(l),
					   I(SKEP_LAYER_BIT(field->layer)));
		return skep_value_int(R(skep_ir_cmp(l->f, SKEP_IR_NE, R(bit), I(0))), expr->type);
	}
	if (skep_type_is_scalar(expr->type))
		return skep_value_int(get_home(l, home), expr->type);
	if (!is_inet4(expr, home))
		return (struct skep_value){.type = expr->type,
					   .opnd = l->packet->block,
					   .off = (int32_t)home->off,
					   .space = SKEP_SPACE_BPF};
	struct skep_value inet = skep_lower_temp(l, expr->type);
	put_inet4(l, home, inet.opnd, 0);
	return inet;
}

bool skep_lower_packet_into(struct skep_lower *l, const struct skep_expr *expr,
			    struct skep_opnd dst, int32_t off, const struct skep_type *type)
{
	if (!expr->packet || type->kind != SKEP_T_INET)
		return false;
	const struct skep_packet_home *home = &l->packet->fields[skep_packet_row(expr->packet)];
	if (!is_inet4(expr, home))
		return false;
	put_inet4(l, home, dst, off);
	return true;
}
