/* Internet checksums: their sums, and their upkeep when a field changes. */
#include "helper/packet.h"

#include <string.h>

enum {
	FIELD_BYTES = 0xf, /* of the changed field: 0 (a difference), 2, 4 */
	PSEUDO_HEADER = 1 << 4,
	MANGLED_0 = 1 << 5, /* UDP: 0 is "no checksum" and stays; 0 that comes out is 0xffff */
	ENFORCE = 1 << 6,
	IPV6 = 1 << 7,
};

static uint32_t add_32(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum + (sum < b);
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Sum of 32-bit words as they lie in memory, as if zeros followed. */
static uint32_t sum_words(const uint8_t *at, uint32_t bytes, uint32_t sum)
{
	for (uint32_t i = 0; i < bytes; i += 4) {
		uint32_t word = 0;
		memcpy(&word, at + i, bytes - i < 4 ? bytes - i : 4);
		sum = add_32(sum, word);
	}
	return sum;
}

DEFINE_HELPER(csum_diff)
{
	uint32_t from_bytes = (uint32_t)r2, to_bytes = (uint32_t)r4, seed = (uint32_t)r5;

	/* Both ways come to the same, but for which of its two zeros the sum is. */
	if (from_bytes && !to_bytes)
		return fold(~sum_words(ptr_of(r1), from_bytes, ~seed));
	uint32_t sum = sum_words(ptr_of(r3), to_bytes, seed);
	return fold(add_32(sum, from_bytes ? ~sum_words(ptr_of(r1), from_bytes, 0) : 0));
}

/* Where the checksum is; NULL: -EFAULT. */
static uint8_t *field_at(struct skep_packet *packet, uint32_t off)
{
	if (off > 0xffff || off & 1 || packet_pull(packet, off + 2))
		return NULL;
	packet_sync(packet);
	return packet->data + off;
}

/* The checksum once @from has become @to; -EINVAL: no such size. */
static int replace(uint8_t *at, uint64_t from, uint64_t to, uint64_t bytes)
{
	uint16_t sum;
	uint32_t diff;

	switch (bytes) {
	case 0:
		if (from)
			return -EINVAL;
		diff = (uint32_t)to;
		break;
	case 2: diff = add_32((uint16_t) ~(uint16_t)from, (uint16_t)to); break;
	case 4: diff = add_32(~(uint32_t)from, (uint32_t)to); break;
	default: return -EINVAL;
	}
	memcpy(&sum, at, 2);
	/* as the kernel extends it: to 32 bits before the complement with a difference or 4 bytes
	 */
	sum = bytes == 2 ? (uint16_t)~fold(add_32((uint16_t)~sum, diff))
			 : (uint16_t)~fold(add_32(diff, ~(uint32_t)sum));
	memcpy(at, &sum, 2);
	return 0;
}

DEFINE_SKB_HELPER(l3_csum_replace)
{
	if (r5 & ~(uint64_t)FIELD_BYTES)
		return as_r0(-EINVAL);
	uint8_t *at = field_at(packet, (uint32_t)r2);
	return as_r0(at ? replace(at, r3, r4, r5 & FIELD_BYTES) : -EFAULT);
}

DEFINE_SKB_HELPER(l4_csum_replace)
{
	const uint64_t all = FIELD_BYTES | PSEUDO_HEADER | MANGLED_0 | ENFORCE | IPV6;

	if (r5 & ~all)
		return as_r0(-EINVAL);
	uint8_t *at = field_at(packet, (uint32_t)r2);
	if (!at)
		return as_r0(-EFAULT);
	if (r5 & MANGLED_0 && !(r5 & ENFORCE) && !at[0] && !at[1])
		return 0;
	int err = replace(at, r3, r4, r5 & FIELD_BYTES);
	if (!err && r5 & MANGLED_0 && !at[0] && !at[1])
		memset(at, 0xff, 2);
	return as_r0(err);
}

/* Packets here have no checksum that hardware made. */
DEFINE_HELPER(csum_update)
{
	return as_r0(-SKEP_ENOTSUPP);
}

enum { LEVEL_QUERY, LEVEL_INC, LEVEL_DEC, LEVEL_RESET };

DEFINE_HELPER(csum_level)
{
	return as_r0(r2 == LEVEL_QUERY ? -EACCES : r2 > LEVEL_RESET ? -EINVAL : 0);
}
