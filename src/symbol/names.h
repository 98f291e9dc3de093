/*
 * Every string that is handed out, kept once and for good: tables of symbols
 * come and go, names stay. Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_NAMES_H
#define SKEP_SYMBOL_NAMES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/strmap.h"

#define SKEP_NAMES_MAX_BYTES (64UL << 20)

struct skep_names {
	struct skep_arena arena;
	struct skep_strmap raw;   /* raw symbol name → how it is shown (both in arena) */
	struct skep_strmap plain; /* paths and names of run-time code → the same, kept */
};

void skep_names_init(struct skep_names *names);
void skep_names_done(struct skep_names *names);
/** @raw as it is shown: demangled if asked (and possible), control characters as '?'. NULL: full.
 */
const char *skep_names_symbol(struct skep_names *names, const char *raw, bool demangle);
/** The same for text that is no linker symbol. */
const char *skep_names_plain(struct skep_names *names, const char *text);

#endif
