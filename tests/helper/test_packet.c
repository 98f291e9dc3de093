/*
 * Helpers of packets against the running kernel: the same calls on the same packet give the
 * same results, bytes and context. Tables of edge cases: lengths, offsets, flags, sequences.
 */
#include "kernel_run.h"

#include <linux/if_ether.h>

#include "helper/context.h"

static struct result theirs, ours;
static unsigned n_compared, n_differ;

static void show(const char *who, const struct step *steps, const struct result *r)
{
	print_error("%s: %u bytes, sum %08x, seen %x %x %x %x %x;", who, r->bytes, r->retval,
		    r->seen[0], r->seen[1], r->seen[2], r->seen[3], r->seen[4]);
	for (; steps->helper; steps++) {
		print_error(" %s(", skep_helper(steps->helper)->name);
		for (int i = 0; i < 5 && steps->args[i].kind; i++)
			print_error("%s%#llx", i ? ", " : "",
				    (unsigned long long)steps->args[i].value);
		print_error(")");
	}
	print_error("\n");
}

static bool same(uint32_t bytes_at_most)
{
	uint32_t n = ours.bytes < bytes_at_most ? ours.bytes : bytes_at_most;

	return theirs.retval == ours.retval && theirs.bytes == ours.bytes &&
	       !memcmp(theirs.seen, ours.seen, sizeof(ours.seen)) &&
	       !memcmp(theirs.packet, ours.packet, n);
}

static void compare(const struct step *steps, uint32_t type, const void *data, uint32_t len)
{
	memset(&theirs, 0, sizeof(theirs));
	memset(&ours, 0, sizeof(ours));
	int err = kernel_run(steps, type, data, len, &theirs);
	if (err == -EPERM)
		skip();
	user_run(steps, type, data, len, &ours);
	n_compared++;
	if (!err && same(MOST_PACKET))
		return;
	n_differ++;
	print_error("%u bytes of type %02x%02x, error %d\n", len, ((const uint8_t *)data)[12],
		    ((const uint8_t *)data)[13], err);
	show("kernel", steps, &theirs);
	show("here  ", steps, &ours);
}

/* Ethernet, and behind it what @type says: IPv4 with UDP, IPv6 with TCP, tags. */
static void make_packet(uint8_t *to, uint32_t len, uint16_t type)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(i * 7 + 1);
	to[0] = 2; /* not a group's address */
	to[12] = (uint8_t)(type >> 8);
	to[13] = (uint8_t)type;
	if (type == ETH_P_IP && len >= 34) {
		to[14] = 0x45;
		to[23] = 17;
	}
	if (type == ETH_P_IPV6 && len >= 54) {
		to[14] = 0x60;
		to[20] = 6;
	}
	if (type == ETH_P_8021Q && len >= 22) {
		to[16] = ETH_P_8021Q >> 8;
		to[17] = ETH_P_8021Q & 255;
		to[20] = ETH_P_IP >> 8;
		to[21] = ETH_P_IP & 255;
	}
}

static void compare_all(const struct step (*cases)[MOST_STEPS], size_t n, uint32_t type)
{
	static const uint16_t types[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, 0x1234};
	static const uint32_t lens[] = {64, 100, 256, 1400};
	static uint8_t data[MOST_PACKET];

	n_compared = n_differ = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			uint32_t len = lens[(i + t) % 4];
			make_packet(data, len, types[t]);
			compare(cases[i], type, data, len);
		}
	}
	print_message("%u runs\n", n_compared);
	assert_int_equal(n_differ, 0);
}

#define SIZE_OF(a) (sizeof(a) / sizeof((a)[0]))

enum { /* numbers of helpers.def */
       SKB_STORE = 9,
       L3_CSUM = 10,
       L4_CSUM = 11,
       VLAN_PUSH = 18,
       VLAN_POP = 19,
       REDIRECT = 23,
       SKB_LOAD = 26,
       CSUM_DIFF = 28,
       CHANGE_PROTO = 31,
       CHANGE_TYPE = 32,
       CHANGE_TAIL = 38,
       PULL = 39,
       CSUM_UPDATE = 40,
       HASH_INVALID = 41,
       CHANGE_HEAD = 43,
       XDP_HEAD = 44,
       SET_HASH = 48,
       ROOM = 50,
       XDP_META = 54,
       XDP_TAIL = 65,
       LOAD_REL = 68,
       FIB = 69,
       ECN = 97,
       CSUM_LEVEL = 135,
       PEER = 155,
       STRTOL = 105,
       BUFF_LEN = 188,
       XDP_LOAD = 189,
       XDP_STORE = 190,
       TSTAMP = 192,
       HASH = 34,
       CLONE = 13,
};

static const struct step bytes_cases[][MOST_STEPS] = {
	{{SKB_LOAD, {CTX, N(0), BUF, N(64)}}},
	{{SKB_LOAD, {CTX, N(1), BUF, N(64)}}},
	{{SKB_LOAD, {CTX, N(60), BUF, N(4)}}},
	{{SKB_LOAD, {CTX, N(61), BUF, N(4)}}},
	{{SKB_LOAD, {CTX, N(99), BUF, N(1)}}},
	{{SKB_LOAD, {CTX, N(0x7fffffff), BUF, N(8)}}},
	{{SKB_LOAD, {CTX, N(0xffffffff), BUF, N(8)}}},
	{{SKB_LOAD, {CTX, N(0x100000000), BUF, N(8)}}},
	{{LOAD_REL, {CTX, N(0), BUF, N(16), N(0)}}},
	{{LOAD_REL, {CTX, N(0), BUF, N(16), N(1)}}},
	{{LOAD_REL, {CTX, N(50), BUF, N(1), N(1)}}},
	{{LOAD_REL, {CTX, N(49), BUF, N(1), N(1)}}},
	{{LOAD_REL, {CTX, N(0), BUF, N(16), N(2)}}},
	{{LOAD_REL, {CTX, N(0x10000), BUF, N(16), N(0)}}},
	{{SKB_STORE, {CTX, N(0), BUF, N(64), N(0)}}},
	{{SKB_STORE, {CTX, N(1), BUF, N(64), N(0)}}},
	{{SKB_STORE, {CTX, N(20), AT(8), N(8), N(1)}}},
	{{SKB_STORE, {CTX, N(20), AT(8), N(8), N(3)}}},
	{{SKB_STORE, {CTX, N(20), AT(8), N(8), N(4)}}},
	{{SKB_STORE, {CTX, N(0xffffffff), BUF, N(8), N(0)}}},
	{{SKB_STORE, {CTX, N(0x7ffffffc), BUF, N(8), N(0)}}},
	{{PULL, {CTX, N(0)}}},
	{{PULL, {CTX, N(64)}}},
	{{PULL, {CTX, N(65)}}},
	{{PULL, {CTX, N(1400)}}},
	{{PULL, {CTX, N(0xffffffff)}}},
	{{L3_CSUM, {CTX, N(24), N(0), N(0x12345678), N(0)}}},
	{{L3_CSUM, {CTX, N(24), N(1), N(0x12345678), N(0)}}},
	{{L3_CSUM, {CTX, N(24), N(0x1234), N(0x5678), N(2)}}},
	{{L3_CSUM, {CTX, N(24), N(0x9234), N(0x5678), N(2)}}},
	{{L3_CSUM, {CTX, N(24), N(0x12345678), N(0x9abcdef0), N(4)}}},
	{{L3_CSUM, {CTX, N(24), N(0xffffffff), N(0), N(4)}}},
	{{L3_CSUM, {CTX, N(24), N(0), N(0), N(3)}}},
	{{L3_CSUM, {CTX, N(24), N(0), N(0), N(16)}}},
	{{L3_CSUM, {CTX, N(25), N(0), N(0), N(2)}}},
	{{L3_CSUM, {CTX, N(62), N(1), N(2), N(2)}}},
	{{L3_CSUM, {CTX, N(64), N(1), N(2), N(2)}}},
	{{L3_CSUM, {CTX, N(0x10000), N(1), N(2), N(2)}}},
	{{L4_CSUM, {CTX, N(40), N(0), N(0x12345678), N(0x10)}}},
	{{L4_CSUM, {CTX, N(40), N(0x1234), N(0x5678), N(0x12)}}},
	{{L4_CSUM, {CTX, N(40), N(0x12345678), N(0x9abcdef0), N(4)}}},
	{{L4_CSUM, {CTX, N(40), N(0x12345678), N(0x9abcdef0), N(0x24)}}},
	{{SKB_STORE, {CTX, N(40), AT(0), N(2), N(0)}},
	 {L4_CSUM, {CTX, N(40), N(0), N(0), N(0x20)}}},
	{{L4_CSUM, {CTX, N(40), N(7), N(0), N(0)}}},
	{{L4_CSUM, {CTX, N(40), N(7), N(0), N(0x100)}}},
	{{CSUM_DIFF, {N(0), N(0), BUF, N(64), N(0)}}},
	{{CSUM_DIFF, {N(0), N(0), BUF, N(4), N(0xffffffff)}}},
	{{CSUM_DIFF, {BUF, N(16), N(0), N(0), N(0x1234)}}},
	{{CSUM_DIFF, {BUF, N(16), AT(16), N(16), N(0)}}},
	{{CSUM_DIFF, {BUF, N(16), AT(16), N(8), N(0xfffe0001)}}},
	{{CSUM_DIFF, {BUF, N(16), BUF, N(16), N(0)}}},
	{{CSUM_DIFF, {BUF, N(4), N(0), N(0), N(0x36251403)}}}, /* the seed is what is there */
	{{CSUM_DIFF, {BUF, N(6), BUF, N(4), N(0)}}},
	{{CSUM_DIFF, {BUF, N(7), BUF, N(5), N(9)}}},
	{{CSUM_DIFF, {BUF, N(1), N(0), N(0), N(0xffffffff)}}},
	{{CSUM_DIFF, {N(0), N(0), BUF, N(3), N(0x89abcdef)}}},
	{{CSUM_DIFF, {N(0), N(0), N(0), N(0), N(0x12345678)}}},
	{{CSUM_UPDATE, {CTX, N(5)}}},
	{{CSUM_LEVEL, {CTX, N(0)}}},
	{{CSUM_LEVEL, {CTX, N(3)}}},
	{{CSUM_LEVEL, {CTX, N(4)}}},
	{{SET_HASH, {CTX, N(77)}}, {HASH, {CTX}}},
	{{SET_HASH, {CTX, N(77)}}, {SKB_STORE, {CTX, N(20), BUF, N(4), N(0)}}, {HASH, {CTX}}},
	{{CHANGE_TYPE, {CTX, N(3)}}},
	{{CHANGE_TYPE, {CTX, N(4)}}},
	{{CHANGE_TYPE, {CTX, N(1)}}, {CHANGE_TYPE, {CTX, N(0xffffffff)}}},
	{{FIB, {CTX, BUF, N(64), N(0)}}},
	{{FIB, {CTX, BUF, N(63), N(0)}}},
	{{FIB, {CTX, BUF, N(64), N(0x40)}}},
	{{SKB_LOAD, {CTX, N(0), BUF, N(64)}}, {FIB, {CTX, BUF, N(64), N(0)}}},
	{{ECN, {CTX}}},
	{{ECN, {CTX}}, {ECN, {CTX}}},
	{{SKB_STORE, {CTX, N(15), AT(20), N(1), N(0)}}, {ECN, {CTX}}},
	{{SKB_STORE, {CTX, N(15), AT(21), N(1), N(0)}}, {ECN, {CTX}}},
	{{SKB_STORE, {CTX, N(15), AT(22), N(1), N(0)}}, {ECN, {CTX}}},
	{{SKB_STORE, {CTX, N(15), AT(23), N(1), N(0)}}, {ECN, {CTX}}},
	{{TSTAMP, {CTX, N(5), N(0)}}},
	{{TSTAMP, {CTX, N(0), N(1)}}},
	{{TSTAMP, {CTX, N(9), N(1)}}},
	{{TSTAMP, {CTX, N(9), N(3)}}},
	{{REDIRECT, {N(1), N(0)}}},
	{{REDIRECT, {N(1), N(1)}}},
	{{REDIRECT, {N(1), N(2)}}},
	{{PEER, {N(1), N(0)}}},
	{{PEER, {N(1), N(1)}}},
	{{CLONE, {CTX, N(0x7ffffff), N(2)}}},
};

static void test_bytes(void **state)
{
	compare_all(bytes_cases, SIZE_OF(bytes_cases), BPF_PROG_TYPE_SCHED_CLS);
}

#define ROOM_CASE(diff, mode, flags)                                                               \
	{                                                                                          \
		{                                                                                  \
			ROOM,                                                                      \
			{                                                                          \
				CTX, N((uint32_t)(diff)), N(mode), N(flags)                        \
			}                                                                          \
		}                                                                                  \
	}
#define TAG(type) N(__builtin_bswap16(type))

static const struct step adjust_cases[][MOST_STEPS] = {
	{{CHANGE_TAIL, {CTX, N(14), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(13), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(1), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(0), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(50), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(64), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(1500), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(9000), N(0)}}, {CHANGE_TAIL, {CTX, N(80), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(16064), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(16065), N(0)}}},
	{{CHANGE_TAIL, {CTX, N(100), N(1)}}},
	{{CHANGE_HEAD, {CTX, N(0), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(14), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(200), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(2000), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(14000), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(16065), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(0xffffffff), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(14), N(1)}}},
	{{CHANGE_HEAD, {CTX, N(14), N(0)}}, {LOAD_REL, {CTX, N(0), BUF, N(16), N(1)}}},
	{{CHANGE_HEAD, {CTX, N(14), N(0)}}, {LOAD_REL, {CTX, N(14), BUF, N(16), N(0)}}},
	{{CHANGE_HEAD, {CTX, N(14), N(0)}}, {CHANGE_TAIL, {CTX, N(27), N(0)}}},
	{{CHANGE_PROTO, {CTX, TAG(ETH_P_IPV6), N(0)}}},
	{{CHANGE_PROTO, {CTX, TAG(ETH_P_IP), N(0)}}},
	{{CHANGE_PROTO, {CTX, TAG(ETH_P_IP), N(1)}}},
	{{CHANGE_PROTO, {CTX, N(0), N(0)}}},
	{{CHANGE_PROTO, {CTX, TAG(ETH_P_IPV6), N(0)}}, {CHANGE_PROTO, {CTX, TAG(ETH_P_IP), N(0)}}},
	{{CHANGE_PROTO, {CTX, TAG(ETH_P_IPV6), N(0)}}, {LOAD_REL, {CTX, N(0), BUF, N(16), N(1)}}},
	{{CHANGE_HEAD, {CTX, N(14), N(0)}}, {CHANGE_PROTO, {CTX, TAG(ETH_P_IPV6), N(0)}}},
	ROOM_CASE(0, 0, 0),
	ROOM_CASE(4, 0, 0),
	ROOM_CASE(4, 1, 0),
	ROOM_CASE(-4, 0, 0),
	ROOM_CASE(-4, 1, 0),
	ROOM_CASE(4, 2, 0),
	ROOM_CASE(20, 1, 2),
	ROOM_CASE(40, 1, 4),
	ROOM_CASE(20, 1, 6),
	ROOM_CASE(28, 1, 2 | 16),
	ROOM_CASE(24, 1, 2 | 8),
	ROOM_CASE(28, 1, 2 | 8 | 16),
	ROOM_CASE(0xfff, 0, 0),
	ROOM_CASE(0x1000, 0, 0),
	ROOM_CASE(-0x1000, 0, 0),
	ROOM_CASE(-16, 1, 0),
	ROOM_CASE(-30, 1, 0),
	ROOM_CASE(-30, 0, 0),
	ROOM_CASE(-46, 1, 0),
	ROOM_CASE(-50, 1, 0),
	ROOM_CASE(-66, 1, 0),
	ROOM_CASE(-86, 1, 0),
	ROOM_CASE(-20, 1, 128),
	ROOM_CASE(-20, 1, 256),
	ROOM_CASE(-20, 1, 384),
	ROOM_CASE(20, 1, 128),
	ROOM_CASE(-20, 1, 2),
	ROOM_CASE(4, 1, 512),
	ROOM_CASE(4, 0, 32),
	ROOM_CASE(4, 0, 1),
	ROOM_CASE(-4, 0, 1),
	ROOM_CASE(-4, 0, 32),
	ROOM_CASE(34, 1, 2 | 64),
	ROOM_CASE(34, 1, 2 | 64 | 14ull << 56),
	ROOM_CASE(34, 1, 2 | 14ull << 56),
	ROOM_CASE(10, 1, 2 | 14ull << 56),
	ROOM_CASE(34, 1, 2 | 64 | 4ull << 56),
	{{ROOM, {CTX, N(20), N(1), N(2)}}, {ROOM, {CTX, N(20), N(1), N(2)}}},
	{{ROOM, {CTX, N(20), N(1), N(2)}}, {CHANGE_TAIL, {CTX, N(100), N(0)}}},
	{{ROOM, {CTX, N(28), N(1), N(18)}}, {LOAD_REL, {CTX, N(0), BUF, N(8), N(1)}}},
	{{ROOM, {CTX, N(20), N(1), N(2)}}, {ROOM, {CTX, N((uint32_t)-20), N(1), N(0)}}},
	{{ROOM, {CTX, N(40), N(1), N(4)}}, {ROOM, {CTX, N((uint32_t)-40), N(1), N(128)}}},
};

static void test_adjust(void **state)
{
	compare_all(adjust_cases, SIZE_OF(adjust_cases), BPF_PROG_TYPE_SCHED_CLS);
}

static const struct step vlan_cases[][MOST_STEPS] = {
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021AD), N(0xffff)}}},
	{{VLAN_PUSH, {CTX, N(0), N(5)}}},
	{{VLAN_POP, {CTX}}},
	{{VLAN_POP, {CTX}}, {VLAN_POP, {CTX}}},
	{{VLAN_POP, {CTX}}, {VLAN_POP, {CTX}}, {VLAN_POP, {CTX}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}}, {VLAN_POP, {CTX}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}}, {VLAN_PUSH, {CTX, TAG(ETH_P_8021AD), N(6)}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}},
	 {VLAN_PUSH, {CTX, TAG(ETH_P_8021AD), N(6)}},
	 {VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(7)}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}},
	 {VLAN_PUSH, {CTX, TAG(ETH_P_8021AD), N(6)}},
	 {VLAN_POP, {CTX}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}},
	 {VLAN_PUSH, {CTX, TAG(ETH_P_8021AD), N(6)}},
	 {VLAN_POP, {CTX}},
	 {VLAN_POP, {CTX}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}},
	 {VLAN_PUSH, {CTX, TAG(ETH_P_8021AD), N(6)}},
	 {LOAD_REL, {CTX, N(0), BUF, N(16), N(1)}}},
	{{VLAN_POP, {CTX}}, {LOAD_REL, {CTX, N(0), BUF, N(16), N(1)}}},
	{{VLAN_PUSH, {CTX, TAG(ETH_P_8021Q), N(5)}}, {CHANGE_HEAD, {CTX, N(14), N(0)}}},
};

static void test_vlan(void **state)
{
	compare_all(vlan_cases, SIZE_OF(vlan_cases), BPF_PROG_TYPE_SCHED_CLS);
}

#define HEAD(n)                                                                                    \
	{                                                                                          \
		XDP_HEAD,                                                                          \
		{                                                                                  \
			CTX, N((uint32_t)(n))                                                      \
		}                                                                                  \
	}
#define META(n)                                                                                    \
	{                                                                                          \
		XDP_META,                                                                          \
		{                                                                                  \
			CTX, N((uint32_t)(n))                                                      \
		}                                                                                  \
	}
#define TAIL(n)                                                                                    \
	{                                                                                          \
		XDP_TAIL,                                                                          \
		{                                                                                  \
			CTX, N((uint32_t)(n))                                                      \
		}                                                                                  \
	}

static const struct step xdp_cases[][MOST_STEPS] = {
	{HEAD(0)},
	{HEAD(14)},
	{HEAD(50)},
	{HEAD(51)},
	{HEAD(86)},
	{HEAD(87)},
	{HEAD(-1)},
	{HEAD(-100)},
	{HEAD(-216)},
	{HEAD(-217)},
	{HEAD(-256)},
	{HEAD(0x7fffffff)},
	{HEAD(0x80000000)},
	{META(0)},
	{META(-4)},
	{META(-32)},
	{META(-33)},
	{META(-36)},
	{META(-128)},
	{META(-216)},
	{META(-220)},
	{META(4)},
	{META(-1)},
	{META(-252)},
	{META(-256)},
	{META(-8), META(4)},
	{META(-8), META(8)},
	{META(-8), META(12)},
	{META(-8), HEAD(14)},
	{META(-8), HEAD(-14)},
	{META(-8), HEAD(-208)},
	{META(-8), HEAD(-209)},
	{TAIL(0)},
	{TAIL(-10)},
	{TAIL(-50)},
	{TAIL(-51)},
	{TAIL(-86)},
	{TAIL(-87)},
	{TAIL(10)},
	{TAIL(1000)},
	{TAIL(2120)},
	{TAIL(2121)},
	{TAIL(3456)},
	{TAIL(3457)},
	{TAIL(0x7fffffff)},
	{TAIL(0x80000000)},
	{TAIL(10), TAIL(-10)},
	{HEAD(-20), TAIL(5), META(-4)},
	{{BUFF_LEN, {CTX}}},
	{TAIL(7), {BUFF_LEN, {CTX}}},
	{{XDP_LOAD, {CTX, N(0), BUF, N(64)}}},
	{{XDP_LOAD, {CTX, N(1), BUF, N(64)}}},
	{{XDP_LOAD, {CTX, N(92), BUF, N(8)}}},
	{{XDP_LOAD, {CTX, N(93), BUF, N(8)}}},
	{{XDP_LOAD, {CTX, N(0xffff), BUF, N(8)}}},
	{{XDP_LOAD, {CTX, N(0x10000), BUF, N(8)}}},
	{{XDP_LOAD, {CTX, N(0xffffffff), BUF, N(8)}}},
	{{XDP_STORE, {CTX, N(0), BUF, N(64)}}},
	{{XDP_STORE, {CTX, N(1), BUF, N(64)}}},
	{{XDP_STORE, {CTX, N(0x10000), BUF, N(8)}}},
	{HEAD(14), {XDP_LOAD, {CTX, N(0), BUF, N(32)}}},
	{{REDIRECT, {N(1), N(0)}}},
	{{REDIRECT, {N(1), N(1)}}},
};

static void test_xdp(void **state)
{
	compare_all(xdp_cases, SIZE_OF(xdp_cases), BPF_PROG_TYPE_XDP);
}

static const struct step frags_cases[][MOST_STEPS] = {
	{TAIL(1)},
	{TAIL(100)},
	{TAIL(-100)},
	{TAIL(-5000)},
	{TAIL(4096)},
	{TAIL(-1000), TAIL(10)},
	{{BUFF_LEN, {CTX}}},
	{{XDP_LOAD, {CTX, N(3500), BUF, N(64)}}},
	{{XDP_LOAD, {CTX, N(3520), BUF, N(64)}}},
	{{XDP_LOAD, {CTX, N(7600), BUF, N(64)}}},
	{{XDP_STORE, {CTX, N(3500), BUF, N(64)}}},
	{{XDP_STORE, {CTX, N(7600), BUF, N(64)}}},
	{{XDP_STORE, {CTX, N(8990), BUF, N(64)}}},
	{HEAD(20), {XDP_STORE, {CTX, N(3490), BUF, N(64)}}},
};

static void test_several_buffers(void **state)
{
	static const uint32_t lens[] = {3521, 4000, 7616, 7617, 9000};
	static uint8_t data[MOST_PACKET];

	n_compared = n_differ = 0;
	for (size_t i = 0; i < SIZE_OF(frags_cases); i++) {
		for (size_t k = 0; k < SIZE_OF(lens); k++) {
			make_packet(data, lens[k], ETH_P_IP);
			compare(frags_cases[i], BPF_PROG_TYPE_XDP, data, lens[k]);
		}
	}
	print_message("%u runs\n", n_compared);
	assert_int_equal(n_differ, 0);
}

static void test_layouts(void **state)
{
	assert_int_equal(sizeof(struct skb_context), sizeof(struct __sk_buff));
	assert_int_equal(sizeof(struct xdp_context), sizeof(struct xdp_md));
#define MEMBER(name)                                                                               \
	assert_int_equal(offsetof(struct skb_context, name), offsetof(struct __sk_buff, name))
	MEMBER(len);
	MEMBER(vlan_proto);
	MEMBER(cb);
	MEMBER(hash);
	MEMBER(data);
	MEMBER(data_end);
	MEMBER(remote_ip6);
	MEMBER(data_meta);
	MEMBER(tstamp);
	MEMBER(gso_size);
	MEMBER(hwtstamp);
}

/* Packets are where 32 bits reach, and freed places are used again. */
static void test_low_memory(void **state)
{
	for (int i = 0; i < 100000; i++) {
		uint8_t *at = skep_low_alloc(1 + (size_t)i % 9000);
		assert_non_null(at);
		assert_true((uintptr_t)at < UINT32_MAX);
		at[0] = at[(size_t)i % 9000] = 1;
		skep_low_free(at, 1 + (size_t)i % 9000);
	}
	assert_null(skep_low_alloc(0));
	assert_null(skep_low_alloc((size_t)1 << 40));
}

/* No packet goes anywhere from here: whatever the address, the device does not forward. */
static void test_no_routes(void **state)
{
	struct bpf_fib_lookup question = {.family = 2, .ifindex = 1};
	skep_function *ask = skep_helper(FIB)->call;
	struct skep_run run = {.cpu = 0};

	assert_int_equal(ask(0, (uintptr_t)&question, sizeof(question), 0, 0, &run),
			 BPF_FIB_LKUP_RET_FWD_DISABLED);
	question.ifindex = 0x7fffffff;
	assert_int_equal((int64_t)ask(0, (uintptr_t)&question, sizeof(question), 0, 0, &run),
			 -ENODEV);
}

/* Classic BPF's loads: a tunnel program's packet has its link header before data. */
static void test_loads_before_data(void **state)
{
	static const uint8_t frame[40] = {[13] = 0x5a, [14] = 1, [15] = 2, [16] = 3, [17] = 4};
	struct skep_packet *packet = skep_packet_new(frame, sizeof(frame), 8, 0);
	uint64_t value = 0;

	assert_non_null(packet);
	packet->data += 14;
	packet->mac_off = -14;
	packet->network_off = 0;
	assert_true(skep_packet_load(packet, -0x200000 + 12, 4, &value));
	assert_int_equal(value, 0x5a0102);
	assert_true(skep_packet_load(packet, -0x100000 + 1, 2, &value));
	assert_int_equal(value, 0x203);
	assert_false(skep_packet_load(packet, 25, 2, &value));
	assert_false(skep_packet_load(packet, -0x200001, 1, &value));
	packet->mac_off = -23;
	assert_false(skep_packet_load(packet, -0x200000, 1, &value));
	assert_true(skep_packet_load(packet, -0x200000 + 1, 1, &value));
	skep_packet_free(packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_low_memory),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_adjust),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_xdp),
		cmocka_unit_test(test_several_buffers),
		cmocka_unit_test(test_no_routes),
		cmocka_unit_test(test_loads_before_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
