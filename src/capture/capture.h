/*
 * Captured packets: reading pcap and pcapng files, writing pcap files. Of what was captured this
 * knows when, how long and on what kind of link; not what is in it.
 *
 * Reading streams: memory does not grow with the file. Every length is a stranger's.
 */
#ifndef SKEP_CAPTURE_CAPTURE_H
#define SKEP_CAPTURE_CAPTURE_H

#include <stdint.h>
#include <stdio.h>

#include <skep/diag.h>

/** As libpcap's: what captures more than that in one piece is broken. */
#define SKEP_CAPTURE_MOST_BYTES 262144u
#define SKEP_LINK_ETHERNET      1

struct skep_frame {
	const uint8_t *data; /* borrowed from the capture; until the next frame is read */
	uint32_t len;        /* bytes that were kept */
	uint32_t wire_len;   /* bytes that there were; more than len: the capture cut it */
	uint32_t link;       /* kind of link: SKEP_LINK_ETHERNET, … (the registry's numbers) */
	uint64_t time_ns;    /* since 1970; 0: not known */
};

struct skep_capture;

/**
 * @file   borrowed, read from its position on; @name for messages, borrowed
 * @ret    freed with skep_capture_free(); untouched on error
 * Return  0 | -EINVAL no capture | -EIO; see @diag
 * Source  draft-ietf-opsawg-pcap and -pcapng (IETF)
 */
int skep_capture_open(FILE *file, const char *name, struct skep_capture **ret,
		      struct skep_diag *diag);
void skep_capture_free(struct skep_capture *capture);
/**
 * The next frame.
 * Return  1 | 0 the end | -EINVAL from here on nothing can be read: the file is cut or broken |
 * -EIO; see @diag
 */
int skep_capture_next(struct skep_capture *capture, struct skep_frame *ret, struct skep_diag *diag);

/** "Ethernet", "raw IP", …; NULL: not known by name. */
const char *skep_link_name(uint32_t link);

/** What a pcap file with times in ns begins with. Return 0 | -EIO */
int skep_capture_write_start(FILE *file, uint32_t link);
int skep_capture_write(FILE *file, const struct skep_frame *frame);

static inline void skep_capture_freep(struct skep_capture **capture)
{
	skep_capture_free(*capture);
}
#define _cleanup_capture_ __attribute__((cleanup(skep_capture_freep)))

#endif
