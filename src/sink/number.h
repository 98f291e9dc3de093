/*
 * Numbers as text, without printf(): what is called for every event must cost
 * nanoseconds. Also numbers as JSON, and text padded to a width.
 */
#ifndef SKEP_SINK_NUMBER_H
#define SKEP_SINK_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_buf;

/** Room for any 64-bit number in any base of at least 8, without a NUL. */
#define SKEP_DIGITS_MAX 24

/** Digits of @value at the end of @room; returns where they start. No sign, no NUL. */
char *skep_sink_digits(char room[SKEP_DIGITS_MAX], uint64_t value);
/** The same in base 2^@shift (3: octal, 4: hexadecimal). */
char *skep_sink_digits_pow2(char room[SKEP_DIGITS_MAX], uint64_t value, unsigned shift,
			    bool upper_case);

void skep_sink_u64(struct skep_buf *buf, uint64_t value);
void skep_sink_s64(struct skep_buf *buf, int64_t value);
/** Hexadecimal in lower case, without "0x". */
void skep_sink_hex(struct skep_buf *buf, uint64_t value);
/** The shortest digits that read back as @value, as Go writes them: "4096", "0.5", "1e-06",
 *  "1e+21", "NaN", "+Inf". */
void skep_sink_double(struct skep_buf *buf, double value);
/**
 * A number of JSON. One that a double cannot hold to the last digit is quoted:
 * most readers of JSON keep numbers as doubles, and would change it unseen.
 */
void skep_sink_json_u64(struct skep_buf *buf, uint64_t value);
void skep_sink_json_s64(struct skep_buf *buf, int64_t value);

/** Pad what was added to @buf since @from to @width bytes, with @fill before or blanks behind. */
void skep_sink_pad(struct skep_buf *buf, size_t from, size_t width, bool left, char fill);

#endif
