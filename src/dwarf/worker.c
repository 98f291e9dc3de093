/*
 * The process that reads a file, and asking it; see worker.h.
 *
 *	question  address 8
 *	answer    struct head, head.n frames, head.text bytes of text, head.why bytes
 *
 * What comes back is believed no more than the file: the worker may have become anything by it.
 */
#include "dwarf/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/fd.h"

#define MEMORY_BYTES   (256ull << 20)
#define CPU_SECONDS    60
#define ANSWER_SECONDS 10
#define TEXT_MOST      (2u << 20)
#define WHY_MOST       256u

/* Where the worker has its descriptors, from the beginning of its life on. */
enum { AT_NULL = 2, AT_SOCKET, AT_FILE, AT_ALT, AT_END };

struct head {
	int32_t status; /* 0 | -errno */
	uint32_t n, text, why;
};

struct skep_dwarf_worker {
	pid_t pid; /* 0: it has been waited for */
	int fd;    /* owned */
	char why[WHY_MOST];
};

/* --- The worker ------------------------------------------------------------------------------ */

struct work {
	struct skep_elf *elf, *alt; /* alt is NULL if there is none */
	struct skep_dwarf *dwarf;
	struct skep_dwarf_answer answer;
	const char *why;
	bool has_told_why;
};

static void move_fd(int from, int to)
{
	if (from >= 0)
		dup2(from, to);
	else
		close(to);
}

/* To their places, from places that are none of these; all others are closed. */
static void take_fds(int socket, int fd, int alt_fd)
{
	int null = open("/dev/null", O_RDWR);
	int high[4] = {
		fcntl(null, F_DUPFD, AT_END),
		fcntl(socket, F_DUPFD, AT_END),
		fcntl(fd, F_DUPFD, AT_END),
		alt_fd < 0 ? -1 : fcntl(alt_fd, F_DUPFD, AT_END),
	};

	move_fd(high[0], 0);
	move_fd(high[0], 1);
	move_fd(high[0], AT_NULL);
	move_fd(high[1], AT_SOCKET);
	move_fd(high[2], AT_FILE);
	move_fd(high[3], AT_ALT);
	if (syscall(SYS_close_range, AT_END, ~0u, 0) == 0)
		return;
	for (long i = AT_END; i < sysconf(_SC_OPEN_MAX); i++) /* before Linux 5.9 */
		close((int)i);
}

/* Beside what there is already, of us and of the file's room. */
static void bound_memory(void)
{
	_cleanup_buf_ struct skep_buf statm = {0};
	struct rlimit limit;

	if (skep_file_read("/proc/self/statm", 4096, &statm) || !statm.data)
		_exit(1);
	limit.rlim_cur =
		strtoull(statm.data, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES;
	limit.rlim_max = limit.rlim_cur;
	setrlimit(RLIMIT_AS, &limit);
}

/* Signals that end us are for us to act on: who asks may have questions still. */
static void bound(pid_t parent)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, none = {0};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &none);
}

static void begin(struct work *work, bool has_alt)
{
	int err = skep_elf_open_fd(AT_FILE, "", &work->elf, NULL);

	if (!err && has_alt && skep_elf_open_fd(AT_ALT, "", &work->alt, NULL))
		work->alt = NULL;
	bound_memory();
	if (err)
		work->why = "its file is no ELF file";
	else
		skep_dwarf_open(work->elf, work->alt, &work->dwarf, &work->why);
}

static bool send_all(const void *data, size_t len)
{
	return skep_fd_write(AT_SOCKET, data, len) == 0;
}

static bool answer(struct work *work, uint64_t addr)
{
	struct head head = {.status = -EBADMSG};

	if (work->dwarf) {
		head.status = skep_dwarf_find(work->dwarf, addr, &work->answer);
		work->why = skep_dwarf_why(work->dwarf);
	}
	if (!head.status) {
		head.n = work->answer.n;
		head.text = (uint32_t)work->answer.text.len;
	}
	if (work->why && !work->has_told_why)
		head.why = (uint32_t)strnlen(work->why, WHY_MOST - 1);
	work->has_told_why |= head.why;
	return send_all(&head, sizeof(head)) &&
	       send_all(work->answer.frames, head.n * sizeof(work->answer.frames[0])) &&
	       send_all(work->answer.text.data, head.text) && send_all(work->why, head.why);
}

static void __attribute__((noreturn)) be_worker(pid_t parent, bool has_alt)
{
	struct work *work = skep_xcalloc(1, sizeof(*work));
	uint64_t addr;

	bound(parent);
	begin(work, has_alt);
	while (recv(AT_SOCKET, &addr, sizeof(addr), MSG_WAITALL) == sizeof(addr)) {
		if (!answer(work, addr))
			break;
	}
	_exit(0);
}

/* --- Who asks -------------------------------------------------------------------------------- */

static int start(int fd, int alt_fd, const int sockets[2], pid_t *ret)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		take_fds(sockets[1], fd, alt_fd);
		be_worker(parent, alt_fd >= 0);
	}
	*ret = pid;
	return 0;
}

int skep_dwarf_worker_start(int fd, int alt_fd, struct skep_dwarf_worker **ret)
{
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	int sockets[2];
	pid_t pid = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	int err = start(fd, alt_fd, sockets, &pid);
	skep_close(&sockets[1]);
	if (err) {
		skep_close(&sockets[0]);
		return err;
	}
	setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*ret = skep_xcalloc(1, sizeof(**ret));
	(*ret)->pid = pid;
	(*ret)->fd = sockets[0];
	return 0;
}

static int end(struct skep_dwarf_worker *worker)
{
	int status = 0;

	skep_close(&worker->fd);
	if (worker->pid) {
		kill(worker->pid, SIGKILL);
		while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	worker->pid = 0;
	return status;
}

/* One that has ended by itself tells by how it did: it is too late then to end it otherwise. */
static const char *why_ended(int status)
{
	if (WIFEXITED(status))
		return "it takes too much memory to read";
	if (WTERMSIG(status) == SIGXCPU)
		return "it takes too long to read";
	return WTERMSIG(status) == SIGKILL ? "what reads it was killed" : "it broke what reads it";
}

static int give_up(struct skep_dwarf_worker *worker, int err)
{
	int status = end(worker);
	const char *why = why_ended(status);

	if (err == -EBADMSG)
		why = "it led to no sensible answer";
	else if (err == -EAGAIN)
		why = "it takes too long to read";
	snprintf(worker->why, sizeof(worker->why), "%s", why);
	return -EPIPE;
}

/* Return 0 | -EPIPE it has ended | -EAGAIN it takes too long */
static int receive(struct skep_dwarf_worker *worker, void *to, size_t len)
{
	uint8_t *at = to;

	while (len) {
		ssize_t n = recv(worker->fd, at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? -EAGAIN : -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int receive_why(struct skep_dwarf_worker *worker, uint32_t len)
{
	char why[WHY_MOST] = "";

	int err = receive(worker, why, len);
	for (uint32_t i = 0; i < len; i++) {
		if (why[i] < ' ' || why[i] > '~')
			why[i] = '?';
	}
	if (!err && len && !*worker->why)
		memcpy(worker->why, why, sizeof(why));
	return err;
}

static bool is_sensible(const struct skep_dwarf_answer *answer)
{
	const struct skep_buf *text = &answer->text;

	if (answer->n && (!text->len || text->data[0] || text->data[text->len - 1]))
		return false;
	for (uint32_t i = 0; i < answer->n; i++) {
		if (answer->frames[i].name >= text->len || answer->frames[i].file >= text->len)
			return false;
	}
	return true;
}

static int receive_answer(struct skep_dwarf_worker *worker, const struct head *head,
			  struct skep_dwarf_answer *ret)
{
	int err = head->n > SKEP_DWARF_FRAMES_MOST || head->text > TEXT_MOST ||
				  head->why >= WHY_MOST || head->status > 0
			  ? -EBADMSG
			  : receive(worker, ret->frames, head->n * sizeof(ret->frames[0]));

	skep_buf_clear(&ret->text);
	if (!err)
		err = receive(worker, skep_buf_reserve(&ret->text, head->text), head->text);
	if (!err)
		err = receive_why(worker, head->why);
	if (err)
		return err;
	ret->text.len = head->text;
	ret->n = head->n;
	return is_sensible(ret) ? 0 : -EBADMSG;
}

int skep_dwarf_worker_ask(struct skep_dwarf_worker *worker, uint64_t addr,
			  struct skep_dwarf_answer *ret)
{
	struct head head;
	int err = 0;

	ret->n = 0;
	if (worker->fd < 0)
		return -EPIPE;
	if (send(worker->fd, &addr, sizeof(addr), MSG_NOSIGNAL) != sizeof(addr))
		err = -EPIPE;
	if (!err)
		err = receive(worker, &head, sizeof(head));
	if (!err)
		err = receive_answer(worker, &head, ret);
	if (err) {
		ret->n = 0;
		return give_up(worker, err);
	}
	if (head.status)
		return head.status == -ENOENT ? -ENOENT : -EBADMSG;
	return ret->n ? 0 : -ENOENT;
}

const char *skep_dwarf_worker_why(const struct skep_dwarf_worker *worker)
{
	return *worker->why ? worker->why : NULL;
}

void skep_dwarf_worker_stop(struct skep_dwarf_worker *worker)
{
	if (!worker)
		return;
	end(worker);
	free(worker);
}
