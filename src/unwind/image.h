/*
 * A file that a process has mapped, opened as that process sees it, and what of
 * it unwinding needs: where its code is linked to, and its table. Whoever made
 * the file may wish us ill: all that is read of it is bounded, in bytes and in
 * rows, and only regular files are opened.
 */
#ifndef SKEP_UNWIND_IMAGE_H
#define SKEP_UNWIND_IMAGE_H

#include <sys/types.h>

#include <skep/elf.h>

#include "base/buf.h"
#include "interp/layout.h"
#include "linux/maps.h"
#include "unwind/store.h"

#define SKEP_UNWIND_SEGMENTS_MOST 4
#define SKEP_UNWIND_FRAME_BYTES   (64u << 20) /* of call frame information that is read */

/** A mapping of code in a process: where a file can be opened. */
struct skep_unwind_place {
	pid_t tgid;
	const struct skep_mapping *mapping; /* borrowed, as the path */
	const char *path;
};

/** Bytes [off, end) of a file are linked to addr…: its segments of code. */
struct skep_unwind_segment {
	uint64_t off, end, addr;
};

/** Which version of a file it is. */
struct skep_unwind_version {
	uint64_t dev, inode, size;
	int64_t mtime_ns;
};

enum skep_unwind_image_kind {
	SKEP_UNWIND_IMAGE_TABLE, /* it has call frame information */
	SKEP_UNWIND_IMAGE_FRAMES, /* it has none, but frame pointers: Go, or code that is no ELF file */
	SKEP_UNWIND_IMAGE_NONE, /* neither, or it is of another machine */
};

struct skep_unwind_image {
	struct skep_elf *elf;   /* owned */
	struct skep_buf memory; /* owned: of the vdso */
	enum skep_unwind_image_kind kind;
	struct skep_unwind_version version;
	bool is_roots; /* nobody else can have written it */
	struct skep_unwind_key key;
	struct skep_cfi_section section; /* borrowed from elf */
	struct skep_unwind_segment segments[SKEP_UNWIND_SEGMENTS_MOST];
	uint32_t n_segments;
	struct skep_interp_runtime runtime; /* of the interpreter in it, if it has one */
};

/** Is the place the kernel's own code, that is in no file? */
bool skep_unwind_is_vdso(const char *path);
/**
 * Open the file at @place.
 *
 * @ret    skep_unwind_image_done(); untouched on error
 * Return  0 | -ENOENT, -ESRCH it is gone, with its process or before | -EFBIG | -errno
 */
int skep_unwind_image_open(const struct skep_unwind_place *place, struct skep_unwind_image *ret);
void skep_unwind_image_done(struct skep_unwind_image *image);
#define _cleanup_image_ __attribute__((cleanup(skep_unwind_image_done)))
/** Which version of its file is at @place now. Return 0 | as above */
int skep_unwind_image_version(const struct skep_unwind_place *place,
			      struct skep_unwind_version *ret);
/** An ELF image from memory (borrowed), for tests and fuzzing. Return 0 | -ENOEXEC */
int skep_unwind_image_parse(const void *data, size_t size, struct skep_unwind_image *ret);

#endif
