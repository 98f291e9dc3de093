/* Gzip by zlib, see gzip.h. */
#include "profile/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"

#define WITH_GZIP_HEADER 16
#define CHUNK            (256U << 10)

bool skep_gzip_is(const void *data, size_t bytes)
{
	return bytes >= 2 && !memcmp(data, "\x1f\x8b", 2);
}

/* The next piece of @data as zlib's input: its lengths have 32 bits. */
static void feed(z_stream *stream, const uint8_t **data, size_t *bytes)
{
	size_t n = *bytes < UINT32_MAX / 2 ? *bytes : UINT32_MAX / 2;

	if (stream->avail_in)
		return;
	stream->next_in = (Bytef *)(uintptr_t)*data;
	stream->avail_in = (uInt)n;
	*data += n;
	*bytes -= n;
}

static void make_room(z_stream *stream, struct skep_buf *buf)
{
	stream->next_out = (Bytef *)skep_buf_reserve(buf, CHUNK);
	stream->avail_out = CHUNK;
}

void skep_gzip(const void *data, size_t bytes, struct skep_buf *buf)
{
	const uint8_t *at = data;
	z_stream stream = {0};
	int err = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
			       MAX_WBITS + WITH_GZIP_HEADER, 8, Z_DEFAULT_STRATEGY);

	if (err != Z_OK)
		skep_oom();
	while (err == Z_OK) {
		feed(&stream, &at, &bytes);
		make_room(&stream, buf);
		err = deflate(&stream, bytes ? Z_NO_FLUSH : Z_FINISH);
		buf->len += CHUNK - stream.avail_out;
	}
	deflateEnd(&stream);
}

/* One piece of output, within @most bytes. Return zlib's, Z_BUF_ERROR: no progress */
static int inflate_piece(z_stream *stream, struct skep_buf *buf)
{
	make_room(stream, buf);
	int err = inflate(stream, Z_NO_FLUSH);
	buf->len += CHUNK - stream->avail_out;
	return err;
}

static int inflate_all(z_stream *stream, const uint8_t *at, size_t bytes, size_t most,
		       struct skep_buf *buf)
{
	for (;;) {
		feed(stream, &at, &bytes);
		int err = inflate_piece(stream, buf);
		if (buf->len > most)
			return -EFBIG;
		if (err == Z_STREAM_END && !bytes && !stream->avail_in)
			return 0;
		if (err == Z_STREAM_END)
			err = inflateReset(stream);
		if (err == Z_MEM_ERROR)
			skep_oom();
		if (err != Z_OK)
			return err == Z_BUF_ERROR ? -ENODATA : -EINVAL;
	}
}

int skep_gunzip(const void *data, size_t bytes, size_t most, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf out = {0};
	z_stream stream = {0};

	if (inflateInit2(&stream, MAX_WBITS + WITH_GZIP_HEADER) != Z_OK)
		skep_oom();
	int err = inflate_all(&stream, data, bytes, most, &out);
	inflateEnd(&stream);
	if (!err && out.len)
		skep_buf_add(buf, out.data, out.len);
	return err;
}
