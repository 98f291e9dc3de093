/* Gzip, in memory. Private to src/profile. */
#ifndef SKEP_PROFILE_GZIP_H
#define SKEP_PROFILE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

struct skep_buf;

bool skep_gzip_is(const void *data, size_t bytes);
/** Append @data deflated; the same bytes give the same bytes. */
void skep_gzip(const void *data, size_t bytes, struct skep_buf *buf);
/**
 * Append what @data was deflated from, of all members one after the other.
 * Return  0 | -EINVAL it is no gzip | -ENODATA it is cut | -EFBIG more than @most bytes
 */
int skep_gunzip(const void *data, size_t bytes, size_t most, struct skep_buf *buf);

#endif
