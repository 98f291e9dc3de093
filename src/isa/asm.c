/*
 * The assembler: text in the kernel's form to instructions.
 *
 * Lines are cut from their comments and from what a dump puts before them
 * ("12: (b7) "), labels are noted with the slot they stand before, and what is
 * left is one instruction (match.c). Distances to labels are filled in at the
 * end. Every line is read whatever was wrong before it, so that one run shows
 * all mistakes.
 */
#include <skep/isa.h>

#include <errno.h>
#include <string.h>

#include <skep/diag.h>

#include "base/strmap.h"
#include "base/vec.h"
#include "isa/match.h"

/* A slot that waits for its label. */
struct fixup {
	size_t slot;
	const char *label;
	size_t len;
	bool in_imm;
};

struct assembler {
	const char *text;
	SKEP_VEC(struct skep_insn) insns;
	SKEP_VEC(struct fixup) fixups;
	struct skep_strmap labels; /* name → slot + 1, as a pointer's bits */
	struct skep_diag *diag;
	int err;
};

static void assembler_done(struct assembler *a)
{
	skep_vec_done(&a->insns);
	skep_vec_done(&a->fixups);
	skep_strmap_done(&a->labels);
}

static struct skep_span span_of(const struct assembler *a, const char *from, size_t len)
{
	return (struct skep_span){(uint32_t)(from - a->text), (uint32_t)len};
}

/* --- What stands before and after an instruction -------------------------------------- */

struct line {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(struct line *line)
{
	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	while (line->end > line->at && is_blank(line->end[-1]))
		line->end--;
}

static void cut_comment(struct line *line)
{
	for (const char *at = line->at; at < line->end; at++) {
		if (*at == ';' || (*at == '/' && at + 1 < line->end && at[1] == '/'))
			line->end = at;
	}
}

/* A dump names a function in a line of its own: "int count(void * ctx):". */
static bool is_prototype(const struct line *line)
{
	size_t len = (size_t)(line->end - line->at);

	return len > 2 && !memcmp(line->end - 2, "):", 2);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
	       (c >= '0' && c <= '9');
}

static void add_label(struct assembler *a, const char *name, size_t len)
{
	if (skep_strmap_get(&a->labels, name, len)) {
		a->err = skep_diag_fail(a->diag, -EINVAL, SKEP_DIAG_ASM_LABEL_DUP,
					span_of(a, name, len), (int)len, name);
		return;
	}
	*skep_strmap_put(&a->labels, name, len) = (void *)(uintptr_t)(a->insns.len + 1);
}

/* "again:" and "12:", as many as there are. */
static void take_labels(struct assembler *a, struct line *line)
{
	for (;;) {
		const char *end = line->at;
		while (end < line->end && is_word(*end))
			end++;
		if (end == line->at || end == line->end || *end != ':')
			return;
		if (*line->at < '0' || *line->at > '9')
			add_label(a, line->at, (size_t)(end - line->at));
		line->at = end + 1;
		trim(line);
	}
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* "(b7)": the instruction's code, or -1. */
static int take_code(struct line *line)
{
	const char *at = line->at;

	if (line->end - at < 4 || at[0] != '(' || at[3] != ')')
		return -1;
	int high = hex_digit(at[1]), low = hex_digit(at[2]);
	if (high < 0 || low < 0)
		return -1;
	line->at += 4;
	trim(line);
	return high << 4 | low;
}

/* --- Instructions --------------------------------------------------------------------- */

static int fail_match(struct assembler *a, const struct skep_match *match)
{
	const char *at = match->fail.at;
	size_t len = at < match->end ? 1 : 0;
	struct skep_span span = span_of(a, at, len);

	while (len && at + len < match->end && is_word(at[len]) && is_word(at[0]))
		len++;
	span.len = (uint32_t)len;
	if (match->fail.id == SKEP_DIAG_ASM_REGISTER)
		return skep_diag_fail(a->diag, -EINVAL, match->fail.id, span, (int)len, at);
	return skep_diag_fail(a->diag, -EINVAL, match->fail.id, span, match->fail.want);
}

static void add_insn(struct assembler *a, const struct skep_match *match)
{
	size_t slot = a->insns.len;

	skep_vec_push(&a->insns, match->insn[0]);
	if (match->insn->code == SKEP_LDDW)
		skep_vec_push(&a->insns, match->insn[1]);
	if (!match->label)
		return;
	*skep_vec_add(&a->fixups) =
		(struct fixup){slot, match->label, match->label_len, match->label_in_imm};
}

static void read_insn(struct assembler *a, struct line *line, int code)
{
	struct skep_match match = {.at = line->at, .end = line->end, .code = code};

	if (skep_match_line(&match)) {
		add_insn(a, &match);
		return;
	}
	struct skep_match any = {.at = line->at, .end = line->end, .code = -1};
	if (code >= 0 && skep_match_line(&any))
		a->err = skep_diag_fail(a->diag, -EINVAL, SKEP_DIAG_ASM_CODE,
					span_of(a, line->at, (size_t)(line->end - line->at)),
					any.insn->code, code);
	else
		a->err = fail_match(a, code >= 0 ? &any : &match);
}

static void read_line(struct assembler *a, struct line line)
{
	cut_comment(&line);
	trim(&line);
	if (is_prototype(&line))
		return;
	take_labels(a, &line);
	int code = take_code(&line);
	if (line.at < line.end || code >= 0)
		read_insn(a, &line, code);
}

static void read_lines(struct assembler *a, size_t len)
{
	const char *end = a->text + len;

	for (const char *at = a->text; at < end && a->err != -E2BIG;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		read_line(a, (struct line){at, stop});
		at = stop + 1;
		if (a->insns.len > SKEP_ASM_MAX_INSNS)
			a->err = skep_diag_fail(a->diag, -E2BIG, SKEP_DIAG_ASM_LONG, SKEP_NOWHERE,
						SKEP_ASM_MAX_INSNS);
	}
}

/* --- Labels --------------------------------------------------------------------------- */

static int fail_label(const struct assembler *a, const struct fixup *fixup)
{
	bool helper = fixup->len > 4 && !memcmp(fixup->label, "bpf_", 4);

	return skep_diag_fail(a->diag, -EINVAL, helper ? SKEP_DIAG_ASM_HELPER : SKEP_DIAG_ASM_LABEL,
			      span_of(a, fixup->label, fixup->len), (int)fixup->len, fixup->label);
}

static int resolve(struct assembler *a, const struct fixup *fixup)
{
	void **label = skep_strmap_get(&a->labels, fixup->label, fixup->len);
	struct skep_insn *insn = &a->insns.data[fixup->slot];

	if (!label)
		return fail_label(a, fixup);
	int64_t distance = (int64_t)(uintptr_t)*label - 1 - (int64_t)fixup->slot - 1;
	if (fixup->in_imm)
		insn->imm = (int32_t)distance;
	else if (distance < INT16_MIN || distance > INT16_MAX)
		return skep_diag_fail(a->diag, -EINVAL, SKEP_DIAG_ASM_FAR,
				      span_of(a, fixup->label, fixup->len), (int)fixup->len,
				      fixup->label, (long long)distance);
	else
		insn->off = (int16_t)distance;
	return 0;
}

static void resolve_labels(struct assembler *a)
{
	for (size_t i = 0; i < a->fixups.len; i++) {
		int err = resolve(a, &a->fixups.data[i]);
		if (err)
			a->err = err;
	}
}

int skep_asm(const char *text, size_t len, struct skep_insn **ret_insns, size_t *ret_n,
	     struct skep_diag *diag)
{
	__attribute__((cleanup(assembler_done))) struct assembler a = {.text = text, .diag = diag};

	if (len) /* @text may be NULL then */
		read_lines(&a, len);
	if (!a.err)
		resolve_labels(&a);
	if (a.err)
		return a.err;
	*ret_n = a.insns.len;
	*ret_insns = a.insns.data ? a.insns.data : skep_xmalloc(1);
	a.insns.data = NULL;
	return 0;
}
