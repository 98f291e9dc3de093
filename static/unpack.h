/* What pack.py packed, see unpack.c. */
#ifndef SKEP_STATIC_UNPACK_H
#define SKEP_STATIC_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/**
 * Unpack @packed_len bytes at @packed into the @len bytes of @ret that they become.
 *
 * Return  0 | -EILSEQ they are not what becomes @len bytes; @ret may be written in part
 * Cost    some fifteen nanoseconds a byte of @ret
 */
int skep_unpack(const uint8_t *packed, size_t packed_len, uint8_t *ret, size_t len);

#endif
