/* Names out of a line of the source: see explain_source.c. */
#ifndef SKEP_VERIFY_EXPLAIN_SOURCE_H
#define SKEP_VERIFY_EXPLAIN_SOURCE_H

#include <skep/arena.h>

/** "value" of "int *value = bpf_map_lookup_elem(…);". NULL: none, as for all of these. */
const char *explain_name_assigned(struct skep_arena *arena, const char *text);
/** "eth" of "if (eth->h_proto == 8)", if it is the only one. */
const char *explain_name_followed(struct skep_arena *arena, const char *text);
/** "i" of "x += table[i];", if it is the only one. */
const char *explain_name_of_index(struct skep_arena *arena, const char *text);

/** "total->sizes" of "x += total->sizes[i];", if it is the only one. */
const char *explain_name_of_array(struct skep_arena *arena, const char *text);
/** "&total->lock" of "bpf_spin_lock(&total->lock);" for "bpf_spin_lock". */
const char *explain_argument_of(struct skep_arena *arena, const char *text, const char *call);

#endif
