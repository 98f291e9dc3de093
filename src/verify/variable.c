/*
 * Variables of the kernel that a program names in a 64-bit load (__ksym).
 *
 *	per CPU               a pointer that must be turned into one CPU's first
 *	a structure           a pointer to it, as old as trust: of no kind
 *	another type          read-only memory of its size
 *	a function            an address, of which nothing may be read
 *
 * Which variables are per CPU is told by the section that BTF has them in.
 *
 * Source  behaviour of Linux 6.18, check_pseudo_btf_id()
 */
#include <string.h>

#include <skep/btf.h>

#include "verify/verifier.h"

/* The kernel's BTF is looked in unless a module's is named by a descriptor. */
static const struct skep_btf *btf_of(const struct verifier *v, const struct skep_insn *insn)
{
	return insn[1].imm ? v->program->attach_btf : v->program->kernel_btf;
}

static bool is_percpu(const struct skep_btf *btf, uint32_t var)
{
	uint32_t section = skep_btf_find((struct skep_btf *)(uintptr_t)btf, ".data..percpu",
					 strlen(".data..percpu"), SKEP_BTF_MASK(SKEP_BTF_DATASEC));
	uint32_t n = section ? skep_btf_n_members(btf, section) : 0;

	for (uint32_t i = 0; i < n; i++) {
		struct skep_btf_member member;

		if (!skep_btf_member(btf, section, i, &member) && member.type == var)
			return true;
	}
	return false;
}

static int load_plain(struct verifier *v, struct reg *reg, const struct skep_btf *btf,
		      uint32_t type)
{
	int64_t bytes = skep_btf_size(btf, type);

	if (bytes < 0)
		return verify_refuse(v, VARIABLE_SIZE, skep_btf_name(btf, type), (int)bytes);
	verify_reg_pointer(reg, REG_MEM, MEM_RDONLY);
	reg->mem_bytes = (uint32_t)bytes;
	return 0;
}

static int load_var(struct verifier *v, struct reg *reg, const struct skep_btf *btf, uint32_t var)
{
	uint32_t type = skep_btf_target(btf, var), plain = skep_btf_strip(btf, type);
	enum skep_btf_kind kind = skep_btf_kind(btf, plain);
	bool percpu = is_percpu(btf, var);

	if (!percpu && kind != SKEP_BTF_STRUCT && kind != SKEP_BTF_UNION)
		return load_plain(v, reg, btf, plain);
	verify_reg_pointer(reg, REG_BTF_PTR, percpu ? MEM_PERCPU : 0);
	reg->btf = btf;
	reg->btf_id = type;
	return 0;
}

int verify_load_variable(struct verifier *v, const struct skep_insn *insn)
{
	const struct skep_btf *btf = btf_of(v, insn);
	uint32_t id = (uint32_t)insn->imm;
	struct reg *reg = verify_reg(v, insn->dst);

	if (!btf)
		return verify_refuse(v, VARIABLE_NO_BTF);
	if (!id || id > skep_btf_n_types(btf))
		return verify_refuse(v, VARIABLE_NO_TYPE, id);
	switch (skep_btf_kind(btf, id)) {
	case SKEP_BTF_VAR: return load_var(v, reg, btf, id);
	case SKEP_BTF_FUNC: verify_reg_pointer(reg, REG_MEM, MEM_RDONLY); return 0;
	default: return verify_refuse(v, VARIABLE_KIND, id);
	}
}
