/* The terminal that tables are shown on, a screenful at a time: refresh(). */
#ifndef SKEP_TRACE_SCREEN_H
#define SKEP_TRACE_SCREEN_H

#include <stddef.h>
#include <stdint.h>

struct skep_buf;

struct skep_screen {
	uint32_t n_lines; /* of the terminal; 0: there is none, or it was not cleared */
	size_t from;      /* where in the text not yet written the screen begins */
};

/** Begin a new screen on @fd, into @text: clear it, or an empty line if it is no terminal. */
void skep_screen_clear(struct skep_screen *screen, int fd, struct skep_buf *text);
/** Rows that a table can have below what @text has already; 0: as many as it likes. */
uint32_t skep_screen_room(const struct skep_screen *screen, const struct skep_buf *text);

#endif
