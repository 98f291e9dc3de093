/*
 * What other files are going to answer; until they are there, the most careful answer.
 */
#include "verify/call.h"

__attribute__((weak)) bool verify_kfunc_under_lock(struct verifier *v, const struct skep_insn *insn)
{
	return false;
}

__attribute__((weak)) bool verify_kfunc_may_sleep(struct verifier *v, const struct skep_insn *insn)
{
	return false;
}

__attribute__((weak)) int verify_call_kfunc(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "kfunc");
}

__attribute__((weak)) int verify_dynptr_argument(struct verifier *v, struct call *call,
						 unsigned regno, uint32_t arg)
{
	return verify_refuse(v, NOT_YET, "dynptr");
}

__attribute__((weak)) int verify_lock_argument(struct verifier *v, struct call *call,
					       unsigned regno, bool locks)
{
	return verify_refuse(v, NOT_YET, "lock");
}

__attribute__((weak)) int verify_field_argument(struct verifier *v, struct call *call,
						unsigned regno, enum skep_field_kind kind)
{
	return verify_refuse(v, NOT_YET, "field");
}

__attribute__((weak)) int verify_kptr_argument(struct verifier *v, struct call *call,
					       unsigned regno)
{
	return verify_refuse(v, NOT_YET, "kptr");
}

__attribute__((weak)) int verify_dynptr_release(struct verifier *v, unsigned regno)
{
	return verify_refuse(v, NOT_YET, "dynptr release");
}

__attribute__((weak)) void verify_kptr_result(struct verifier *v, const struct call *call,
					      struct reg *reg)
{
	verify_reg_unknown(v, reg);
}

__attribute__((weak)) void verify_graph_node(struct verifier *v, const struct call *call,
					     struct reg *reg)
{
	verify_reg_unknown(v, reg);
}

__attribute__((weak)) int verify_kptr_access(struct verifier *v, const struct mem_access *access,
					     const struct skep_map_field *field)
{
	return verify_refuse(v, NOT_YET, "kptr");
}

__attribute__((weak)) void verify_note_stack_read(struct verifier *v, uint32_t frame, uint64_t mask)
{
}

__attribute__((weak)) void verify_note_stack_write(struct verifier *v, uint32_t frame,
						   uint64_t mask)
{
}

__attribute__((weak)) int verify_slots_overwritten(struct verifier *v, struct frame *frame,
						   uint32_t first, uint32_t last)
{
	return verify_refuse(v, NOT_YET, "dynptr");
}
