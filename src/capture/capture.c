/*
 * Captures: opening, and the older of the two formats, pcap.
 *
 *	magic u32 | versions 2×u16 | 2×u32 unused | snap length u32 | link u32     24 bytes
 *	seconds u32 | µs or ns u32 | kept u32 | on the wire u32 | bytes            each frame
 *
 * The magic tells byte order and unit of time. Next: pcapng.c
 */
#include "capture/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "capture/reader.h"

#define MAGIC_US     0xa1b2c3d4u
#define MAGIC_NS     0xa1b23c4du
#define HEADER_BYTES 24
#define RECORD_BYTES 16

/* --- Bytes ----------------------------------------------------------------------------------- */

uint32_t capture_u32(const struct skep_capture *capture, const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap32(value) : value;
}

uint16_t capture_u16(const struct skep_capture *capture, const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap16(value) : value;
}

static int make_room(struct skep_capture *capture, size_t n)
{
	uint8_t *buf = n > capture->cap ? realloc(capture->buf, n) : capture->buf;

	if (!buf)
		return -ENOMEM;
	capture->buf = buf;
	capture->cap = n > capture->cap ? n : capture->cap;
	return 0;
}

/* Return how many bytes there were | -errno */
static int64_t take(struct skep_capture *capture, size_t from, size_t n, struct skep_diag *diag)
{
	size_t got;

	if (make_room(capture, from + n))
		return -ENOMEM;
	errno = 0;
	got = fread(capture->buf + from, 1, n, capture->file);
	if (got < n && ferror(capture->file))
		return skep_diag_fail(diag, -EIO, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, capture->name,
				      strerror(errno ? errno : EIO));
	return (int64_t)got;
}

static int is_cut(const struct skep_capture *capture, struct skep_diag *diag)
{
	return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_CAPTURE_CUT, SKEP_NOWHERE, capture->name,
			      (unsigned long long)capture->n_frames);
}

int capture_take(struct skep_capture *capture, size_t from, size_t n, struct skep_diag *diag)
{
	int64_t got = take(capture, from, n, diag);

	if (got < 0)
		return (int)got;
	return (size_t)got < n ? is_cut(capture, diag) : 0;
}

int capture_begin(struct skep_capture *capture, size_t n, struct skep_diag *diag)
{
	int64_t got = take(capture, 0, n, diag);

	if (got <= 0)
		return (int)got;
	return (size_t)got < n ? is_cut(capture, diag) : 1;
}

int capture_bad_length(const struct skep_capture *capture, const char *what, uint32_t n,
		       struct skep_diag *diag)
{
	return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_CAPTURE_LENGTH, SKEP_NOWHERE, capture->name,
			      what, (unsigned long long)capture->n_frames + 1, n);
}

/* --- Opening --------------------------------------------------------------------------------- */

static int open_pcap(struct skep_capture *capture, struct skep_diag *diag)
{
	int err = capture_take(capture, 4, HEADER_BYTES - 4, diag);

	if (err)
		return err;
	/* The upper half tells of check sums behind frames, which nobody writes any more. */
	capture->link = capture_u32(capture, capture->buf + 20) & 0xffff;
	capture->fraction_ns = capture_u32(capture, capture->buf) == MAGIC_NS ? 1 : 1000;
	return 0;
}

static bool is_pcap(struct skep_capture *capture)
{
	for (int i = 0; i < 2; i++) {
		uint32_t magic = capture_u32(capture, capture->buf);

		if (magic == MAGIC_US || magic == MAGIC_NS)
			return true;
		capture->swapped = !capture->swapped;
	}
	return false;
}

static int open_either(struct skep_capture *capture, struct skep_diag *diag)
{
	int64_t got = take(capture, 0, 4, diag);

	if (got < 0)
		return (int)got;
	if (got == 4 && is_pcap(capture))
		return open_pcap(capture, diag);
	if (got == 4 && capture_u32(capture, capture->buf) == PCAPNG_SECTION)
		return pcapng_open(capture, diag);
	return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_CAPTURE_FORMAT, SKEP_NOWHERE, capture->name);
}

int skep_capture_open(FILE *file, const char *name, struct skep_capture **ret,
		      struct skep_diag *diag)
{
	_cleanup_capture_ struct skep_capture *capture = calloc(1, sizeof(*capture));
	int err;

	if (!capture)
		return -ENOMEM;
	capture->file = file;
	capture->name = name;
	err = open_either(capture, diag);
	if (!err)
		*ret = TAKE_PTR(capture);
	return err;
}

void skep_capture_free(struct skep_capture *capture)
{
	if (!capture)
		return;
	free(capture->buf);
	free(capture);
}

/* --- Frames ---------------------------------------------------------------------------------- */

static int pcap_next(struct skep_capture *capture, struct skep_frame *ret, struct skep_diag *diag)
{
	int got = capture_begin(capture, RECORD_BYTES, diag);
	struct skep_frame frame = {.link = capture->link};

	if (got <= 0)
		return got;
	frame.time_ns = capture_u32(capture, capture->buf) * UINT64_C(1000000000) +
			capture_u32(capture, capture->buf + 4) * capture->fraction_ns;
	frame.len = capture_u32(capture, capture->buf + 8);
	frame.wire_len = capture_u32(capture, capture->buf + 12);
	if (frame.len > SKEP_CAPTURE_MOST_BYTES)
		return capture_bad_length(capture, "frame", frame.len, diag);
	int err = capture_take(capture, 0, frame.len, diag);
	if (err)
		return err;
	frame.data = capture->buf;
	*ret = frame;
	return 1;
}

int skep_capture_next(struct skep_capture *capture, struct skep_frame *ret, struct skep_diag *diag)
{
	int got = capture->is_ng ? pcapng_next(capture, ret, diag) : pcap_next(capture, ret, diag);

	if (got > 0) {
		capture->n_frames++;
		/* Some tools leave it 0, or say less than they kept. */
		if (ret->wire_len < ret->len)
			ret->wire_len = ret->len;
	}
	return got;
}

const char *skep_link_name(uint32_t link)
{
	static const struct {
		uint32_t number;
		const char *name;
	} links[] = {
#define LINK(number, name) {number, name},
#include "capture/links.def"
#undef LINK
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].number == link)
			return links[i].name;
	}
	return NULL;
}

/* --- Writing --------------------------------------------------------------------------------- */

static int put(FILE *file, const void *data, size_t n)
{
	return fwrite(data, 1, n, file) == n ? 0 : -EIO;
}

int skep_capture_write_start(FILE *file, uint32_t link)
{
	const uint16_t versions[2] = {2, 4};
	const uint32_t rest[4] = {0, 0, SKEP_CAPTURE_MOST_BYTES, link};
	const uint32_t magic = MAGIC_NS;
	int err = put(file, &magic, sizeof(magic));

	err = err ? err : put(file, versions, sizeof(versions));
	return err ? err : put(file, rest, sizeof(rest));
}

int skep_capture_write(FILE *file, const struct skep_frame *frame)
{
	const uint32_t record[4] = {
		(uint32_t)(frame->time_ns / 1000000000),
		(uint32_t)(frame->time_ns % 1000000000),
		frame->len,
		frame->wire_len,
	};
	int err = put(file, record, sizeof(record));

	return err ? err : put(file, frame->data, frame->len);
}
