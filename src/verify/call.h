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

#include "verify/verifier.h"

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
	const struct skep_map_field *field; /* kptr, list head, tree root, lock, timer */
};

/* Arguments of special kinds, each in the file of that name. @regno is the register. */
int verify_dynptr_argument(struct verifier *v, struct call *call, unsigned regno, uint32_t arg);
int verify_iterator_argument(struct verifier *v, struct call *call, unsigned regno);
int verify_lock_argument(struct verifier *v, struct call *call, unsigned regno, bool locks);
/** A timer, work queue or task work: that kind of field, in a map's value. */
int verify_field_argument(struct verifier *v, struct call *call, unsigned regno,
			  enum skep_field_kind kind);
int verify_kptr_argument(struct verifier *v, struct call *call, unsigned regno);

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
