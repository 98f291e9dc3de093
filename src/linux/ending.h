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
/** One that is readable while such a signal is held and waits; holds none itself. Not to be read.
 *  Return it, the caller's | -1 */
int skep_ending_peek_fd(void);
/** Take those that wait, of skep_ending_fd(): what is begun now is ended by the next. */
void skep_ending_take(int fd);

#endif
