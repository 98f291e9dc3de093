/*
 * Reads one line of assembly by the texts of isa.def.
 *
 * Every row's text is tried from the line's start: a plain character must be
 * there, an operand is read by its parse_<name>(). Blanks are free where the
 * text has one and around brackets. The first row that takes the whole line
 * is the instruction; the table's order settles the few lines that two rows
 * could take. When none does, the row that came furthest knows what was
 * expected there.
 */
#include "isa/match.h"

#include <string.h>

/* The furthest failure stays; at one place, a definite one beats "cannot read this". */
static bool fail(struct skep_match *m, const char *at, enum skep_diag_id id, const char *want)
{
	bool same_place = m->fail.at && at == m->fail.at;
	bool was_syntax = m->fail.id == SKEP_DIAG_ASM_SYNTAX;

	if (!m->fail.at || at > m->fail.at ||
	    (same_place && was_syntax && id != SKEP_DIAG_ASM_SYNTAX)) {
		m->fail.at = at;
		m->fail.id = id;
		m->fail.want = want;
	} else if (same_place && was_syntax && strcmp(m->fail.want, want)) {
		m->fail.want = "another word or operand";
	}
	return false;
}

static bool expected(struct skep_match *m, const char *want)
{
	return fail(m, m->at, SKEP_DIAG_ASM_SYNTAX, want);
}

/* --- Words and numbers --------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct skep_match *m)
{
	while (m->at < m->end && is_blank(*m->at))
		m->at++;
}

static char peek(const struct skep_match *m)
{
	return m->at < m->end ? *m->at : '\0';
}

static bool take(struct skep_match *m, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(m->end - m->at) < len || memcmp(m->at, word, len))
		return false;
	m->at += len;
	return true;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A name: [A-Za-z_.][A-Za-z0-9_.]*; its length, 0 if there is none. */
static size_t name_len(const struct skep_match *m)
{
	const char *at = m->at;

	while (at < m->end && (is_letter(*at) || (at > m->at && is_digit(*at))))
		at++;
	return (size_t)(at - m->at);
}

struct number {
	uint64_t size;
	bool negative, hex, too_large;
};

static int digit_value(char c, bool hex)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* [+-] blanks (0x hex | decimal); sizes over 64 bits are read to their end and marked. */
static bool read_number(struct skep_match *m, struct number *ret)
{
	const char *start = m->at;

	*ret = (struct number){.negative = peek(m) == '-'};
	if (peek(m) == '-' || peek(m) == '+') {
		m->at++;
		skip_blanks(m);
	}
	ret->hex = take(m, "0x") || take(m, "0X");
	if (digit_value(peek(m), ret->hex) < 0) {
		m->at = start;
		return expected(m, "a number");
	}
	for (int digit; (digit = digit_value(peek(m), ret->hex)) >= 0; m->at++) {
		uint64_t base = ret->hex ? 16 : 10, size = ret->size * base + (unsigned)digit;
		ret->too_large |= ret->size > (UINT64_MAX - (unsigned)digit) / base;
		ret->size = size;
	}
	return true;
}

/* A number of [-down, up]; `range` says so in words. */
static bool read_ranged(struct skep_match *m, uint64_t down, uint64_t up, const char *range,
			int64_t *ret)
{
	const char *start = m->at;
	struct number number;

	if (!read_number(m, &number))
		return false;
	if (number.too_large || number.size > (number.negative ? down : up))
		return fail(m, start, SKEP_DIAG_ASM_RANGE, range);
	*ret = number.negative ? -(int64_t)number.size : (int64_t)number.size;
	return true;
}

static bool read_s32(struct skep_match *m, int64_t *ret)
{
	return read_ranged(m, 1ULL << 31, INT32_MAX, "-2147483648 to 2147483647", ret);
}

/* --- Operands ------------------------------------------------------------------------ */

static bool parse_register(struct skep_match *m, char letter, bool is_src)
{
	const char *start = m->at;
	struct number number;
	unsigned field = is_src ? USES_SRC : USES_DST;
	const char *want = letter == 'r' ? "a register, r0 to r10" : "a register, w0 to w10";

	if (peek(m) != letter || m->at + 1 == m->end || !is_digit(m->at[1]))
		return expected(m, want);
	m->at++;
	read_number(m, &number);
	if (number.hex || number.size >= SKEP_N_REGS)
		return fail(m, start, SKEP_DIAG_ASM_REGISTER, want);
	unsigned before = is_src ? m->insn->src : m->insn->dst;
	if (m->seen & field && before != number.size)
		return fail(m, start, SKEP_DIAG_ASM_SYNTAX, "the same register twice");
	if (is_src)
		m->insn->src = number.size & 15;
	else
		m->insn->dst = number.size & 15;
	m->seen |= field;
	return true;
}

static bool parse_rd(struct skep_match *m)
{
	return parse_register(m, 'r', false);
}

static bool parse_wd(struct skep_match *m)
{
	return parse_register(m, 'w', false);
}

static bool parse_rs(struct skep_match *m)
{
	return parse_register(m, 'r', true);
}

static bool parse_ws(struct skep_match *m)
{
	return parse_register(m, 'w', true);
}

static bool read_s16(struct skep_match *m)
{
	int64_t value = 0;

	if (!read_ranged(m, 1u << 15, INT16_MAX, "-32768 to 32767", &value))
		return false;
	m->insn->off = (int16_t)value;
	return true;
}

static bool parse_off(struct skep_match *m)
{
	if (peek(m) == ')') /* (r1) is (r1 +0) */
		return true;
	if (peek(m) != '+' && peek(m) != '-')
		return expected(m, "an offset with its sign, such as +8");
	return read_s16(m);
}

/* Where imm is sign-extended to 64 bits, 0xffffffff would not mean what it says. */
static bool extends_imm(uint8_t code)
{
	return (code & 7) == SKEP_ALU64 || code == (SKEP_ST | SKEP_MEM | SKEP_DW);
}

static bool read_imm32(struct skep_match *m, bool as_bits)
{
	const char *start = m->at;
	struct number number;
	int64_t value = 0;

	if (!read_number(m, &number))
		return false;
	as_bits &= number.hex && !number.negative && number.size <= UINT32_MAX;
	if (as_bits && !number.too_large) {
		m->insn->imm = (int32_t)number.size;
		return true;
	}
	m->at = start;
	if (!read_s32(m, &value))
		return false;
	m->insn->imm = (int32_t)value;
	return true;
}

static bool parse_imm(struct skep_match *m)
{
	return read_imm32(m, !extends_imm(m->insn->code));
}

static bool parse_hex(struct skep_match *m)
{
	return read_imm32(m, true);
}

static bool read_u32(struct skep_match *m, int32_t *ret)
{
	int64_t value = 0;

	if (!read_ranged(m, 0, UINT32_MAX, "0 to 4294967295", &value))
		return false;
	*ret = (int32_t)value;
	return true;
}

static bool parse_u32(struct skep_match *m)
{
	return read_u32(m, &m->insn->imm);
}

static bool parse_next(struct skep_match *m)
{
	return read_u32(m, &m->insn[1].imm);
}

/* A plain decimal number is left to MOV; "ll" behind it says that 64 bits are meant. */
static bool parse_imm64(struct skep_match *m)
{
	const char *start = m->at;
	struct number number;

	if (!read_number(m, &number))
		return false;
	skip_blanks(m);
	bool wide = take(m, "ll") || (number.hex && !number.negative);
	uint64_t most = number.negative ? 1ULL << 63 : UINT64_MAX;
	if (!wide) {
		m->at = start;
		return false;
	}
	if (number.too_large || number.size > most)
		return fail(m, start, SKEP_DIAG_ASM_RANGE, "-2^63 to 2^64 - 1");
	uint64_t value = number.negative ? -number.size : number.size;
	m->insn[0].imm = (int32_t)value;
	m->insn[1].imm = (int32_t)(value >> 32);
	return true;
}

static bool read_address_space(struct skep_match *m, int shift)
{
	int64_t value = 0;

	if (!read_ranged(m, 0, UINT16_MAX, "0 to 65535", &value))
		return false;
	m->insn->imm = (int32_t)((uint32_t)m->insn->imm | (uint32_t)value << shift);
	return true;
}

static bool parse_to_as(struct skep_match *m)
{
	return read_address_space(m, 16);
}

static bool parse_from_as(struct skep_match *m)
{
	return read_address_space(m, 0);
}

static bool read_label(struct skep_match *m, bool in_imm)
{
	size_t len = name_len(m);

	if (!len)
		return expected(m, "a jump target, such as pc+5 or a label");
	m->label = m->at;
	m->label_len = len;
	m->label_in_imm = in_imm;
	m->at += len;
	return true;
}

/* "pc+5" and "+5" say the distance, any other word is a label. */
static bool at_distance(struct skep_match *m)
{
	const char *start = m->at;

	if (name_len(m) == 2 && take(m, "pc"))
		skip_blanks(m);
	if (peek(m) == '+' || peek(m) == '-')
		return true;
	m->at = start;
	return false;
}

static bool parse_pc(struct skep_match *m)
{
	return at_distance(m) ? read_s16(m) : read_label(m, false);
}

static bool parse_sub(struct skep_match *m)
{
	int64_t value = 0;

	if (!at_distance(m))
		return read_label(m, true);
	if (!read_s32(m, &value))
		return false;
	m->insn->imm = (int32_t)value;
	return true;
}

/* bpftool prints a local call's name behind it: "call pc+5#bpf_prog_…_F". */
static bool parse_pcimm(struct skep_match *m)
{
	if (!parse_sub(m))
		return false;
	if (!m->label && take(m, "#"))
		m->at += name_len(m);
	return true;
}

/* The number after '#'. Dumps of translated programs have an address' distance there instead of
 * the helper's number: it may be anything but another helper's number. */
static bool read_helper_number(struct skep_match *m, int32_t *id)
{
	const char *start = m->at;
	int64_t number = 0;

	if (!read_s32(m, &number))
		return false;
	if (*id < 0)
		*id = (int32_t)number;
	if (*id != number && skep_helper_name((int32_t)number))
		return fail(m, start, SKEP_DIAG_ASM_HELPER_NR, "");
	return true;
}

static bool is_word(const struct skep_match *m, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(m->at, word, len);
}

static int32_t helper_at(const struct skep_match *m, size_t len)
{
	return len > 4 && !memcmp(m->at, "bpf_", 4) ? skep_helper_id(m->at, len) : -1;
}

static bool parse_helper(struct skep_match *m)
{
	size_t len = name_len(m);
	int32_t id = helper_at(m, len);
	bool unknown = is_word(m, len, "unknown");

	if (id < 0 && !unknown)
		return expected(m, "a helper, a label or a kernel function");
	m->at += len;
	bool numbered = take(m, "#");
	if (unknown && !numbered)
		return expected(m, "# and the helper's number");
	if (numbered && !read_helper_number(m, &id))
		return false;
	m->insn->imm = id;
	return true;
}

static bool parse_kfunc(struct skep_match *m)
{
	const char *start = m->at;
	size_t len = take(m, "kernel-function") ? 0 : name_len(m);
	int64_t id = 0;

	if (start == m->at && (!len || helper_at(m, len) >= 0 || is_word(m, len, "unknown")))
		return expected(m, "a helper, a label or a kernel function");
	m->at += len;
	if (!take(m, "#"))
		return expected(m, "# and the kernel function's number");
	if (!read_s32(m, &id))
		return false;
	m->insn->imm = (int32_t)id;
	skip_blanks(m);
	if (!take(m, "fd["))
		return true;
	return read_s16(m) && (take(m, "]") || expected(m, "]"));
}

/* --- Rows ---------------------------------------------------------------------------- */

static bool (*const parse_operand[])(struct skep_match *) = {
#define OPERAND(name, uses) parse_##name,
#include "isa/operands.def"
#undef OPERAND
};

static bool is_bracket(char c)
{
	return c && strchr("()[]*,", c);
}

static bool in_word(char c)
{
	return is_letter(c) || is_digit(c);
}

/* A word that differs in its third letter is wrong from its first. */
static bool match_plain(struct skep_match *m, char plain, char before)
{
	if (is_bracket(plain) || is_bracket(before))
		skip_blanks(m);
	if (!in_word(plain) || !in_word(before))
		m->word = m->at;
	if (peek(m) != plain || m->at == m->end)
		return fail(m, m->word, SKEP_DIAG_ASM_SYNTAX, "another word or operand");
	m->at++;
	return true;
}

static bool match_text(struct skep_match *m, const char *text)
{
	enum skep_operand operand;
	char plain, before = '\0';

	for (; skep_isa_piece(&text, &operand, &plain); before = plain) {
		if (operand == NO_OPERAND && plain == ' ') {
			skip_blanks(m);
			continue;
		}
		if (operand == NO_OPERAND && !match_plain(m, plain, before))
			return false;
		if (is_bracket(before))
			skip_blanks(m);
		if (operand != NO_OPERAND && !parse_operand[operand](m))
			return false;
	}
	skip_blanks(m);
	return m->at == m->end || expected(m, "the end of the line");
}

/* Most rows fall out here, by their first character. */
static bool may_match(const struct skep_match *m, const struct skep_isa_row *row)
{
	char first = row->text[0] == '{' ? row->text[1] : row->text[0];

	return (m->code < 0 || m->code == row->code) && peek(m) == first;
}

static bool match_row(struct skep_match *m, unsigned row)
{
	const struct skep_isa_row *r = &skep_isa_rows[row];

	m->row = row;
	m->seen = 0;
	m->label = NULL;
	m->insn[0] = skep_insn_raw(r->code, 0, r->src, r->off, r->imm);
	m->insn[1] = (struct skep_insn){0};
	if (skep_isa_uses(row) & USES_IMM)
		m->insn->imm = 0;
	return match_text(m, r->text);
}

bool skep_match_line(struct skep_match *m)
{
	const char *start = m->at;

	for (unsigned row = 1; row < SKEP_OP_CNT; row++) {
		if (may_match(m, &skep_isa_rows[row]) && match_row(m, row))
			return true;
		m->at = start;
	}
	if (!m->fail.at)
		expected(m, "an instruction");
	return false;
}
