/* For tests of lower/: the programs of tests/scripts, whose form docs/testing.md describes. */
#ifndef TESTS_TRACE_LOWER_BLOCKS_H
#define TESTS_TRACE_LOWER_BLOCKS_H

#include <stdbool.h>

#include <skep/buf.h>

/**
 * The next program that is expected to work, of a file of blocks: the text of its PROG, with the
 * names in {{ }} filled in, in @ret (cleared first).
 *
 * @at      where to read on; moved behind the block. Begins at the file's text
 * Return   true | false: there are no more
 */
bool blocks_next(const char **at, struct skep_buf *ret);

#endif
