/* Signals that ask a program to end, see ending.h. */
#include "linux/ending.h"

#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

void skep_ending_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGHUP);
}

void skep_ending_hold(void)
{
	sigset_t mask;

	skep_ending_signals(&mask);
	sigprocmask(SIG_BLOCK, &mask, NULL);
}

int skep_ending_fd(void)
{
	sigset_t mask;

	skep_ending_signals(&mask);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

int skep_ending_peek_fd(void)
{
	sigset_t mask;

	skep_ending_signals(&mask);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

void skep_ending_take(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		;
}
