/*
 * Access to memory: what its files share.
 *
 *	load.c       loads, stores, atomics as instructions
 *	access.c     one access, by the kind of pointer; memory that a call is given
 *	align.c      does the address fit the size?
 *	stack.c      the stack, where the offset is known
 *	stack_range.c  the stack, where it is not, or a call reads or writes
 *	region.c     map values and keys, and other memory of known size
 *	packet.c     packets, flow keys, buffers of unknown size
 *	socket.c     sockets that programs see as struct bpf_sock and the like
 *	btf_access.c, btf_walk.c   kernel structures
 *
 * Each kind's function is given the access with the register's own offset added, and the register
 * as it was; the register loaded into may be the same one.
 */
#ifndef SKEP_VERIFY_MEMORY_H
#define SKEP_VERIFY_MEMORY_H

#include "verify/verifier.h"

#define MOST_VARIABLE_OFF (1 << 29) /* BPF_MAX_VAR_OFF */

/** A load goes to a register, and not only nowhere: as an atomic's first look does. */
static inline bool loads_register(const struct mem_access *at)
{
	return at->kind == ACCESS_READ && at->value >= 0;
}

/** The register loaded into becomes any number. */
static inline void load_unknown(struct verifier *v, const struct mem_access *at)
{
	if (loads_register(at))
		verify_reg_unknown(v, verify_reg(v, (unsigned)at->value));
}

/** A pointer is stored where who may not know addresses could read it. */
static inline bool stores_secret(struct verifier *v, const struct mem_access *at)
{
	return at->kind == ACCESS_WRITE && at->value >= 0 &&
	       verify_leaks_pointer(v, (unsigned)at->value);
}

/* --- align.c --- */

int verify_alignment(struct verifier *v, const struct mem_access *at, const struct reg *reg);

/* --- access.c --- */

/** The pointer must be as it was first: nothing may have been added, unless @fixed_ok, which allows
 *  for a known number. Source: __check_ptr_off_reg() */
int verify_unmodified(struct verifier *v, const struct reg *reg, unsigned regno, bool fixed_ok);

/* --- region.c --- */

/** A special field as the kernel's words name it. Source: btf_field_type_name() */
const char *verify_field_name(const struct skep_map_field *field);
/** @mem_bytes of memory are at the pointer. Source: check_mem_region_access() */
int verify_region(struct verifier *v, const struct mem_access *at, const struct reg *reg,
		  uint32_t mem_bytes);
/** The map's flags allow for it. Source: check_map_access_type() */
int verify_map_flags(struct verifier *v, const struct mem_access *at, const struct reg *reg);
/** In the value, and off its special fields. Source: check_map_access() */
int verify_map_value_region(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_map_value(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_map_key(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_mem(struct verifier *v, const struct mem_access *at, const struct reg *reg);

/* --- packet.c --- */

int verify_packet_range(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_packet(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_flow_keys(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_buffer_range(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_buffer(struct verifier *v, const struct mem_access *at, const struct reg *reg);

/* --- socket.c --- */

int verify_socket(struct verifier *v, const struct mem_access *at, const struct reg *reg);

/* --- stack.c, stack_range.c --- */

/** Within the stack, which grows to it. Source: check_stack_access_within_bounds() */
int verify_stack_bounds(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_stack(struct verifier *v, const struct mem_access *at, const struct reg *reg);
/** All that may be accessed holds something; what a call writes is unknown afterwards.
 *  Source: check_stack_range_initialized() */
int verify_stack_range(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_stack_write_anywhere(struct verifier *v, const struct mem_access *at,
				const struct reg *reg);
int verify_stack_read_anywhere(struct verifier *v, const struct mem_access *at,
			       const struct reg *reg);
/** What a register holds after a load of bytes from @lowest to below @end, none of them a spill as
 *  a whole. Source: mark_reg_stack_read() */
void verify_load_bytes(struct verifier *v, const struct frame *frame, int32_t lowest, int32_t end,
		       int value);

/* --- btf_access.c, btf_walk.c --- */

int verify_btf_pointer(struct verifier *v, const struct mem_access *at, const struct reg *reg);
int verify_map_pointer(struct verifier *v, const struct mem_access *at, const struct reg *reg);

#endif
