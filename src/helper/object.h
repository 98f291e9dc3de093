/*
 * Objects of a program's own (bpf_obj_new() and its kin): plain memory that a
 * program uses as a struct, behind a header that it does not see.
 */
#ifndef SKEP_HELPER_OBJECT_H
#define SKEP_HELPER_OBJECT_H

#include "helper/helpers.h"

/** Zeroed memory with one reference; @n_copies > 1: one for each CPU. NULL: no memory. */
void *object_new(uint32_t bytes, uint32_t n_copies);
/* Of what is no object nothing is counted, read or given: */
void object_ref(const void *memory);
/** Give a reference back; the last frees it. */
void object_unref(struct skep_run *run, const void *memory);
uint32_t object_bytes(const void *memory);
/** The copy of @cpu; NULL: there is no such CPU, or @memory is none. */
void *object_copy(const void *memory, uint32_t cpu);
/** The object that has @at in it; NULL: none. Cost O(objects). */
void *object_around(const void *at);
/** All that live now, for tests that none is lost. */
uint32_t object_count(void);

#endif
