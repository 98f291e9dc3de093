/*
 * States in the log: what registers and slots hold, in the kernel's form.
 *
 *	R1=ctx() R2=map_value(map=counts,ks=4,vs=8) R10=fp0 fp-8=mmmm0000 fp-16=iter_num(…) cb
 *
 * A register is its kind, then in brackets what is known of it beyond the kind, as far as it says
 * something. Of a slot whose bytes are of different kinds each has its letter, from the lowest
 * address up.
 *
 * Source  behaviour of Linux 6.18, print_verifier_state()
 */
#include "verify/verifier.h"

#include <string.h>

#include <skep/btf.h>

#define ITER_PREFIX "bpf_iter_"

/* --- Words ------------------------------------------------------------------------------------ */

static const char *dynptr_word(enum dynptr_kind kind)
{
	static const char *const words[] = {
		[DYNPTR_NONE] = "<invalid>",    [DYNPTR_LOCAL] = "local",
		[DYNPTR_RINGBUF] = "ringbuf",   [DYNPTR_SKB] = "skb",
		[DYNPTR_XDP] = "xdp",           [DYNPTR_FILE] = "file",
		[DYNPTR_SKB_META] = "skb_meta",
	};

	return words[kind];
}

static const char *iter_word(enum iter_state state)
{
	static const char *const words[] = {
		[ITER_NONE] = "<invalid>", [ITER_ACTIVE] = "active", [ITER_DRAINED] = "drained"};

	return words[state];
}

/* " R1=", " fp-8=" */
static void place(const char *what, uint32_t number, struct skep_buf *out)
{
	skep_buf_puts(out, what);
	skep_digits_print(number, 10, out);
	skep_buf_addc(out, '=');
}

/* "num" of struct bpf_iter_num. */
static const char *iter_name(const struct reg *reg)
{
	const char *name;

	if (!reg->iter_btf || !reg->iter_btf_id)
		return "<invalid>";
	name = skep_btf_name(reg->iter_btf, reg->iter_btf_id);
	return strncmp(name, ITER_PREFIX, strlen(ITER_PREFIX)) ? name : name + strlen(ITER_PREFIX);
}

/* --- Registers -------------------------------------------------------------------------------- */

/* A list in brackets being printed. */
struct list {
	struct skep_buf *out;
	const char *separator;
};

static void __attribute__((format(printf, 2, 3))) item(struct list *list, const char *fmt, ...)
{
	va_list ap;

	skep_buf_puts(list->out, list->separator);
	list->separator = ",";
	va_start(ap, fmt);
	skep_buf_vprintf(list->out, fmt, ap);
	va_end(ap);
}

static void number_item(struct list *list, const char *name, uint64_t value, bool is_signed)
{
	skep_buf_puts(list->out, list->separator);
	list->separator = ",";
	skep_buf_puts(list->out, name);
	skep_buf_addc(list->out, '=');
	skep_number_print(value, is_signed, list->out);
}

static void print_ids(const struct reg *reg, struct list *list)
{
	if (reg->id)
		item(list, "id=%u", reg->id & ~ID_ADD);
	if (reg->kind == REG_SCALAR && reg->id & ID_ADD)
		skep_buf_printf(list->out, "%+d", reg->off);
	if (reg->ref_id)
		item(list, "ref_obj_id=%u", reg->ref_id);
	if (reg->flags & NON_OWN_REF && reg->kind == REG_BTF_PTR)
		item(list, "non_own_ref");
}

static void print_map(const struct skep_map *map, struct list *list)
{
	if (map->name[0])
		item(list, "map=%s", map->name);
	item(list, "ks=%u,vs=%u", map->key_size, map->value_size);
}

/* What belongs to its kind alone. */
static void print_particulars(const struct reg *reg, struct list *list)
{
	if (reg->kind == REG_MAP_PTR || reg->kind == REG_MAP_VALUE || reg->kind == REG_MAP_KEY)
		print_map(reg->map, list);
	if (reg->kind != REG_SCALAR && reg->off)
		number_item(list, "off", (uint64_t)(int64_t)reg->off, true);
	/* A range is a number without sign there, and so are the marks below 0. */
	if (verify_reg_is_packet(reg))
		number_item(list, "r", (uint64_t)(int64_t)reg->range, false);
	if (reg->kind == REG_MEM)
		number_item(list, "sz", reg->mem_bytes, false);
	if (reg->kind == REG_DYNPTR)
		item(list, "type=%s", dynptr_word(reg->dynptr));
}

static void print_value(const struct reg *reg, struct list *list)
{
	if (!skep_tnum_is_const(reg->value.bits))
		skep_scalar_print_ranges(&reg->value, &list->separator, list->out);
	else if (reg->value.bits.value)
		number_item(list, "imm", reg->value.bits.value, true);
}

static void print_frame_pointer(const struct reg *reg, uint32_t frame, struct skep_buf *out)
{
	if (frame != reg->frame)
		skep_buf_printf(out, "[%u]", reg->frame);
	if (skep_tnum_is_const(reg->value.bits))
		skep_number_print(reg->value.bits.value + (uint64_t)(int64_t)reg->off, true, out);
}

/* One that needs no brackets. */
static bool print_plain(const struct reg *reg, uint32_t frame, struct skep_buf *out)
{
	bool is_const = skep_tnum_is_const(reg->value.bits);

	if (reg->kind == REG_SCALAR && reg->precise)
		skep_buf_puts(out, "P");
	if (reg->kind == REG_SCALAR && is_const) {
		skep_number_print(reg->value.bits.value, true, out);
		return true;
	}
	skep_buf_puts(out, KIND_TEXT(reg));
	if (reg->kind == REG_STACK)
		print_frame_pointer(reg, frame, out);
	return reg->kind == REG_ARENA || (reg->kind == REG_STACK && is_const);
}

static void print_reg(const struct reg *reg, uint32_t frame, struct skep_buf *out)
{
	struct list list = {out, ""};

	if (print_plain(reg, frame, out))
		return;
	if (reg->kind == REG_BTF_PTR)
		skep_buf_puts(out, reg->btf ? skep_btf_name(reg->btf, reg->btf_id) : "");
	skep_buf_puts(out, "(");
	print_ids(reg, &list);
	print_particulars(reg, &list);
	print_value(reg, &list);
	skep_buf_puts(out, ")");
}

void verify_reg_print(const struct verifier *v, const struct reg *reg, struct skep_buf *out)
{
	print_reg(reg, top_frame(v->state)->number, out);
}

/* --- Slots ------------------------------------------------------------------------------------ */

/* A letter for each byte, the lowest address last, as kinds[] has them. Return: is any in use? */
static bool slot_letters(const uint8_t kinds[SLOT_BYTES], char letters[SLOT_BYTES + 1])
{
	static const char letter[] = {
		[SLOT_INVALID] = '?', [SLOT_SPILL] = 'r', [SLOT_MISC] = 'm',     [SLOT_ZERO] = '0',
		[SLOT_DYNPTR] = 'd',  [SLOT_ITER] = 'i',  [SLOT_IRQ_FLAG] = 'f',
	};
	bool used = false;

	for (unsigned i = 0; i < SLOT_BYTES; i++) {
		used |= kinds[i] != SLOT_INVALID;
		letters[i] = letter[kinds[i]];
	}
	letters[SLOT_BYTES] = 0;
	return used;
}

/* Bytes above a number that fills only the lower ones come before it. */
static void print_spill(const struct reg *reg, char *letters, uint32_t frame, struct skep_buf *out)
{
	char *spill = strchr(letters, 'r');

	if (spill)
		*spill = 0;
	skep_buf_puts(out, letters);
	print_reg(reg, frame, out);
}

/* The first of a dynptr's two slots lies at the lower address and has all that is known; the
 * kernel's mark that it is the first is in the log as a dynptr_id. */
static void print_dynptr(const struct reg *reg, struct skep_buf *out)
{
	struct list list = {out, ""};

	skep_buf_printf(out, "dynptr_%s(", dynptr_word(reg->dynptr));
	if (reg->id)
		item(&list, "id=%u", reg->id);
	if (reg->ref_id)
		item(&list, "ref_id=%u", reg->ref_id);
	if (reg->first_slot)
		item(&list, "dynptr_id=1");
	skep_buf_puts(out, ")");
}

static void print_slot(const struct frame *frame, uint32_t s, char *letters, struct skep_buf *out)
{
	uint8_t kind = kept_kinds(frame, s)[SLOT_BYTES - 1];
	struct reg room;
	const struct reg *reg = reg_whole(kept_spilled(frame, s), &room);

	/* of an iterator's slots one has the rest */
	if (kind == SLOT_ITER && !reg->ref_id)
		return;
	place(" fp-", (s + 1) * SLOT_BYTES, out);
	switch (kind) {
	case SLOT_SPILL: print_spill(reg, letters, frame->number, out); break;
	case SLOT_DYNPTR: print_dynptr(reg, out); break;
	case SLOT_ITER:
		skep_buf_printf(out, "iter_%s(ref_id=%u,state=%s,depth=%u)", iter_name(reg),
				reg->ref_id, iter_word(reg->iter_state), reg->iter_depth);
		break;
	default: skep_buf_puts(out, letters);
	}
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void print_slots(const struct verifier *v, const struct frame *frame, bool all)
{
	char letters[SLOT_BYTES + 1];

	for (uint32_t s = 0; s < frame->n_slots; s++) {
		if (!all && !(v->changed_slots >> (s & 63) & 1))
			continue;
		if (!slot_letters(kept_kinds(frame, s), letters))
			continue;
		if (letters[SLOT_BYTES - 1] == 'd' && s + 1 < frame->n_slots)
			s++;
		print_slot(frame, s, letters, v->log);
	}
}

static void print_refs(const struct state *state, struct skep_buf *out)
{
	const char *separator = " refs=";

	if (!state->n_refs || !state->refs[0].id)
		return;
	for (uint32_t i = 0; i < state->n_refs; i++) {
		if (!state->refs[i].id)
			continue;
		skep_buf_puts(out, separator);
		skep_digits_print(state->refs[i].id, 10, out);
		separator = ",";
	}
}

void verify_log_frame(struct verifier *v, const struct state *state, const struct frame *frame,
		      bool all)
{
	if (!v->log)
		return;
	if (frame->number)
		skep_buf_printf(v->log, " frame%u:", frame->number);
	for (unsigned r = 0; r < SKEP_N_REGS; r++) {
		const struct reg *reg = kept_reg(frame, r);
		struct reg room;

		if (reg->kind == REG_UNSET || (!all && !(v->changed_regs >> r & 1)))
			continue;
		place(" R", r, v->log);
		print_reg(reg_whole(reg, &room), frame->number, v->log);
	}
	print_slots(v, frame, all);
	print_refs(state, v->log);
	skep_buf_puts(v->log, frame->in_callback ? " cb" : "");
	skep_buf_puts(v->log, frame->in_async_callback ? " async_cb" : "");
	skep_buf_puts(v->log, "\n");
	if (!all)
		v->changed_regs = 0, v->changed_slots = 0;
}
