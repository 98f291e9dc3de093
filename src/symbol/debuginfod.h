/*
 * Debug files from servers of debuginfod, which know them by their build-ids: as DEBUGINFOD_URLS,
 * DEBUGINFOD_CACHE_PATH and DEBUGINFOD_TIMEOUT in the environment say, and in the folder that all
 * such clients share. Private to src/symbol, but for what include/skep/symbol.h has.
 *
 * A server's answer is taken by a process of its own, which writes it into a file that has no name
 * yet; that is given one when it turned out to be the file that was asked for. So nobody finds a
 * part of it, and what is cut off leaves nothing behind.
 */
#ifndef SKEP_SYMBOL_DEBUGINFOD_H
#define SKEP_SYMBOL_DEBUGINFOD_H

#include <stddef.h>
#include <stdint.h>

#include <skep/symbol.h>

struct skep_elf;

/**
 * The debug file of this build-id: from the folder, else from a server, if it was not asked for
 * before.
 *
 * Return  0 | -ENOENT nobody has it, or it could not be fetched (skep_debuginfod_trouble())
 * Cost    of fetching: DEBUGINFOD_TIMEOUT a file at most, and twice that in all
 */
int skep_debuginfod_open(struct skep_debuginfod *debuginfod, const uint8_t *id, size_t id_len,
			 struct skep_elf **ret);

#endif
