/* The terminal that tables are shown on, see screen.h. */
#include "trace/run/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"

#define ROOM_LEAST 3

void skep_screen_clear(struct skep_screen *screen, int fd, struct skep_buf *text)
{
	const char *term = getenv("TERM");
	struct winsize size;

	screen->n_lines = 0;
	if (!isatty(fd) || !term || !strcmp(term, "dumb") || ioctl(fd, TIOCGWINSZ, &size)) {
		skep_buf_addc(text, '\n');
		return;
	}
	screen->n_lines = size.ws_row;
	screen->from = text->len;
	skep_buf_puts(text, "\033[H\033[2J");
}

uint32_t skep_screen_room(const struct skep_screen *screen, const struct skep_buf *text)
{
	uint32_t used = 2; /* the heading, and where the cursor stands at the end */

	if (!screen->n_lines)
		return 0;
	for (size_t i = screen->from; i < text->len; i++)
		used += text->data[i] == '\n';
	return screen->n_lines < used + ROOM_LEAST ? ROOM_LEAST : screen->n_lines - used;
}
