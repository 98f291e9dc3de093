/*
 * Rows of a fixed size, found by a key of a fixed size, in the order they came in: what the
 * panels' tables are kept in. Values start as zeroes; those that are to be added up are arrays
 * of uint64_t.
 */
#ifndef SKEP_WATCH_ROWS_H
#define SKEP_WATCH_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** More rows than this are counted, not kept. */
#define SKEP_ROWS_MOST (1u << 18)

struct skep_rows {
	uint32_t key_bytes, value_bytes; /* multiples of 8; a key of 0 bytes: one row at most */
	uint32_t n, cap;
	uint8_t *data;      /* key, value, key, value…; owned */
	uint32_t *index;    /* of a row + 1 by its key's hash; owned */
	uint32_t n_index;   /* a power of two, or 0 */
	uint64_t n_refused; /* rows over SKEP_ROWS_MOST */
};

void skep_rows_init(struct skep_rows *rows, uint32_t key_bytes, uint32_t value_bytes);
void skep_rows_done(struct skep_rows *rows);
/** Empty it, keeping the memory. */
void skep_rows_clear(struct skep_rows *rows);

/** The value of @key, made if it is not there; NULL: there are too many. Good until the next one
 *  is made. */
void *skep_rows_at(struct skep_rows *rows, const void *key);
/** NULL: it is not there. */
void *skep_rows_find(const struct skep_rows *rows, const void *key);
const void *skep_rows_key(const struct skep_rows *rows, uint32_t i);
void *skep_rows_value(const struct skep_rows *rows, uint32_t i);

/** Keep the rows that @keep says so of. */
void skep_rows_keep(struct skep_rows *rows, bool (*keep)(void *ctx, const void *key, void *value),
		    void *ctx);
/** Add the rows of @from, of the same sizes, to those of @rows, word by word. */
void skep_rows_add(struct skep_rows *rows, const struct skep_rows *from);
/** The sum of word @word of all values. */
uint64_t skep_rows_sum(const struct skep_rows *rows, uint32_t word);
/** The numbers of the rows by the sum of the words that are bits of @words, greatest first, then by
 *  key; heap, NULL if there are none. */
uint32_t *skep_rows_sorted(const struct skep_rows *rows, uint64_t words);
/** That sum of one row. */
uint64_t skep_rows_weight(const struct skep_rows *rows, uint32_t i, uint64_t words);

#endif
