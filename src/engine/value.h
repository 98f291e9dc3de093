/* Keys and values of maps by their type in BTF, as text and from text. */
#ifndef SKEP_ENGINE_VALUE_H
#define SKEP_ENGINE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

struct skep_btf;
struct skep_buf;

/** Some bytes and what they are. All of it borrowed. */
struct skep_value {
	const struct skep_btf *btf; /* NULL: not known */
	uint32_t type;              /* in btf; 0: not known */
	const void *data;
	uint32_t len;
};

/**
 * Append a value: structs as {pid: 3, comm: "sh"}, arrays of characters as strings, enumerators by
 * name; with @json as JSON. Bytes of no known type come as hexadecimal, in JSON as a string of it.
 * Whatever BTF says, nothing outside of the bytes is read; deeper than 16 levels it is bytes.
 */
void skep_value_print(const struct skep_value *value, bool json, struct skep_buf *out);

/**
 * The other way: "17", "0x1f", "-1", an enumerator's name, a string for an array of characters,
 * "pid=3,comm=sh" for a struct (members left out are 0), "hex:0a1b…" for any bytes.
 *
 * @value  its data is not used
 * @ret    value->len bytes; untouched on error
 * Return  0 | -EINVAL, see @diag
 */
int skep_value_parse(const struct skep_value *value, const char *text, uint8_t *ret,
		     struct skep_diag *diag);

/** Digits of bytes, white space between and a colon allowed, at most @most bytes; appended.
 *  Return 0 | -EINVAL no such digits | -E2BIG */
int skep_hex_parse(const char *text, uint32_t most, struct skep_buf *ret);
void skep_hex_print(const void *data, size_t len, const char *between, struct skep_buf *out);

#endif
