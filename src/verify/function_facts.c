/*
 * What is known of functions before they are walked.
 *
 *	from the image   where they begin and end; which one bpf_throw() goes on with
 *	from the BTF     their names, and whether they are global: verified on their own, for any
 *	                 arguments of their types
 *	from their code  tail calls, classic loads from packets; whether they may sleep, or change
 *	                 packets, they or what they call
 *
 * A tail call ends the program with another's result, and a classic load with 0 if there are no
 * such bytes: both return from the function as if by itself, and so it must be known, and must be
 * an int, what it returns.
 *
 * Source  behaviour of Linux 6.18, check_subprogs(), check_btf_func(), merge_callee_effects()
 */
#include "verify/flow.h"

#include <string.h>

#include "verify/call.h"

/* --- Image and BTF --------------------------------------------------------------------------- */

static void from_image(struct verifier *v, uint32_t f)
{
	struct func_facts *func = &v->funcs[f];

	func->start = v->image->funcs[f].start;
	func->end = v->image->funcs[f].end;
	func->name = "";
	if (!v->image->funcs[f].is_exception)
		return;
	func->is_callback = func->is_async_callback = func->is_exception_callback = true;
	func->called = true;
}

static void from_btf(struct verifier *v, uint32_t f)
{
	const struct skep_verify_program *program = v->program;

	if (!program->btf || f >= program->n_funcs)
		return;
	v->funcs[f].name = skep_btf_name(program->btf, program->funcs[f].type_id);
	v->funcs[f].is_global = skep_btf_is_global(program->btf, program->funcs[f].type_id);
}

/* --- Code ------------------------------------------------------------------------------------ */

static bool is_classic_load(const struct skep_insn *insn)
{
	return (insn->code & 7) == SKEP_LD && (insn->code & 0xe0) != SKEP_IMM;
}

static void from_helper(struct verifier *v, struct func_facts *func, int32_t id)
{
	const struct skep_callable *row = skep_helper(id);
	const struct skep_proto *proto = row ? row->proto : NULL;

	func->has_tail_call |= id == HELPER_ID_tail_call;
	func->changes_packet |= proto && proto->changes_packet;
	if (proto && proto->may_sleep)
		func->might_sleep |= verify_helper_allowed(v, id) != NULL;
}

static void from_kfunc(struct verifier *v, struct func_facts *func, uint32_t at)
{
	func->changes_packet |= !strcmp(verify_kfunc_name(v, at), "bpf_xdp_pull_data");
	func->might_sleep |= verify_kfunc_may_sleep(v, &v->insns[at]);
}

static void from_code(struct verifier *v, struct func_facts *func)
{
	for (uint32_t at = func->start; at < func->end; at++) {
		const struct skep_insn *insn = &v->insns[at];

		func->has_ld_abs |= is_classic_load(insn);
		if (is_helper_call(insn))
			from_helper(v, func, insn->imm);
		else if (is_kfunc_call(insn))
			from_kfunc(v, func, at);
		at += is_load_imm64(insn);
	}
}

/* --- What they call -------------------------------------------------------------------------- */

struct call_edge {
	uint32_t from, to;
};
struct call_edges {
	SKEP_VEC(struct call_edge) list;
};

static void list_calls(const struct verifier *v, struct call_edges *edges)
{
	for (uint32_t at = 0, f = 0; at < v->n_insns; at++) {
		const struct skep_insn *insn = &v->insns[at];

		while (at >= v->funcs[f].end)
			f++;
		if (is_local_call(insn) || is_function_address(insn))
			skep_vec_push(
				&edges->list,
				((struct call_edge){
					f, skep_image_func_at(v->image, called_start(insn, at))}));
		at += is_load_imm64(insn);
	}
}

/* Return whether the caller learned something. */
static bool merge(struct func_facts *from, const struct func_facts *to)
{
	bool changed = (to->changes_packet && !from->changes_packet) ||
		       (to->might_sleep && !from->might_sleep);

	from->changes_packet |= to->changes_packet;
	from->might_sleep |= to->might_sleep;
	return changed;
}

static void merge_calls(struct verifier *v)
{
	struct call_edges edges = {0};
	bool changed;

	list_calls(v, &edges);
	do {
		changed = false;
		skep_vec_foreach (struct call_edge, edge, &edges.list)
			changed |= merge(&v->funcs[edge->from], &v->funcs[edge->to]);
	} while (changed);
	skep_vec_done(&edges.list);
}

/* --- Returns that are not seen --------------------------------------------------------------- */

/* The kernel's "scalar": an integer of 4 or 8 bytes, by whatever name, or an enumeration. */
static bool returns_int(const struct verifier *v, uint32_t f)
{
	const struct skep_btf *btf = v->program->btf;
	uint32_t proto = skep_btf_target(btf, v->program->funcs[f].type_id);
	uint32_t type = skep_btf_strip(btf, skep_btf_target(btf, proto));
	enum skep_btf_kind kind = skep_btf_kind(btf, type);

	return kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
}

static int check_returns(struct verifier *v, uint32_t f)
{
	const struct func_facts *func = &v->funcs[f];
	bool typed = v->program->btf && v->program->n_funcs;

	if (!func->has_ld_abs && !func->has_tail_call)
		return 0;
	if (typed && returns_int(v, f))
		return 0;
	if (func->has_ld_abs)
		return typed ? verify_refuse(v, LD_ABS_RETURN)
			     : verify_refuse(v, LD_ABS_WITHOUT_BTF);
	return typed ? verify_refuse(v, TAIL_CALL_RETURN) : verify_refuse(v, TAIL_CALL_WITHOUT_BTF);
}

int verify_function_facts(struct verifier *v)
{
	int err = 0;

	for (uint32_t f = 0; f < v->n_funcs; f++) {
		from_image(v, f);
		from_btf(v, f);
		from_code(v, &v->funcs[f]);
	}
	for (uint32_t f = 1; f < v->n_funcs && !err; f++)
		err = check_returns(v, f);
	if (!err)
		merge_calls(v);
	return err;
}
