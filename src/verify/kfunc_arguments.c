/*
 * A kernel function's arguments: the registers against the parameters.
 *
 *	a number    any number; a constant where the parameter's name says so
 *	by type     the context, a dynptr, an iterator, a list's head … each in its file
 *	an object   of the kernel's: of the parameter's type (or beginning with it), and as alive as
 *	            the function's flags ask for:
 *	                KF_TRUSTED_ARGS   referenced, or known to be valid
 *	                KF_RCU            that, or protected by RCU
 *	memory      numbers, or structs of nothing but numbers: of the type's size, or of the next
 *	            argument's
 *
 * Which it is depends on the register where the type leaves it open: a pointer to an object must be
 * one of that type, any other pointer memory of its size.
 *
 * Source  behaviour of Linux 6.18, check_kfunc_args(), get_kfunc_ptr_arg_type(),
 *         process_kf_arg_ptr_to_btf_id()
 */
#include "verify/kfunc.h"

#include <string.h>

/* One argument being looked at. */
struct argument {
	struct call *call;
	const struct kfunc_param *param;
	uint32_t i;
	unsigned regno;
};

static const char *kind_word(const struct skep_btf *btf, uint32_t id)
{
	return skep_btf_kind_word(skep_btf_kind(btf, id));
}

static bool is_struct(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION;
}

static bool is_number(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
}

/* --- Numbers --------------------------------------------------------------------------------- */

static int constant_argument(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (arg->call->has_constant)
		return -EFAULT;
	if (!verify_reg_is_const(reg))
		return verify_refuse(v, KFUNC_CONSTANT, arg->regno);
	arg->call->has_constant = true;
	arg->call->const_size = reg->value.bits.value;
	return verify_mark_precise(v, arg->regno);
}

static int result_size_argument(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	arg->call->result_rdonly |= !!(arg->param->tags & PARAM_RDONLY_SIZE);
	if (arg->call->result_bytes)
		return verify_refuse(v, KFUNC_TWO_SIZES);
	if (!verify_reg_is_const(reg))
		return verify_refuse(v, KFUNC_SIZE_CONSTANT, arg->regno);
	if (reg->value.bits.value > UINT32_MAX)
		return verify_refuse(v, KFUNC_SIZE_RANGE, arg->regno);
	arg->call->result_bytes = reg->value.bits.value;
	return verify_mark_precise(v, arg->regno);
}

static int number(struct verifier *v, const struct argument *arg)
{
	if (verify_reg(v, arg->regno)->kind != REG_SCALAR)
		return verify_refuse(v, FUNC_ARG_NO_SCALAR, arg->regno);
	if (arg->param->tags & PARAM_CONST)
		return constant_argument(v, arg);
	if (arg->param->tags & (PARAM_RDONLY_SIZE | PARAM_RDWR_SIZE))
		return result_size_argument(v, arg);
	return 0;
}

/* --- What the register decides --------------------------------------------------------------- */

/* Sockets and maps, which have kinds of their own, as structs of the kernel. Source: reg2btf_ids */
static uint32_t struct_of_kind(struct verifier *v, const struct reg *reg)
{
	switch (reg->kind) {
	case REG_SOCKET: return verify_kernel_struct(v, "sock");
	case REG_SOCK_COMMON: return verify_kernel_struct(v, "sock_common");
	case REG_TCP_SOCK: return verify_kernel_struct(v, "tcp_sock");
	case REG_MAP_PTR: return verify_kernel_struct(v, "bpf_map");
	default: return 0;
	}
}

static bool is_sized(const struct verifier *v, const struct argument *arg)
{
	const struct kfunc *kfunc = arg->call->kfunc;

	return arg->i + 1 < kfunc->n_params && arg->i + 1 < 5 &&
	       kfunc->params[arg->i + 1].tags & (PARAM_SIZE | PARAM_CONST_SIZE) &&
	       kfunc->params[arg->i + 1].place == PARAM_SCALAR &&
	       top_frame(v->state)->regs[arg->regno + 1].kind == REG_SCALAR;
}

#define DEEPEST 3

static bool is_of_numbers(struct verifier *v, const struct skep_btf *btf, uint32_t id, int depth)
{
	struct skep_btf_member member;

	if (!is_struct(btf, id))
		return false;
	for (uint32_t i = 0; !skep_btf_member(btf, id, i, &member); i++) {
		uint32_t type = skep_btf_strip(btf, member.type);

		if (is_struct(btf, type) && depth == DEEPEST) {
			verify_log(v, "max struct nesting depth exceeded\n");
			return false;
		}
		if (is_struct(btf, type)) {
			if (!is_of_numbers(v, btf, type, depth + 1))
				return false;
			continue;
		}
		if (skep_btf_kind(btf, type) == SKEP_BTF_ARRAY && skep_btf_array_len(btf, type))
			type = skep_btf_strip(btf, skep_btf_target(btf, type));
		if (!is_number(btf, type))
			return false;
	}
	return true;
}

bool verify_is_of_numbers(struct verifier *v, const struct skep_btf *btf, uint32_t id)
{
	return is_of_numbers(v, btf, id, 0);
}

/* Return the place, or -errno. */
static int place_of_memory(struct verifier *v, const struct argument *arg)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	uint32_t pointee = arg->param->pointee;
	bool sized = is_sized(v, arg);

	if (!is_number(btf, pointee) && !verify_is_of_numbers(v, btf, pointee) &&
	    !(sized && !pointee))
		return verify_refuse(v, KFUNC_POINTEE, arg->i, kind_word(btf, pointee),
				     skep_btf_name(btf, pointee), sized ? "void, " : "");
	return sized ? PARAM_MEM_SIZED : PARAM_MEM;
}

static int place_of(struct verifier *v, const struct argument *arg)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	const struct reg *reg = verify_reg(v, arg->regno);
	uint32_t pointee = arg->param->pointee;

	if (arg->param->place == PARAM_CTX)
		return PARAM_CTX;
	if (arg->param->tags & PARAM_NULLABLE && verify_reg_is_null(reg))
		return PARAM_NULL;
	if (arg->param->place != PARAM_BY_REGISTER)
		return (int)arg->param->place;
	if (reg->kind == REG_BTF_PTR || struct_of_kind(v, reg)) {
		if (!is_struct(btf, pointee))
			return verify_refuse(v, KFUNC_OBJECT_TYPE, arg->call->name, arg->i,
					     kind_word(btf, pointee), skep_btf_name(btf, pointee));
		return PARAM_OBJECT;
	}
	if (arg->param->is_func)
		return PARAM_CALLBACK;
	return place_of_memory(v, arg);
}

/* --- Objects --------------------------------------------------------------------------------- */

#define TRUST_FLAGS (MEM_ALLOC | PTR_TRUSTED | NON_OWN_REF)

static bool is_trusted(struct verifier *v, const struct reg *reg)
{
	bool safe = !(reg->flags & ~TRUST_FLAGS);

	return reg->ref_id || (safe && struct_of_kind(v, reg)) ||
	       (safe && reg->flags & TRUST_FLAGS);
}

static int check_trust(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	uint32_t flags = arg->call->kfunc->flags;

	if (is_trusted(v, reg))
		return 0;
	if (!(flags & KF_RCU))
		return verify_refuse(v, KFUNC_UNTRUSTED, arg->regno);
	return reg->flags & MEM_RCU ? 0 : verify_refuse(v, KFUNC_NOT_RCU, arg->regno);
}

static int refuse_kind(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	struct reg wanted = {.kind = reg->kind, .flags = reg->flags & TRUST_FLAGS};

	verify_log(v, "arg#%u is %s ", arg->i, KIND_TEXT(reg));
	return verify_refuse(v, KFUNC_OBJECT_KIND, KIND_TEXT(&wanted));
}

/* One is the other while it is set up, and no more the same then: nf_conn and nf_conn___init. */
static bool is_alias(const char *a, const char *b)
{
	static const char init[] = "___init";
	size_t n = strlen(a), m = strlen(b);

	if (n < m)
		return is_alias(b, a);
	return n == m + sizeof(init) - 1 && !strncmp(a, b, m) && !strcmp(a + m, init);
}

/* Programs know some structs under another name than the kernel. */
static bool is_projection(const char *program, const char *kernel)
{
	return (!strcmp(program, "__sk_buff") && !strcmp(kernel, "sk_buff")) ||
	       (!strcmp(program, "xdp_md") && !strcmp(kernel, "xdp_buff"));
}

static int check_type(struct verifier *v, const struct argument *arg, uint32_t need)
{
	const struct skep_btf *kernel = v->program->kernel_btf;
	const struct reg *reg = verify_reg(v, arg->regno);
	bool object = reg->kind == REG_BTF_PTR, releases = arg->call->kfunc->flags & KF_RELEASE;
	const struct skep_btf *btf = object ? reg->btf : kernel;
	uint32_t id = object ? skep_btf_strip(btf, reg->btf_id) : struct_of_kind(v, reg);
	const char *name = skep_btf_name(btf, id), *wanted = skep_btf_name(kernel, need);
	bool strict = (releases && reg->ref_id) || is_alias(name, wanted);

	if (is_projection(wanted, name) ||
	    verify_types_match(btf, id, reg->off, kernel, need, strict))
		return 0;
	return verify_refuse(v, KFUNC_TYPE, arg->call->name, arg->i, kind_word(kernel, need),
			     wanted, arg->regno, kind_word(btf, id), name);
}

static int object(struct verifier *v, const struct argument *arg, uint32_t need)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	bool safe = !(reg->flags & ~TRUST_FLAGS) || reg->flags & MEM_RCU;

	if (!(reg->kind == REG_BTF_PTR && safe) && !struct_of_kind(v, reg))
		return refuse_kind(v, arg);
	return check_type(v, arg, need);
}

static int map(struct verifier *v, const struct argument *arg)
{
	return object(v, arg, verify_kernel_struct(v, "bpf_map"));
}

/* The map beside a timer, work queue or task work must be the one that it is in. */
static int note_map(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	struct call *call = arg->call;
	bool other;

	if (reg->kind != REG_MAP_PTR && reg->kind != REG_MAP_VALUE && reg->kind != REG_MAP_KEY)
		return verify_refuse(v, KFUNC_NO_MAP, arg->regno);
	other = call->map && (call->map != reg->map || call->map_uid != reg->map_uid);
	for (uint32_t i = 0; other && i < reg->map->n_fields; i++) {
		if (reg->map->fields[i].kind == SKEP_FIELD_WORKQUEUE)
			return verify_refuse(v, WORKQUEUE_OF_OTHER_MAP, call->map_uid,
					     reg->map_uid);
		if (reg->map->fields[i].kind == SKEP_FIELD_TASK_WORK)
			return verify_refuse(v, TASK_WORK_OF_OTHER_MAP, call->map_uid,
					     reg->map_uid);
	}
	call->map = reg->map;
	call->map_uid = reg->map_uid;
	return 0;
}

/* --- Objects of the program's own ------------------------------------------------------------ */

static int check_owned(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (reg->kind != REG_BTF_PTR || reg->flags != MEM_ALLOC)
		return verify_refuse(v, KFUNC_ALLOC, arg->i);
	return reg->ref_id ? 0 : verify_refuse(v, KFUNC_ALLOC_NOT_OWNED);
}

static int alloc(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	enum kfunc_row row = arg->call->kfunc->row;
	bool object = reg->kind == REG_BTF_PTR;

	if (object && reg->flags == MEM_ALLOC) {
		if (row != KFUNC_ROW_bpf_obj_drop_impl)
			return verify_refuse(v, KFUNC_ALLOC_FOR, arg->i, "bpf_obj_drop_impl");
	} else if (object && reg->flags == (MEM_ALLOC | MEM_PERCPU)) {
		if (row != KFUNC_ROW_bpf_percpu_obj_drop_impl)
			return verify_refuse(v, KFUNC_ALLOC_FOR, arg->i,
					     "bpf_percpu_obj_drop_impl");
	} else {
		return verify_refuse(v, KFUNC_ALLOC, arg->i);
	}
	if (!reg->ref_id)
		return verify_refuse(v, KFUNC_ALLOC_NOT_OWNED);
	arg->call->arg_btf = reg->btf;
	arg->call->arg_btf_id = reg->btf_id;
	return 0;
}

static int refcounted(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (reg->kind != REG_BTF_PTR || !(reg->flags & MEM_ALLOC))
		return verify_refuse(v, KFUNC_NO_REF, arg->i);
	if (!(reg->flags & NON_OWN_REF) && reg->ref_id)
		arg->call->owning_argument = true;
	if (!verify_field_of(v, reg, SKEP_FIELD_REFCOUNT))
		return verify_refuse(v, KFUNC_NO_REFCOUNT, arg->i);
	arg->call->arg_btf = reg->btf;
	arg->call->arg_btf_id = reg->btf_id;
	return 0;
}

static int head(struct verifier *v, const struct argument *arg, enum skep_field_kind kind)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	bool object = reg->kind == REG_BTF_PTR && reg->flags == MEM_ALLOC;

	if (!object && !(reg->kind == REG_MAP_VALUE && !reg->flags))
		return verify_refuse(v, KFUNC_HEAD, arg->i);
	if (object && !reg->ref_id)
		return verify_refuse(v, KFUNC_ALLOC_NOT_OWNED);
	return verify_collection_root(v, arg->call, arg->regno, kind);
}

static int list_node(struct verifier *v, const struct argument *arg)
{
	int err = check_owned(v, arg);

	return err ? err : verify_collection_node(v, arg->call, arg->regno, SKEP_FIELD_LIST_NODE);
}

static int tree_node(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	int err = 0;

	if (arg->call->kfunc->row == KFUNC_ROW_bpf_rbtree_add_impl)
		err = check_owned(v, arg);
	else if (!(reg->kind == REG_BTF_PTR && reg->flags & MEM_ALLOC &&
		   reg->flags & NON_OWN_REF) &&
		 !reg->ref_id)
		err = verify_refuse(v, KFUNC_TREE_NODE, arg->call->name);
	else if (verify_in_tree_callback(v))
		err = verify_refuse(v, KFUNC_IN_CALLBACK, arg->call->name);
	return err ? err : verify_collection_node(v, arg->call, arg->regno, SKEP_FIELD_RB_NODE);
}

/* --- Places of their own --------------------------------------------------------------------- */

/* The kernel's own struct behind the context. Source: get_kern_ctx_btf_id() */
static uint32_t kernel_ctx(const struct verifier *v)
{
	static const char *const names[] = {
#define CTX_TYPE(number, NAME, name) [number] = "BPF_PROG_TYPE_" #NAME "_kern",
#include "verify/ctx_types.def"
#undef CTX_TYPE
	};
	struct skep_btf *btf = (struct skep_btf *)v->program->kernel_btf;
	uint32_t type = verify_type(v), all;
	struct skep_btf_member member;
	static const char all_name[] = "bpf_ctx_convert";

	all = skep_btf_find(btf, all_name, sizeof(all_name) - 1, SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	if (!all || type >= sizeof(names) / sizeof(*names) || !names[type] ||
	    skep_btf_find_member(btf, all, names[type], strlen(names[type]), &member))
		return 0;
	return skep_btf_strip(btf, member.type);
}

static int context(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (reg->kind != REG_CTX || reg->flags)
		return verify_refuse(v, KFUNC_CTX, arg->i, KIND_TEXT(reg));
	if (arg->call->kfunc->row != KFUNC_ROW_bpf_cast_to_kern_ctx)
		return 0;
	arg->call->ret_btf_id = kernel_ctx(v);
	return arg->call->ret_btf_id ? 0 : -EINVAL;
}

static enum dynptr_kind made_kind(const struct call *call)
{
	switch (call->kfunc->row) {
	case KFUNC_ROW_bpf_dynptr_from_skb: return DYNPTR_SKB;
	case KFUNC_ROW_bpf_dynptr_from_skb_meta: return DYNPTR_SKB_META;
	case KFUNC_ROW_bpf_dynptr_from_xdp: return DYNPTR_XDP;
	case KFUNC_ROW_bpf_dynptr_clone: return call->dynptr;
	default: return DYNPTR_NONE;
	}
}

static int dynptr(struct verifier *v, const struct argument *arg)
{
	struct call *call = arg->call;
	struct dynptr_use use = {
		.uninit = arg->param->tags & PARAM_UNINIT,
		.rdonly = verify_reg(v, arg->regno)->kind == REG_DYNPTR,
		.ref_id = call->ref_id,
	};
	const struct reg *at;
	int err;

	if (use.uninit) {
		use.kind = made_kind(call);
		return verify_dynptr_use(v, arg->regno, &use);
	}
	err = verify_dynptr_use(v, arg->regno, &use);
	if (err)
		return err;
	at = verify_dynptr_at(v, arg->regno);
	call->dynptr_id = at->id;
	call->dynptr = at->dynptr;
	if (call->kfunc->row == KFUNC_ROW_bpf_dynptr_clone)
		call->ref_id = at->ref_id;
	return 0;
}

/* Source: check_css_task_iter_allowlist() */
static bool may_walk_css_tasks(const struct verifier *v)
{
	enum { ITER = 28 };

	return verify_type(v) == PROG_TYPE_LSM || verify_may_sleep(v) ||
	       (verify_type(v) == PROG_TYPE_TRACING && v->program->attach_type == ITER);
}

static int iterator(struct verifier *v, const struct argument *arg)
{
	if (arg->call->kfunc->row == KFUNC_ROW_bpf_iter_css_task_new && !may_walk_css_tasks(v))
		return verify_refuse(v, CSS_TASK_ITERATOR);
	return verify_iterator_argument(v, arg->call, arg->regno);
}

static int memory(struct verifier *v, const struct argument *arg)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	int64_t bytes = skep_btf_size(btf, arg->param->pointee);

	if (bytes < 0)
		return verify_refuse(v, KFUNC_POINTEE_SIZE, arg->i,
				     kind_word(btf, arg->param->pointee),
				     skep_btf_name(btf, arg->param->pointee), -EINVAL);
	return verify_memory_argument(v, arg->regno, (uint32_t)bytes);
}

/* Source: check_kfunc_mem_size_reg() */
static int check_size(struct verifier *v, unsigned regno)
{
	struct reg *reg = verify_reg(v, regno - 1), saved = *reg;
	int err;

	if (reg->flags & PTR_MAYBE_NULL)
		verify_not_null(reg);
	err = verify_size_argument(v, NULL, regno, ACCESS_READ, true);
	if (!err)
		err = verify_size_argument(v, NULL, regno, ACCESS_WRITE, true);
	if (saved.flags & PTR_MAYBE_NULL)
		*verify_reg(v, regno - 1) = saved;
	return err;
}

static int sized_memory(struct verifier *v, const struct argument *arg)
{
	const struct kfunc_param *size = arg->param + 1;
	const struct reg *bytes = verify_reg(v, arg->regno + 1);
	bool null = verify_reg_is_null(verify_reg(v, arg->regno));
	int err;

	if (null && arg->param->tags & PARAM_OPTIONAL) {
		err = verify_mark_precise(v, arg->regno);
		if (err)
			return err;
	} else {
		err = check_size(v, arg->regno + 1);
		if (err) {
			verify_log(v,
				   "arg#%u arg#%u memory, len pair leads to invalid memory "
				   "access\n",
				   arg->i, arg->i + 1);
			return err;
		}
	}
	if (!(size->tags & PARAM_CONST_SIZE))
		return 0;
	if (arg->call->has_constant)
		return -EFAULT;
	if (!verify_reg_is_const(bytes))
		return verify_refuse(v, KFUNC_CONSTANT, arg->regno + 1);
	arg->call->has_constant = true;
	arg->call->const_size = bytes->value.bits.value;
	return 0;
}

static int callback(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (reg->kind != REG_FUNC)
		return verify_refuse(v, KFUNC_CALLBACK, arg->i);
	arg->call->callback = reg->func;
	return 0;
}

static int string(struct verifier *v, const struct argument *arg)
{
	if (verify_reg(v, arg->regno)->kind != REG_MAP_VALUE)
		return verify_refuse(v, KFUNC_STRING, arg->i);
	return verify_string_argument(v, arg->regno, NULL);
}

static int field(struct verifier *v, const struct argument *arg, enum skep_field_kind kind)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (reg->kind != REG_MAP_VALUE || reg->flags)
		return verify_refuse(v, KFUNC_MAP_VALUE, arg->i);
	return verify_field_argument(v, arg->call, arg->regno, kind);
}

static int irq_flag(struct verifier *v, const struct argument *arg)
{
	enum kfunc_row row = arg->call->kfunc->row;
	bool of_lock = row == KFUNC_ROW_bpf_res_spin_lock_irqsave ||
		       row == KFUNC_ROW_bpf_res_spin_unlock_irqrestore;

	return verify_irq_flag(v, arg->regno,
			       row == KFUNC_ROW_bpf_local_irq_save ||
				       row == KFUNC_ROW_bpf_res_spin_lock_irqsave,
			       of_lock);
}

static int res_lock(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	unsigned op = LOCK_RES;

	if (!(reg->kind == REG_MAP_VALUE && !reg->flags) &&
	    !(reg->kind == REG_BTF_PTR && reg->flags == MEM_ALLOC))
		return verify_refuse(v, KFUNC_LOCK, arg->i);
	switch (arg->call->kfunc->row) {
	case KFUNC_ROW_bpf_res_spin_lock: op |= LOCK_TAKE; break;
	case KFUNC_ROW_bpf_res_spin_lock_irqsave: op |= LOCK_TAKE | LOCK_IRQ; break;
	case KFUNC_ROW_bpf_res_spin_unlock_irqrestore: op |= LOCK_IRQ; break;
	default: break;
	}
	return verify_lock(v, arg->regno, op);
}

static int by_place(struct verifier *v, const struct argument *arg, enum param_place place)
{
	switch (place) {
	case PARAM_CTX: return context(v, arg);
	case PARAM_ALLOC: return alloc(v, arg);
	case PARAM_REFCOUNTED: return refcounted(v, arg);
	case PARAM_DYNPTR: return dynptr(v, arg);
	case PARAM_ITER: return iterator(v, arg);
	case PARAM_LIST_HEAD: return head(v, arg, SKEP_FIELD_LIST_HEAD);
	case PARAM_LIST_NODE: return list_node(v, arg);
	case PARAM_RB_ROOT: return head(v, arg, SKEP_FIELD_RB_ROOT);
	case PARAM_RB_NODE: return tree_node(v, arg);
	case PARAM_STRING: return string(v, arg);
	case PARAM_MAP: return map(v, arg);
	case PARAM_WORKQUEUE: return field(v, arg, SKEP_FIELD_WORKQUEUE);
	case PARAM_TASK_WORK: return field(v, arg, SKEP_FIELD_TASK_WORK);
	case PARAM_IRQ_FLAG: return irq_flag(v, arg);
	case PARAM_RES_LOCK: return res_lock(v, arg);
	case PARAM_OBJECT: return object(v, arg, arg->param->pointee);
	case PARAM_CALLBACK: return callback(v, arg);
	case PARAM_MEM: return memory(v, arg);
	case PARAM_MEM_SIZED: return sized_memory(v, arg);
	default: return -EFAULT;
	}
}

/* --- All of them ----------------------------------------------------------------------------- */

static int check_null(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);

	if (arg->param->tags & (PARAM_NULLABLE | PARAM_OPTIONAL))
		return 0;
	if (!(arg->call->kfunc->flags & (KF_TRUSTED_ARGS | KF_RCU | KF_RELEASE)))
		return 0; /* what the argument is to be decides */
	if (!verify_reg_is_null(reg) && !(reg->flags & PTR_MAYBE_NULL))
		return 0;
	return verify_refuse(v, KFUNC_MAY_BE_NULL, arg->i);
}

static int note_reference(struct verifier *v, const struct argument *arg)
{
	const struct reg *reg = verify_reg(v, arg->regno);
	bool releases = arg->call->kfunc->flags & KF_RELEASE;

	if (!reg->ref_id)
		return 0;
	if (releases && arg->call->ref_id)
		return -EFAULT;
	arg->call->ref_id = reg->ref_id;
	if (releases)
		arg->call->release_regno = arg->regno;
	return 0;
}

static int check_offset(struct verifier *v, const struct argument *arg)
{
	bool released = arg->call->kfunc->flags & KF_RELEASE && verify_reg(v, arg->regno)->ref_id;

	return verify_argument_offset(v, arg->regno, released ? SKEP_ARG_RELEASES : 0);
}

/* Return 0 | PATH_END: the next argument was its size, and is done | -errno */
static int pointer(struct verifier *v, const struct argument *arg)
{
	int err = check_null(v, arg), place;

	if (!err)
		err = note_reference(v, arg);
	place = err ? err : place_of(v, arg);
	if (place == PARAM_NULL)
		return verify_mark_precise(v, arg->regno);
	if (place < 0)
		return place;
	if (place == PARAM_MAP)
		err = note_map(v, arg);
	if (!err && (place == PARAM_MAP || place == PARAM_ALLOC || place == PARAM_OBJECT))
		err = check_trust(v, arg);
	if (!err)
		err = check_offset(v, arg);
	if (!err)
		err = by_place(v, arg, (enum param_place)place);
	return err ? err : place == PARAM_MEM_SIZED ? PATH_END : 0;
}

static int one(struct verifier *v, const struct argument *arg)
{
	switch (arg->param->place) {
	case PARAM_SCALAR: return number(v, arg);
	case PARAM_OTHER:
		return verify_refuse(v, KFUNC_PARAM, arg->i,
				     kind_word(v->program->kernel_btf, arg->param->type));
	default: return pointer(v, arg);
	}
}

int verify_kfunc_arguments(struct verifier *v, struct call *call)
{
	const struct kfunc *kfunc = call->kfunc;

	if (kfunc->n_params > 5)
		return verify_refuse(v, KFUNC_PARAMS, kfunc->name, kfunc->n_params);
	for (uint32_t i = 0; i < kfunc->n_params; i++) {
		const struct argument arg = {call, &kfunc->params[i], i, i + 1};
		int err = arg.param->tags & PARAM_IGNORED ? 0 : one(v, &arg);

		if (err < 0)
			return err;
		i += err == PATH_END;
	}
	if (kfunc->flags & KF_RELEASE && !call->release_regno)
		return verify_refuse(v, KFUNC_RELEASES_NOTHING, kfunc->name);
	return 0;
}
