/*
 * Frames of states that are kept: packed, as there are many of them and little in each.
 *
 * Most registers of a frame are unset, most slots were written without a register that was spilled
 * there (a buffer, a structure), and of most registers little is known: any number, one number, a
 * pointer to which nothing was added. A packed frame has only what is known:
 *
 *	struct frame, up to regs
 *	places[11 + n_slots]   where each register is, in bytes from here; 0: unset. Where each slot
 *	                       is; or, if all of its bytes are invalid, misc or zero, that kind
 *	registers              the 16 bytes up to id, and what their form says
 *	slots                  8 bytes of kinds, and a register behind them if they ask for one
 *
 *	form            of                                            and behind it
 *	FORM_ANY        a number of which nothing is known            -
 *	FORM_CONST      one number                                    it
 *	FORM_SMALL      a number below 2^31, with one range           bits and range, 32 bits each
 *	FORM_NUMBER     any other                                     value
 *	FORM_PLAIN      what is no number, with a value of 0, and
 *	                no more than off and id to be told of it      -
 *	FORM_POINTER    with up to 16 bytes of the union              they, after the other ids
 *	FORM_WHOLE      all others                                    all that is left
 *
 * A whole register is a packed one too. So who only wants to know of a kind, an id or a mark of
 * precision looks at it where it is, and reg_whole() puts the others together.
 *
 * What is packed stays where it is: marks of precision are set in place, and what is dead is made
 * unset by its place. What was not there does not come.
 *
 * The frame pointer is in no packed frame: it is the same in all of its number.
 */
#include "verify/verifier.h"

#include <string.h>

#define ALIGN_BYTES 8

enum form { FORM_WHOLE, FORM_ANY, FORM_CONST, FORM_SMALL, FORM_NUMBER, FORM_PLAIN, FORM_POINTER };

#define HEAD_BYTES  offsetof(struct reg, ref_id)
#define REST_BYTES  (offsetof(struct reg, value) - HEAD_BYTES) /* ids, and the union */
#define FIRST_BYTES (offsetof(struct reg, map) + 16 - HEAD_BYTES)

static const uint8_t form_bytes[] = {
	[FORM_WHOLE] = sizeof(struct reg),
	[FORM_ANY] = HEAD_BYTES,
	[FORM_CONST] = HEAD_BYTES + sizeof(uint64_t),
	[FORM_SMALL] = HEAD_BYTES + 4 * sizeof(uint32_t),
	[FORM_NUMBER] = HEAD_BYTES + sizeof(struct skep_scalar),
	[FORM_PLAIN] = HEAD_BYTES,
	[FORM_POINTER] = HEAD_BYTES + FIRST_BYTES,
};

/* --- Registers -------------------------------------------------------------------------------- */

/* What FORM_SMALL keeps of a number. */
struct small {
	uint32_t value, mask, min, max;
};

static struct skep_scalar small_whole(const struct small *small)
{
	const struct skep_bounds bounds = {small->min, small->max, small->min, small->max};

	return (struct skep_scalar){{small->value, small->mask}, bounds, bounds};
}

static struct small small_of(const struct skep_scalar *value)
{
	return (struct small){(uint32_t)value->bits.value, (uint32_t)value->bits.mask,
			      (uint32_t)value->full.umin, (uint32_t)value->full.umax};
}

static bool value_is(const struct skep_scalar *value, struct skep_scalar other)
{
	return !memcmp(value, &other, sizeof(other));
}

static enum form form_of_number(const struct skep_scalar *value)
{
	struct small small;

	if (value->bits.mask == UINT64_MAX && value_is(value, skep_scalar_any))
		return FORM_ANY;
	if (!value->bits.mask && value_is(value, skep_scalar_const(value->bits.value)))
		return FORM_CONST;
	small = small_of(value);
	return value->full.umax <= INT32_MAX && value_is(value, small_whole(&small)) ? FORM_SMALL
										     : FORM_NUMBER;
}

static bool is_zero(const char *at, size_t bytes)
{
	static const char zero[sizeof(struct reg)];

	return !memcmp(at, zero, bytes);
}

static enum form form_of(const struct reg *reg)
{
	const char *rest = (const char *)reg + HEAD_BYTES;

	if (reg->kind == REG_SCALAR)
		return reg->ref_id || reg->dynptr_id ? FORM_WHOLE : form_of_number(&reg->value);
	if (!is_zero(rest + FIRST_BYTES, sizeof(*reg) - HEAD_BYTES - FIRST_BYTES))
		return FORM_WHOLE;
	return is_zero(rest, FIRST_BYTES) ? FORM_PLAIN : FORM_POINTER;
}

/* Return where the next is. */
static char *put(char *at, const struct reg *reg)
{
	enum form form = form_of(reg);
	char *behind = at + HEAD_BYTES;
	struct small small;

	memcpy(at, reg, form == FORM_WHOLE ? sizeof(*reg) : HEAD_BYTES);
	((struct reg *)at)->form = (uint8_t)form;
	switch (form) {
	case FORM_CONST: memcpy(behind, &reg->value.bits.value, sizeof(uint64_t)); break;
	case FORM_SMALL:
		small = small_of(&reg->value);
		memcpy(behind, &small, sizeof(small));
		break;
	case FORM_NUMBER: memcpy(behind, &reg->value, sizeof(reg->value)); break;
	case FORM_POINTER: memcpy(behind, (const char *)reg + HEAD_BYTES, FIRST_BYTES); break;
	default: break;
	}
	return at + form_bytes[form];
}

static struct skep_scalar value_of(const struct reg *reg)
{
	const void *behind = (const char *)reg + HEAD_BYTES;

	switch (reg->form) {
	case FORM_ANY: return skep_scalar_any;
	case FORM_CONST: return skep_scalar_const(*(const uint64_t *)behind);
	case FORM_SMALL: return small_whole(behind);
	case FORM_NUMBER: return *(const struct skep_scalar *)behind;
	default: return skep_scalar_const(0);
	}
}

const struct reg *reg_whole(const struct reg *reg, struct reg *room)
{
	if (reg->form == FORM_WHOLE)
		return reg;
	memcpy(room, reg, HEAD_BYTES);
	memset((char *)room + HEAD_BYTES, 0, REST_BYTES);
	if (reg->form == FORM_POINTER)
		memcpy((char *)room + HEAD_BYTES, (const char *)reg + HEAD_BYTES, FIRST_BYTES);
	room->form = FORM_WHOLE;
	room->value = value_of(reg);
	return room;
}

/* --- Frames ----------------------------------------------------------------------------------- */

static size_t header_bytes(void)
{
	return offsetof(struct frame, regs);
}

static size_t places_bytes(const struct frame *frame)
{
	size_t bytes = (SKEP_N_REGS + frame->n_slots) * sizeof(*frame->places);

	return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

/* Are its bytes of one kind, with no register? */
static bool is_alike(const struct slot *slot)
{
	return slot->kinds[0] < KEPT_ALIKE_CNT &&
	       slot_kinds(slot->kinds) == SLOT_ALL(slot->kinds[0]);
}

/* As put(), of what is not alike. */
static char *put_slot(char *at, const struct slot *slot)
{
	memcpy(at, slot->kinds, SLOT_BYTES);
	return slot_has_reg(slot->kinds) ? put(at + SLOT_BYTES, &slot->spilled) : at + SLOT_BYTES;
}

struct frame *kept_frame_moved(void *memory)
{
	struct frame *frame = memory;

	frame->places = (void *)((char *)memory + header_bytes());
	return frame;
}

size_t kept_frame_pack(const struct frame *from, void *memory)
{
	struct frame *frame = memory;
	uint16_t *places = (void *)((char *)memory + header_bytes());
	char *at = (char *)places + places_bytes(from);

	memcpy(frame, from, header_bytes());
	frame->slots = NULL;
	memset(places, 0, places_bytes(from));
	for (unsigned r = 0; r < SKEP_R10; r++) {
		if (from->regs[r].kind == REG_UNSET)
			continue;
		places[r] = (uint16_t)(at - (char *)places);
		at = put(at, &from->regs[r]);
	}
	for (uint32_t s = 0; s < from->n_slots; s++) {
		const struct slot *slot = &from->slots[s];
		bool alike = is_alike(slot);

		places[SKEP_N_REGS + s] = alike ? slot->kinds[0] : (uint16_t)(at - (char *)places);
		at = alike ? at : put_slot(at, slot);
	}
	frame->kept_bytes = (uint32_t)(at - (char *)memory);
	return frame->kept_bytes;
}

static void unpack_reg(const struct reg *packed, struct reg *ret)
{
	const struct reg *whole = reg_whole(packed, ret);

	if (whole != ret)
		*ret = *whole;
}

void kept_frame_unpack(const struct frame *kept, struct frame *ret)
{
	struct slot *slots = ret->slots;

	memcpy(ret, kept, header_bytes());
	ret->slots = slots;
	ret->places = NULL;
	ret->kept_bytes = 0;
	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		unpack_reg(kept_reg(kept, r), &ret->regs[r]);
	for (uint32_t s = 0; s < kept->n_slots; s++) {
		memcpy(slots[s].kinds, kept_kinds(kept, s), SLOT_BYTES);
		if (slot_has_reg(slots[s].kinds))
			unpack_reg(kept_spilled(kept, s), &slots[s].spilled);
		else
			verify_slot_no_reg(&slots[s]);
	}
}

/* --- What is asked of it ---------------------------------------------------------------------- */

#define FRAME_POINTER(n)                                                                           \
	{                                                                                          \
		.kind = REG_STACK, .frame = (n)                                                    \
	}
const struct reg kept_frame_pointers[SKEP_MOST_FRAMES] = {
	FRAME_POINTER(0), FRAME_POINTER(1), FRAME_POINTER(2), FRAME_POINTER(3),
	FRAME_POINTER(4), FRAME_POINTER(5), FRAME_POINTER(6), FRAME_POINTER(7),
};
#undef FRAME_POINTER

const uint8_t kept_alike_kinds[KEPT_ALIKE_CNT][SLOT_BYTES] = {
#define ALIKE(kind) [kind] = {kind, kind, kind, kind, kind, kind, kind, kind}
	ALIKE(SLOT_INVALID),
	ALIKE(SLOT_MISC),
	ALIKE(SLOT_ZERO),
#undef ALIKE
};

void kept_reg_gone(struct frame *frame, unsigned regno)
{
	frame->places[regno] = 0;
}

void kept_slot_gone(struct frame *frame, uint32_t s)
{
	frame->places[SKEP_N_REGS + s] = SLOT_INVALID;
}
