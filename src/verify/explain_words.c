/*
 * Registers, numbers, calls and places in plain words.
 *
 * The names that there are: maps, functions, structures of the kernel, variables that are global.
 * Local variables have none in BTF, so registers stand for them beside the line of the source.
 */
#include "verify/explain_tell.h"

#include <ctype.h>
#include <string.h>

#include "verify/call.h"

/* --- Numbers ---------------------------------------------------------------------------------- */

#define LOOKS_LIKE_ADDRESS (1ull << 48)

static const char *constant(struct telling *t, uint64_t value)
{
	if ((int64_t)value < 0 && (int64_t)value > -(int64_t)LOOKS_LIKE_ADDRESS)
		return skep_arena_printf(t->arena, "%lld", (long long)value);
	return skep_arena_printf(t->arena, value < LOOKS_LIKE_ADDRESS ? "%llu" : "0x%llx",
				 (unsigned long long)value);
}

static const char *not_negative(struct telling *t, const struct skep_bounds *b)
{
	if (b->umax >= INT64_MAX)
		return b->umin ? skep_arena_printf(t->arena, "%llu or more",
						   (unsigned long long)b->umin)
			       : "0 or more, without an upper bound";
	return skep_arena_printf(t->arena, "%llu..%llu", (unsigned long long)b->umin,
				 (unsigned long long)b->umax);
}

static const char *maybe_negative(struct telling *t, const struct skep_bounds *b)
{
	if (b->smin == INT64_MIN && b->smax == INT64_MAX) {
		if (b->umax < UINT64_MAX || b->umin)
			return skep_arena_printf(t->arena, "%llu..%llu, without a sign",
						 (unsigned long long)b->umin,
						 (unsigned long long)b->umax);
		return "any number";
	}
	if (b->smin == INT64_MIN && b->smax >= (int64_t)LOOKS_LIKE_ADDRESS)
		return "any number";
	if (b->smin == INT64_MIN)
		return skep_arena_printf(t->arena, "%lld or less", (long long)b->smax);
	if (b->smax == INT64_MAX)
		return skep_arena_printf(t->arena, "%lld or more", (long long)b->smin);
	return skep_arena_printf(t->arena, "%lld..%lld", (long long)b->smin, (long long)b->smax);
}

const char *explain_number(struct telling *t, const struct skep_scalar *value)
{
	if (skep_tnum_is_const(value->bits))
		return constant(t, value->bits.value);
	return value->full.smin >= 0 ? not_negative(t, &value->full)
				     : maybe_negative(t, &value->full);
}

/* --- Pointers --------------------------------------------------------------------------------- */

static uint32_t section_named(const struct skep_btf *btf, const char *name)
{
	for (uint32_t id = 1; name && id <= skep_btf_n_types(btf); id++)
		if (skep_btf_kind(btf, id) == SKEP_BTF_DATASEC &&
		    !strcmp(skep_btf_name(btf, id), name))
			return id;
	return 0;
}

/* A global variable: the map of its section has the section's name at its end. */
static const char *variable_at(struct telling *t, const struct skep_map *map, int64_t off)
{
	const struct skep_btf *btf = t->v->program->btf;
	uint32_t id = btf ? section_named(btf, strchr(map->name, '.')) : 0;
	struct skep_btf_member member;

	for (uint32_t i = 0; id && !skep_btf_member(btf, id, i, &member); i++) {
		int64_t begin = member.bit_off / 8, size = skep_btf_size(btf, member.type);

		if (begin <= off && off < begin + (size > 0 ? size : 1))
			return skep_btf_name(btf, member.type);
	}
	return NULL;
}

static const char *map_value(struct telling *t, const struct reg *reg)
{
	const char *variable = variable_at(t, reg->map, reg->off);

	if (variable && *variable)
		return skep_arena_printf(t->arena, "the variable %s", variable);
	return skep_arena_printf(t->arena, "a value of map %s", reg->map->name);
}

static const char *btf_pointee(struct telling *t, const struct reg *reg)
{
	const char *name = reg->btf ? skep_btf_name(reg->btf, reg->btf_id) : NULL;

	return skep_arena_printf(t->arena, "%sa struct %s",
				 reg->flags & PTR_UNTRUSTED ? "an address that may not be valid of "
							    : "",
				 name ? name : "of the kernel");
}

static const char *function_name(struct telling *t, uint32_t func)
{
	const char *name = func < t->v->n_funcs ? t->v->funcs[func].name : "";

	return name && *name ? skep_arena_printf(t->arena, "%s()", name)
	       : func        ? "a function of the program"
			     : "the program";
}

static const char *plain_pointee(const struct reg *reg)
{
	static const char *const names[REG_KIND_CNT] = {
		[REG_CTX] = "the context",
		[REG_PACKET_META] = "the packet's metadata",
		[REG_PACKET] = "the packet",
		[REG_PACKET_END] = "the packet's end",
		[REG_FLOW_KEYS] = "the flow's keys",
		[REG_SOCKET] = "a socket",
		[REG_SOCK_COMMON] = "a socket's common part",
		[REG_TCP_SOCK] = "a TCP socket",
		[REG_TP_BUFFER] = "the tracepoint's buffer",
		[REG_XDP_SOCK] = "an XDP socket",
		[REG_ARENA] = "the arena",
		[REG_BUF] = "a buffer",
		[REG_STACK] = "the stack",
		[REG_DYNPTR] = "a dynptr",
	};

	return names[reg->kind];
}

const char *explain_pointee(struct telling *t, const struct reg *reg)
{
	switch (reg->kind) {
	case REG_UNSET: return "nothing, as it was not set";
	case REG_SCALAR: return "a number";
	case REG_MAP_PTR: return skep_arena_printf(t->arena, "map %s", reg->map->name);
	case REG_MAP_VALUE: return map_value(t, reg);
	case REG_MAP_KEY: return skep_arena_printf(t->arena, "a key of map %s", reg->map->name);
	case REG_BTF_PTR: return btf_pointee(t, reg);
	case REG_MEM:
		return skep_arena_printf(t->arena,
					 reg->flags & MEM_RINGBUF ? "a record of %u bytes"
								  : "%u bytes of memory",
					 (unsigned)reg->mem_bytes);
	case REG_FUNC: return function_name(t, reg->func);
	default: return plain_pointee(reg) ? plain_pointee(reg) : "an address";
	}
}

/* What was added to it: where that is known, in bytes from the beginning. */
static const char *distance(struct telling *t, const struct reg *reg)
{
	const struct skep_scalar *value = &reg->value;
	const char *more;

	if (skep_tnum_is_const(value->bits)) {
		int64_t off = reg->off + (int64_t)value->bits.value;

		return !off ? "" : skep_arena_printf(t->arena, ", %lld bytes on", (long long)off);
	}
	more = reg->off ? skep_arena_printf(t->arena, " and %d bytes", reg->off) : " bytes";
	return skep_arena_printf(t->arena, ", %s%s on", explain_number(t, value), more);
}

static const char *packet(struct telling *t, const struct reg *reg)
{
	const char *known = "nothing of it is known to be there";

	if (reg->range > 0)
		known = skep_arena_printf(t->arena, "%d bytes of it are known to be there",
					  reg->range);
	return skep_arena_printf(t->arena, "%s%s (%s)", plain_pointee(reg), distance(t, reg),
				 known);
}

const char *explain_reg(struct telling *t, const struct reg *reg)
{
	const char *null = reg->flags & PTR_MAYBE_NULL ? ", or NULL" : "";

	switch (reg->kind) {
	case REG_SCALAR: return explain_number(t, &reg->value);
	case REG_UNSET:
	case REG_PACKET_END:
	case REG_FUNC: return explain_pointee(t, reg);
	case REG_PACKET:
	case REG_PACKET_META: return packet(t, reg);
	case REG_STACK:
		if (skep_tnum_is_const(reg->value.bits))
			return skep_arena_printf(t->arena, "the stack at fp%+lld",
						 (long long)reg->off +
							 (long long)reg->value.bits.value);
		return skep_arena_printf(t->arena, "the stack at fp%+d and %s bytes on", reg->off,
					 explain_number(t, &reg->value));
	default:
		return skep_arena_printf(t->arena, "%s%s%s", explain_pointee(t, reg),
					 distance(t, reg), null);
	}
}

/* --- Members ---------------------------------------------------------------------------------- */

const char *explain_member(const struct skep_btf *btf, uint32_t id, int64_t off)
{
	struct skep_btf_member member;

	for (uint32_t i = 0; btf && id && !skep_btf_member(btf, id, i, &member); i++) {
		int64_t begin = member.bit_off / 8, size = skep_btf_size(btf, member.type);

		if (*member.name && begin <= off && off < begin + size)
			return member.name;
	}
	return NULL;
}

const char *explain_context_name(struct telling *t, uint32_t *ret_id)
{
	static const char *const names[] = {
#define CTX_TYPE(number, NAME, name) [number] = name,
#include "verify/ctx_types.def"
#undef CTX_TYPE
	};
	uint32_t type = t->v->image->type;

	if (type >= sizeof(names) / sizeof(*names) || !names[type] || !*names[type] ||
	    !t->v->program->kernel_btf)
		return NULL;
	*ret_id = verify_kernel_struct(t->v, names[type]);
	return *ret_id ? names[type] : NULL;
}

/* --- Instructions ----------------------------------------------------------------------------- */

static const char *kfunc_word(void *ctx, const struct skep_insn *insn)
{
	const struct verifier *v = ctx;

	if (insn->off || !v->program->kernel_btf)
		return NULL;
	return skep_btf_name(v->program->kernel_btf, (uint32_t)insn->imm);
}

const char *explain_insn(struct telling *t, uint32_t at)
{
	const struct verifier *v = t->v;
	const struct skep_disasm_names names = {.kfunc = kfunc_word, .ctx = t->v};
	bool two = v->insns[at].code == (SKEP_LD | SKEP_IMM | SKEP_DW) && at + 1 < v->n_insns;
	const struct skep_ref *ref = &v->image->refs[at];
	struct skep_buf text = {0};
	char *copy;

	if (two && (ref->kind == SKEP_REF_MAP || ref->kind == SKEP_REF_MAP_VALUE))
		return skep_arena_printf(t->arena, "r%u = map[%s]", v->insns[at].dst,
					 v->image->maps[ref->index]->name);
	skep_disasm_insn(&v->insns[at], two ? 2 : 1, 0, &names, &text);
	copy = skep_arena_strdup(t->arena, text.data ? text.data : "");
	skep_buf_done(&text);
	return copy;
}

const char *explain_callee(struct telling *t, uint32_t at)
{
	const struct skep_insn *insn = &t->v->insns[at];
	const char *name;

	if (insn->code != (SKEP_JMP | SKEP_CALL))
		return "the call";
	if (insn->src == CALL_OF_FUNCTION) {
		uint32_t start = at + 1 + (uint32_t)insn->imm;

		for (uint32_t f = 0; f < t->v->n_funcs; f++)
			if (t->v->funcs[f].start == start)
				return function_name(t, f);
		return "a function of the program";
	}
	if (insn->src == CALL_OF_KFUNC)
		return skep_arena_printf(t->arena, "%s()", verify_kfunc_name(t->v, at));
	name = skep_helper_name(insn->imm);
	return name ? skep_arena_printf(t->arena, "bpf_%s()", name) : "an unknown helper";
}

uint32_t explain_access_bytes(const struct skep_insn *insn)
{
	static const uint8_t bytes[] = {
		[SKEP_W >> 3] = 4, [SKEP_H >> 3] = 2, [SKEP_B >> 3] = 1, [SKEP_DW >> 3] = 8};
	uint8_t class = insn->code & 7;

	if (class != SKEP_LDX && class != SKEP_ST && class != SKEP_STX)
		return 0;
	return bytes[(insn->code & 0x18) >> 3];
}

const char *explain_verb(const struct telling *t)
{
	uint8_t class = t->insn ? t->insn->code & 7 : SKEP_JMP;

	if (class == SKEP_LDX)
		return "read";
	return class == SKEP_ST || class == SKEP_STX ? "write" : "access";
}

bool explain_is_condition(const struct skep_insn *insn)
{
	uint8_t class = insn->code & 7, op = insn->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_JA && op != SKEP_CALL &&
	       op != SKEP_EXIT && op != SKEP_JCOND;
}

const char *explain_result(const struct telling *t)
{
	switch (t->v->image->type) {
	case PROG_TYPE_XDP: return "XDP_PASS";
	case PROG_TYPE_SCHED_CLS:
	case PROG_TYPE_SCHED_ACT: return "TC_ACT_OK";
	default: return "0";
	}
}

/* --- Places ----------------------------------------------------------------------------------- */

static const struct skep_verify_line *line_of(const struct skep_verify_program *p, uint32_t at)
{
	const struct skep_verify_line *found = NULL;

	for (uint32_t i = 0; i < p->n_lines && p->lines[i].insn <= at; i++)
		found = &p->lines[i];
	return found;
}

static const char *string_at(const struct skep_btf *btf, uint32_t off)
{
	const char *text = btf ? skep_btf_string(btf, off) : NULL;

	return text && *text ? text : NULL;
}

struct skep_explain_place explain_place(struct telling *t, uint32_t at)
{
	const struct skep_verify_program *p = t->v->program;
	const struct skep_verify_line *line = line_of(p, at);
	struct skep_explain_place place = {.slot = at};
	const char *text;

	if (!line)
		return place;
	text = string_at(p->btf, line->text_off);
	place.file = string_at(p->btf, line->file_off);
	place.line = line->line_col >> 10;
	place.column = line->line_col & 1023;
	/* the program may go before its explanation does */
	place.file = place.file ? skep_arena_strdup(t->arena, place.file) : NULL;
	place.text = text ? skep_arena_strdup(t->arena, text) : NULL;
	return place;
}

/* --- What stands in braces -------------------------------------------------------------------- */

static const char *does(struct telling *t)
{
	uint32_t bytes = t->insn ? explain_access_bytes(t->insn) : 0;
	bool loads = t->insn && (t->insn->code & 7) == SKEP_LDX;

	if (!bytes)
		return t->insn && t->insn->code == (SKEP_JMP | SKEP_CALL)
			       ? skep_arena_printf(t->arena, "%s accesses",
						   explain_callee(t, t->step->at))
			       : "this accesses";
	return skep_arena_printf(t->arena, "this %s %u byte%s of", loads ? "reads" : "writes",
				 bytes, bytes == 1 ? "" : "s");
}

static const char *argument(struct telling *t, unsigned i)
{
	const struct trail_argument *arg = &t->trail->args[i];

	if (i >= t->trail->n_args)
		return "?";
	return arg->text ? arg->text : skep_arena_printf(t->arena, "%lld", (long long)arg->number);
}

static const char *word_for(struct telling *t, const char *word, size_t len)
{
	const struct reg *reg = t->subject >= 0 ? &t->trail->regs[t->subject] : NULL;

	if (len == 1 && isdigit((unsigned char)*word))
		return argument(t, (unsigned)(*word - '1'));
	if (!strncmp(word, "reg", len))
		return reg ? skep_arena_printf(t->arena, "r%d", t->subject) : "the register";
	if (!strncmp(word, "it", len))
		return reg ? explain_reg(t, reg) : "not known";
	if (!strncmp(word, "to", len))
		return reg ? explain_pointee(t, reg) : "memory";
	if (!strncmp(word, "call", len))
		return t->step ? explain_callee(t, t->step->at) : "the call";
	if (!strncmp(word, "verb", len))
		return explain_verb(t);
	if (!strncmp(word, "does", len))
		return does(t);
	return "?";
}

const char *explain_fill(struct telling *t, const char *text)
{
	struct skep_buf out = {0};
	char *copy;

	if (!text)
		return NULL;
	for (const char *at = text; *at; at++) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;

		/* braces of C have blanks or ends of lines behind them */
		if (!end || end == at + 1 || !isalnum((unsigned char)at[1])) {
			skep_buf_addc(&out, *at);
			continue;
		}
		skep_buf_puts(&out, word_for(t, at + 1, (size_t)(end - at - 1)));
		at = end;
	}
	copy = skep_arena_strdup(t->arena, out.data ? out.data : "");
	skep_buf_done(&out);
	return copy;
}
