/* Functions on strings and bytes. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <limits.h>
#include <string.h>

#include "trace/lower/lower.h"

#define FN(name)                                                                                   \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)

static enum skep_space space_of(const struct skep_lower *l, const struct skep_type *type)
{
	return type->space == SKEP_SPACE_NONE ? l->probe->provider->space : type->space;
}

/* str(x): what x points to, or the bytes of x itself when it is an array or a string. */
static struct skep_value pointed_to(struct skep_lower *l, const struct skep_expr *arg)
{
	struct skep_value value = skep_lower_expr(l, arg);

	if (!skep_type_is_scalar(value.type))
		return value;
	return (struct skep_value){.opnd = value.opnd, .space = space_of(l, value.type)};
}

FN(str)
{
	struct skep_value text = skep_lower_temp(l, call->type);

	skep_lower_into(l, call, text.opnd, 0, call->type);
	return text;
}

/* --- buf() -------------------------------------------------------------------------------- */

/* @n, or @max if that is less; the verifier sees the bound. */
static struct skep_opnd at_most(struct skep_lower *l, struct skep_opnd n, uint32_t max)
{
	struct skep_ir_func *f = l->f;
	uint32_t bytes = skep_ir_var(f), over = skep_ir_block(f), on = skep_ir_block(f);

	skep_ir_set(f, bytes, n);
	skep_ir_branch_cold(f, SKEP_IR_UGT, R(bytes), I(max), over);
	skep_ir_jump(f, on);
	skep_ir_at(f, over);
	skep_ir_set(f, bytes, I(max));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(bytes);
}

/* How many bytes are asked for: never more than @max, which the verifier can see. */
static struct skep_opnd asked(struct skep_lower *l, const struct skep_expr *call, uint32_t max)
{
	struct skep_ir_func *f = l->f;
	const struct skep_expr *length = call->args->next;

	if (!length)
		return I(max);
	if (length->is_const)
		return I((uint64_t)length->integer < max ? (uint64_t)length->integer : max);
	uint32_t bytes = skep_ir_var(f), over = skep_ir_block(f), on = skep_ir_block(f);
	skep_ir_set(f, bytes, skep_lower_scalar(l, length));
	skep_ir_branch_cold(f, SKEP_IR_UGT, R(bytes), I(max), over);
	skep_ir_jump(f, on);
	skep_ir_at(f, over);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_STRING));
	skep_ir_set(f, bytes, I(max));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(bytes);
}

struct skep_value skep_lower_string_source(struct skep_lower *l, const struct skep_expr *expr)
{
	bool is_str = expr->kind == SKEP_E_CALL && expr->function == SKEP_FN_str && !expr->is_const;
	const struct skep_expr *length = is_str ? expr->args->next : NULL;
	struct skep_opnd limit =
		length && !length->is_const ? asked(l, expr, expr->type->size) : I(0);
	struct skep_value text = is_str ? pointed_to(l, expr->args) : skep_lower_expr(l, expr);

	if (!is_str)
		text.type = expr->type;
	text.is_limited = length;
	text.limit = limit;
	/* A context may be handed to a helper only as an address. */
	if (text.space == SKEP_SPACE_CTX)
		text.space = SKEP_SPACE_KERNEL;
	return text;
}

/* Read a number of bytes known only when running. */
static void read_bytes(struct skep_lower *l, struct skep_opnd dst, struct skep_opnd bytes,
		       const struct skep_value *src)
{
	struct skep_ir_func *f = l->f;
	uint32_t failed = skep_ir_block(f), on = skep_ir_block(f);
	int32_t helper = src->space == SKEP_SPACE_USER ? BPF_FUNC_probe_read_user
						       : BPF_FUNC_probe_read_kernel;
	uint32_t err = skep_ir_calln(f, helper, dst, bytes, skep_lower_address(l, src));

	skep_ir_branch_cold(f, SKEP_IR_NE, R(err), I(0), failed);
	skep_ir_jump(f, on);
	skep_ir_at(f, failed);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_READ));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

struct skep_opnd skep_lower_buffer_bytes(struct skep_lower *l, const struct skep_expr *expr,
					 struct skep_opnd dst, uint32_t max)
{
	if (expr->kind != SKEP_E_CALL || expr->function != SKEP_FN_buf) {
		struct skep_value buffer = skep_lower_expr(l, expr);
		struct skep_value data = skep_lower_own(l, &buffer);
		skep_lower_copy(l, dst, 0, data.opnd, data.off + 4, max);
		uint32_t used = skep_ir_load(l->f, 4, data.opnd, data.off);
		return at_most(l, R(used), max);
	}
	struct skep_opnd bytes = asked(l, expr, max);
	struct skep_value src = pointed_to(l, expr->args);
	read_bytes(l, dst, bytes, &src);
	return bytes;
}

FN(buf)
{
	struct skep_value buffer = skep_lower_temp(l, call->type);

	skep_lower_zero(l, buffer.opnd, 0, call->type->size);
	struct skep_value data = {.opnd = buffer.opnd, .off = 4};
	struct skep_opnd bytes = skep_lower_buffer_bytes(l, call, skep_lower_address(l, &data),
							 call->type->size - 4);
	skep_ir_store(l->f, 4, buffer.opnd, 0, bytes);
	return buffer;
}

/* --- Lengths and comparisons ----------------------------------------------------------------- */

FN(strlen)
{
	struct skep_ir_func *f = l->f;
	struct skep_value text = skep_lower_string_source(l, call->args);
	/* An array may lack the NUL, for which there is room here. */
	uint32_t room = call->args->type->size + (text.type && !text.is_limited);
	uint32_t slot = skep_ir_slot(f, room, 1);
	uint32_t some = skep_ir_block(f), done = skep_ir_block(f), n = skep_ir_var(f);
	struct skep_opnd len = skep_lower_read_str(l, S(slot, 0), 0, room, &text);

	skep_ir_set(f, n, I(0));
	skep_ir_branch(f, SKEP_IR_NE, len, I(0), some, done);
	skep_ir_at(f, some);
	skep_ir_set(f, n, R(skep_ir_alu(f, SKEP_IR_SUB, len, I(1))));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(n), call->type);
}

FN(strncmp)
{
	const struct skep_expr *a = call->args, *b = a->next;
	struct skep_opnd same = skep_lower_str_eq(l, a, b, (uint32_t)b->next->integer);

	return skep_value_int(R(skep_ir_cmp(l->f, SKEP_IR_EQ, same, I(0))), call->type);
}

/*
 * Naive search: for each start in the haystack compare the needle. Both are in
 * our own memory, the haystack with a zero behind its last byte.
 */
static uint32_t search(struct skep_lower *l, const struct skep_value *hay,
		       const struct skep_value *needle, bool want_index)
{
	struct skep_ir_func *f = l->f;
	uint32_t i = skep_ir_var(f), j = skep_ir_var(f), found = skep_ir_var(f);
	uint32_t outer = skep_ir_block(f), start = skep_ir_block(f), inner = skep_ir_block(f);
	uint32_t hay_ok = skep_ir_block(f), same = skep_ir_block(f), next = skep_ir_block(f);
	uint32_t compare = skep_ir_block(f), yes = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t in_hay = skep_ir_block(f), more = skep_ir_block(f);
	uint32_t hay_at = skep_ir_addr(f, hay->opnd, hay->off);
	uint32_t needle_at = skep_ir_addr(f, needle->opnd, needle->off);

	skep_ir_set(f, i, skep_lower_blur(l, I(0)));
	skep_ir_set(f, found, I(want_index ? -1 : 0));
	skep_ir_jump(f, outer);
	skep_ir_at(f, outer);
	skep_ir_loop_guard(f, done);
	skep_ir_branch(f, SKEP_IR_ULT, R(i), I(hay->type->size), start, done);
	skep_ir_at(f, start);
	skep_ir_set(f, j, skep_lower_blur(l, I(0)));
	skep_ir_jump(f, inner);
	skep_ir_at(f, inner);
	skep_ir_loop_guard(f, done);
	skep_ir_branch(f, SKEP_IR_ULT, R(j), I(needle->type->size), compare, yes);
	skep_ir_at(f, compare);
	uint32_t y = skep_ir_load(f, 1, R(skep_ir_alu(f, SKEP_IR_ADD, R(needle_at), R(j))), 0);
	skep_ir_branch(f, SKEP_IR_EQ, R(y), I(0), yes, hay_ok);
	skep_ir_at(f, hay_ok);
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, R(i), R(j));
	skep_ir_branch(f, SKEP_IR_ULT, R(at), I(hay->type->size), in_hay, done);
	skep_ir_at(f, in_hay);
	uint32_t x = skep_ir_load(f, 1, R(skep_ir_alu(f, SKEP_IR_ADD, R(hay_at), R(at))), 0);
	skep_ir_branch(f, SKEP_IR_EQ, R(x), R(y), same, next);
	skep_ir_at(f, same);
	skep_ir_set(f, j, R(skep_ir_alu(f, SKEP_IR_ADD, R(j), I(1))));
	skep_ir_jump(f, inner);
	skep_ir_at(f, next);
	skep_ir_branch(f, SKEP_IR_EQ, R(x), I(0), done, more);
	skep_ir_at(f, more);
	skep_ir_set(f, i, R(skep_ir_alu(f, SKEP_IR_ADD, R(i), I(1))));
	skep_ir_jump(f, outer);
	skep_ir_at(f, yes);
	skep_ir_set(f, found, want_index ? R(i) : I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return found;
}

static struct skep_value own_string(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value text = skep_lower_expr(l, expr);

	return skep_lower_own(l, &text);
}

/* --- Where there is no may_goto -------------------------------------------------------------- */

/*
 * A literal is searched by one walk over the haystack: registers hold the last
 * bytes read, as many as the literal has, the newest lowest, and are compared
 * as a whole. A kernel that walks each round of a loop to verify it is through
 * with this one soon; with a loop in a loop it would not be.
 */
#define WINDOW_WORDS 4
#define WINDOW_BYTES (8 * WINDOW_WORDS)

static bool fits_window(const struct skep_lower *l, const struct skep_expr *needle)
{
	return !l->opts->target->may_goto && needle->is_const && needle->text && needle->text[0] &&
	       strlen(needle->text) <= WINDOW_BYTES;
}

/* The bytes of @text that end @skip before its end, at most 8, as the window has them. */
static uint64_t window_word(const char *text, size_t len, size_t skip, uint64_t *ret_mask)
{
	uint64_t word = 0;

	*ret_mask = 0;
	for (size_t i = len - skip < 8 ? len - skip : 8; i > 0; i--) {
		word = word << 8 | (unsigned char)text[len - skip - i];
		*ret_mask = *ret_mask << 8 | 0xff;
	}
	return word;
}

static void shift_in(struct skep_lower *l, const uint32_t *words, size_t n, uint32_t byte)
{
	struct skep_ir_func *f = l->f;

	for (size_t i = n; i-- > 0;) {
		uint32_t low = i ? skep_ir_alu(f, SKEP_IR_SHR, R(words[i - 1]), I(56)) : byte;
		uint32_t high = skep_ir_alu(f, SKEP_IR_SHL, R(words[i]), I(8));
		skep_ir_set(f, words[i], R(skep_ir_alu(f, SKEP_IR_OR, R(high), R(low))));
	}
}

/* Go to @differ unless all words are the literal's. One branch: each more would be another way
 * through a round, and the verifier would walk all of their sequences. */
static void compare_window(struct skep_lower *l, const uint32_t *words, const char *text,
			   uint32_t differ)
{
	struct skep_ir_func *f = l->f;
	uint32_t any = skep_ir_mov(f, I(0)), same = skep_ir_block(f);
	size_t len = strlen(text);
	uint64_t mask;

	for (size_t i = 0; 8 * i < len; i++) {
		uint64_t want = window_word(text, len, 8 * i, &mask);
		uint32_t got = skep_ir_alu(f, SKEP_IR_AND, R(words[i]), I(mask));
		uint32_t bits = skep_ir_alu(f, SKEP_IR_XOR, R(got), I(want));
		any = skep_ir_alu(f, SKEP_IR_OR, R(any), R(bits));
	}
	skep_ir_branch(f, SKEP_IR_EQ, R(any), I(0), same, differ);
	skep_ir_at(f, same);
}

/* Where the literal begins, in a register that the verifier does not know to depend on the round;
 * -1: nowhere. */
static uint32_t search_literal(struct skep_lower *l, const struct skep_value *hay, const char *text)
{
	struct skep_ir_func *f = l->f;
	uint32_t words[WINDOW_WORDS], i = skep_ir_mov(f, I(0)), found = skep_ir_mov(f, I(-1));
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), next = skep_ir_block(f);
	uint32_t done = skep_ir_block(f), at = skep_ir_addr(f, hay->opnd, hay->off);
	size_t len = strlen(text), n = (len + 7) / 8;

	for (size_t k = 0; k < n; k++)
		words[k] = skep_ir_mov(f, I(0));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_branch(f, SKEP_IR_ULT, R(i), I(hay->type->size), body, done);
	skep_ir_at(f, body);
	uint32_t byte = skep_ir_load(f, 1, R(skep_ir_alu(f, SKEP_IR_ADD, R(at), R(i))), 0);
	shift_in(l, words, n, byte);
	skep_ir_set(f, i, R(skep_ir_alu(f, SKEP_IR_ADD, R(i), I(1))));
	compare_window(l, words, text, next);
	uint32_t zero = skep_ir_load(f, 8, R(skep_ir_map_value(f, skep_lower_zeroes(l, 8), 0)), 0);
	uint32_t start = skep_ir_alu(f, SKEP_IR_SUB, R(i), I(len));
	skep_ir_set(f, found, R(skep_ir_alu(f, SKEP_IR_XOR, R(start), R(zero))));
	skep_ir_jump(f, done);
	skep_ir_at(f, next);
	skep_ir_branch(f, SKEP_IR_EQ, R(byte), I(0), done, head);
	skep_ir_at(f, done);
	return found;
}

/* --- strcontains(), strstr() ----------------------------------------------------------------- */

static struct skep_value find_string(struct skep_lower *l, const struct skep_expr *call,
				     bool want_index)
{
	const struct skep_expr *sought = call->args->next;
	struct skep_value hay = own_string(l, call->args);

	if (fits_window(l, sought)) {
		uint32_t at = search_literal(l, &hay, sought->text);
		return skep_value_int(
			R(want_index ? at : skep_ir_cmp(l->f, SKEP_IR_NE, R(at), I(-1))),
			call->type);
	}
	struct skep_value needle = own_string(l, sought);
	return skep_value_int(R(search(l, &hay, &needle, want_index)), call->type);
}

FN(strcontains)
{
	return find_string(l, call, false);
}

FN(strstr)
{
	return find_string(l, call, true);
}

/* --- Writing --------------------------------------------------------------------------------- */

FN(write_user)
{
	const struct skep_expr *dst = call->args, *src = dst->next;
	struct skep_opnd to = skep_lower_scalar(l, dst);
	struct skep_value from = skep_lower_expr(l, src);

	from = skep_lower_own(l, &from);
	uint32_t err = skep_ir_calln(l->f, BPF_FUNC_probe_write_user, to,
				     skep_lower_address(l, &from), I(src->next->integer));
	return skep_value_int(R(skep_ir_cmp(l->f, SKEP_IR_EQ, R(err), I(0))), call->type);
}

/* --- Numbers that are printed as text -------------------------------------------------------- */

FN(strerror)
{
	return skep_value_int(skep_lower_scalar(l, call->args), call->type);
}
FN(signal_name)
{
	return skep_value_int(skep_lower_scalar(l, call->args), call->type);
}

FN(strftime)
{
	struct skep_value time = skep_lower_temp(l, call->type);
	const struct skep_expr *ns = call->args->next;
	bool is_tai = ns->kind == SKEP_E_CALL && ns->function == SKEP_FN_nsecs && ns->args &&
		      ns->args->text && strstr(ns->args->text, "tai");

	skep_ir_store(l->f, 8, time.opnd, 0, skep_lower_scalar(l, ns));
	skep_ir_store(l->f, 4, time.opnd, 8, I(skep_lower_string_id(l, call->args->text)));
	skep_ir_store(l->f, 4, time.opnd, 12, I(is_tai));
	return time;
}

FN(bswap)
{
	uint32_t bytes = call->args->type->size;
	struct skep_opnd value = skep_lower_scalar(l, call->args);

	return skep_value_int(bytes == 1 ? value : R(skep_ir_bswap(l->f, value, bytes)),
			      call->type);
}

/* --- Addresses ------------------------------------------------------------------------------- */

/* The family is known from the address's size unless it is given. */
FN(ntop)
{
	struct skep_value inet = skep_lower_temp(l, call->type);
	const struct skep_expr *addr = call->n_args == 2 ? call->args->next : call->args;
	bool scalar = skep_type_is_scalar(addr->type);
	bool is_v6 = !scalar && addr->type->size >= sizeof(struct in6_addr);
	struct skep_opnd family = call->n_args == 2 ? skep_lower_scalar(l, call->args)
						    : I(is_v6 ? AF_INET6 : AF_INET);

	skep_lower_zero(l, inet.opnd, 0, call->type->size);
	skep_ir_store(l->f, 4, inet.opnd, 0, family);
	struct skep_value value = skep_lower_expr(l, addr);
	if (scalar)
		skep_ir_store(l->f, 4, inet.opnd, 4, value.opnd);
	else
		skep_lower_read(l, inet.opnd, 4,
				is_v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr), &value,
				0);
	return inet;
}

FN(macaddr)
{
	struct skep_value mac = skep_lower_temp(l, call->type);
	struct skep_value value = pointed_to(l, call->args);

	skep_lower_zero(l, mac.opnd, 0, call->type->size);
	skep_lower_read(l, mac.opnd, 0, 6, &value, 0);
	return mac;
}

/* The bytes were worked out by types/ and are the literal's text. */
FN(pton)
{
	struct skep_value bytes = skep_lower_temp(l, call->type);

	skep_lower_literal(l, call->text, call->text_len, bytes.opnd, 0, call->type->size);
	return bytes;
}

/* bpf_d_path(), which the kernel allows on a few hooks only: it says so itself on loading. */
FN(path)
{
	struct skep_value text = skep_lower_temp(l, call->type);
	struct skep_value at = pointed_to(l, call->args);

	skep_lower_zero(l, text.opnd, 0, call->type->size);
	skep_ir_calln(l->f, BPF_FUNC_d_path, skep_lower_address(l, &at), text.opnd,
		      I(call->type->size));
	return text;
}
