/*
 * The argument text of a USDT probe. The compiler printed each operand in the
 * assembler's own notation, so this is a small parser of operands:
 *
 *	args    = [arg {" " arg}]
 *	arg     = ["-"] ("1"|"2"|"4"|"8") ["f"] "@" operand
 *
 *	x86     = "$" sum | "%" reg | [sum] "(" ["%" reg] ["," "%" reg ["," scale]] ")" | sum
 *	aarch64 = ["#"] int | reg | "[" reg ["," (["#"] int | reg ["," extend])] "]"
 *	sum     = term {("+"|"-") term}         term = int | symbol
 *
 * An operand that is well-formed but names something no tracer can read (an
 * SSE register, thread-local memory) is kept as UNKNOWN: it spoils itself only,
 * not the probe. Invariant: `at` never moves past the text's NUL.
 */
#include <skep/elf.h>

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

static const struct x86_name {
	const char *name;
	enum skep_reg reg;
	uint8_t bytes, shift;
} x86_names[] = {
#define X86(name, reg, bytes, shift) {name, SKEP_REG_##reg, bytes, shift},
#include "elf/usdt_regs.def"
#undef X86
};

static const int16_t x86_pt_regs[SKEP_REG_CNT] = {
#define PT_REGS(reg, off) [SKEP_REG_##reg] = off,
#include "elf/usdt_regs.def"
#undef PT_REGS
};

int skep_reg_pt_regs_off(enum skep_reg reg)
{
	if (reg <= SKEP_REG_NONE || reg >= SKEP_REG_CNT)
		return -1;
	return reg < SKEP_REG_X0 ? x86_pt_regs[reg] : (int)(reg - SKEP_REG_X0) * 8;
}

static void skip_blanks(const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

/* Blanks before @c are skipped, unless something else follows them: they end an argument. */
static bool take_char(const char **at, char c)
{
	const char *s = *at;

	skip_blanks(&s);
	if (*s != c)
		return false;
	*at = s + 1;
	return true;
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$' || c == '@';
}

static size_t word_len(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || at[len] == '_')
		len++;
	return len;
}

static bool word_is(const char *at, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(at, word, len) == 0;
}

/* Decimal or 0x…; wraps at 64 bits, as the assembler does. */
static bool take_unsigned(const char **at, uint64_t *ret)
{
	const char *s = *at;
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && isxdigit((unsigned char)s[2]);
	uint64_t n = 0;

	if (hex)
		s += 2;
	if (!isdigit((unsigned char)*s) && !hex)
		return false;
	for (; hex ? isxdigit((unsigned char)*s) : isdigit((unsigned char)*s); s++)
		n = n * (hex ? 16 : 10) +
		    (uint64_t)(isdigit((unsigned char)*s) ? *s - '0' : (*s | 32) - 'a' + 10);
	*at = s;
	*ret = n;
	return true;
}

/* ["#"] ["-"] number, as aarch64 writes constants. */
static bool take_int(const char **at, int64_t *ret)
{
	const char *s = *at;
	bool minus;
	uint64_t n;

	take_char(&s, '#');
	minus = take_char(&s, '-');
	if (!take_unsigned(&s, &n))
		return false;
	*at = s;
	*ret = (int64_t)(minus ? -n : n);
	return true;
}

static bool take_symbol(const char **at, struct skep_usdt_arg *arg)
{
	const char *start = *at;
	const char *end = start;

	while (name_char(*end))
		end++;
	if (end == start || arg->symbol)
		return false;
	arg->symbol = start;
	arg->symbol_len = (uint32_t)(end - start);
	*at = end;
	return true;
}

/* sum: fills value and, if there is one, symbol. False: neither number nor name. */
static bool take_sum(const char **at, struct skep_usdt_arg *arg)
{
	bool minus = take_char(at, '-');
	uint64_t n, sum = 0;

	for (;;) {
		if (take_unsigned(at, &n))
			sum += minus ? -n : n;
		else if (minus || !take_symbol(at, arg))
			return false;
		if (**at != '+' && **at != '-')
			break;
		minus = *(*at)++ == '-';
	}
	arg->value = (int64_t)sum;
	return true;
}

static const struct x86_name *x86_find(const char *at, size_t len)
{
	for (size_t i = 0; i < sizeof(x86_names) / sizeof(x86_names[0]); i++)
		if (word_is(at, len, x86_names[i].name))
			return &x86_names[i];
	return NULL;
}

/* "%" reg. @ret NULL: a register that pt_regs does not hold. */
static bool take_x86_reg(const char **at, const struct x86_name **ret)
{
	size_t len;

	if (!take_char(at, '%'))
		return false;
	len = word_len(*at);
	*ret = x86_find(*at, len);
	*at += len;
	if (**at == '(') { /* %st(1) */
		(*at)++;
		*at += word_len(*at);
		return take_char(at, ')');
	}
	return len > 0;
}

static int8_t index_width(const struct x86_name *index)
{
	return index && index->bytes == 4 ? 4 : 8;
}

static bool take_scale(const char **at, struct skep_usdt_arg *arg)
{
	uint64_t n;

	arg->scale = 1;
	if (!take_char(at, ','))
		return true;
	skip_blanks(at);
	if (!take_unsigned(at, &n) || (n != 1 && n != 2 && n != 4 && n != 8))
		return false;
	arg->scale = (uint8_t)n;
	return true;
}

/* What stands between "(" and ")". */
static bool take_x86_address(const char **at, struct skep_usdt_arg *arg)
{
	const struct x86_name *base = NULL, *index = NULL;
	bool has_base, has_index = false;

	skip_blanks(at);
	has_base = **at == '%';
	if (has_base && !take_x86_reg(at, &base))
		return false;
	if (take_char(at, ',')) {
		has_index = true;
		if (!take_x86_reg(at, &index) || !take_scale(at, arg))
			return false;
		arg->index_width = index_width(index);
	}
	if (!take_char(at, ')') || (!has_base && !has_index))
		return false;
	arg->base = base ? base->reg : SKEP_REG_NONE;
	arg->index = index ? index->reg : SKEP_REG_NONE;
	if ((has_base && !base) || (has_index && !index))
		arg->kind = SKEP_USDT_UNKNOWN;
	else
		arg->kind = SKEP_USDT_MEM;
	return true;
}

/*
 * symbol(%rip) is simply "at symbol". A symbol with another register, or a
 * numeric distance from %rip (whose origin the note does not tell), cannot be
 * worked out.
 */
static void settle_x86_memory(struct skep_usdt_arg *arg)
{
	bool plain = arg->kind == SKEP_USDT_MEM && arg->index == SKEP_REG_NONE;

	if (arg->symbol && memchr(arg->symbol, '@', arg->symbol_len))
		arg->kind = SKEP_USDT_UNKNOWN;
	else if (arg->symbol && plain && (arg->base == SKEP_REG_RIP || arg->base == SKEP_REG_NONE))
		arg->kind = SKEP_USDT_SYMBOL;
	else if (arg->symbol || arg->base == SKEP_REG_RIP)
		arg->kind = SKEP_USDT_UNKNOWN;
	if (arg->kind == SKEP_USDT_SYMBOL)
		arg->base = SKEP_REG_NONE;
}

static bool take_x86_memory(const char **at, struct skep_usdt_arg *arg)
{
	skip_blanks(at);
	if (**at != '(' && !take_sum(at, arg))
		return false;
	arg->kind = SKEP_USDT_MEM;
	if (**at == '(' && (++*at, !take_x86_address(at, arg)))
		return false;
	settle_x86_memory(arg);
	return true;
}

static bool take_x86_register(const char **at, struct skep_usdt_arg *arg)
{
	const struct x86_name *name;

	if (!take_x86_reg(at, &name))
		return false;
	if (**at == ':') { /* a segment: thread-local memory */
		(*at)++;
		if (!take_x86_memory(at, arg))
			return false;
		arg->kind = SKEP_USDT_UNKNOWN;
		return true;
	}
	arg->kind = name ? SKEP_USDT_REG : SKEP_USDT_UNKNOWN;
	arg->base = name ? name->reg : SKEP_REG_NONE;
	arg->shift = name ? name->shift : 0;
	return true;
}

static bool take_x86_operand(const char **at, struct skep_usdt_arg *arg)
{
	if (**at == '%')
		return take_x86_register(at, arg);
	if (**at != '$')
		return take_x86_memory(at, arg);
	(*at)++;
	if (!take_sum(at, arg))
		return false;
	arg->kind = arg->symbol ? SKEP_USDT_UNKNOWN : SKEP_USDT_CONST;
	return true;
}

static const struct {
	const char *name;
	enum skep_reg reg;
} arm_aliases[] = {
	{"sp", SKEP_REG_SP},      {"wsp", SKEP_REG_SP}, {"pc", SKEP_REG_PC},
	{"fp", SKEP_REG_X0 + 29}, {"lr", SKEP_REG_X30},
};

/* x0 … x30, w0 … w30 and the aliases. */
static enum skep_reg arm_find(const char *at, size_t len)
{
	uint64_t n;
	const char *digits = at + 1;

	for (size_t i = 0; i < sizeof(arm_aliases) / sizeof(arm_aliases[0]); i++)
		if (word_is(at, len, arm_aliases[i].name))
			return arm_aliases[i].reg;
	if (len < 2 || len > 3 || (at[0] != 'x' && at[0] != 'w') || !take_unsigned(&digits, &n) ||
	    digits != at + len || n > 30)
		return SKEP_REG_NONE;
	return SKEP_REG_X0 + (enum skep_reg)n;
}

static bool arm_zero(const char *at, size_t len)
{
	return word_is(at, len, "xzr") || word_is(at, len, "wzr");
}

/* The index register's extension: "lsl 3", "sxtw", "uxtw #2". */
static bool take_arm_extend(const char **at, struct skep_usdt_arg *arg)
{
	size_t len;
	int64_t n = 0;

	if (!take_char(at, ','))
		return true;
	skip_blanks(at);
	len = word_len(*at);
	if (word_is(*at, len, "sxtw"))
		arg->index_width = -4;
	else if (word_is(*at, len, "uxtw"))
		arg->index_width = 4;
	else if (!word_is(*at, len, "lsl") && !word_is(*at, len, "sxtx"))
		return false;
	*at += len;
	skip_blanks(at);
	take_int(at, &n);
	if (n < 0 || n > 3)
		return false;
	arg->scale = (uint8_t)(1 << n);
	return true;
}

static bool take_arm_index(const char **at, struct skep_usdt_arg *arg)
{
	size_t len = word_len(*at);
	enum skep_reg reg = arm_find(*at, len);

	if (!len)
		return false;
	arg->kind = reg ? SKEP_USDT_MEM : SKEP_USDT_UNKNOWN;
	arg->index = reg;
	arg->index_width = (*at)[0] == 'w' ? 4 : 8;
	arg->scale = 1;
	*at += len;
	return take_arm_extend(at, arg);
}

/* What follows "[". Anything but base, base + constant and base + index, such as the low part of
 * a symbol's address, is skipped up to "]". */
static bool take_arm_memory(const char **at, struct skep_usdt_arg *arg)
{
	size_t len;

	skip_blanks(at);
	len = word_len(*at);
	arg->base = arm_find(*at, len);
	arg->kind = arg->base ? SKEP_USDT_MEM : SKEP_USDT_UNKNOWN;
	if (!len)
		return false;
	*at += len;
	if (take_char(at, ',')) {
		skip_blanks(at);
		if (**at == ':') {
			arg->kind = SKEP_USDT_UNKNOWN;
			*at += strcspn(*at, "]");
		} else if (!take_int(at, &arg->value) && !take_arm_index(at, arg)) {
			return false;
		}
	}
	return take_char(at, ']');
}

static bool take_arm_operand(const char **at, struct skep_usdt_arg *arg)
{
	size_t len;

	if (take_char(at, '['))
		return take_arm_memory(at, arg);
	arg->kind = SKEP_USDT_CONST;
	if (take_int(at, &arg->value))
		return true;
	len = word_len(*at);
	if (!len)
		return false;
	if (!arm_zero(*at, len)) {
		arg->base = arm_find(*at, len);
		arg->kind = arg->base ? SKEP_USDT_REG : SKEP_USDT_UNKNOWN;
	}
	*at += len;
	return true;
}

static bool take_size(const char **at, struct skep_usdt_arg *arg, bool *ret_float)
{
	bool minus = take_char(at, '-');
	char c = **at;

	if (c != '1' && c != '2' && c != '4' && c != '8')
		return false;
	(*at)++;
	arg->size = (int8_t)(minus ? -(c - '0') : c - '0');
	*ret_float = **at == 'f';
	*at += *ret_float;
	return take_char(at, '@');
}

static bool take_arg(const char **at, uint16_t machine, struct skep_usdt_arg *arg)
{
	bool is_float, ok;

	if (!take_size(at, arg, &is_float))
		return false;
	skip_blanks(at);
	ok = machine == EM_AARCH64 ? take_arm_operand(at, arg) : take_x86_operand(at, arg);
	if (is_float)
		arg->kind = SKEP_USDT_UNKNOWN;
	return ok && (**at == '\0' || **at == ' ' || **at == '\t');
}

int skep_usdt_parse_args(const char *args, uint16_t machine, struct skep_usdt_arg *ret, size_t max)
{
	struct skep_usdt_arg found[SKEP_USDT_MAX_ARGS];
	size_t n = 0;

	if (machine != EM_X86_64 && machine != EM_386 && machine != EM_AARCH64)
		return -EOPNOTSUPP;
	for (skip_blanks(&args); *args; skip_blanks(&args)) {
		if (n == SKEP_USDT_MAX_ARGS || n == max)
			return -E2BIG;
		found[n] = (struct skep_usdt_arg){0};
		if (!take_arg(&args, machine, &found[n++]))
			return -EINVAL;
	}
	if (n)
		memcpy(ret, found, n * sizeof(*ret));
	return (int)n;
}
