/*
 * Alignment: does the address fit the size of what is accessed?
 *
 * x86 does not ask, so as a rule neither does the verifier. It does where a program is loaded with
 * BPF_F_STRICT_ALIGNMENT (to be run on other machines as well), for atomics, and always on the
 * stack, because what is known of it is kept by slots of eight bytes.
 *
 * An offset that is known in part is enough: a tristate number whose lower bits are known to be 0
 * is aligned. Packets begin two bytes past an aligned address (NET_IP_ALIGN), so that behind an
 * Ethernet header of 14 bytes the IP header is aligned.
 *
 * Source  behaviour of Linux 6.18, check_ptr_alignment()
 */
#include "verify/memory.h"

#define PACKET_START 2

static bool is_aligned(const struct reg *reg, int32_t plus, uint32_t bytes)
{
	struct skep_tnum off =
		skep_tnum_add(reg->value.bits, skep_tnum_const((uint64_t)(int64_t)plus));

	return !((off.value | off.mask) & (bytes - 1));
}

static int packet_alignment(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	if (is_aligned(reg, PACKET_START + reg->off + at->off, at->bytes))
		return 0;
	return verify_refuse(v, MISALIGNED_PACKET, PACKET_START, TNUM_TEXT(reg->value.bits),
			     reg->off, at->off, at->bytes);
}

int verify_alignment(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	static const char *const names[REG_KIND_CNT] = {
		[REG_FLOW_KEYS] = "flow keys ",
		[REG_MAP_KEY] = "key ",
		[REG_MAP_VALUE] = "value ",
		[REG_CTX] = "context ",
		[REG_STACK] = "stack ",
		[REG_SOCKET] = "sock ",
		[REG_SOCK_COMMON] = "sock_common ",
		[REG_TCP_SOCK] = "tcp_sock ",
		[REG_XDP_SOCK] = "xdp_sock ",
	};
	bool strict = v->strict_alignment || at->strict_alignment || reg->kind == REG_STACK;

	if (!strict || at->bytes == 1 || reg->kind == REG_ARENA)
		return 0;
	if (verify_reg_is_packet(reg))
		return packet_alignment(v, at, reg);
	if (is_aligned(reg, reg->off + at->off, at->bytes))
		return 0;
	return verify_refuse(v, MISALIGNED, names[reg->kind] ? names[reg->kind] : "",
			     TNUM_TEXT(reg->value.bits), reg->off, at->off, at->bytes);
}
