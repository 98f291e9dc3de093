/*
 * A call under way: what its arguments told, for the checks that follow and for its result.
 *
 *	call.c         helper, kernel function or function of the program
 *	helper_call.c  helpers: arguments by prototype, special rules, result
 *	kfunc_call.c   kernel functions: arguments by BTF and flags, result
 *	functions.c    functions of the program: gone into, or (global) trusted by their types
 *	callbacks.c    functions that a helper or kernel function calls back
 *	refs.c         what is acquired and given back
 *	dynptr.c iterator.c locks.c kptr.c collection.c   arguments of those kinds
 *
 * Source  behaviour of Linux 6.18, check_helper_call(), check_kfunc_call(): their metas
 */
#ifndef SKEP_VERIFY_CALL_H
#define SKEP_VERIFY_CALL_H

#include <skep/btf.h>

#include "verify/verifier.h"

/* Program types by name: the numbers of enum bpf_prog_type. */
enum {
#define CTX_TYPE(number, NAME, name) PROG_TYPE_##NAME = (number),
#include "verify/ctx_types.def"
#undef CTX_TYPE
};

/** The type whose rules count: for a program that replaces another's function, that one's. */
static inline uint32_t verify_type(const struct verifier *v)
{
	return v->image->type == PROG_TYPE_EXT ? v->program->target_type : v->image->type;
}

/* Helpers that have rules of their own, by number. */
enum {
#define HELPER(id, name, ...) HELPER_ID_##name = (id),
#include <skep/helpers.def>
#undef HELPER
	HELPER_ID_CNT
};

/* What a call's src says: whose number imm is. */
enum { CALL_OF_HELPER, CALL_OF_FUNCTION, CALL_OF_KFUNC };

struct call {
	const struct skep_insn *insn;
	const char *name;               /* without "bpf_" for helpers */
	const struct skep_proto *proto; /* helpers; kernel functions have BTF */
	int32_t id;                     /* of the helper */
	uint32_t flags;                 /* kernel functions: enum kfunc_flag */
	const struct skep_btf *btf;     /* of the kernel function */
	uint32_t func_id, proto_id;

	/* what arguments told */
	const struct skep_map *map;
	uint32_t map_uid;
	bool fills_memory; /* stack at fill_regno is uninitialised, and written by the call */
	unsigned fill_regno;
	uint32_t fill_bytes;
	unsigned release_regno; /* 0: nothing is given back */
	uint32_t ref_id;        /* of the argument that is, or that the result belongs to */
	uint32_t dynptr_id;
	enum dynptr_kind dynptr;
	uint64_t const_size; /* the result's memory, of a CONST_ALLOC_SIZE argument */
	bool size_is_zero_ok;
	uint32_t callback;              /* function called back, as image->funcs; NOWHERE: none */
	const struct skep_btf *arg_btf; /* object, or kptr, that an argument was */
	uint32_t arg_btf_id;
	bool changes_packet; /* helpers: pointers into packets end with it */
	bool percpu_alloc;   /* the argument is an object of the program's, one for each CPU */
	bool key_known;      /* of a look-up in an array */
	int64_t key;
	uint64_t most_bytes;                /* that the last size argument can be */
	const struct skep_map_field *field; /* kptr, list head, tree root, lock, timer */

	/* of kernel functions alone */
	const struct kfunc *kfunc;
	const struct skep_btf *field_btf; /* whose ids the field has */
	bool has_constant;                /* an argument that must be one: const_size */
	uint64_t result_bytes;            /* memory that is returned; 0: not told */
	bool result_rdonly;
	bool owning_argument;           /* of bpf_refcount_acquire(): so the result is not NULL */
	uint32_t iter_frame, iter_slot; /* the iterator on the stack */
	uint32_t ret_btf_id;            /* the kernel's context: bpf_cast_to_kern_ctx() */
};

/* --- refs.c -------------------------------------------------------------------------------- */

/** It does not mean anything any more: a number, or without privileges nothing. Source:
 *  mark_reg_invalid() */
void verify_reg_invalid(const struct verifier *v, struct reg *reg);
/** The row alone goes; what carries the id stays. -EINVAL: there is none. Source:
 *  release_reference_nomark() */
int verify_ref_drop(struct verifier *v, uint32_t id);

/* --- exit.c -------------------------------------------------------------------------------- */

/** @regno is what the program returns: is it in the range of its type? Source:
 *  check_return_code() */
int verify_return_code(struct verifier *v, unsigned regno, const char *name);
/** The program ends here, whatever function it is in (bpf_throw()). Return PATH_END | -errno */
int verify_throw(struct verifier *v);
/** From the function on top to where it was called; r0 is its result. Source:
 *  prepare_func_exit() */
int verify_return(struct verifier *v);

/* --- types.c ------------------------------------------------------------------------------- */

/** The kernel's struct of this name (a literal: it is remembered by its address); 0: none. */
uint32_t verify_kernel_struct(struct verifier *v, const char *name);
/** Is what lies @off bytes into type @id the type @need (of @need_btf)? A struct is also what its
 *  members at that place are, unless @strict. Source: btf_struct_ids_match() */
bool verify_types_match(const struct skep_btf *btf, uint32_t id, int32_t off,
			const struct skep_btf *need_btf, uint32_t need, bool strict);

/* --- function_types.c ---------------------------------------------------------------------- */

/* What a function takes in one register, by its BTF. */
enum func_arg_kind {
	FUNC_ARG_SCALAR,
	FUNC_ARG_CTX,
	FUNC_ARG_DYNPTR,
	FUNC_ARG_MEM,    /* .mem_bytes, to be read and written */
	FUNC_ARG_OBJECT, /* of the kernel's: .btf_id */
	FUNC_ARG_ARENA,  /* or a number */
};

struct func_argument {
	enum func_arg_kind kind;
	uint16_t flags; /* PTR_MAYBE_NULL, PTR_TRUSTED, PTR_UNTRUSTED, MEM_RDONLY */
	uint32_t mem_bytes, btf_id;
};

/** Fill in v->funcs[func].args. Return 0 | the refusal's errno; of a static function or main it is
 *  not the program that is refused, only its BTF. Source: btf_prepare_func_args() */
int verify_function_types(struct verifier *v, uint32_t func);
/** Is a pointer to @pointee what programs of this type call their context? Source:
 *  btf_is_prog_ctx_type() */
bool verify_is_ctx_type(struct verifier *v, const struct skep_btf *btf, uint32_t pointee);

/* --- functions.c --------------------------------------------------------------------------- */

/** A function is called back: its BTF is held against the caller's registers as at a call; what
 *  comes of it is only said in the log. */
void verify_callback_types(struct verifier *v, uint32_t func);
/** A dynptr as a callback or global function gets it. */
void verify_reg_dynptr(struct verifier *v, struct reg *reg, enum dynptr_kind kind);
/** @bytes at @regno may be read and written, if it is not NULL. Source: check_mem_reg() */
int verify_memory_argument(struct verifier *v, unsigned regno, uint32_t bytes);
/** May sleep, here? By the program's flags, and the callback that is under way. */
static inline bool verify_may_sleep(const struct verifier *v)
{
	return v->program->flags & (1u << 4) || v->state->in_sleepable;
}

/* --- arguments.c --------------------------------------------------------------------------- */

/**
 * Is @regno of a kind that an argument of @kind (SKEP_ARG_…) may be?
 *
 * @btf_id  BTF_ID: of which of the kernel's types; 0: of any
 * Source   check_reg_type()
 */
int verify_argument_kind(struct verifier *v, const struct call *call, unsigned regno, uint32_t kind,
			 uint32_t btf_id);
/** Is it moved no further than its kind allows? Source: check_func_arg_reg_off() */
int verify_argument_offset(struct verifier *v, unsigned regno, uint32_t kind);
/** Argument @regno of a helper. Source: check_func_arg() */
int verify_argument(struct verifier *v, struct call *call, unsigned regno);
/** A memory argument's size: @regno, of the memory in the register before it. Source:
 *  check_mem_size_reg() */
int verify_size_argument(struct verifier *v, struct call *call, unsigned regno, enum access kind,
			 bool zero_ok);
/** A text that does not change, with its NUL; @ret: it, borrowed. Source: check_reg_const_str() */
int verify_string_argument(struct verifier *v, unsigned regno, const char **ret);

/* --- result.c, map_rules.c ----------------------------------------------------------------- */

/** r0 as the helper's prototype has it, with what its arguments told. */
int verify_result(struct verifier *v, const struct call *call);
/** May the helper be given this map? Source: check_map_func_compatibility() */
int verify_map_rules(struct verifier *v, const struct call *call);

/* --- kfunc_call.c -------------------------------------------------------------------------- */

/** Is the kernel function one that may sleep? (KF_SLEEPABLE) */
bool verify_kfunc_may_sleep(struct verifier *v, const struct skep_insn *insn);
/** May the kernel function be called while a lock is held? Source: kfunc_spin_allowed() */
bool verify_kfunc_under_lock(struct verifier *v, const struct skep_insn *insn);

/* Arguments of special kinds, each in the file of that name. @regno is the register. */
int verify_dynptr_argument(struct verifier *v, struct call *call, unsigned regno, uint32_t arg);
int verify_lock_argument(struct verifier *v, struct call *call, unsigned regno, bool locks);
/** A timer, work queue or task work: that kind of field, in a map's value. */
int verify_field_argument(struct verifier *v, struct call *call, unsigned regno,
			  enum skep_field_kind kind);
int verify_kptr_argument(struct verifier *v, struct call *call, unsigned regno);
/** What kptr_xchg() puts into call->field is of its type. Source: map_kptr_match_type() */
int verify_kptr_matches(struct verifier *v, const struct call *call, unsigned regno);

/** The dynptr at @regno, of a ring buffer's record, is given back. Source:
 *  unmark_stack_slots_dynptr() */
int verify_dynptr_release(struct verifier *v, unsigned regno);
/** What kptr_xchg() takes out of the field: kind, type and flags of @reg. */
void verify_kptr_result(struct verifier *v, const struct call *call, struct reg *reg);
/** What a tree's or list's field (call->field) holds, as a reference that is not owned. Source:
 *  mark_reg_graph_node(), ref_set_non_owning() */
void verify_graph_node(struct verifier *v, const struct call *call, struct reg *reg);

/** A dynptr, iterator or saved IRQ flag lay in the slots that are written now. Source:
 *  destroy_if_dynptr_stack_slot() */
int verify_slots_overwritten(struct verifier *v, struct frame *frame, uint32_t first,
			     uint32_t last);
/** Gone into: @callback, once more; and the way past it. Source: push_callback_call() */
int verify_call_back(struct verifier *v, struct call *call);
/** Pointers into packets are not valid any more. Source: clear_all_pkt_pointers() */
void verify_packet_changed(struct verifier *v);
/** r1 to r5 are unset after a call. */
void verify_clobber(struct verifier *v);

#endif
