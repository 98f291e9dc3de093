/*
 * A helper's arguments, each against its place in the prototype.
 *
 *	kind      which kinds of register will do (the tables below)
 *	offset    whether something may have been added to it
 *	release   whether it is what gets given back, and is owned
 *	by kind   memory is as large as the map or the next argument says, a constant is constant,
 *	          a dynptr, lock or timer is what its file says
 *
 * What one argument tells (the map, the memory's size) is in struct call for those after it.
 *
 * Source  behaviour of Linux 6.18, check_func_arg(), check_reg_type(), check_func_arg_reg_off(),
 *         check_mem_size_reg()
 */
#include "verify/call.h"
#include "verify/memory.h"

#include <string.h>

static const char sock_common_name[] = "sock_common";

/* --- Which kinds will do --------------------------------------------------------------------- */

struct wanted {
	uint8_t kind;
	uint16_t flags;
};

#define MOST_WANTED 12

struct wanted_list {
	unsigned n;
	struct wanted wanted[MOST_WANTED];
};

#define LIST(name, ...)                                                                            \
	static const struct wanted_list name = {sizeof((const struct wanted[]){__VA_ARGS__}) /     \
							sizeof(struct wanted),                     \
						{__VA_ARGS__}}

/* The order is that of the kernel's message. */
LIST(memory_kinds, {REG_STACK, 0}, {REG_PACKET, 0}, {REG_PACKET_META, 0}, {REG_MAP_KEY, 0},
     {REG_MAP_VALUE, 0}, {REG_MEM, 0}, {REG_MEM, MEM_RINGBUF}, {REG_BUF, 0},
     {REG_BTF_PTR, PTR_TRUSTED});
LIST(scalar_kinds, {REG_SCALAR, 0});
LIST(map_kinds, {REG_MAP_PTR, 0});
LIST(ctx_kinds, {REG_CTX, 0});
LIST(sock_kinds, {REG_SOCK_COMMON, 0}, {REG_SOCKET, 0}, {REG_TCP_SOCK, 0}, {REG_XDP_SOCK, 0});
LIST(btf_sock_kinds, {REG_SOCK_COMMON, 0}, {REG_SOCKET, 0}, {REG_TCP_SOCK, 0}, {REG_XDP_SOCK, 0},
     {REG_BTF_PTR, 0}, {REG_BTF_PTR, PTR_TRUSTED});
LIST(socket_kinds, {REG_SOCKET, 0});
LIST(object_kinds, {REG_BTF_PTR, 0}, {REG_BTF_PTR, PTR_TRUSTED}, {REG_BTF_PTR, MEM_RCU});
LIST(lock_kinds, {REG_MAP_VALUE, 0}, {REG_BTF_PTR, MEM_ALLOC});
LIST(record_kinds, {REG_MEM, MEM_RINGBUF});
LIST(percpu_kinds, {REG_BTF_PTR, MEM_PERCPU}, {REG_BTF_PTR, MEM_PERCPU | MEM_RCU},
     {REG_BTF_PTR, MEM_PERCPU | PTR_TRUSTED});
LIST(func_kinds, {REG_FUNC, 0});
LIST(stack_kinds, {REG_STACK, 0});
LIST(value_kinds, {REG_MAP_VALUE, 0});
LIST(dynptr_kinds, {REG_STACK, 0}, {REG_DYNPTR, 0});

static const struct wanted_list *const wanted_of[] = {
	[SKEP_ARG_CONST_MAP_PTR] = &map_kinds,
	[SKEP_ARG_MAP_KEY] = &memory_kinds,
	[SKEP_ARG_MAP_VALUE] = &memory_kinds,
	[SKEP_ARG_MEM] = &memory_kinds,
	[SKEP_ARG_SIZE] = &scalar_kinds,
	[SKEP_ARG_SIZE_OR_ZERO] = &scalar_kinds,
	[SKEP_ARG_CONST_ALLOC_SIZE] = &scalar_kinds,
	[SKEP_ARG_CTX] = &ctx_kinds,
	[SKEP_ARG_SPIN_LOCK] = &lock_kinds,
	[SKEP_ARG_SOCK_COMMON] = &sock_kinds,
	[SKEP_ARG_SOCKET] = &socket_kinds,
	[SKEP_ARG_BTF_ID] = &object_kinds,
	[SKEP_ARG_RINGBUF_MEM] = &record_kinds,
	[SKEP_ARG_PERCPU_BTF_ID] = &percpu_kinds,
	[SKEP_ARG_FUNC] = &func_kinds,
	[SKEP_ARG_STACK] = &stack_kinds,
	[SKEP_ARG_CONST_STR] = &value_kinds,
	[SKEP_ARG_TIMER] = &value_kinds,
	[SKEP_ARG_KPTR] = &lock_kinds,
	[SKEP_ARG_DYNPTR] = &dynptr_kinds,
};

/* Programs that trace have their own helpers of this name, that take the kernel's object alone. */
static bool is_traced_storage(const struct verifier *v, const struct call *call)
{
	return verify_type(v) == PROG_TYPE_TRACING &&
	       (call->id == HELPER_ID_sk_storage_get || call->id == HELPER_ID_sk_storage_delete);
}

/* A socket in any of its forms; the rest of the kernel's objects have but one. */
static bool is_sock_common(struct verifier *v, const struct call *call, uint32_t kind,
			   uint32_t btf_id)
{
	return (kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_BTF_ID && btf_id &&
	       !is_traced_storage(v, call) && btf_id == verify_kernel_struct(v, sock_common_name);
}

/* The flags that count: what the argument does not mind is left out. */
static uint16_t flags_that_count(const struct call *call, const struct reg *reg, unsigned regno,
				 uint32_t kind)
{
	uint16_t flags = reg->flags;

	if (kind & SKEP_ARG_RDONLY)
		flags &= (uint16_t)~MEM_RDONLY;
	if (kind & SKEP_ARG_MAYBE_NULL)
		flags &= (uint16_t)~PTR_MAYBE_NULL;
	if ((kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_MEM)
		flags &= (uint16_t)~MEM_DYNPTR_SLICE;
	if (call->id == HELPER_ID_kptr_xchg && regno == SKEP_R2 && flags & MEM_ALLOC)
		flags &= (uint16_t) ~(MEM_ALLOC | MEM_PERCPU);
	return flags;
}

static int refuse_kind(struct verifier *v, unsigned regno, const struct wanted_list *list)
{
	verify_log(v, "R%u type=%s expected=", regno, KIND_TEXT(verify_reg(v, regno)));
	for (unsigned i = 0; i + 1 < list->n; i++) {
		struct reg reg = {.kind = list->wanted[i].kind, .flags = list->wanted[i].flags};

		verify_log(v, "%s, ", KIND_TEXT(&reg));
	}
	return verify_refuse(v, ARGUMENT_KIND,
			     KIND_TEXT(&((struct reg){.kind = list->wanted[list->n - 1].kind,
						      .flags = list->wanted[list->n - 1].flags})));
}

/* --- Objects of the kernel ------------------------------------------------------------------- */

static const char *type_name(const struct skep_btf *btf, uint32_t id)
{
	return btf ? skep_btf_name(btf, id) : "";
}

static int kptr_value(struct verifier *v, const struct call *call, unsigned regno)
{
	return verify_kptr_matches(v, call, regno) ? -EACCES : 0;
}

static int check_object(struct verifier *v, const struct call *call, unsigned regno, uint32_t kind,
			uint32_t btf_id)
{
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_btf *kernel = v->program->kernel_btf;
	bool releases = kind & SKEP_ARG_RELEASES;

	if (call->id == HELPER_ID_kptr_xchg && reg->flags & MEM_ALLOC)
		return regno == SKEP_R2 ? kptr_value(v, call, regno) : 0;
	if (reg->flags & MEM_ALLOC || reg->flags & MEM_PERCPU)
		return 0; /* the argument's own check knows */
	if (reg->flags & PTR_MAYBE_NULL && (!(kind & SKEP_ARG_MAYBE_NULL) || releases))
		return verify_refuse(v, ARGUMENT_MAY_BE_NULL, regno);
	if (call->id == HELPER_ID_kptr_xchg)
		return kptr_value(v, call, regno);
	if (verify_types_match(reg->btf, reg->btf_id, reg->off, kernel, btf_id,
			       releases && call->id != HELPER_ID_sk_release))
		return 0;
	return verify_refuse(v, ARGUMENT_TYPE, regno, type_name(reg->btf, reg->btf_id),
			     type_name(kernel, btf_id));
}

int verify_argument_kind(struct verifier *v, const struct call *call, unsigned regno, uint32_t kind,
			 uint32_t btf_id)
{
	const struct reg *reg = verify_reg(v, regno);
	const struct wanted_list *list = wanted_of[kind & SKEP_ARG_KIND_MASK];
	uint16_t flags = flags_that_count(call, reg, regno, kind);
	bool found = false;

	if (is_sock_common(v, call, kind, btf_id))
		list = &btf_sock_kinds;
	for (unsigned i = 0; i < list->n && !found; i++)
		found = list->wanted[i].kind == reg->kind && list->wanted[i].flags == flags;
	if (!found)
		return refuse_kind(v, regno, list);
	if (reg->kind != REG_BTF_PTR)
		return 0;
	if (list == &memory_kinds)
		return kind & SKEP_ARG_RDONLY ? 0
					      : verify_refuse(v, ARGUMENT_WRITES, call->name, regno,
							      KIND_TEXT(reg));
	return check_object(v, call, regno, kind, btf_id);
}

/* --- Where in it ----------------------------------------------------------------------------- */

static bool takes_any_offset(const struct reg *reg)
{
	switch (reg->kind) {
	case REG_STACK:
	case REG_PACKET:
	case REG_PACKET_META:
	case REG_MAP_KEY:
	case REG_MAP_VALUE:
	case REG_ARENA:
	case REG_SCALAR: return !reg->flags;
	case REG_MEM: return !reg->flags || reg->flags == MEM_RDONLY || reg->flags == MEM_RINGBUF;
	case REG_BUF: return !reg->flags || reg->flags == MEM_RDONLY;
	default: return false;
	}
}

static bool takes_fixed_offset(const struct reg *reg)
{
	if (reg->kind != REG_BTF_PTR)
		return false;
	switch (reg->flags) {
	case 0:
	case MEM_ALLOC:
	case PTR_TRUSTED:
	case MEM_RCU:
	case MEM_ALLOC | NON_OWN_REF:
	case MEM_ALLOC | NON_OWN_REF | MEM_RCU: return true;
	default: return false;
	}
}

int verify_argument_offset(struct verifier *v, unsigned regno, uint32_t kind)
{
	const struct reg *reg = verify_reg(v, regno);

	if (kind & SKEP_ARG_RELEASES) {
		if ((kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_DYNPTR && reg->kind == REG_STACK)
			return 0;
		if (reg->off)
			return verify_refuse(v, RELEASED_AT_OFFSET, regno);
		return verify_unmodified(v, reg, regno, false);
	}
	if (takes_any_offset(reg))
		return 0;
	return verify_unmodified(v, reg, regno, takes_fixed_offset(reg));
}

/* --- What is given back ---------------------------------------------------------------------- */

/* The reference that the dynptr on the stack has; 0: none, or no dynptr. */
static uint32_t dynptr_reference(struct verifier *v, const struct reg *reg)
{
	const struct frame *frame = v->state->frames[reg->frame];
	int64_t off = reg->off + (int64_t)reg->value.bits.value;
	uint32_t slot = (uint32_t)(-off - 1) / SLOT_BYTES;

	if (!skep_tnum_is_const(reg->value.bits) || off >= 0 || off % SLOT_BYTES || !slot ||
	    slot >= frame->n_slots || frame->slots[slot].kinds[0] != SLOT_DYNPTR)
		return 0;
	return frame->slots[slot].spilled.ref_id;
}

static int note_release(struct verifier *v, struct call *call, unsigned regno, uint32_t kind)
{
	const struct reg *reg = verify_reg(v, regno);

	if ((kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_DYNPTR) {
		if (reg->kind != REG_STACK)
			return verify_refuse(v, RELEASES_BORROWED_DYNPTR);
		if (!dynptr_reference(v, reg))
			return verify_refuse(v, DYNPTR_NOT_ACQUIRED, regno);
	} else if (!reg->ref_id && !verify_reg_is_null(reg)) {
		return verify_refuse(v, RELEASED_NOT_OWNED, regno);
	}
	call->release_regno = regno;
	return 0;
}

static int note_reference(struct verifier *v, struct call *call, unsigned regno, uint32_t kind)
{
	const struct reg *reg = verify_reg(v, regno);

	if (!reg->ref_id || (kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_KPTR)
		return 0;
	if (call->ref_id)
		return verify_refuse(v, TWO_REFERENCES, regno, reg->ref_id, call->ref_id);
	call->ref_id = reg->ref_id;
	return 0;
}

/* --- By kind --------------------------------------------------------------------------------- */

static enum access access_of(uint32_t kind)
{
	return kind & SKEP_ARG_WRITES ? ACCESS_WRITE : ACCESS_READ;
}

static int map_argument(struct verifier *v, struct call *call, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);

	if (call->map && (call->map != reg->map || call->map_uid != reg->map_uid))
		return verify_refuse(v, TIMER_OF_OTHER_MAP, call->map_uid, reg->map_uid);
	call->map = reg->map;
	call->map_uid = reg->map_uid;
	return 0;
}

/* An array's element is there if its index is known: the result is not NULL then. */
static int note_constant_key(struct verifier *v, struct call *call, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);
	int64_t off = reg->off + (int64_t)reg->value.bits.value;
	const struct frame *frame;
	const struct slot *slot;
	unsigned byte, zeros = 0, spilled = 0;
	int err;

	if (!v->privileged || reg->kind != REG_STACK || !skep_tnum_is_const(reg->value.bits))
		return 0;
	frame = v->state->frames[reg->frame];
	if (off >= 0 || (uint32_t)(-off - 1) / SLOT_BYTES >= frame->n_slots)
		return 0;
	slot = &frame->slots[(uint32_t)(-off - 1) / SLOT_BYTES];
	byte = (unsigned)(-off - 1) % SLOT_BYTES;
	for (unsigned i = byte + 1; i-- && slot->kinds[i] == SLOT_ZERO;)
		zeros++;
	if (zeros >= call->map->key_size) {
		call->key_known = true;
		call->key = 0;
		return 0;
	}
	for (unsigned i = byte + 1; i-- && slot->kinds[i] == SLOT_SPILL;)
		spilled++;
	if (!slot_is_spilled_scalar(slot) || spilled != call->map->key_size ||
	    !verify_reg_is_const(&slot->spilled))
		return 0;
	err = verify_mark_slot_precise(v, reg->frame, (uint32_t)(-off - 1) / SLOT_BYTES);
	if (err)
		return err;
	call->key_known = true;
	call->key = (int64_t)slot->spilled.value.bits.value;
	return 0;
}

static int key_argument(struct verifier *v, struct call *call, unsigned regno)
{
	int err = verify_call_memory(v, regno, call->map->key_size, ACCESS_READ, false, NULL);

	if (err || (call->map->type != SKEP_MAP_ARRAY && call->map->type != SKEP_MAP_PERCPU_ARRAY))
		return err;
	return note_constant_key(v, call, regno);
}

static int value_argument(struct verifier *v, struct call *call, unsigned regno, uint32_t kind)
{
	if (kind & SKEP_ARG_MAYBE_NULL && verify_reg_is_null(verify_reg(v, regno)))
		return 0;
	call->fills_memory = kind & SKEP_ARG_UNINIT;
	return verify_call_memory(v, regno, call->map->value_size, access_of(kind), false, call);
}

static int memory_argument(struct verifier *v, struct call *call, unsigned regno, uint32_t kind)
{
	uint32_t bytes = call->proto->sizes[regno - 1];
	int err;

	call->fills_memory = kind & SKEP_ARG_UNINIT;
	if (!(kind & SKEP_ARG_FIXED_SIZE))
		return 0;
	err = verify_call_memory(v, regno, bytes, access_of(kind), false, call);
	if (err || !(kind & SKEP_ARG_ALIGNED))
		return err;
	return verify_alignment(
		v, &(struct mem_access){.regno = regno, .bytes = bytes, .strict_alignment = true},
		verify_reg(v, regno));
}

int verify_size_argument(struct verifier *v, struct call *call, unsigned regno, enum access kind,
			 bool zero_ok)
{
	const struct skep_scalar *value = &verify_reg(v, regno)->value;
	bool known = skep_tnum_is_const(value->bits);
	uint64_t most = value->full.umax;
	int err;

	if (call)
		call->most_bytes = most;
	if (value->full.smin < 0)
		return verify_refuse(v, SIZE_NEGATIVE, regno);
	if (!value->full.umin && !zero_ok)
		return verify_refuse(v, SIZE_ZERO, regno, (long long)value->full.umin,
				     (long long)most);
	if (most >= 1u << 29)
		return verify_refuse(v, SIZE_UNBOUNDED, regno);
	err = verify_call_memory(v, regno - 1, (uint32_t)most, kind, zero_ok, known ? call : NULL);
	return err ? err : verify_mark_precise(v, regno);
}

static int alloc_size_argument(struct verifier *v, struct call *call, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);

	if (!verify_reg_is_const(reg))
		return verify_refuse(v, SIZE_NOT_CONSTANT, regno);
	call->const_size = reg->value.bits.value;
	return verify_mark_precise(v, regno);
}

static int percpu_argument(struct verifier *v, struct call *call, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);

	if (!reg->btf_id)
		return verify_refuse(v, NO_TYPE, regno);
	call->arg_btf = reg->btf;
	call->arg_btf_id = reg->btf_id;
	return 0;
}

int verify_string_argument(struct verifier *v, unsigned regno, const char **ret)
{
	enum { RDONLY_PROG = 1 << 7 };
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_map *map = reg->map;
	int64_t off = reg->off + (int64_t)reg->value.bits.value;
	int err;

	if (reg->kind != REG_MAP_VALUE)
		return -EINVAL;
	if (!(map->flags & RDONLY_PROG) || !map->frozen)
		return verify_refuse(v, STRING_CHANGES, regno);
	if (!skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, STRING_NOT_CONSTANT, regno);
	if (map->type != SKEP_MAP_ARRAY)
		return verify_refuse(v, STRING_NOT_DIRECT);
	err = verify_call_memory(v, regno, map->value_size - (uint32_t)reg->off, ACCESS_READ, false,
				 NULL);
	if (err)
		return err;
	if (off < 0 || off >= map->value_size)
		return verify_refuse(v, STRING_NOT_THERE);
	if (!memchr(map->values + off, 0, map->value_size - (size_t)off))
		return verify_refuse(v, STRING_NOT_ENDED);
	if (ret)
		*ret = (const char *)map->values + off;
	return 0;
}

static int by_kind(struct verifier *v, struct call *call, unsigned regno, uint32_t kind)
{
	uint32_t before = regno > 1 ? call->proto->args[regno - 2] : 0;

	switch (kind & SKEP_ARG_KIND_MASK) {
	case SKEP_ARG_CONST_MAP_PTR: return map_argument(v, call, regno);
	case SKEP_ARG_MAP_KEY: return key_argument(v, call, regno);
	case SKEP_ARG_MAP_VALUE: return value_argument(v, call, regno, kind);
	case SKEP_ARG_MEM: return memory_argument(v, call, regno, kind);
	case SKEP_ARG_SIZE:
	case SKEP_ARG_SIZE_OR_ZERO:
		return verify_size_argument(v, call, regno, access_of(before),
					    (kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_SIZE_OR_ZERO);
	case SKEP_ARG_CONST_ALLOC_SIZE: return alloc_size_argument(v, call, regno);
	case SKEP_ARG_PERCPU_BTF_ID: return percpu_argument(v, call, regno);
	case SKEP_ARG_CONST_STR: return verify_string_argument(v, regno, NULL);
	case SKEP_ARG_SPIN_LOCK:
		return verify_lock_argument(v, call, regno, call->id == HELPER_ID_spin_lock);
	case SKEP_ARG_TIMER: return verify_field_argument(v, call, regno, SKEP_FIELD_TIMER);
	case SKEP_ARG_KPTR: return verify_kptr_argument(v, call, regno);
	case SKEP_ARG_DYNPTR: return verify_dynptr_argument(v, call, regno, kind);
	case SKEP_ARG_FUNC: call->callback = verify_reg(v, regno)->func; return 0;
	default: return 0;
	}
}

/* Maps of sockets have sockets for values; a bloom filter is asked, not read. */
static int of_map(struct verifier *v, const struct call *call, uint32_t *kind, uint32_t *btf_id)
{
	switch (call->map->type) {
	case SKEP_MAP_SOCKMAP:
	case SKEP_MAP_SOCKHASH:
		if (*kind != SKEP_ARG_MAP_VALUE)
			return verify_refuse(v, SOCKMAP_ARGUMENT);
		*kind = SKEP_ARG_BTF_ID;
		*btf_id = verify_kernel_struct(v, sock_common_name);
		return 0;
	case SKEP_MAP_BLOOM_FILTER:
		if (call->id == HELPER_ID_map_peek_elem)
			*kind = SKEP_ARG_MAP_VALUE;
		return 0;
	default: return 0;
	}
}

static int check_kind(struct verifier *v, struct call *call, unsigned regno, uint32_t kind,
		      uint32_t btf_id)
{
	int err;

	if (kind & SKEP_ARG_MAYBE_NULL && verify_reg_is_null(verify_reg(v, regno)))
		return verify_mark_precise(v, regno);
	err = verify_argument_kind(v, call, regno, kind, btf_id);
	return err ? err : verify_argument_offset(v, regno, kind);
}

int verify_argument(struct verifier *v, struct call *call, unsigned regno)
{
	uint32_t kind = call->proto->args[regno - 1];
	const char *type = call->proto->arg_types[regno - 1];
	uint32_t btf_id = type ? verify_kernel_struct(v, type) : 0;
	const struct reg *reg = verify_reg(v, regno);
	int err;

	if (kind == SKEP_ARG_NONE)
		return 0;
	err = verify_read_reg(v, regno);
	if (err)
		return err;
	if (kind == SKEP_ARG_ANYTHING)
		return verify_leaks_pointer(v, regno) ? verify_refuse(v, ARGUMENT_LEAKS, regno) : 0;
	if (verify_reg_is_packet(reg) && !verify_packet_access_allowed(v, call, ACCESS_READ))
		return verify_refuse(v, PACKET_ARGUMENT);
	if ((kind & SKEP_ARG_KIND_MASK) == SKEP_ARG_MAP_VALUE)
		err = of_map(v, call, &kind, &btf_id);
	if (!err)
		err = check_kind(v, call, regno, kind, btf_id);
	if (!err && kind & SKEP_ARG_RELEASES)
		err = note_release(v, call, regno, kind);
	if (!err)
		err = note_reference(v, call, regno, kind);
	return err ? err : by_kind(v, call, regno, kind);
}
