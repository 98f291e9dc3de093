/*
 * LZMA (7-Zip's first; raw, with lc=4 lp=0 pb=0, as pack.py has the program's overlay packed): a
 * hundred lines in place of a library that is ten times as large, most of it for what is not here:
 * input in pieces, checks, other filters.
 *
 * A range coder yields bits, each with a probability of its own that learns from what it was: of
 * whether a byte comes or a match, of the byte's bits, of the match's length and distance. A model
 * knows what the last steps were (@state, twelve of them), and the last four distances.
 *
 * Bits of bytes and numbers are guessed wrong by a CPU half of the time, so they are taken without
 * a branch; those that choose what comes next, with one.
 */
#include "unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PROB_BITS      11
#define PROB_SHIFT     5
#define RANGE_LEAST    (1u << 24)
#define STATES         12
#define STATES_LITERAL 7 /* the states behind a byte: below */
#define CONTEXT_BITS   4 /* of the byte before, for the next */
#define MATCH_LEAST    2
#define SLOTS_PLAIN    4  /* distances that are their slot */
#define SLOTS_MODEL    14 /* below: all further bits have probabilities */
#define ALIGN_BITS     4

/* Each number is the probability, of 2048, that a bit is 0. */
struct lengths {
	uint16_t is_long, is_longest, low[1 << 3], mid[1 << 3], high[1 << 8];
};

struct model {
	uint16_t is_match[STATES], is_again[STATES], is_older[STATES], is_oldest[2][STATES];
	uint16_t is_many[STATES];
	uint16_t slots[4][1 << 6], further[128], align[1 << ALIGN_BITS];
	struct lengths match, again;
	uint16_t literals[1 << CONTEXT_BITS][0x300];
};

struct coder {
	const uint8_t *at, *end;
	uint32_t range, code;
};

struct unpacker {
	struct coder coder;
	uint32_t distances[4]; /* the last first; from 0 */
	unsigned state;
	struct model model;
};

/* --- Bits ------------------------------------------------------------------------------------ */

static inline void fill(struct coder *coder)
{
	if (coder->range < RANGE_LEAST) {
		coder->range <<= 8;
		coder->code = coder->code << 8 | (coder->at < coder->end ? *coder->at : 0);
		coder->at++;
	}
}

static inline bool take_choice(struct coder *coder, uint16_t *prob)
{
	fill(coder);
	uint32_t bound = (coder->range >> PROB_BITS) * *prob;
	if (coder->code < bound) {
		coder->range = bound;
		*prob += ((1 << PROB_BITS) - *prob) >> PROB_SHIFT;
		return false;
	}
	coder->range -= bound;
	coder->code -= bound;
	*prob -= *prob >> PROB_SHIFT;
	return true;
}

static inline uint32_t take_bit(struct coder *coder, uint16_t *prob)
{
	fill(coder);
	uint32_t bound = (coder->range >> PROB_BITS) * *prob;
	uint32_t is_one = coder->code >= bound, mask = -is_one;
	coder->range = bound + (mask & (coder->range - 2 * bound));
	coder->code -= mask & bound;
	int32_t towards = is_one ? (1 << PROB_SHIFT) - 1 : 1 << PROB_BITS;
	*prob += (towards - *prob) >> PROB_SHIFT;
	return is_one;
}

/* A number of @bits bits, the highest first. */
static inline uint32_t take_number(struct coder *coder, uint16_t *probs, unsigned bits)
{
	uint32_t at = 1;

	for (unsigned i = 0; i < bits; i++)
		at = at << 1 | take_bit(coder, probs + at);
	return at - (1u << bits);
}

/* The lowest first. */
static inline uint32_t take_reversed(struct coder *coder, uint16_t *probs, unsigned bits)
{
	uint32_t at = 1, number = 0;

	for (unsigned i = 0; i < bits; i++) {
		uint32_t bit = take_bit(coder, probs + at);
		at = at << 1 | bit;
		number |= bit << i;
	}
	return number;
}

/* Bits that are as likely 0 as 1. */
static uint32_t take_plain(struct coder *coder, unsigned bits)
{
	uint32_t number = 0;

	while (bits--) {
		fill(coder);
		coder->range >>= 1;
		uint32_t is_one = coder->code >= coder->range;
		coder->code -= -is_one & coder->range;
		number = number << 1 | is_one;
	}
	return number;
}

/* --- Bytes and matches ----------------------------------------------------------------------- */

/* Behind a match, the byte that would have gone on with it is not the one. */
static uint8_t take_other_literal(struct coder *coder, uint16_t *probs, uint32_t likely)
{
	uint32_t at = 1, offset = 0x100;

	while (at < 0x100) {
		likely <<= 1;
		uint32_t likely_bit = likely & offset;
		uint32_t bit = take_bit(coder, probs + offset + likely_bit + at);
		at = at << 1 | bit;
		offset &= bit ? likely : ~likely;
	}
	return (uint8_t)at;
}

static uint32_t take_length(struct coder *coder, struct lengths *lengths)
{
	if (!take_choice(coder, &lengths->is_long))
		return MATCH_LEAST + take_number(coder, lengths->low, 3);
	if (!take_choice(coder, &lengths->is_longest))
		return MATCH_LEAST + 8 + take_number(coder, lengths->mid, 3);
	return MATCH_LEAST + 16 + take_number(coder, lengths->high, 8);
}

static uint32_t take_distance(struct coder *coder, struct model *model, uint32_t length)
{
	uint32_t kind = length - MATCH_LEAST < 3 ? length - MATCH_LEAST : 3;
	uint32_t slot = take_number(coder, model->slots[kind], 6);

	if (slot < SLOTS_PLAIN)
		return slot;
	unsigned bits = (slot >> 1) - 1;
	uint32_t distance = (2 | (slot & 1)) << bits;
	if (slot < SLOTS_MODEL)
		return distance + take_reversed(coder, model->further + distance - slot, bits);
	distance += take_plain(coder, bits - ALIGN_BITS) << ALIGN_BITS;
	return distance + take_reversed(coder, model->align, ALIGN_BITS);
}

static void put_first(uint32_t distances[4], unsigned room, uint32_t distance)
{
	memmove(distances + 1, distances, room * sizeof(*distances));
	distances[0] = distance;
}

/* One of the last four distances again. Return the length */
static uint32_t take_again(struct unpacker *u)
{
	struct coder *coder = &u->coder;
	unsigned which = 0, state = u->state, was_literal = state < STATES_LITERAL;

	if (take_choice(coder, &u->model.is_older[state])) {
		for (which = 1; which < 3; which++) {
			if (!take_choice(coder, &u->model.is_oldest[which - 1][state]))
				break;
		}
		put_first(u->distances, which, u->distances[which]);
	} else if (!take_choice(coder, &u->model.is_many[state])) {
		u->state = was_literal ? 9 : 11;
		return 1;
	}
	u->state = was_literal ? 8 : 11;
	return take_length(coder, &u->model.again);
}

static uint32_t take_match(struct unpacker *u)
{
	if (take_choice(&u->coder, &u->model.is_again[u->state]))
		return take_again(u);
	uint32_t length = take_length(&u->coder, &u->model.match);
	put_first(u->distances, 3, take_distance(&u->coder, &u->model, length));
	u->state = u->state < STATES_LITERAL ? 7 : 10;
	return length;
}

/* What comes behind the @at bytes that are there already. */
static uint8_t take_byte(struct unpacker *u, const uint8_t *ret, size_t at)
{
	unsigned state = u->state;
	uint16_t *probs = u->model.literals[at ? ret[at - 1] >> (8 - CONTEXT_BITS) : 0];

	u->state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
	return state < STATES_LITERAL
		       ? (uint8_t)take_number(&u->coder, probs, 8)
		       : take_other_literal(&u->coder, probs, ret[at - u->distances[0] - 1]);
}

/* A match may go on into what it makes. */
static void copy(uint8_t *to, const uint8_t *from, uint32_t length, size_t room)
{
	if (to - from >= 8 && room >= length + 8u) {
		for (uint32_t i = 0; i < length; i += 8)
			memcpy(to + i, from + i, 8);
		return;
	}
	for (uint32_t i = 0; i < length; i++)
		to[i] = from[i];
}

/* --- All of it ------------------------------------------------------------------------------- */

static void start(struct unpacker *u, const uint8_t *packed, size_t packed_len)
{
	uint16_t *probs = (uint16_t *)&u->model;

	u->coder = (struct coder){packed, packed + packed_len, 0, 0};
	for (int i = 0; i < 5; i++)
		fill(&u->coder); /* of which the first is 0 */
	u->coder.range = UINT32_MAX;
	memset(u->distances, 0, sizeof(u->distances));
	u->state = 0;
	for (size_t i = 0; i < sizeof(u->model) / sizeof(*probs); i++)
		probs[i] = 1 << (PROB_BITS - 1);
}

int skep_unpack(const uint8_t *packed, size_t packed_len, uint8_t *ret, size_t len)
{
	struct unpacker u;

	start(&u, packed, packed_len);
	for (size_t at = 0; at < len;) {
		if (!take_choice(&u.coder, &u.model.is_match[u.state])) {
			ret[at] = take_byte(&u, ret, at);
			at++;
			continue;
		}
		uint32_t length = take_match(&u);
		if (u.distances[0] >= at || length > len - at)
			return -EILSEQ;
		copy(ret + at, ret + at - u.distances[0] - 1, length, len - at);
		at += length;
	}
	return u.coder.at <= u.coder.end ? 0 : -EILSEQ;
}
