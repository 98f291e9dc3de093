/* The signals that ask a program to end: Ctrl-C, SIGTERM, and the terminal's going away. */
#ifndef SKEP_LINUX_ENDING_H
#define SKEP_LINUX_ENDING_H

#include <signal.h>

void skep_ending_signals(sigset_t *ret);
/** Hold them from here on, until somebody reads them: what was begun is brought to its end. */
void skep_ending_hold(void);
/** The same, to be read from a descriptor; and who reads our output may go away without a signal.
 *  Return it, the caller's | -1 */
int skep_ending_fd(void);

#endif
