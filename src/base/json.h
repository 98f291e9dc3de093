/* JSON text: the one place that knows how to quote. */
#ifndef SKEP_BASE_JSON_H
#define SKEP_BASE_JSON_H

#include <stddef.h>

struct skep_buf;

/**
 * @text as a quoted JSON string. Bytes that are not valid UTF-8 become
 * U+FFFD, so that the output is valid JSON whatever a process calls itself.
 */
void skep_json_string(struct skep_buf *out, const char *text, size_t len);

#endif
