/*
 * Profiles as files: the table of formats (formats.def), writing one, reading one.
 *
 *	enum skep_profile_format format;
 *	if (skep_profile_format_by_path("out.svg", &format) == 0)
 *		err = skep_profile_write(&profile, format, &options, &buf, diag);
 *
 * Written are bytes into a buffer; the caller has the file. What the profile lost
 * (profile.losses) is said in each format but folded stacks, which have no place for it.
 */
#ifndef SKEP_PROFILE_FORMAT_H
#define SKEP_PROFILE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"
#include "profile/shape.h"

struct skep_buf;
struct skep_diag;

enum skep_profile_format {
#define FORMAT(NAME, name, suffixes, is_text, write, read, words) SKEP_PROFILE_##NAME,
#include "profile/formats.def"
#undef FORMAT
	SKEP_PROFILE_FORMAT_CNT
};

struct skep_profile_format_info {
	const char *name;     /* "pprof" */
	const char *suffixes; /* ".pb.gz .pprof" */
	const char *words;    /* for help */
	bool is_written, is_read;
	bool is_text; /* may be shown on a terminal */
};

#define SKEP_PROFILE_MARKS_ALL                                                                     \
	(1u << SKEP_FRAME_KERNEL | 1u << SKEP_FRAME_JIT | 1u << SKEP_FRAME_INLINE)

struct skep_profile_options {
	const char *value;           /* name of the value type that is shown, where a format shows
					one ("cpu"); NULL: the first */
	const char *title;           /* NULL: the profile's */
	enum skep_profile_root root; /* what stands before the outermost frame; see shape.h */
	bool is_inverted;            /* tree, svg, html, folded: innermost frames first */
	uint32_t marks;              /* folded: kinds (1 << kind) that are marked behind their
					names: "_[k]", "_[j]", "_[i]" */
	bool has_color;              /* tree, top: for a terminal */
	bool by_line;                /* lines of a function are told apart where they are known;
					see shape.h */
	bool has_addresses;          /* functions without names are told apart by address */
	uint32_t width;              /* tree, top: columns; 0: as wide as it gets */
	uint32_t rows;               /* tree, top: at most; 0: all. What is left out is said */
	double least;                /* tree: shares below it are left out; 0: none, 0.01: 1% */
};

const struct skep_profile_format_info *skep_profile_format_info(enum skep_profile_format format);
/** By the suffix of @path. Return 0 | -ENOENT no format has such a suffix */
int skep_profile_format_by_path(const char *path, enum skep_profile_format *ret);
/** "pprof". Return 0 | -ENOENT */
int skep_profile_format_by_name(const char *name, enum skep_profile_format *ret);

/**
 * Append @profile, as @format, to @buf.
 *
 * @options  NULL: all zero
 * Return    0 | -EOPNOTSUPP @format is not written | -ENOENT there is no value type of that
 *           name | -EFBIG the format's numbers do not hold it; see @diag
 */
int skep_profile_write(const struct skep_profile *profile, enum skep_profile_format format,
		       const struct skep_profile_options *options, struct skep_buf *buf,
		       struct skep_diag *diag);

/** What is read at most: of a file, unpacked; and how many nodes may be made of it. */
#define SKEP_PROFILE_FILE_MOST_BYTES (256UL << 20)
#define SKEP_PROFILE_FILE_MOST_NODES (1U << 24)

/**
 * Read foreign bytes. Gzip is unpacked first, whatever is in it; which format it is, is
 * found from the bytes.
 *
 * @name   for messages
 * @ret    skep_profile_done(); untouched on error. What could not be taken (labels of
 *         other kinds, more than SKEP_PROFILE_VALUES_MOST values) is in its losses
 * Return  0 | -EINVAL no profile, or a broken one | -EFBIG; see @diag
 */
int skep_profile_read(const void *data, size_t bytes, const char *name, struct skep_profile *ret,
		      struct skep_diag *diag);

#endif
