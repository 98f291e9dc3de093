/*
 * A segment of an archive: its blocks, inflated, each behind its length of 16 bits. What checksums
 * and deflating would hide is left out of the way. Whatever was read is written, and read again;
 * once more with limits so low that few bytes reach them; and the same bytes as a file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/segment.h"
#include "base/fd.h"

static void deflate_block(z_stream *stream, const void *plain, size_t bytes, struct skep_buf *out)
{
	size_t room = deflateBound(stream, bytes) + 64;

	stream->next_in = (Bytef *)(uintptr_t)plain;
	stream->avail_in = (uInt)bytes;
	stream->next_out = (Bytef *)skep_buf_reserve(out, room);
	stream->avail_out = (uInt)room;
	/* Of nothing, behind what was flushed, there is nothing to do: Z_BUF_ERROR. */
	deflate(stream, Z_SYNC_FLUSH);
	out->len = room - stream->avail_out;
}

static int read_block(struct skep_segment_reader *reader, z_stream *stream, const void *plain,
		      size_t bytes)
{
	_cleanup_buf_ struct skep_buf stored = {0};
	struct skep_block_head head = {.plain_bytes = (uint32_t)bytes};

	deflate_block(stream, plain, bytes, &stored);
	head.stored_bytes = (uint32_t)stored.len;
	return skep_segment_read(reader, stored.data, &head, true);
}

static void start(z_stream *stream)
{
	*stream = (z_stream){0};
	if (deflateInit2(stream, Z_NO_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY))
		abort();
}

static void check_again(const struct skep_profile *table)
{
	_cleanup_buf_ struct skep_buf plain = {0};
	struct skep_segment_mark none = {1, 1, 1};
	struct skep_segment_reader reader;
	z_stream stream;

	skep_segment_reader_init(&reader);
	start(&stream);
	skep_segment_encode(table, &none, &plain);
	if (read_block(&reader, &stream, plain.data, plain.len) ||
	    reader.table.n_samples != table->n_samples || reader.table.n_nodes != table->n_nodes ||
	    reader.table.n_types != table->n_types ||
	    (table->n_types &&
	     skep_profile_total(&reader.table, 0) != skep_profile_total(table, 0)))
		abort();
	deflateEnd(&stream);
	skep_segment_reader_done(&reader);
}

static void check_limits(const struct skep_segment_reader *reader)
{
	const struct skep_segment_most *most = &reader->most;
	const struct skep_profile *table = &reader->table;

	if (table->n_strings > most->strings || table->n_frames > most->frames ||
	    table->n_nodes > most->nodes || table->n_samples > most->samples ||
	    table->n_losses > most->losses || reader->text_bytes > most->text_bytes)
		abort();
}

static void read_blocks(const uint8_t *data, size_t size, const struct skep_segment_most *most)
{
	_cleanup_profile_ struct skep_profile sum = {0};
	struct skep_segment_reader reader;
	struct skep_profile_merger merger;
	z_stream stream;

	skep_profile_init(&sum);
	skep_segment_reader_init(&reader);
	reader.most = *most;
	skep_profile_merger_init(&merger, &reader.table, &sum);
	start(&stream);
	while (size > 2) {
		size_t bytes = data[0] | (size_t)data[1] << 8;
		bytes = bytes < size - 2 ? bytes : size - 2;
		int err = read_block(&reader, &stream, data + 2, bytes);
		check_limits(&reader);
		if (err)
			break;
		check_again(&reader.table);
		if (!skep_profile_merge_head(&merger))
			skep_profile_merge(&merger, NULL);
		data += 2 + bytes;
		size -= 2 + bytes;
	}
	deflateEnd(&stream);
	skep_profile_merger_done(&merger);
	skep_segment_reader_done(&reader);
}

static void read_file(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("segment", MFD_CLOEXEC);
	_cleanup_buf_ struct skep_buf stored = {0};
	struct skep_segment_reader reader;
	struct skep_block_head head;
	struct skep_segment_head first;
	uint64_t at = sizeof(first);

	if (fd < 0 || skep_fd_write(fd, data, size) ||
	    skep_segment_kind(fd, &first) != SKEP_SEGMENT_OURS)
		return;
	skep_segment_reader_init(&reader);
	while (skep_block_next(fd, size, at, &head) > 0) {
		skep_buf_clear(&stored);
		if (skep_block_payload(fd, &head, at, &stored) ||
		    skep_segment_read(&reader, stored.data, &head, true))
			break;
		at += skep_block_bytes(&head);
	}
	skep_segment_reader_done(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct skep_segment_most low = {8, 6, 10, 4, 2, 40};

	read_blocks(data, size, &skep_segment_most);
	read_blocks(data, size, &low);
	read_file(data, size);
	return 0;
}
