/*
 * Sockets as programs see them: struct bpf_sock, bpf_tcp_sock and bpf_xdp_sock of the user API.
 *
 * Loads are rewritten to loads of the kernel's own structures, field by field, so each must be of a
 * field that is there: whole, or (where the table says so) a part of it.
 *
 * Source  behaviour of Linux 6.18, check_sock_access(), bpf_sock_is_valid_access() and the like
 */
#include "verify/memory.h"

/* Where the fields lie that have a rule of their own; bytes from the start. */
enum sock_layout {
	SOCK_FAMILY = 4,
	SOCK_TYPE = 8,
	SOCK_PROTOCOL = 12,
	SOCK_SRC_IP4 = 24,
	SOCK_SRC_PORT = 44,
	SOCK_DST_PORT = 48,
	SOCK_DST_PORT_END = 50,
	SOCK_DST_IP4 = 52,
	SOCK_STATE = 72,
	SOCK_RX_QUEUE_MAPPING = 76,
	SOCK_END = 80,
	TCP_BYTES_RECEIVED = 80,
	TCP_BYTES_ACKED = 88,
	TCP_SOCK_END = 116,
	XDP_SOCK_END = 4,
};

/* Fields of struct bpf_sock of which a part may be loaded: at these offsets. */
static const struct {
	uint32_t first, end;
} narrow_fields[] = {
	{SOCK_FAMILY, SOCK_FAMILY + 1},
	{SOCK_TYPE, SOCK_TYPE + 1},
	{SOCK_PROTOCOL, SOCK_PROTOCOL + 1},
	{SOCK_SRC_IP4, SOCK_SRC_PORT}, /* and src_ip6 behind it */
	{SOCK_SRC_PORT, SOCK_SRC_PORT + 1},
	{SOCK_DST_IP4, SOCK_STATE}, /* and dst_ip6 */
	{SOCK_STATE, SOCK_STATE + 1},
	{SOCK_RX_QUEUE_MAPPING, SOCK_RX_QUEUE_MAPPING + 1},
};

static bool is_narrow_field(uint32_t off)
{
	for (size_t i = 0; i < sizeof(narrow_fields) / sizeof(*narrow_fields); i++)
		if (off >= narrow_fields[i].first && off < narrow_fields[i].end)
			return true;
	return false;
}

static bool sock_allows(const struct mem_access *at)
{
	uint32_t off = (uint32_t)at->off, bytes = at->bytes;

	if (off >= SOCK_END || off % bytes)
		return false;
	if (is_narrow_field(off))
		return bytes <= 4;
	/* a port of two bytes, that older programs load with the two unused ones behind it */
	if (off >= SOCK_DST_PORT && off < SOCK_DST_PORT_END)
		return bytes <= 2 || bytes == 4;
	if (off >= SOCK_DST_PORT_END && off < SOCK_DST_IP4)
		return false;
	return bytes == 4;
}

static bool sock_common_allows(const struct mem_access *at)
{
	uint32_t off = (uint32_t)at->off;

	return (off < SOCK_TYPE || off >= SOCK_SRC_IP4) && sock_allows(at);
}

static bool tcp_sock_allows(const struct mem_access *at)
{
	uint32_t off = (uint32_t)at->off;
	bool wide = off == TCP_BYTES_RECEIVED || off == TCP_BYTES_ACKED;

	return off < TCP_SOCK_END && !(off % at->bytes) && at->bytes == (wide ? 8u : 4u);
}

static bool xdp_sock_allows(const struct mem_access *at)
{
	return (uint32_t)at->off < XDP_SOCK_END && !(at->off & 3) && at->bytes == 4;
}

int verify_socket(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	static bool (*const allows[REG_KIND_CNT])(const struct mem_access *at) = {
		[REG_SOCKET] = sock_allows,
		[REG_SOCK_COMMON] = sock_common_allows,
		[REG_TCP_SOCK] = tcp_sock_allows,
		[REG_XDP_SOCK] = xdp_sock_allows,
	};

	if (at->kind == ACCESS_WRITE)
		return verify_refuse(v, CANNOT_WRITE, at->regno, KIND_TEXT(reg));
	if (reg->value.full.smin < 0)
		return verify_refuse(v, NEGATIVE_INDEX, at->regno);
	if (at->off < 0 || !allows[reg->kind](at))
		return verify_refuse(v, INVALID_SOCKET_ACCESS, at->regno, KIND_TEXT(reg), at->off,
				     at->bytes);
	load_unknown(v, at);
	return 0;
}
