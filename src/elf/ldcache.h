/*
 * The dynamic linker's list of known libraries, /etc/ld.so.cache.
 * Private to src/elf and its tests.
 */
#ifndef SKEP_ELF_LDCACHE_H
#define SKEP_ELF_LDCACHE_H

#include <stdbool.h>
#include <stddef.h>

/** Does file name @name ("libc.so.6") answer to @wanted ("c", "libc", "libc.so", "libc.so.6")? */
bool skep_elf_library_matches(const char *name, const char *wanted);

/**
 * Path of the library @wanted in the cache's bytes, of this machine's kind.
 * Borrowed from @data; NULL: not there, or not a cache of a format known here
 * (glibc's "1.1", alone or behind the older one).
 */
const char *skep_elf_ldcache_find(const void *bytes, size_t size, const char *wanted);

#endif
