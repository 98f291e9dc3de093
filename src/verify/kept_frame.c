/*
 * Frames of states that are kept: packed, as there are many of them and little in each.
 *
 * Most registers of a frame are unset, and most slots were written without a register that was
 * spilled there: a buffer, a structure. A packed frame has only what is known:
 *
 *	struct frame, up to regs
 *	places[11 + n_slots]   where each register, each slot is, in bytes from here; 0: unset
 *	registers              128 bytes each
 *	slots                  8 bytes of kinds, and a register behind them if they ask for one
 *
 * What is packed stays where it is: marks of precision are set in place, and what is dead is made
 * unset by its place, or its kinds. What was not there does not come.
 *
 * The frame pointer is in no packed frame: it is the same in all of its number.
 */
#include "verify/verifier.h"

#include <string.h>

#define ALIGN_BYTES 8

/* --- What is in it ---------------------------------------------------------------------------- */

bool slot_has_reg(const struct slot *slot)
{
	for (unsigned b = 0; b < SLOT_BYTES; b++)
		if (slot->kinds[b] != SLOT_INVALID && slot->kinds[b] != SLOT_MISC &&
		    slot->kinds[b] != SLOT_ZERO)
			return true;
	return false;
}

static size_t slot_bytes(const struct slot *slot)
{
	return slot_has_reg(slot) ? sizeof(*slot) : sizeof(slot->kinds);
}

static size_t places_bytes(const struct frame *frame)
{
	size_t bytes = (SKEP_N_REGS + frame->n_slots) * sizeof(*frame->places);

	return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

static size_t header_bytes(void)
{
	return offsetof(struct frame, regs);
}

static bool is_packed(const struct frame *from, unsigned regno)
{
	return regno != SKEP_R10 && from->regs[regno].kind != REG_UNSET;
}

size_t kept_frame_bytes(const struct frame *from)
{
	size_t bytes = header_bytes() + places_bytes(from);

	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		bytes += is_packed(from, r) ? sizeof(struct reg) : 0;
	for (uint32_t s = 0; s < from->n_slots; s++)
		bytes += slot_bytes(&from->slots[s]);
	return bytes;
}

/* Return where the next is. */
static char *put(char *at, const void *what, size_t bytes, const uint16_t *places,
		 uint16_t *ret_place)
{
	memcpy(at, what, bytes);
	*ret_place = (uint16_t)(at - (const char *)places);
	return at + bytes;
}

struct frame *kept_frame_pack(const struct frame *from, void *memory, size_t bytes)
{
	struct frame *frame = memory;
	uint16_t *places = (void *)((char *)memory + header_bytes());
	char *at = (char *)places + places_bytes(from);

	memcpy(frame, from, header_bytes());
	frame->slots = NULL;
	frame->places = places;
	frame->kept_bytes = (uint32_t)bytes;
	for (unsigned r = 0; r < SKEP_N_REGS; r++) {
		places[r] = 0;
		if (is_packed(from, r))
			at = put(at, &from->regs[r], sizeof(struct reg), places, &places[r]);
	}
	for (uint32_t s = 0; s < from->n_slots; s++)
		at = put(at, &from->slots[s], slot_bytes(&from->slots[s]), places,
			 &places[SKEP_N_REGS + s]);
	return frame;
}

void kept_frame_unpack(const struct frame *kept, struct frame *ret)
{
	struct slot *slots = ret->slots;

	memcpy(ret, kept, header_bytes());
	ret->slots = slots;
	ret->places = NULL;
	ret->kept_bytes = 0;
	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		ret->regs[r] = *kept_reg(kept, r);
	for (uint32_t s = 0; s < kept->n_slots; s++) {
		const struct slot *slot = kept_slot(kept, s);

		if (!slot_has_reg(slot))
			slots[s].spilled = verify_reg_unset;
		memcpy(&slots[s], slot, slot_bytes(slot));
	}
}

/* --- What is asked of it ---------------------------------------------------------------------- */

static const struct reg *frame_pointer(const struct frame *frame)
{
#define FRAME_POINTER(n)                                                                           \
	{                                                                                          \
		.kind = REG_STACK, .frame = (n)                                                    \
	}
	static const struct reg pointers[SKEP_MOST_FRAMES] = {
		FRAME_POINTER(0), FRAME_POINTER(1), FRAME_POINTER(2), FRAME_POINTER(3),
		FRAME_POINTER(4), FRAME_POINTER(5), FRAME_POINTER(6), FRAME_POINTER(7),
	};
#undef FRAME_POINTER

	return &pointers[frame->number];
}

const struct reg *kept_reg(const struct frame *frame, unsigned regno)
{
	if (!frame->places)
		return &frame->regs[regno];
	if (regno == SKEP_R10)
		return frame_pointer(frame);
	return frame->places[regno]
		       ? (const struct reg *)((const char *)frame->places + frame->places[regno])
		       : &verify_reg_unset;
}

struct reg *kept_reg_of(struct frame *frame, unsigned regno)
{
	if (!frame->places)
		return &frame->regs[regno];
	return frame->places[regno] ? (struct reg *)((char *)frame->places + frame->places[regno])
				    : NULL;
}

struct slot *kept_slot_of(struct frame *frame, uint32_t s)
{
	return frame->places
		       ? (struct slot *)((char *)frame->places + frame->places[SKEP_N_REGS + s])
		       : &frame->slots[s];
}
