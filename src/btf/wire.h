/*
 * BTF as it lies in memory: the one description both the reader and the writer
 * use. Names are ours, layouts are the kernel's.
 *
 *	+--------+----------------------+---------------------------+
 *	| header | type records, 4-byte | strings, each with a NUL; |
 *	|        | aligned, back to back| the first and last byte 0 |
 *	+--------+----------------------+---------------------------+
 *
 * A type record is struct wire_type, then what its kind asks for: nothing, one
 * fixed struct, or vlen elements. Its id is its rank, starting at 1.
 *
 *	info:  31 | 30   29 | 28 .. 24 | 23 .. 16 | 15 .. 0
 *	     kflag|         |   kind   |          |  vlen
 *
 * All fields are little-endian; so must the machine be.
 *
 * Source  Linux Documentation/bpf/btf.rst
 */
#ifndef SKEP_BTF_WIRE_H
#define SKEP_BTF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "BTF is read in place");

#define WIRE_MAGIC       0xeb9f
#define WIRE_MAGIC_OTHER 0x9feb /* the magic of the other byte order */
#define WIRE_VERSION     1
#define WIRE_MAX_VLEN    0xffff

/** Linkage: of a FUNC in place of its vlen, of a VAR in the word behind it. */
#define WIRE_LINKAGE_STATIC 0
#define WIRE_LINKAGE_GLOBAL 1

struct wire_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;            /* at least sizeof(struct wire_header) */
	uint32_t type_off, type_len; /* from the end of the header */
	uint32_t str_off, str_len;
};

struct wire_type {
	uint32_t name_off;
	uint32_t info;
	union {
		uint32_t size; /* INT, STRUCT, UNION, ENUM, ENUM64, FLOAT, DATASEC */
		uint32_t type; /* PTR, modifiers, FUNC, FUNC_PROTO, VAR, tags */
	};
};

/** After an INT: 27..24 encoding, 23..16 offset in bits, 7..0 number of bits. */
#define WIRE_INT_ENCODING(x) (((x) >> 24) & 0xf)
#define WIRE_INT_OFFSET(x)   (((x) >> 16) & 0xff)
#define WIRE_INT_BITS(x)     ((x)&0xff)
#define WIRE_INT_SIGNED      1
#define WIRE_INT_CHAR        2
#define WIRE_INT_BOOL        4

struct wire_array {
	uint32_t type, index_type, n;
};

struct wire_member {
	uint32_t name_off, type;
	uint32_t offset; /* bits; with kflag: 31..24 bit field size, 23..0 offset */
};

struct wire_param {
	uint32_t name_off, type;
};

struct wire_enum {
	uint32_t name_off;
	int32_t value;
};

struct wire_enum64 {
	uint32_t name_off, lo, hi;
};

struct wire_secinfo {
	uint32_t type, offset, size;
};

static inline uint32_t wire_kind(uint32_t info)
{
	return (info >> 24) & 0x1f;
}

static inline uint32_t wire_vlen(uint32_t info)
{
	return info & WIRE_MAX_VLEN;
}

static inline bool wire_kflag(uint32_t info)
{
	return info >> 31;
}

static inline uint32_t wire_info(uint32_t kind, uint32_t vlen)
{
	return kind << 24 | vlen;
}

#endif
