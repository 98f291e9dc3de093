/* UTF-8: what is valid, and text made valid whatever bytes it had. */
#ifndef SKEP_BASE_UTF8_H
#define SKEP_BASE_UTF8_H

#include <stddef.h>

/** Length of the valid UTF-8 sequence at @text (1-4), or 0: overlong forms, surrogates and what is
 *  cut off by the end of @left bytes (at least 1) are not valid. */
size_t skep_utf8_len(const char *text, size_t left);

#define SKEP_UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, for a byte that is not valid */

#endif
