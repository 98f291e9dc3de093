/* Reading memory that may not be there. */
#ifndef SKEP_HELPER_PROBE_H
#define SKEP_HELPER_PROBE_H

#include <stddef.h>
#include <stdint.h>

/** A string of at most @size bytes with its NUL, cut to fit.
 *  Return its bytes, NUL included | 0 for @size 0 | -EFAULT */
long probe_string(char *to, uint64_t from, size_t size);

#endif
