/*
 * pcapng: a file is sections, a section blocks of
 *
 *	kind u32 | length u32 | body, a multiple of 4 | length u32 again
 *
 * A section header tells the byte order and forgets the interfaces; interface blocks are numbered
 * from 0; packet blocks name theirs. Other kinds are passed over.
 */
#include <errno.h>
#include <string.h>

#include "capture/reader.h"

#define BYTE_ORDER_MAGIC  0x1a2b3c4du
#define BLOCK_INTERFACE   1
#define BLOCK_OLD_PACKET  2
#define BLOCK_SIMPLE      3
#define BLOCK_PACKET      6
#define BLOCK_MOST_BYTES  PCAPNG_MOST_BLOCK
#define OPTION_END        0
#define OPTION_RESOLUTION 9

/* The block at hand: its body is capture->buf[8 … 8 + body). */
struct block {
	uint32_t kind, body;
};

/* --- Blocks ---------------------------------------------------------------------------------- */

/* Kind and length are in buf; the rest comes behind them. */
static int take_block(struct skep_capture *capture, uint32_t length, struct skep_diag *diag)
{
	int err;

	if (length < 12 || length % 4 || length > BLOCK_MOST_BYTES)
		return capture_bad_length(capture, "block before frame", length, diag);
	err = capture_take(capture, 8, length - 8, diag);
	if (err)
		return err;
	if (capture_u32(capture, capture->buf + length - 4) != length)
		return capture_bad_length(capture, "end of the block before frame",
					  capture_u32(capture, capture->buf + length - 4), diag);
	return 0;
}

static bool order_is_known(struct skep_capture *capture, const uint8_t *at)
{
	for (int i = 0; i < 2; i++) {
		if (capture_u32(capture, at) == BYTE_ORDER_MAGIC)
			return true;
		capture->swapped = !capture->swapped;
	}
	return false;
}

/* A section's own length can only be read once its byte order is known. */
static int open_section(struct skep_capture *capture, struct skep_diag *diag)
{
	int err = capture_take(capture, 8, 4, diag);
	uint32_t length;

	if (err)
		return err;
	if (!order_is_known(capture, capture->buf + 8))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_CAPTURE_FORMAT, SKEP_NOWHERE,
				      capture->name);
	length = capture_u32(capture, capture->buf + 4);
	if (length < 28 || length % 4 || length > BLOCK_MOST_BYTES)
		return capture_bad_length(capture, "section before frame", length, diag);
	capture->n_interfaces = 0;
	return capture_take(capture, 12, length - 12, diag);
}

int pcapng_open(struct skep_capture *capture, struct skep_diag *diag)
{
	int err = capture_take(capture, 4, 4, diag);

	capture->is_ng = true;
	return err ? err : open_section(capture, diag);
}

/* Return 1 | 0 the end | -errno */
static int next_block(struct skep_capture *capture, struct block *ret, struct skep_diag *diag)
{
	int got = capture_begin(capture, 8, diag), err;
	uint32_t kind, length;

	if (got <= 0)
		return got;
	kind = capture_u32(capture, capture->buf);
	length = capture_u32(capture, capture->buf + 4);
	*ret = (struct block){kind, length - 12};
	err = kind == PCAPNG_SECTION ? open_section(capture, diag)
				     : take_block(capture, length, diag);
	return err ? err : 1;
}

/* --- Interfaces ------------------------------------------------------------------------------ */

/* The unit of time as ticks a second: 10^n, or 2^n with the highest bit. */
static uint64_t ticks_of(uint8_t resolution)
{
	unsigned n = resolution & 0x7f;
	uint64_t ticks = 1;

	if (resolution & 0x80)
		return n < 64 ? UINT64_C(1) << n : 0;
	for (unsigned i = 0; i < n && ticks; i++)
		ticks = ticks > UINT64_MAX / 10 ? 0 : ticks * 10;
	return ticks;
}

static uint64_t find_ticks(const struct skep_capture *capture, const uint8_t *at, uint32_t len)
{
	while (len >= 4) {
		uint16_t code = capture_u16(capture, at), n = capture_u16(capture, at + 2);
		uint32_t whole = 4 + ((n + 3u) & ~3u);

		if (code == OPTION_END || whole > len)
			break;
		if (code == OPTION_RESOLUTION && n == 1)
			return ticks_of(at[4]);
		at += whole;
		len -= whole;
	}
	return 1000000;
}

static int add_interface(struct skep_capture *capture, uint32_t body, struct skep_diag *diag)
{
	const uint8_t *at = capture->buf + 8;

	if (body < 8)
		return capture_bad_length(capture, "interface before frame", body, diag);
	if (capture->n_interfaces == MOST_INTERFACES)
		return capture_bad_length(capture, "number of interfaces before frame",
					  MOST_INTERFACES + 1, diag);
	capture->interfaces[capture->n_interfaces++] = (struct interface){
		.link = capture_u16(capture, at),
		.snap_len = capture_u32(capture, at + 4),
		.ticks = find_ticks(capture, at + 8, body - 8),
	};
	return 0;
}

/* --- Frames ---------------------------------------------------------------------------------- */

static uint64_t to_ns(uint64_t time, uint64_t ticks)
{
	uint64_t seconds = ticks ? time / ticks : 0, rest = ticks ? time % ticks : 0;

	if (seconds > UINT64_MAX / 1000000000 - 1)
		return 0;
	/* By double where the product would not fit: a unit below a ns is lost anyway. */
	return seconds * 1000000000 + (rest <= UINT64_MAX / 1000000000
					       ? (ticks ? rest * 1000000000 / ticks : 0)
					       : (uint64_t)((double)rest * 1e9 / (double)ticks));
}

/* An enhanced packet block, or its forerunner, whose interface has 16 bits. */
static int read_packet(const struct skep_capture *capture, const struct block *block,
		       struct skep_frame *ret, struct skep_diag *diag)
{
	const uint8_t *at = capture->buf + 8;
	uint32_t number, len;

	if (block->body < 20)
		return capture_bad_length(capture, "block of frame", block->body, diag);
	number = block->kind == BLOCK_PACKET ? capture_u32(capture, at) : capture_u16(capture, at);
	len = capture_u32(capture, at + 12);
	if (len > block->body - 20 || len > SKEP_CAPTURE_MOST_BYTES)
		return capture_bad_length(capture, "frame", len, diag);
	if (number >= capture->n_interfaces)
		return capture_bad_length(capture, "interface of frame", number, diag);
	*ret = (struct skep_frame){
		.data = at + 20,
		.len = len,
		.wire_len = capture_u32(capture, at + 16),
		.link = capture->interfaces[number].link,
		.time_ns = to_ns((uint64_t)capture_u32(capture, at + 4) << 32 |
					 capture_u32(capture, at + 8),
				 capture->interfaces[number].ticks),
	};
	return 1;
}

/* Of the first interface, without a time, and cut at its snap length. */
static int read_simple(const struct skep_capture *capture, const struct block *block,
		       struct skep_frame *ret, struct skep_diag *diag)
{
	const uint8_t *at = capture->buf + 8;
	uint32_t wire, len, snap;

	if (block->body < 4)
		return capture_bad_length(capture, "block of frame", block->body, diag);
	if (!capture->n_interfaces)
		return capture_bad_length(capture, "interface of frame", 0, diag);
	wire = capture_u32(capture, at);
	snap = capture->interfaces[0].snap_len;
	len = snap && wire > snap ? snap : wire;
	if (len > block->body - 4 || len > SKEP_CAPTURE_MOST_BYTES)
		return capture_bad_length(capture, "frame", len, diag);
	*ret = (struct skep_frame){
		.data = at + 4, .len = len, .wire_len = wire, .link = capture->interfaces[0].link};
	return 1;
}

int pcapng_next(struct skep_capture *capture, struct skep_frame *ret, struct skep_diag *diag)
{
	struct block block;
	int got;

	while ((got = next_block(capture, &block, diag)) > 0) {
		if (block.kind == BLOCK_PACKET || block.kind == BLOCK_OLD_PACKET)
			return read_packet(capture, &block, ret, diag);
		if (block.kind == BLOCK_SIMPLE)
			return read_simple(capture, &block, ret, diag);
		if (block.kind == BLOCK_INTERFACE) {
			int err = add_interface(capture, block.body, diag);
			if (err)
				return err;
		}
	}
	return got;
}
