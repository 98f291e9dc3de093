/*
 * A tool on the screen's terminal: `skep tool NAME`, with the keyboard still ours, so that q
 * comes back as well as Ctrl-C does, which the terminal sends to it. The watching goes on behind
 * it: maps are read as before, so that none fills up.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/watch/screen.h"
#include "tool/catalogue.h"

/* A tool that does not end of itself when asked to. */
#define PATIENCE_MS 3000

static void run(const char *name)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
	if (!freopen("/dev/null", "r", stdin))
		_exit(127);
	execl("/proc/self/exe", "skep", "tool", name, (char *)NULL);
	_exit(127);
}

/* Keys come one by one and unseen, as on the screen. */
static void one_by_one(struct termios *ret_before)
{
	struct termios now;

	tcgetattr(STDIN_FILENO, ret_before);
	now = *ret_before;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

static bool wants_back(void)
{
	char keys[32];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	return n <= 0 || memchr(keys, 'q', (size_t)n) || memchr(keys, 27, (size_t)n);
}

/* Until it has ended. @signal_fd: Ctrl-C reached the tool, too, and is not for us. */
static void watch_it(struct skep_screen *screen, pid_t pid, int pid_fd)
{
	struct pollfd fds[] = {{.fd = pid_fd, .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = screen->signal_fd, .events = POLLIN}};
	bool asked = false;

	while (!(fds[0].revents & POLLIN)) {
		int n = poll(fds, 3, asked ? PATIENCE_MS : 1000);
		if (n == 0 && asked)
			kill(pid, SIGKILL);
		else if (n == 0)
			skep_screen_read(screen);
		if (n > 0 && fds[2].revents) {
			struct signalfd_siginfo info;
			bool is_ours = read(screen->signal_fd, &info, sizeof(info)) > 0 &&
				       info.ssi_signo != SIGINT;
			screen->ends |= is_ours;
			if (is_ours && !asked)
				kill(pid, SIGTERM);
			asked = true;
		}
		if (n > 0 && fds[1].revents && wants_back() && !asked) {
			kill(pid, SIGINT);
			asked = true;
		}
	}
}

/* What a tool says that ended of itself is to be read before the screen covers it. */
static void wait_for_key(struct skep_screen *screen, int status)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = screen->signal_fd, .events = POLLIN}};

	if (screen->ends || !WIFEXITED(status))
		return;
	printf("\n[it has ended with status %d; any key goes back]", WEXITSTATUS(status));
	fflush(stdout);
	poll(fds, 2, -1);
	wants_back();
}

static void on_terminal(struct skep_screen *screen, const char *name)
{
	struct termios before;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		run(name);
	_cleanup_close_ int pid_fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pid_fd < 0) {
		snprintf(screen->message, sizeof(screen->message), "cannot start it: %s",
			 strerror(errno));
		if (pid > 0)
			kill(pid, SIGKILL);
	} else {
		one_by_one(&before);
		watch_it(screen, pid, pid_fd);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (pid_fd >= 0 && WIFEXITED(status) && WEXITSTATUS(status))
		wait_for_key(screen, status);
	if (pid_fd >= 0)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* The first of @tools that is part of this program. */
static bool find_tool(const char *tools, char *ret, size_t size)
{
	bool found = false;

	for (const char *at = tools; *at && !found; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		snprintf(ret, size, "%.*s", (int)len, at);
		found = skep_catalogue_has(ret);
		at += len;
	}
	return found;
}

void skep_screen_tool(struct skep_screen *screen, const struct skep_panel *panel)
{
	char name[64];

	if (!find_tool(panel->tools, name, sizeof(name))) {
		snprintf(screen->message, sizeof(screen->message),
			 "there is no tool that looks closer at this");
		return;
	}
	def_prog_mode();
	endwin();
	printf("skep tool %s: q or Ctrl-C comes back\n", name);
	fflush(stdout);
	on_terminal(screen, name);
	reset_prog_mode();
	clearok(stdscr, TRUE);
	refresh();
}
