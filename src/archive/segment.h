/*
 * A segment of an archive: its layout, and reading it from foreign bytes. Private to src/archive,
 * its tests and its fuzz target.
 *
 *	struct skep_segment_head
 *	struct skep_block_head, stored_bytes of payload
 *	struct skep_block_head, …
 *
 * The first head is the same in every version, so files of others are known to be theirs.
 *
 * All numbers are as the machine has them. The payloads of a segment's blocks are one raw deflate
 * stream, flushed behind each, so a block is read after all that come before it. Inflated, a
 * payload is a row of numbers as Protocol Buffers write them (signed ones zigzag), in this order;
 * what is "new" gets the numbers that follow those of the blocks before, and 0 is none:
 *
 *	strings  how many are new; of each its length and bytes
 *	frames   how many are new; of each name, module, file, line, address, kind
 *	nodes    how many are new; of each: how far its parent is before it, its frame
 *	builds   how many; of each module and build id
 *	types    how many; of each name and unit
 *	period   and its name and unit; the title
 *	losses   how many; of each what and n
 *	samples  how many; then their nodes, pids, tids, names, control groups, and values of
 *	         each type, a column after the other
 *
 * Of frames, nodes and samples each number but kinds, parents and values is the difference to that
 * of the one before it.
 */
#ifndef SKEP_ARCHIVE_SEGMENT_H
#define SKEP_ARCHIVE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "archive/archive.h"
#include "base/buf.h"

#define SKEP_SEGMENT_MAGIC    "skepseg\n"
#define SKEP_SEGMENT_VERSION  2
#define SKEP_BLOCK_MAGIC      0x324b4253u /* "SBK2" */
#define SKEP_SEGMENT_SUFFIX   ".seg"
#define SKEP_SEGMENT_LOCK     "skep.lock"

#define SKEP_BLOCK_MOST_BYTES (16u << 20) /* inflated */
/* What does not get smaller gets a little larger: five bytes each 16 KiB, at most. */
#define SKEP_BLOCK_MOST_STORED (SKEP_BLOCK_MOST_BYTES + (SKEP_BLOCK_MOST_BYTES >> 10))

/* What a segment holds at most: none with more is written, nor read. */
struct skep_segment_most {
	uint32_t strings, frames, nodes;
	uint32_t samples, losses; /* of one interval */
	uint64_t text_bytes;      /* of all strings */
};
extern const struct skep_segment_most skep_segment_most;

struct skep_segment_head {
	char magic[8];
	uint32_t version;
	uint32_t crc; /* of all but itself: as if it were 0 */
	uint64_t created_ns;
};
_Static_assert(sizeof(struct skep_segment_head) == 24, "a file's layout");

struct skep_block_head {
	uint32_t magic;
	uint32_t crc; /* of the head; as if it were 0 */
	uint32_t stored_bytes, plain_bytes;
	uint32_t payload_crc; /* of what is stored */
	uint32_t samples;
	struct skep_archive_note note;
	int64_t totals[SKEP_PROFILE_VALUES_MOST];
	uint64_t lost;
	uint64_t kind; /* skep_profile_kind() */
};
_Static_assert(sizeof(struct skep_block_head) == 128, "a file's layout");

/* --- segment.c: heads, names, whole blocks --------------------------------------------------- */

void skep_segment_path(const char *dir, uint32_t number, struct skep_buf *out);
/**
 * Open what has the name of segment @number, if it is a file: what somebody else put there under
 * that name is not followed, waited for, or woken up.
 *
 * @flags  of open()
 * Return  a descriptor | -EINVAL it is no file | -errno
 */
int skep_segment_open(const char *dir, uint32_t number, int flags);
/** Numbers of the segments in @dir, rising; pushed. Return 0 | -errno */
struct skep_segment_numbers {
	SKEP_VEC(uint32_t) of;
};
int skep_segment_list(const char *dir, struct skep_segment_numbers *ret);

uint32_t skep_segment_crc(const void *data, size_t bytes);
void skep_segment_head_make(uint64_t created_ns, struct skep_segment_head *ret);
/** Fill in what tells that the head is whole. */
void skep_block_head_seal(struct skep_block_head *head);
/** Return 0 | -EINVAL it is none */
int skep_block_head_check(const struct skep_block_head *head);
enum skep_segment_kind {
	SKEP_SEGMENT_OURS,
	SKEP_SEGMENT_CUT, /* shorter than a head: what there is of it may be the beginning of ours */
	SKEP_SEGMENT_OTHER, /* of another version */
	SKEP_SEGMENT_NONE,  /* anything else, or its head is damaged */
};
/** What is in a file, by its head. @ret_head: of OURS only.  Return one of these | -errno */
int skep_segment_kind(int fd, struct skep_segment_head *ret_head);
/** The next head of segment @fd, of @bytes, at @at. Return 1 | 0 there is no whole block more |
 *  -errno */
int skep_block_next(int fd, uint64_t bytes, uint64_t at, struct skep_block_head *ret);
/** What a block takes in its file. */
static inline uint64_t skep_block_bytes(const struct skep_block_head *head)
{
	return sizeof(*head) + head->stored_bytes;
}
/** Append the payload of the block at @at. Return 0 | -EINVAL it is broken | -errno */
int skep_block_payload(int fd, const struct skep_block_head *head, uint64_t at,
		       struct skep_buf *ret);

/* --- encode.c, decode.c ---------------------------------------------------------------------- */

/** What a segment has already. */
struct skep_segment_mark {
	uint32_t strings, frames, nodes;
};
void skep_segment_mark(const struct skep_profile *table, struct skep_segment_mark *ret);
/** @table's samples and losses, and what it has of all else since @mark; appended. */
void skep_segment_encode(const struct skep_profile *table, const struct skep_segment_mark *mark,
			 struct skep_buf *out);

/** A segment that is read, block after block. */
struct skep_segment_reader {
	struct skep_segment_most most;
	uint64_t text_bytes;
	struct skep_profile table; /* of the last block its samples and losses */
	z_stream stream;
	struct skep_buf plain;
};
void skep_segment_reader_init(struct skep_segment_reader *reader);
void skep_segment_reader_done(struct skep_segment_reader *reader);
/**
 * Take in a block's payload.
 *
 * @with_samples  else only what later blocks need
 * Return         0 | -EINVAL it is broken | -E2BIG it has more than a segment holds; in either case
 *                the segment cannot be read on
 */
int skep_segment_read(struct skep_segment_reader *reader, const void *stored,
		      const struct skep_block_head *head, bool with_samples);

#endif
