/*
 * The wire format of Protocol Buffers: writing fields, and reading them from foreign bytes.
 *
 *	skep_proto_add_u64(&buf, 1, 42);
 *
 *	struct skep_proto message = {data, data + bytes};
 *	struct skep_proto_field field;
 *	while ((err = skep_proto_next(&message, &field)) > 0)
 *		…
 *
 * Source: the encoding as protobuf.dev documents it.
 */
#ifndef SKEP_SINK_PROTOBUF_H
#define SKEP_SINK_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_buf;

enum skep_wire {
	SKEP_WIRE_VARINT,
	SKEP_WIRE_FIXED64,
	SKEP_WIRE_BYTES,
	SKEP_WIRE_FIXED32 = 5,
};

/* --- Writing: a field, also one that is zero ------------------------------------------------ */

void skep_proto_add_varint(struct skep_buf *buf, uint64_t value); /* alone, without a number */
void skep_proto_add_u64(struct skep_buf *buf, unsigned field, uint64_t value);
/** sint32, sint64: small ones are short, whatever their sign. */
void skep_proto_add_s64(struct skep_buf *buf, unsigned field, int64_t value);
void skep_proto_add_double(struct skep_buf *buf, unsigned field, double value);
void skep_proto_add_fixed64(struct skep_buf *buf, unsigned field, uint64_t value);
void skep_proto_add_bytes(struct skep_buf *buf, unsigned field, const void *data, size_t len);
void skep_proto_add_message(struct skep_buf *buf, unsigned field, const struct skep_buf *message);
/** A field that is left out where it is zero, as proto3 does. */
void skep_proto_put(struct skep_buf *buf, unsigned field, uint64_t value);

/* --- Reading -------------------------------------------------------------------------------- */

struct skep_proto {
	const uint8_t *at, *end; /* borrowed */
};

struct skep_proto_field {
	uint32_t number;
	enum skep_wire wire;
	uint64_t value;          /* of all wires but BYTES */
	struct skep_proto bytes; /* of BYTES: what is in it */
};

/** Return 1 | 0 the message has ended | -EINVAL it is broken */
int skep_proto_next(struct skep_proto *message, struct skep_proto_field *ret);
/**
 * The next number of a repeated field, which may be packed or not; @field is used up.
 * Return 1 | 0 no more | -EINVAL
 */
int skep_proto_next_number(struct skep_proto_field *field, uint64_t *ret);

#endif
