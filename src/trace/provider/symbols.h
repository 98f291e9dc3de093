/* Functions of a binary by name, pattern or address. */
#ifndef SKEP_TRACE_SYMBOLS_H
#define SKEP_TRACE_SYMBOLS_H

#include "trace/provider/provider.h"

struct skep_func {
	const char *name;   /* as in the symbol table */
	const char *shown;  /* as written in the source; name, if that is the same */
	uint64_t addr, end; /* end: of the function, by its size or the next symbol */
};

struct skep_funcs {
	struct skep_func *data; /* owned; the strings are on the arena */
	size_t len, cap;
};
void skep_funcs_done(struct skep_funcs *funcs);
#define _cleanup_funcs_ __attribute__((cleanup(skep_funcs_done)))

/**
 * Add the functions that match @pattern, by name.
 *
 * @demangle  match C++ and Rust names as written in the source, with or
 *            without parameters; else symbols as they are
 * @each_once of several names of one address only the plainest
 */
void skep_funcs_match(struct skep_arena *arena, const struct skep_elf *elf, const char *pattern,
		      bool demangle, bool each_once, struct skep_funcs *ret);
/** The function called exactly @name. Return 0 | -ENOENT */
int skep_funcs_find(struct skep_arena *arena, const struct skep_elf *elf, const char *name,
		    struct skep_func *ret);
/** The function whose code has @addr. Return 0 | -ENOENT */
int skep_funcs_find_addr(struct skep_arena *arena, const struct skep_elf *elf, uint64_t addr,
			 struct skep_func *ret);
/** Is @addr in an executable section (or segment, where there are no sections)? */
bool skep_elf_is_code(const struct skep_elf *elf, uint64_t addr);
/** Does demangled @name, with or without its parameters, match @pattern? */
bool skep_demangled_match(const char *pattern, const char *name);

#endif
