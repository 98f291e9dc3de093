/*
 * Kernel functions as programs call them: what their BTF and their rules say, found once for each
 * call.
 *
 *	kfunc_rules.c      the function that a call names; what its parameters are by BTF
 *	kfunc_arguments.c  the registers against the parameters
 *	kfunc_call.c       the call as a whole: where it is allowed, sections, what goes
 *	kfunc_result.c     what r0 is
 *
 * A parameter's place is told by its type (a list's head), by the end of its name (x__nullable), or
 * is left to what the register holds.
 */
#ifndef SKEP_VERIFY_KFUNC_H
#define SKEP_VERIFY_KFUNC_H

#include "verify/call.h"

/* As include/linux/btf.h has them. */
enum kfunc_flag {
	KF_ACQUIRE = 1 << 0,
	KF_RELEASE = 1 << 1,
	KF_RET_NULL = 1 << 2,
	KF_TRUSTED_ARGS = 1 << 4,
	KF_SLEEPABLE = 1 << 5,
	KF_DESTRUCTIVE = 1 << 6,
	KF_RCU = 1 << 7,
	KF_ITER_NEW = 1 << 8,
	KF_ITER_NEXT = 1 << 9,
	KF_ITER_DESTROY = 1 << 10,
	KF_RCU_PROTECTED = 1 << 11,
	KF_FASTCALL = 1 << 12,
	KF_ARENA_RET = 1 << 13,
};

/* Who may call it. */
enum kfunc_set {
	SET_COMMON = 1 << 0,
	SET_TRACING = 1 << 1, /* tracing, tracepoint, perf_event, LSM */
	SET_TC = 1 << 2,
	SET_ACT = 1 << 3,
	SET_XDP = 1 << 4,
	SET_STRUCT_OPS = 1 << 5,
	SET_SYSCALL = 1 << 6,
	SET_CGROUP = 1 << 7,
	SET_SKB = 1 << 8, /* whoever has a struct __sk_buff, and netfilter */
	SET_LSM = 1 << 9,
	SET_ITERATOR = 1 << 10, /* tracing programs that are iterators */
	SET_SESSION = 1 << 11,  /* kprobes and uprobes with a session */
	SET_DEVICE = 1 << 12,   /* bound to a network device */
};

enum kfunc_row {
#define KFUNC_RULE(name, flags, sets) KFUNC_ROW_##name,
#include "verify/kfunc_rules.def"
#undef KFUNC_RULE
	KFUNC_ROW_CNT
};

/* What a parameter's name says: the part behind "__". */
enum param_tag {
	PARAM_SIZE = 1 << 0,       /* bytes at the parameter before */
	PARAM_CONST_SIZE = 1 << 1, /* the same, and known */
	PARAM_CONST = 1 << 2,
	PARAM_IGNORED = 1 << 3,
	PARAM_NULLABLE = 1 << 4,
	PARAM_OPTIONAL = 1 << 5, /* memory: may be NULL whatever its size */
	PARAM_UNINIT = 1 << 6,
	PARAM_RDONLY_SIZE = 1 << 7, /* of the result's memory */
	PARAM_RDWR_SIZE = 1 << 8,
};

enum param_place {
	PARAM_SCALAR,
	PARAM_OTHER, /* neither a number nor a pointer */
	PARAM_CTX,
	PARAM_ALLOC,
	PARAM_REFCOUNTED,
	PARAM_DYNPTR,
	PARAM_ITER,
	PARAM_LIST_HEAD,
	PARAM_LIST_NODE,
	PARAM_RB_ROOT,
	PARAM_RB_NODE,
	PARAM_STRING,
	PARAM_MAP,
	PARAM_WORKQUEUE,
	PARAM_TASK_WORK,
	PARAM_IRQ_FLAG,
	PARAM_RES_LOCK,
	PARAM_BY_REGISTER, /* an object, or else: */
	PARAM_OBJECT,
	PARAM_CALLBACK,
	PARAM_MEM,
	PARAM_MEM_SIZED,
	PARAM_NULL,
};

struct kfunc_param {
	enum param_place place;
	uint32_t tags;    /* enum param_tag */
	uint32_t type;    /* stripped */
	uint32_t pointee; /* of a pointer: stripped */
	bool is_func;     /* a pointer to a function */
};

struct kfunc {
	struct kfunc *next;
	uint32_t id; /* of the kernel's BTF */
	const char *name;
	enum kfunc_row row; /* KFUNC_ROW_CNT: there are no rules for it, so nobody may call it */
	uint32_t flags;
	bool allowed;
	bool is_of_device; /* of programs that are bound to a network device, as none is here */
	uint32_t n_params;
	struct kfunc_param params[5];
	uint32_t result; /* stripped */
};

/* --- kfunc_rules.c --- */

/** The function that @insn at @at calls; NULL: there is none. */
const struct kfunc *verify_kfunc(struct verifier *v, uint32_t at);
/** A struct's name is @name, through modifiers. */
bool verify_type_is(const struct skep_btf *btf, uint32_t id, const char *name);

/* --- kfunc_arguments.c --- */

int verify_kfunc_arguments(struct verifier *v, struct call *call);

/* --- kfunc_result.c --- */

int verify_kfunc_result(struct verifier *v, struct call *call);

/* --- iterator.c --- */

int verify_iterator_argument(struct verifier *v, struct call *call, unsigned regno);
/** The two ways of a call that asks for the next. Source: process_iter_next_call() */
int verify_iterator_next(struct verifier *v, const struct call *call);

/* --- dynptr.c --- */

struct dynptr_use {
	bool uninit, rdonly;
	enum dynptr_kind kind; /* made as, or expected; DYNPTR_NONE: any */
	uint32_t ref_id;       /* made: shared with the one it is a clone of */
};

int verify_dynptr_use(struct verifier *v, unsigned regno, const struct dynptr_use *use);
/** The slot that an object of @n slots (@what: the word for it) begins in, at the pointer @reg.
 * Return -ERANGE the stack is not as deep yet | -EINVAL there can be none, as the log says. Source:
 * stack_slot_obj_get_spi() */
int verify_object_slot(struct verifier *v, const struct reg *reg, const char *what, uint32_t n);
/** What is known of the dynptr at @regno, which is one. */
const struct reg *verify_dynptr_at(const struct verifier *v, unsigned regno);

/* --- locks.c --- */

enum lock_op { LOCK_TAKE = 1 << 0, LOCK_RES = 1 << 1, LOCK_IRQ = 1 << 2 };

/** Source: process_spin_lock() */
int verify_lock(struct verifier *v, unsigned regno, unsigned op);
/** The object at @reg is the one whose lock is held. */
bool verify_lock_held(struct verifier *v, const struct reg *reg);
/** An IRQ flag in 8 bytes of stack is set, or given back. Source: process_irq_flag() */
int verify_irq_flag(struct verifier *v, unsigned regno, bool save, bool of_lock);
/** May memory that RCU protects be used here? Source: in_rcu_cs() */
bool verify_in_rcu(const struct verifier *v);

/* --- kptr.c --- */

/* An object of the program's own: its special fields. */
struct local_type {
	struct local_type *next;
	const struct skep_btf *btf;
	uint32_t id;
	struct skep_map_field fields[SKEP_MAP_MOST_FIELDS];
	uint32_t n_fields;
};

/** The special fields of the value or object that @reg points to. */
const struct skep_map_field *verify_fields_of(struct verifier *v, const struct reg *reg,
					      uint32_t *ret_n);
const struct skep_map_field *verify_field_of(struct verifier *v, const struct reg *reg,
					     enum skep_field_kind kind);
const struct local_type *verify_local_type(struct verifier *v, const struct skep_btf *btf,
					   uint32_t id);

/** A struct with nothing but numbers in it, of structs of those, four deep? What is too deep is
 * logged. Source: __btf_type_is_scalar_struct() (kfunc_arguments.c) */
bool verify_is_of_numbers(struct verifier *v, const struct skep_btf *btf, uint32_t id);

/* --- collection.c --- */

int verify_collection_root(struct verifier *v, struct call *call, unsigned regno,
			   enum skep_field_kind kind);
int verify_collection_node(struct verifier *v, struct call *call, unsigned regno,
			   enum skep_field_kind kind);
/** What was owned is in a collection now. Source: ref_convert_owning_non_owning() */
int verify_disown(struct verifier *v, uint32_t ref_id);
/** Source: ref_set_non_owning() */
void verify_set_not_owned(struct verifier *v, struct reg *reg);
/** The lock is given back: what is not owned may go any time. */
void verify_forget_not_owned(struct verifier *v);
/** An object of what call->field holds. Source: mark_reg_graph_node() */
void verify_held_object(struct verifier *v, const struct call *call, struct reg *reg);
/** Is this a callback that is called with the tree's lock held? */
bool verify_in_tree_callback(const struct verifier *v);

#endif
