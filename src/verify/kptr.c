/*
 * Pointers that maps and objects keep (kptrs), and the other special fields that calls are given by
 * address: timers, work queues, task work.
 *
 *	__kptr            owned by the field: bpf_kptr_xchg() alone changes it; a load brings a
 *	                  pointer that RCU protects, if the type's objects are freed after a grace
 *	                  period and RCU is held, or else one that may point nowhere
 *	__kptr_untrusted  anyone may store; a load's pointer may point nowhere
 *	__percpu_kptr     as __kptr, of an object that each CPU has its own of
 *	__uptr            memory of user space, a load brings it or NULL
 *
 * A kptr's type is the kernel's if the kernel has a struct of that name, else the program's own.
 *
 * Source  behaviour of Linux 6.18, map_kptr_match_type(), check_map_kptr_access(),
 *         process_kptr_func(), process_timer_func(), process_wq_func()
 */
#include "verify/kfunc.h"

#include <string.h>

#include "verify/memory.h"

/* --- Fields of what is pointed to ------------------------------------------------------------ */

const struct local_type *verify_local_type(struct verifier *v, const struct skep_btf *btf,
					   uint32_t id)
{
	struct local_type *type;
	int64_t size = skep_btf_size(btf, id);
	int n;

	for (type = v->local_types; type; type = type->next)
		if (type->id == id && type->btf == btf)
			return type;
	type = skep_arena_array(&v->arena, struct local_type, 1);
	*type = (struct local_type){.next = v->local_types, .btf = btf, .id = id};
	v->local_types = type;
	n = size < 0 ? 0
		     : skep_fields_find((struct skep_btf *)btf, id, (uint32_t)size, true,
					type->fields);
	type->n_fields = n < 0 ? 0 : (uint32_t)n;
	return type;
}

const struct skep_map_field *verify_fields_of(struct verifier *v, const struct reg *reg,
					      uint32_t *ret_n)
{
	const struct local_type *type;

	*ret_n = 0;
	if (reg->kind == REG_MAP_VALUE) {
		*ret_n = reg->map->n_fields;
		return reg->map->fields;
	}
	if (reg->kind != REG_BTF_PTR || !(reg->flags & MEM_ALLOC))
		return NULL;
	type = verify_local_type(v, reg->btf, reg->btf_id);
	*ret_n = type->n_fields;
	return type->fields;
}

const struct skep_map_field *verify_field_of(struct verifier *v, const struct reg *reg,
					     enum skep_field_kind kind)
{
	uint32_t n;
	const struct skep_map_field *fields = verify_fields_of(v, reg, &n);

	for (uint32_t i = 0; i < n; i++)
		if (fields[i].kind == kind)
			return &fields[i];
	return NULL;
}

/* --- Whose type it is ------------------------------------------------------------------------ */

struct kptr_target {
	struct kptr_target *next;
	const struct skep_btf *btf; /* of the field */
	uint32_t id;
	const struct skep_btf *target_btf;
	uint32_t target_id;
};

static const struct kptr_target *target_of(struct verifier *v, const struct skep_btf *btf,
					   uint32_t id)
{
	struct skep_btf *kernel = (struct skep_btf *)v->program->kernel_btf;
	const char *name = skep_btf_name(btf, id);
	struct kptr_target *target;
	uint32_t kernel_id;

	for (target = v->kptr_targets; target; target = target->next)
		if (target->btf == btf && target->id == id)
			return target;
	kernel_id =
		kernel ? skep_btf_find(kernel, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT))
		       : 0;
	target = skep_arena_array(&v->arena, struct kptr_target, 1);
	*target = (struct kptr_target){.next = v->kptr_targets,
				       .btf = btf,
				       .id = id,
				       .target_btf = kernel_id ? kernel : btf,
				       .target_id = kernel_id ? kernel_id : id};
	v->kptr_targets = target;
	return target;
}

static bool is_kernel(const struct verifier *v, const struct skep_btf *btf)
{
	return btf == v->program->kernel_btf;
}

/* --- What is stored fits --------------------------------------------------------------------- */

static uint16_t allowed_flags(const struct verifier *v, const struct skep_map_field *field,
			      const struct reg *reg)
{
	if (!is_kernel(v, reg->btf))
		return PTR_MAYBE_NULL | MEM_ALLOC |
		       (field->kptr == SKEP_KPTR_PERCPU ? MEM_PERCPU : 0);
	return PTR_MAYBE_NULL | PTR_TRUSTED | MEM_RCU |
	       (field->kptr == SKEP_KPTR_UNTRUSTED ? PTR_UNTRUSTED : 0);
}

static int refuse_type(struct verifier *v, const struct skep_map_field *field,
		       const struct kptr_target *target, unsigned regno, const char *name)
{
	const char *wanted = skep_btf_name(target->target_btf, target->target_id);
	bool untrusted = field->kptr == SKEP_KPTR_UNTRUSTED;

	verify_log(v, "invalid kptr access, R%u type=%s%s ", regno, KIND_TEXT(verify_reg(v, regno)),
		   name);
	return verify_refuse(v, KPTR_TYPE, "ptr_", wanted, untrusted ? " or untrusted_ptr_" : "",
			     untrusted ? wanted : "");
}

static int matches(struct verifier *v, const struct skep_map_field *field,
		   const struct kptr_target *target, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);
	bool percpu = field->kptr == SKEP_KPTR_PERCPU;

	if (reg->kind != REG_BTF_PTR || reg->flags & ~allowed_flags(v, field, reg) ||
	    percpu != !!(reg->flags & MEM_PERCPU))
		return refuse_type(v, field, target, regno, "");
	if (verify_unmodified(v, reg, regno, true))
		return -EACCES;
	if (!verify_types_match(reg->btf, reg->btf_id, reg->off, target->target_btf,
				target->target_id, field->kptr != SKEP_KPTR_UNTRUSTED))
		return refuse_type(v, field, target, regno, skep_btf_name(reg->btf, reg->btf_id));
	return 0;
}

int verify_kptr_matches(struct verifier *v, const struct call *call, unsigned regno)
{
	return matches(v, call->field, target_of(v, call->field_btf, call->field->btf_id), regno);
}

/* --- Loads and stores ------------------------------------------------------------------------ */

/* Are objects of the type freed after a grace period? */
static bool rcu_protects(const struct verifier *v, const struct kptr_target *target)
{
	static const char *const names[] = {"prog_test_ref_kfunc", "cgroup", "bpf_cpumask",
					    "task_struct", "bpf_crypto_ctx"};

	if (!is_kernel(v, target->target_btf))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(skep_btf_name(target->target_btf, target->target_id), names[i]))
			return true;
	return false;
}

static bool has_nodes(struct verifier *v, const struct kptr_target *target)
{
	const struct local_type *type;

	if (is_kernel(v, target->target_btf))
		return false;
	type = verify_local_type(v, target->target_btf, target->target_id);
	for (uint32_t i = 0; i < type->n_fields; i++)
		if (type->fields[i].kind == SKEP_FIELD_LIST_NODE ||
		    type->fields[i].kind == SKEP_FIELD_RB_NODE)
			return true;
	return false;
}

static uint16_t loaded_flags(struct verifier *v, const struct skep_map_field *field,
			     const struct kptr_target *target)
{
	uint16_t flags = PTR_MAYBE_NULL | MEM_RCU;

	if (field->kptr == SKEP_KPTR_UNTRUSTED || !verify_in_rcu(v) ||
	    (field->kptr == SKEP_KPTR_REF && !rcu_protects(v, target)))
		return PTR_MAYBE_NULL | PTR_UNTRUSTED;
	if (field->kptr == SKEP_KPTR_PERCPU)
		flags |= MEM_PERCPU;
	else if (!is_kernel(v, target->target_btf))
		flags |= MEM_ALLOC;
	return has_nodes(v, target) ? flags | NON_OWN_REF : flags;
}

static void load(struct verifier *v, struct reg *to, const struct skep_map_field *field,
		 const struct kptr_target *target)
{
	if (field->kind == SKEP_FIELD_UPTR) {
		int64_t bytes = skep_btf_size(target->btf, target->id);

		verify_reg_pointer(to, REG_MEM, PTR_MAYBE_NULL);
		to->mem_bytes = bytes > 0 ? (uint32_t)bytes : 0;
	} else {
		verify_reg_pointer(to, REG_BTF_PTR, loaded_flags(v, field, target));
		to->btf = target->target_btf;
		to->btf_id = target->target_id;
	}
	to->id = verify_new_id(v);
}

static int store(struct verifier *v, const struct mem_access *access,
		 const struct skep_map_field *field, const struct kptr_target *target)
{
	if (access->value < 0)
		return v->insns[v->at].imm ? verify_refuse(v, KPTR_IMMEDIATE, field->off) : 0;
	if (verify_reg_is_null(verify_reg(v, (unsigned)access->value)))
		return verify_mark_precise(v, (unsigned)access->value);
	return matches(v, field, target, (unsigned)access->value) ? -EACCES : 0;
}

int verify_kptr_access(struct verifier *v, const struct mem_access *access,
		       const struct skep_map_field *field)
{
	const struct skep_map *map = verify_reg(v, access->regno)->map;
	const struct kptr_target *target = target_of(v, map->btf, field->btf_id);

	if ((v->insns[v->at].code & 0xe0) != SKEP_MEM)
		return verify_refuse(v, KPTR_MODE);
	if (access->kind == ACCESS_READ) {
		if (access->value >= 0)
			load(v, verify_reg(v, (unsigned)access->value), field, target);
		return 0;
	}
	if (field->kind == SKEP_FIELD_UPTR)
		return verify_refuse(v, UPTR_STORE);
	if (field->kptr != SKEP_KPTR_UNTRUSTED)
		return verify_refuse(v, KPTR_STORE);
	return store(v, access, field, target);
}

/* --- bpf_kptr_xchg() ------------------------------------------------------------------------- */

static bool has_kptr(const struct skep_map_field *fields, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (fields[i].kind == SKEP_FIELD_KPTR)
			return true;
	return false;
}

int verify_kptr_argument(struct verifier *v, struct call *call, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_map_field *fields, *field = NULL;
	bool in_map = reg->kind == REG_MAP_VALUE;
	int64_t off = reg->off + (int64_t)reg->value.bits.value;
	uint32_t n;

	if (in_map && !reg->map->btf)
		return verify_refuse(v, KPTR_NO_BTF, reg->map->name);
	if (!skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, KPTR_FIELD_VARIABLE, regno);
	fields = verify_fields_of(v, reg, &n);
	if (!has_kptr(fields, n))
		return verify_refuse(v, KPTR_NONE, regno);
	for (uint32_t i = 0; i < n; i++)
		if (fields[i].kind == SKEP_FIELD_KPTR && fields[i].off == off)
			field = &fields[i];
	if (!field)
		return verify_refuse(v, KPTR_ELSEWHERE, (int)off);
	if (field->kptr == SKEP_KPTR_UNTRUSTED)
		return verify_refuse(v, KPTR_NOT_OWNED, (int)off);
	if (in_map) {
		call->map = reg->map;
		call->map_uid = reg->map_uid;
	}
	call->field = field;
	call->field_btf = in_map ? reg->map->btf : reg->btf;
	return 0;
}

void verify_kptr_result(struct verifier *v, const struct call *call, struct reg *reg)
{
	const struct kptr_target *target = target_of(v, call->field_btf, call->field->btf_id);
	unsigned flags = 0;

	if (!is_kernel(v, target->target_btf))
		flags = MEM_ALLOC | (call->field->kptr == SKEP_KPTR_PERCPU ? MEM_PERCPU : 0);
	verify_reg_pointer(reg, REG_BTF_PTR, flags);
	reg->btf = target->target_btf;
	reg->btf_id = target->target_id;
}

/* --- Timers and work ------------------------------------------------------------------------- */

static const char *word(enum skep_field_kind kind)
{
	switch (kind) {
	case SKEP_FIELD_TIMER: return "bpf_timer";
	case SKEP_FIELD_WORKQUEUE: return "bpf_wq";
	default: return "bpf_task_work";
	}
}

static int refuse_variable(struct verifier *v, unsigned regno, enum skep_field_kind kind)
{
	return kind == SKEP_FIELD_TIMER ? verify_refuse(v, TIMER_VARIABLE, regno)
					: verify_refuse(v, FIELD_VARIABLE, word(kind));
}

int verify_field_argument(struct verifier *v, struct call *call, unsigned regno,
			  enum skep_field_kind kind)
{
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_map_field *field = verify_field_of(v, reg, kind);
	int64_t off = reg->off + (int64_t)reg->value.bits.value;

	if (kind == SKEP_FIELD_TIMER && !skep_tnum_is_const(reg->value.bits))
		return refuse_variable(v, regno, kind);
	if (!reg->map->btf)
		return verify_refuse(v, FIELD_NO_BTF, reg->map->name, word(kind));
	if (!field)
		return verify_refuse(v, FIELD_NONE, reg->map->name, word(kind));
	if (!skep_tnum_is_const(reg->value.bits))
		return refuse_variable(v, regno, kind);
	if (field->off != off)
		return verify_refuse(v, FIELD_ELSEWHERE, (long long)off, word(kind), field->off);
	call->map = reg->map;
	call->map_uid = reg->map_uid;
	return 0;
}
