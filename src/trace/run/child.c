#include "trace/run/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/fd.h"
#include "base/vec.h"

#define END_WAIT_MS 1000

struct words {
	char *text;            /* owned: all words, NUL after each */
	SKEP_VEC(char *) argv; /* NULL at its end */
};

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\n");
}

/* One word from @at to *to; returns what is behind it, NULL for an open quote. */
static const char *take_word(const char *at, char **to)
{
	char quote = 0;

	for (; *at && (quote || !strchr(" \t\n", *at)); at++) {
		if (!quote && (*at == '"' || *at == '\''))
			quote = *at;
		else if (quote && *at == quote)
			quote = 0;
		else if (*at == '\\' && quote != '\'' && at[1])
			*(*to)++ = *++at;
		else
			*(*to)++ = *at;
	}
	*(*to)++ = '\0';
	return quote ? NULL : at;
}

static int split(const char *command, struct words *ret)
{
	char *to = ret->text = skep_xmalloc(strlen(command) + 2);
	const char *at = skip_blanks(command);

	while (*at) {
		skep_vec_push(&ret->argv, to);
		at = take_word(at, &to);
		if (!at)
			return -EINVAL;
		at = skip_blanks(at);
	}
	if (!ret->argv.len)
		return -EINVAL;
	skep_vec_push(&ret->argv, (char *)NULL);
	return 0;
}

/* In the child: wait at the gate, then become the command. */
static _Noreturn void become(const char *path, char *const *argv, int gate_fd)
{
	sigset_t none;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	while (read(gate_fd, &c, 1) < 0 && errno == EINTR)
		;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	if (errno == ENOEXEC) /* a script without #!: as a shell would run it */
		execl("/bin/sh", "sh", path, (char *)NULL);
	_exit(errno == ENOENT ? 127 : 126);
}

static int start(struct skep_child *child, char *const *argv)
{
	int gate[2];

	if (pipe2(gate, O_CLOEXEC))
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		int err = -errno;
		skep_close(&gate[0]);
		skep_close(&gate[1]);
		return err;
	}
	if (pid == 0) {
		close(gate[1]);
		become(child->path, argv, gate[0]);
	}
	skep_close(&gate[0]);
	child->pid = pid;
	child->gate_fd = gate[1];
	child->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return 0;
}

/* Told now: a child that cannot become its command could only say so by its status. */
static int check_program(const char *path)
{
	struct stat file;

	if (stat(path, &file))
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -EACCES;
	return access(path, X_OK) ? -errno : 0;
}

int skep_child_start_argv(struct skep_child *child, char *const *argv, struct skep_diag *diag)
{
	*child = (struct skep_child){.gate_fd = -1, .pid_fd = -1};
	int err = skep_elf_resolve_path(argv[0], child->path, sizeof(child->path));

	if (!err)
		err = check_program(child->path);
	if (!err)
		err = start(child, argv);
	return err ? skep_diag_fail(diag, err, SKEP_DIAG_COMMAND_NONE, SKEP_NOWHERE, argv[0],
				    strerror(-err))
		   : 0;
}

int skep_child_start(struct skep_child *child, const char *command, struct skep_diag *diag)
{
	struct words words = {0};
	int err = split(command, &words);

	*child = (struct skep_child){.gate_fd = -1, .pid_fd = -1};
	if (err)
		skep_diag_add(diag, SKEP_DIAG_COMMAND_WORDS, SKEP_NOWHERE, command);
	else
		err = skep_child_start_argv(child, words.argv.data, diag);
	skep_vec_done(&words.argv);
	free(words.text);
	return err;
}

void skep_child_release(struct skep_child *child)
{
	skep_close(&child->gate_fd);
}

bool skep_child_ended(struct skep_child *child)
{
	if (child->pid <= 0)
		return false;
	if (waitpid(child->pid, &child->status, WNOHANG) != child->pid)
		return false;
	child->pid = 0;
	return true;
}

void skep_child_done(struct skep_child *child)
{
	if (child->pid > 0) {
		kill(child->pid, child->gate_fd >= 0 ? SIGKILL : SIGTERM);
		struct pollfd ended = {.fd = child->pid_fd, .events = POLLIN};
		if (child->pid_fd < 0 || poll(&ended, 1, END_WAIT_MS) > 0)
			waitpid(child->pid, &child->status, 0);
		child->pid = 0;
	}
	skep_close(&child->gate_fd);
	skep_close(&child->pid_fd);
}
