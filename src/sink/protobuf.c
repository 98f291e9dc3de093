/* The wire format of Protocol Buffers, see protobuf.h: a field is number << 3 | wire, its value. */
#include "sink/protobuf.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

/* --- Writing -------------------------------------------------------------------------------- */

void skep_proto_add_varint(struct skep_buf *buf, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		skep_buf_addc(buf, (char)(value | 0x80));
	skep_buf_addc(buf, (char)value);
}

static void add_tag(struct skep_buf *buf, unsigned field, enum skep_wire wire)
{
	skep_proto_add_varint(buf, field << 3 | wire);
}

void skep_proto_add_u64(struct skep_buf *buf, unsigned field, uint64_t value)
{
	add_tag(buf, field, SKEP_WIRE_VARINT);
	skep_proto_add_varint(buf, value);
}

void skep_proto_add_s64(struct skep_buf *buf, unsigned field, int64_t value)
{
	skep_proto_add_u64(buf, field, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void skep_proto_add_fixed64(struct skep_buf *buf, unsigned field, uint64_t value)
{
	add_tag(buf, field, SKEP_WIRE_FIXED64);
	for (int i = 0; i < 8; i++)
		skep_buf_addc(buf, (char)(value >> (8 * i)));
}

void skep_proto_add_double(struct skep_buf *buf, unsigned field, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	skep_proto_add_fixed64(buf, field, bits);
}

void skep_proto_add_bytes(struct skep_buf *buf, unsigned field, const void *data, size_t len)
{
	add_tag(buf, field, SKEP_WIRE_BYTES);
	skep_proto_add_varint(buf, len);
	if (len)
		skep_buf_add(buf, data, len);
}

void skep_proto_add_message(struct skep_buf *buf, unsigned field, const struct skep_buf *message)
{
	skep_proto_add_bytes(buf, field, message->data, message->len);
}

void skep_proto_put(struct skep_buf *buf, unsigned field, uint64_t value)
{
	if (value)
		skep_proto_add_u64(buf, field, value);
}

/* --- Reading -------------------------------------------------------------------------------- */

/* Return 0 | -EINVAL it ends within, or is over 64 bits */
static int read_varint(struct skep_proto *message, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && message->at < message->end; shift += 7) {
		uint8_t byte = *message->at++;
		if (shift == 63 && byte > 1)
			return -EINVAL;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_fixed(struct skep_proto *message, unsigned bytes, uint64_t *ret)
{
	uint64_t value = 0;

	if ((size_t)(message->end - message->at) < bytes)
		return -EINVAL;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)message->at[i] << (8 * i);
	message->at += bytes;
	*ret = value;
	return 0;
}

static int read_bytes(struct skep_proto *message, struct skep_proto *ret)
{
	uint64_t len = 0;
	int err = read_varint(message, &len);

	if (err || len > (uint64_t)(message->end - message->at))
		return -EINVAL;
	*ret = (struct skep_proto){message->at, message->at + len};
	message->at += len;
	return 0;
}

static int read_value(struct skep_proto *message, struct skep_proto_field *field)
{
	switch (field->wire) {
	case SKEP_WIRE_VARINT: return read_varint(message, &field->value);
	case SKEP_WIRE_FIXED64: return read_fixed(message, 8, &field->value);
	case SKEP_WIRE_FIXED32: return read_fixed(message, 4, &field->value);
	case SKEP_WIRE_BYTES: return read_bytes(message, &field->bytes);
	}
	return -EINVAL; /* groups: nobody has used them for long */
}

int skep_proto_next(struct skep_proto *message, struct skep_proto_field *ret)
{
	struct skep_proto_field field = {0};
	uint64_t tag = 0;

	if (message->at == message->end)
		return 0;
	if (read_varint(message, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
		return -EINVAL;
	field.number = (uint32_t)(tag >> 3);
	field.wire = (enum skep_wire)(tag & 7);
	if (read_value(message, &field))
		return -EINVAL;
	*ret = field;
	return 1;
}

int skep_proto_next_number(struct skep_proto_field *field, uint64_t *ret)
{
	if (field->wire != SKEP_WIRE_BYTES) {
		/* One, not packed: from now on it is a packed field that has no more. */
		*ret = field->value;
		field->wire = SKEP_WIRE_BYTES;
		field->bytes = (struct skep_proto){0};
		return 1;
	}
	if (field->bytes.at == field->bytes.end)
		return 0;
	return read_varint(&field->bytes, ret) ? -EINVAL : 1;
}
