/*
 * Processes beside the one that profiles: they read what it keeps, and it waits for none of them.
 * Each ends with it, at the latest by force; one that ends by itself is told of. See profile.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/profile/profile.h"
#include "linux/ending.h"

#define END_MS  5000 /* more than the sender takes for what is left */
#define LOOK_MS 10

/* Nothing of the one that it is beside: neither its lock, nor what it has in the kernel. */
static void close_all_but(int fd)
{
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	close_range((unsigned)(fd < 0 ? STDERR_FILENO : fd) + 1, ~0U, 0);
}

/* What a terminal sends reaches all processes, but what is kept last comes behind it: only the one
 * that it is beside says when to end. Ignored signals that are blocked would wait all the same. */
static int asked_to_end_fd(void)
{
	int fd = skep_ending_fd();
	sigset_t of_terminals;

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&of_terminals);
	sigaddset(&of_terminals, SIGINT);
	sigaddset(&of_terminals, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &of_terminals, NULL);
	return fd;
}

static int run(skep_profile_beside_fn fn, void *ctx, int fd, pid_t parent)
{
	/* Not longer than the one that it is beside. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_all_but(fd);
	int signal_fd = getppid() == parent ? asked_to_end_fd() : -1;

	return signal_fd >= 0 && !fn(ctx, signal_fd) ? 0 : 1;
}

int skep_profile_beside_start(struct skep_profile_beside *beside, skep_profile_beside_fn fn,
			      void *ctx, int fd)
{
	pid_t parent = getpid();

	fflush(NULL);
	pid_t child = fork();
	if (!child)
		_exit(run(fn, ctx, fd, parent));
	if (child < 0)
		return -errno;
	beside->pid = child;
	return 0;
}

static void say_ended(const struct skep_profile_beside *beside, int status)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "skep profile: %s was ended by signal %d (%s); profiles are kept\n",
			beside->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "skep profile: %s has failed; profiles are kept\n", beside->name);
}

void skep_profile_beside_look(struct skep_profile_beside *beside)
{
	int status;

	if (!beside->pid || waitpid(beside->pid, &status, WNOHANG) <= 0)
		return;
	beside->pid = 0;
	say_ended(beside, status);
}

void skep_profile_beside_end(struct skep_profile_beside *beside)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};

	skep_profile_beside_look(beside);
	if (!beside->pid)
		return;
	kill(beside->pid, SIGTERM);
	for (int waited = 0; waited < END_MS; waited += LOOK_MS) {
		if (waitpid(beside->pid, NULL, WNOHANG)) {
			beside->pid = 0;
			return;
		}
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "skep profile: %s does not end, and is killed\n", beside->name);
	kill(beside->pid, SIGKILL);
	waitpid(beside->pid, NULL, 0);
	beside->pid = 0;
}
