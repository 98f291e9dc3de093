/* What the two formats' readers share. */
#ifndef SKEP_CAPTURE_READER_H
#define SKEP_CAPTURE_READER_H

#include <stdbool.h>

#include "capture/capture.h"

#define PCAPNG_SECTION    0x0a0d0d0au /* the same in either byte order */
#define MOST_INTERFACES   1024
#define PCAPNG_MOST_BLOCK (16u << 20)

struct interface {
	uint32_t link, snap_len;
	uint64_t ticks; /* a second has */
};

struct skep_capture {
	FILE *file;       /* borrowed */
	const char *name; /* borrowed */
	bool swapped;     /* the file is of the other byte order */
	bool is_ng;
	uint64_t n_frames;
	/* pcap */
	uint32_t link;
	uint64_t fraction_ns; /* a unit of the second half of times */
	/* pcapng: of the section at hand */
	struct interface interfaces[MOST_INTERFACES];
	uint32_t n_interfaces;
	uint8_t *buf; /* owned; the frame or block at hand */
	size_t cap;
};

/** A 32- or 16-bit number of the file at @at. */
uint32_t capture_u32(const struct skep_capture *capture, const uint8_t *at);
uint16_t capture_u16(const struct skep_capture *capture, const uint8_t *at);
/** @n bytes into capture->buf from @from on. Return 0 | -EINVAL the file ends before | -EIO |
 * -ENOMEM; words to @diag */
int capture_take(struct skep_capture *capture, size_t from, size_t n, struct skep_diag *diag);
/** The same, but the end of the file right here is no error. Return 1 | 0 the end | -errno */
int capture_begin(struct skep_capture *capture, size_t n, struct skep_diag *diag);
/** A length that cannot be. Return -EINVAL */
int capture_bad_length(const struct skep_capture *capture, const char *what, uint32_t n,
		       struct skep_diag *diag);

/* pcapng.c */
/** The section header whose first 4 bytes were read. Return 0 | -errno */
int pcapng_open(struct skep_capture *capture, struct skep_diag *diag);
int pcapng_next(struct skep_capture *capture, struct skep_frame *ret, struct skep_diag *diag);

#endif
