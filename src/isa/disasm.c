/*
 * Instructions as text: a row's text with its operands filled in.
 *
 * The form is the one the kernel's verifier log and `bpftool prog dump xlated`
 * print; tests/isa/test_kernel_text.c holds it against both.
 */
#include <skep/isa.h>

#include "base/buf.h"
#include "isa/table.h"

struct printer {
	const struct skep_insn *insn;          /* the second slot is there if the row uses it */
	const struct skep_disasm_names *names; /* may be NULL */
	struct skep_buf *out;
};

static void print_rd(const struct printer *p)
{
	skep_buf_printf(p->out, "r%d", p->insn->dst);
}

static void print_wd(const struct printer *p)
{
	skep_buf_printf(p->out, "w%d", p->insn->dst);
}

static void print_rs(const struct printer *p)
{
	skep_buf_printf(p->out, "r%d", p->insn->src);
}

static void print_ws(const struct printer *p)
{
	skep_buf_printf(p->out, "w%d", p->insn->src);
}

static void print_off(const struct printer *p)
{
	skep_buf_printf(p->out, "%+d", p->insn->off);
}

static void print_imm(const struct printer *p)
{
	skep_buf_printf(p->out, "%d", p->insn->imm);
}

static void print_hex(const struct printer *p)
{
	skep_buf_printf(p->out, "0x%x", (uint32_t)p->insn->imm);
}

static void print_u32(const struct printer *p)
{
	skep_buf_printf(p->out, "%u", (uint32_t)p->insn->imm);
}

static void print_next(const struct printer *p)
{
	skep_buf_printf(p->out, "%u", (uint32_t)p->insn[1].imm);
}

static void print_imm64(const struct printer *p)
{
	uint64_t upper = (uint32_t)p->insn[1].imm;

	skep_buf_printf(p->out, "0x%llx",
			(unsigned long long)(upper << 32 | (uint32_t)p->insn->imm));
}

static void print_to_as(const struct printer *p)
{
	skep_buf_printf(p->out, "%u", (uint32_t)p->insn->imm >> 16);
}

static void print_from_as(const struct printer *p)
{
	skep_buf_printf(p->out, "%u", (uint32_t)p->insn->imm & 0xffff);
}

static void print_pc(const struct printer *p)
{
	skep_buf_printf(p->out, "pc%+d", p->insn->off);
}

static void print_pcimm(const struct printer *p)
{
	skep_buf_printf(p->out, "pc%+d", p->insn->imm);
}

static void print_sub(const struct printer *p)
{
	skep_buf_printf(p->out, "%+d", p->insn->imm);
}

static void print_helper(const struct printer *p)
{
	int32_t id = p->insn->imm;
	const struct skep_disasm_names *names = p->names;
	const char *given = names && names->helper ? names->helper(names->ctx, id) : NULL;
	const char *known = skep_helper_name(id);

	if (!given && known)
		skep_buf_printf(p->out, "bpf_%s#%d", known, id);
	else
		skep_buf_printf(p->out, "%s#%d", given ? given : "unknown", id);
}

static void print_kfunc(const struct printer *p)
{
	const struct skep_disasm_names *names = p->names;
	const char *given = names && names->kfunc ? names->kfunc(names->ctx, p->insn) : NULL;

	skep_buf_printf(p->out, "%s#%d", given ? given : "kernel-function", p->insn->imm);
	if (p->insn->off)
		skep_buf_printf(p->out, " fd[%d]", p->insn->off);
}

static void (*const print_operand[])(const struct printer *) = {
#define OPERAND(name, uses) print_##name,
#include "isa/operands.def"
#undef OPERAND
};

static void print_row(const struct printer *p, unsigned row)
{
	const char *text = skep_isa_rows[row].text;
	enum skep_operand operand;
	char plain;

	while (skep_isa_piece(&text, &operand, &plain)) {
		if (operand == NO_OPERAND)
			skep_buf_addc(p->out, plain);
		else
			print_operand[operand](p);
	}
}

/* Does @row differ from @insn in nothing but fields that should be zero? */
static bool nearly_fits(unsigned row, const struct skep_insn *insn)
{
	const struct skep_isa_row *r = &skep_isa_rows[row];
	unsigned uses = skep_isa_uses(row);

	return (uses & USES_SRC || !r->src || insn->src == r->src) &&
	       (uses & USES_OFF || !r->off || insn->off == r->off) &&
	       (uses & USES_IMM || !r->imm || insn->imm == r->imm);
}

/* An atomic's imm is its operation: there is no passing over it. */
static bool is_atomic(uint8_t code)
{
	return (code & ~SKEP_DW) == (SKEP_STX | SKEP_ATOMIC);
}

static unsigned find_row(const struct skep_insn *insn)
{
	unsigned first = skep_isa_first(insn->code);

	for (unsigned row = first; row; row = skep_isa_next(row)) {
		if (skep_isa_fits(row, insn))
			return row;
	}
	for (unsigned row = is_atomic(insn->code) ? 0 : first; row; row = skep_isa_next(row)) {
		if (nearly_fits(row, insn))
			return row;
	}
	return 0;
}

static void print_bug(const struct skep_insn *insn, struct skep_buf *out)
{
	static const char *const classes[8] = {
		[SKEP_LD] = "ld_", [SKEP_LDX] = "ldx_", [SKEP_ST] = "st_"};
	const char *class = classes[insn->code & 7];

	skep_buf_printf(out, "BUG_%s%02x", class ? class : "", insn->code);
}

static bool is_wide(const struct skep_insn *insns, size_t n, size_t at)
{
	return insns[at].code == SKEP_LDDW && at + 1 < n;
}

void skep_disasm_insn(const struct skep_insn *insns, size_t n, size_t at,
		      const struct skep_disasm_names *names, struct skep_buf *out)
{
	const struct skep_insn *insn = &insns[at];
	struct printer printer = {insn, names, out};
	bool wide = is_wide(insns, n, at);
	unsigned row = insn->code == SKEP_LDDW && !wide ? 0 : find_row(insn);
	const char *given =
		wide && names && names->imm64 ? names->imm64(names->ctx, at, insn) : NULL;

	if (given)
		skep_buf_printf(out, "r%d = %s", insn->dst, given);
	else if (row)
		print_row(&printer, row);
	else
		print_bug(insn, out);
}

void skep_disasm(const struct skep_insn *insns, size_t n, const struct skep_disasm_names *names,
		 struct skep_buf *out)
{
	for (size_t at = 0; at < n; at += is_wide(insns, n, at) ? 2 : 1) {
		skep_buf_printf(out, "%4zu: (%02x) ", at, insns[at].code);
		skep_disasm_insn(insns, n, at, names, out);
		skep_buf_addc(out, '\n');
	}
}
