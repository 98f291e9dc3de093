/*
 * Whether a terminal is described. A file of its own, with <term.h> behind all else, as that makes
 * macros of common words.
 */
#include "cmd/watch/screen.h"

#include <unistd.h>

#include <curses.h>
#include <term.h>

bool skep_screen_is_known(void)
{
	int err;

	if (setupterm(NULL, STDOUT_FILENO, &err) != OK)
		return false;
	del_curterm(cur_term);
	return true;
}
