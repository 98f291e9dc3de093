/*
 * Bob Jenkins's hash "lookup3" (public domain, 2006), as the kernel seeds it:
 * ids of stacks and the order of a sockhash come from it and can be seen.
 */
#ifndef SKEP_MAP_JHASH_H
#define SKEP_MAP_JHASH_H

#include <stdint.h>
#include <string.h>

static inline uint32_t skep_jhash_rol(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

static inline void skep_jhash_mix(uint32_t s[3])
{
	static const uint8_t by[6] = {4, 6, 8, 16, 19, 4};

	for (unsigned i = 0; i < 6; i++) {
		unsigned x = i % 3, y = (i + 2) % 3, z = (i + 1) % 3;

		s[x] = (s[x] - s[y]) ^ skep_jhash_rol(s[y], by[i]);
		s[y] += s[z];
	}
}

static inline void skep_jhash_finish(uint32_t s[3])
{
	static const uint8_t by[7] = {14, 11, 25, 16, 4, 14, 24};

	for (unsigned i = 0; i < 7; i++) {
		unsigned x = (i + 2) % 3, y = (i + 1) % 3;

		s[x] = (s[x] ^ s[y]) - skep_jhash_rol(s[y], by[i]);
	}
}

static inline uint32_t skep_jhash(const void *key, uint32_t len, uint32_t seed)
{
	uint32_t start = 0xdeadbeef + len + seed, s[3] = {start, start, start}, part[3];
	const uint8_t *at = key;

	for (; len > 12; len -= 12, at += 12) {
		memcpy(part, at, 12);
		for (unsigned i = 0; i < 3; i++)
			s[i] += part[i];
		skep_jhash_mix(s);
	}
	if (!len)
		return s[2];
	memset(part, 0, sizeof(part));
	memcpy(part, at, len);
	for (unsigned i = 0; i < 3; i++)
		s[i] += part[i];
	skep_jhash_finish(s);
	return s[2];
}

#endif
