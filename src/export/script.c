/* One script's process, see scripts_impl.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/arena.h"
#include "base/fd.h"
#include "export/channel.h"
#include "export/scripts_impl.h"

#define SELF       "/proc/self/exe"
#define CHANNEL_FD 3
#define LINE_MOST  4096

/* --- Starting ------------------------------------------------------------------------------- */

/* skep trace -q --prometheus=fd:3 FILE ARGS, skep tool NAME --prometheus=fd:3 ARGS; ends in NULL;
 * the words are borrowed. */
static const char **command_of(const struct skep_export_script *script)
{
	const char **words = skep_xcalloc(script->args.len + 6, sizeof(*words));
	size_t n = 0;

	words[n++] = "skep";
	words[n++] = script->tool ? "tool" : "trace";
	if (script->tool)
		words[n++] = script->tool;
	else
		words[n++] = "-q";
	words[n++] = "--prometheus=fd:3";
	if (script->file)
		words[n++] = script->file;
	for (size_t i = 0; i < script->args.len; i++)
		words[n++] = script->args.data[i];
	return words;
}

/* In the child. In a process group of its own: Ctrl-C is for the parent, which ends it. */
static _Noreturn void become(const char **words, int channel_fd, int messages_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(messages_fd, STDERR_FILENO);
	if (channel_fd == CHANNEL_FD)
		fcntl(CHANNEL_FD, F_SETFD, 0);
	else
		dup2(channel_fd, CHANNEL_FD);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(SELF, (char **)words);
	_exit(127);
}

static int fork_it(struct skep_export_script_process *process, int channel_fd, int messages_fd)
{
	_cleanup_free_ const char **words = command_of(process->script);
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		become(words, channel_fd, messages_fd);
	process->pid = pid;
	process->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return process->pid_fd < 0 ? -errno : 0;
}

static int send_identity(const struct skep_export_script_process *process, int fd)
{
	_cleanup_buf_ struct skep_buf text = {0}, message = {0};

	skep_export_identity_pack(&process->script->identity, &text);
	uint32_t len = (uint32_t)text.len;
	skep_buf_add(&message, &len, sizeof(len));
	skep_buf_add(&message, text.data, text.len);
	ssize_t n = send(fd, message.data, message.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n == (ssize_t)message.len ? 0 : -EIO;
}

/* --- What it says --------------------------------------------------------------------------- */

static void say(struct skep_export_script_process *process)
{
	const struct skep_scripts_events *events = &process->scripts->events;

	skep_buf_addc(&process->said, '\0');
	events->said(events->ctx, process->script, process->said.data);
	skep_buf_clear(&process->said);
}

static void take_text(struct skep_export_script_process *process, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' || process->said.len == LINE_MOST)
			say(process);
		if (text[i] != '\n')
			skep_buf_add_printable(&process->said, text + i, 1);
	}
}

static void on_message(evutil_socket_t fd, short what, void *ctx)
{
	struct skep_export_script_process *process = ctx;
	char text[4096];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		take_text(process, text, (size_t)n);
	if (!n && process->message) /* closed: it would be readable forever */
		event_del(process->message);
}

/* --- Its end -------------------------------------------------------------------------------- */

static void tell_end(struct skep_export_script_process *process, int status)
{
	const struct skep_scripts_events *events = &process->scripts->events;
	char why[64];

	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(why, sizeof(why), "it failed (exit status %d)", WEXITSTATUS(status));
	else
		snprintf(why, sizeof(why), "it came to its end");
	events->ended(events->ctx, process->script, why);
}

void skep_export_script_collect(struct skep_export_script_process *process)
{
	int status;

	if (!process->pid || waitpid(process->pid, &status, WNOHANG) != process->pid)
		return;
	process->pid = 0;
	on_message(process->messages_fd, 0, process);
	if (process->said.len)
		say(process);
	tell_end(process, status);
	skep_export_script_done(process);
	skep_scripts_answered(process->scripts);
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
	skep_export_script_collect(ctx);
}

void skep_export_script_done(struct skep_export_script_process *process)
{
	if (process->end)
		event_free(process->end);
	if (process->message)
		event_free(process->message);
	if (process->channel)
		bufferevent_free(process->channel);
	process->end = process->message = NULL;
	process->channel = NULL;
	skep_close(&process->pid_fd);
	skep_close(&process->messages_fd);
	skep_buf_done(&process->said);
	process->is_asked = false;
}

/* --- Its answers ---------------------------------------------------------------------------- */

void skep_export_script_ask(struct skep_export_script_process *process,
			    enum skep_metrics_format format)
{
	struct skep_channel_ask ask = {process->scripts->number, format};

	skep_buf_clear(&process->answer);
	process->is_asked = process->channel && !process->owes;
	if (!process->is_asked)
		return;
	process->owes = true;
	bufferevent_write(process->channel, &ask, sizeof(ask));
}

static void take_answer(struct skep_export_script_process *process, struct evbuffer *input,
			const struct skep_channel_reply *reply)
{
	bool is_late = !process->is_asked || reply->number != process->scripts->number;
	char *room = skep_buf_reserve(&process->answer, reply->bytes + 1);

	process->owes = false;
	evbuffer_remove(input, room, reply->bytes);
	if (is_late)
		return;
	process->answer.len = reply->bytes;
	process->is_asked = false;
	skep_scripts_answered(process->scripts);
}

/* Nonsense: it is not asked again. */
static void give_up(struct skep_export_script_process *process)
{
	bufferevent_disable(process->channel, EV_READ | EV_WRITE);
	kill(process->pid, SIGTERM);
}

static void on_read(struct bufferevent *channel, void *ctx)
{
	struct skep_export_script_process *process = ctx;
	struct evbuffer *input = bufferevent_get_input(channel);
	struct skep_channel_reply reply;

	while (process->channel && evbuffer_get_length(input) >= sizeof(reply)) {
		evbuffer_copyout(input, &reply, sizeof(reply));
		if (reply.bytes > SKEP_CHANNEL_BYTES_MOST) {
			give_up(process);
			return;
		}
		if (evbuffer_get_length(input) < sizeof(reply) + reply.bytes)
			return;
		evbuffer_drain(input, sizeof(reply));
		take_answer(process, input, &reply);
	}
}

static void on_closed(struct bufferevent *channel, short what, void *ctx)
{
	bufferevent_disable(channel, EV_READ | EV_WRITE); /* that it has ended is told by its pid */
}

/* --- All together --------------------------------------------------------------------------- */

static int watch(struct skep_export_script_process *process, int channel_fd)
{
	struct event_base *base = process->scripts->loop->base;

	evutil_make_socket_nonblocking(channel_fd);
	evutil_make_socket_nonblocking(process->messages_fd);
	process->channel = bufferevent_socket_new(base, channel_fd, BEV_OPT_CLOSE_ON_FREE);
	process->end = event_new(base, process->pid_fd, EV_READ, on_end, process);
	process->message =
		event_new(base, process->messages_fd, EV_READ | EV_PERSIST, on_message, process);
	if (!process->channel || !process->end || !process->message)
		return -ENOMEM;
	bufferevent_setcb(process->channel, on_read, NULL, on_closed, process);
	bufferevent_enable(process->channel, EV_READ | EV_WRITE);
	return event_add(process->end, NULL) || event_add(process->message, NULL) ? -ENOMEM : 0;
}

int skep_export_script_start(struct skep_export_script_process *process)
{
	int channel[2], messages[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		return -errno;
	_cleanup_close_ int theirs = channel[1];
	_cleanup_close_ int ours = channel[0];
	if (pipe2(messages, O_CLOEXEC))
		return -errno;
	_cleanup_close_ int their_messages = messages[1];
	process->messages_fd = messages[0];
	err = send_identity(process, ours);
	if (!err)
		err = fork_it(process, theirs, their_messages);
	if (!err)
		err = watch(process, TAKE_FD(ours));
	return err;
}
