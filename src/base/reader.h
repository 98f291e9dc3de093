/* Bytes that are read one after the other, never past their end. */
#ifndef SKEP_BASE_READER_H
#define SKEP_BASE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct skep_reader {
	const uint8_t *at, *end;
	bool is_bad; /* something was asked for that is not there; all further is 0 */
};

static inline uint64_t skep_read_fixed(struct skep_reader *r, size_t size)
{
	uint64_t value = 0;

	if ((size_t)(r->end - r->at) < size) {
		r->is_bad = true;
		r->at = r->end;
		return 0;
	}
	memcpy(&value, r->at, size);
	r->at += size;
	return value;
}

static inline int64_t skep_read_signed(struct skep_reader *r, size_t size)
{
	uint64_t value = skep_read_fixed(r, size);
	unsigned shift = 64 - 8 * (unsigned)size;

	return (int64_t)(value << shift) >> shift;
}

/** Seven bits a byte, the lowest first; bits over the 64th are dropped. */
static inline uint64_t skep_read_uleb(struct skep_reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	r->is_bad = true;
	return 0;
}

static inline int64_t skep_read_sleb(struct skep_reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; r->at < r->end;) {
		uint8_t byte = *r->at++;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift < 64)
			value |= ~0ull << shift;
		return (int64_t)value;
	}
	r->is_bad = true;
	return 0;
}

static inline const uint8_t *skep_read_bytes(struct skep_reader *r, uint64_t size)
{
	const uint8_t *at = r->at;

	if ((uint64_t)(r->end - r->at) < size) {
		r->is_bad = true;
		r->at = r->end;
		return NULL;
	}
	r->at += size;
	return at;
}

#endif
