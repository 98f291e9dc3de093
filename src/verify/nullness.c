/*
 * NULL or not: what becomes of pointers that may be NULL where a jump decides.
 *
 * A look-up's result has an id, and so has each copy of it. Compared with 0, all of them are the
 * number 0 on one way, and valid on the other. What was acquired with the pointer (a socket's
 * reference) was not where it is NULL.
 *
 * Valid, the value of a map of maps is a map, and that of a map of sockets a socket. An id is of no
 * use any more then, and gone, so that more states are alike; but to hold a lock is to hold it in
 * this very value, so where there can be one, the id stays.
 *
 * Source  behaviour of Linux 6.18, mark_ptr_or_null_regs(), mark_ptr_not_null_reg(),
 *         reg_not_null()
 */
#include "verify/branch.h"

#include <string.h>

#include "verify/call.h"
#include "verify/memory.h"

/* --- Never NULL ------------------------------------------------------------------------------ */

/* Held, or passed by the kernel itself: alive while the program runs. */
static bool is_trusted(const struct reg *reg)
{
	const unsigned trusted = MEM_ALLOC | PTR_TRUSTED | NON_OWN_REF;

	return reg->ref_id || (reg->flags & trusted && !(reg->flags & ~trusted));
}

bool verify_reg_not_null(const struct reg *reg)
{
	/* with so much added, it could come around to 0 */
	if (reg->flags & PTR_MAYBE_NULL || reg->value.full.smin <= -MOST_VARIABLE_OFF ||
	    reg->value.full.smax >= MOST_VARIABLE_OFF)
		return false;
	switch (reg->kind) {
	case REG_SOCKET:
	case REG_TCP_SOCK:
	case REG_XDP_SOCK:
	case REG_BUF:
	case REG_SOCK_COMMON:
	case REG_MAP_VALUE:
	case REG_MAP_KEY:
	case REG_MAP_PTR: return true;
	case REG_MEM: return !(reg->flags & PTR_UNTRUSTED);
	case REG_BTF_PTR: return is_trusted(reg);
	default: return false;
	}
}

/* --- Found not to be NULL -------------------------------------------------------------------- */

static bool has_field(const struct skep_map *map, unsigned kinds)
{
	for (uint32_t i = 0; i < map->n_fields; i++)
		if (kinds >> map->fields[i].kind & 1)
			return true;
	return false;
}

static void inner_map(struct reg *reg, const struct skep_map *inner)
{
	const unsigned timed =
		1u << SKEP_FIELD_TIMER | 1u << SKEP_FIELD_WORKQUEUE | 1u << SKEP_FIELD_TASK_WORK;

	reg->kind = REG_MAP_PTR;
	reg->map = inner;
	if (has_field(inner, timed))
		reg->map_uid = reg->id;
}

static void not_null_value(struct reg *reg)
{
	const struct skep_map *inner = skep_map_inner(reg->map);

	reg->flags = 0;
	if (inner)
		inner_map(reg, inner);
	else if (reg->map->type == SKEP_MAP_XSKMAP)
		reg->kind = REG_XDP_SOCK;
	else if (reg->map->type == SKEP_MAP_SOCKMAP || reg->map->type == SKEP_MAP_SOCKHASH)
		reg->kind = REG_SOCKET;
}

void verify_not_null(struct reg *reg)
{
	if (reg->kind == REG_MAP_VALUE)
		not_null_value(reg);
	else
		reg->flags &= (uint16_t)~PTR_MAYBE_NULL;
}

/* --- Decided --------------------------------------------------------------------------------- */

#define LOCKS (1u << SKEP_FIELD_SPIN_LOCK | 1u << SKEP_FIELD_RES_SPIN_LOCK)

/* An object of the program's own: of a struct that has a lock among its members. */
static bool struct_has_lock(const struct skep_btf *btf, uint32_t id)
{
	struct skep_btf_member member;

	for (uint32_t i = 0; btf && i < skep_btf_n_members(btf, id); i++) {
		const char *name;

		if (skep_btf_member(btf, id, i, &member))
			continue;
		name = skep_btf_name(btf, skep_btf_strip(btf, member.type));
		if (!strcmp(name, "bpf_spin_lock") || !strcmp(name, "bpf_res_spin_lock"))
			return true;
	}
	return false;
}

static bool may_be_locked(const struct reg *reg)
{
	if (reg->kind == REG_MAP_VALUE)
		return has_field(reg->map, LOCKS);
	if (reg->kind == REG_BTF_PTR && reg->flags & MEM_ALLOC)
		return struct_has_lock(reg->btf, reg->btf_id);
	return false;
}

struct decision {
	uint32_t id;
	bool is_null;
};

static void decide(struct reg *reg, void *ctx)
{
	const struct decision *decision = ctx;

	if (!reg_is_pointer(reg) || !(reg->flags & PTR_MAYBE_NULL) || reg->id != decision->id ||
	    (!reg->id && !(reg->flags & MEM_RCU)))
		return;
	if (decision->is_null) {
		*reg = (struct reg){.kind = REG_SCALAR, .value = reg->value};
		return;
	}
	verify_not_null(reg);
	if (!may_be_locked(reg))
		reg->id = 0;
}

/* The row of what was acquired goes; nothing that carried it is a pointer any more. */
static void drop_reference(struct verifier *v, struct state *state, uint32_t id)
{
	struct state *under_way = v->state;

	v->state = state;
	if (verify_ref_find(state, id))
		verify_ref_drop(v, id);
	v->state = under_way;
}

void verify_mark_null(struct verifier *v, struct state *state, uint32_t regno, bool is_null)
{
	const struct reg *reg = &top_frame(state)->regs[regno];
	struct decision decision = {reg->id, is_null};

	if (is_null && reg->ref_id && reg->ref_id == reg->id)
		drop_reference(v, state, reg->ref_id);
	verify_each_reg(state, decide, &decision);
}
