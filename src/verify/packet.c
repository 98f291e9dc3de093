/*
 * Packets and other memory whose size only shows when the program runs.
 *
 * A packet is as long as the comparison of a pointer into it with its end has shown: `range` bytes
 * from where the register points without its fixed offset (branch.c finds it). What was added
 * unknown is inside that already, so only the fixed offset is held against it.
 *
 * Buffers of tracepoints and iterators have a size that is checked when the program is attached;
 * here only that the offset is known and not negative.
 *
 * Source  behaviour of Linux 6.18, check_packet_access(), check_buffer_access()
 */
#include "verify/memory.h"

int verify_packet_range(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	int err = -EINVAL;

	if (reg->value.full.smin < 0)
		return verify_refuse(v, NEGATIVE_INDEX, at->regno);
	if (reg->range >= 0) {
		if (at->off >= 0 && (at->bytes || at->zero_ok) &&
		    (uint64_t)at->off + at->bytes <= (uint32_t)reg->range)
			return 0;
		err = verify_refuse(v, OUTSIDE_PACKET, at->off, at->bytes, at->regno, reg->id,
				    at->off, reg->range);
	}
	verify_refuse(v, PACKET_OFFSET, at->regno);
	return err;
}

int verify_packet(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	int err;

	if (at->kind == ACCESS_WRITE && !verify_packet_access_allowed(v, NULL, ACCESS_WRITE))
		return verify_refuse(v, PACKET_WRITE);
	if (stores_secret(v, at))
		return verify_refuse(v, LEAKS_INTO, at->value, "packet");
	err = verify_packet_range(v, at, reg);
	if (!err)
		load_unknown(v, at);
	return err;
}

#define FLOW_KEYS_BYTES 56 /* struct bpf_flow_keys */

int verify_flow_keys(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	(void)reg;
	if (stores_secret(v, at))
		return verify_refuse(v, LEAKS_INTO, at->value, "flow keys");
	if (at->off < 0 || (uint64_t)at->off + at->bytes > FLOW_KEYS_BYTES)
		return verify_refuse(v, OUTSIDE_FLOW_KEYS, at->off, at->bytes);
	load_unknown(v, at);
	return 0;
}

/* --- Buffers --------------------------------------------------------------------------------- */

static const char *buffer_name(const struct reg *reg)
{
	if (reg->kind == REG_TP_BUFFER)
		return "tracepoint";
	return reg->flags & MEM_RDONLY ? "rdonly" : "rdwr";
}

int verify_buffer_range(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct skep_tnum bits = reg->value.bits;

	if (at->off < 0)
		return verify_refuse(v, OUTSIDE_BUFFER, at->regno, buffer_name(reg), at->off,
				     at->bytes);
	if (!skep_tnum_is_const(bits) || bits.value)
		return verify_refuse(v, VARIABLE_BUFFER, at->regno, at->off, TNUM_TEXT(bits));
	return 0;
}

int verify_buffer(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	int err;

	if (at->kind == ACCESS_WRITE && reg->flags & MEM_RDONLY)
		return verify_refuse(v, CANNOT_WRITE, at->regno, KIND_TEXT(reg));
	err = verify_buffer_range(v, at, reg);
	if (!err)
		load_unknown(v, at);
	return err;
}
