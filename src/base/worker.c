/* The process that works, and asking it; see worker.h. */
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"

enum { AT_NULL = 2, AT_SOCKET, AT_GIVEN };
_Static_assert(AT_GIVEN == SKEP_WORKER_FD_FIRST, "as worker.h says");
#define FDS_MOST (1 + SKEP_WORKER_FDS_MOST) /* the socket, and what it is given */
#define AT_END   (AT_GIVEN + SKEP_WORKER_FDS_MOST)

#define NS_IN_MS 1000000u
#define WAITS    200 /* for its end, of 1 ms each */

struct skep_worker {
	pid_t pid;
	int fd; /* owned */
	int ending_fd;
	uint64_t answer_ns, busy_most_ns, late_ns;
	uint64_t asked_ns, busy_ns; /* when it was asked; what both had been busy by then */
};

/* --- The child ------------------------------------------------------------------------------- */

static void close_between(int first, int last)
{
	if (first > last)
		return;
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return;
	long most = sysconf(_SC_OPEN_MAX); /* before Linux 5.9 */
	for (int fd = first; fd <= last && fd < most; fd++)
		close(fd);
}

/* All that are none of @fds, some of which may be -1: so there is room to move these. */
static void close_others(const int *fds, uint32_t n)
{
	int from = 0;

	for (;;) {
		int next = INT32_MAX;
		for (uint32_t i = 0; i < n; i++) {
			if (fds[i] >= from && fds[i] < next)
				next = fds[i];
		}
		close_between(from, next - (next != INT32_MAX));
		if (next == INT32_MAX)
			return;
		from = next + 1;
	}
}

/* Return a descriptor that is none of their places | exit */
static int high(int fd)
{
	int to = fcntl(fd, F_DUPFD, AT_END);

	if (to < 0)
		_exit(SKEP_WORKER_EXIT_SETUP);
	return to;
}

static void put(int from, int to)
{
	if (dup2(from, to) < 0)
		_exit(SKEP_WORKER_EXIT_SETUP);
}

/* To their places, by way of places that are none of these; all others are closed. */
static void take_fds(int socket, const struct skep_worker_job *job)
{
	int fds[FDS_MOST] = {socket};

	memcpy(fds + 1, job->fds, job->n_fds * sizeof(*fds));
	close_others(fds, 1 + job->n_fds);
	for (uint32_t i = 0; i <= job->n_fds; i++)
		fds[i] = fds[i] < 0 ? -1 : high(fds[i]);
	close_between(0, AT_END - 1);
	for (int fd = 0; fd <= AT_NULL; fd++) {
		if (open("/dev/null", O_RDWR) != fd)
			_exit(SKEP_WORKER_EXIT_SETUP);
	}
	for (uint32_t i = 0; i <= job->n_fds; i++) {
		if (fds[i] >= 0)
			put(fds[i], AT_SOCKET + (int)i);
	}
	close_between(AT_END, INT32_MAX);
}

/* Those that end us are for who asks to act on: it may have questions still. And what it does when
 * it gets one of the others is not the child's affair. */
static void take_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

static void bound(pid_t parent, uint32_t cpu_seconds)
{
	const struct rlimit cpu = {cpu_seconds, cpu_seconds + 1}, none = {0};

	take_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (cpu_seconds) /* a second more, as to be killed tells nothing */
		setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &none);
}

bool skep_work_take(void *to, size_t len)
{
	return recv(AT_SOCKET, to, len, MSG_WAITALL) == (ssize_t)len;
}

bool skep_work_give(const void *data, size_t len)
{
	return skep_fd_write(AT_SOCKET, data, len) == 0;
}

void skep_work_bound_memory(uint64_t bytes)
{
	_cleanup_buf_ struct skep_buf statm = {0};
	struct rlimit limit;

	if (skep_file_read("/proc/self/statm", 4096, &statm) || !statm.data)
		_exit(1);
	limit.rlim_cur = strtoull(statm.data, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + bytes;
	limit.rlim_max = limit.rlim_cur;
	setrlimit(RLIMIT_AS, &limit);
}

/* --- Who asks -------------------------------------------------------------------------------- */

static int start(const struct skep_worker_job *job, const int sockets[2], pid_t *ret)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		take_fds(sockets[1], job);
		bound(parent, job->cpu_seconds);
		job->run(job->ctx);
		_exit(0);
	}
	*ret = pid;
	return 0;
}

int skep_worker_start(const struct skep_worker_job *job, struct skep_worker **ret)
{
	int sockets[2];
	pid_t pid = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	int err = start(job, sockets, &pid);
	skep_close(&sockets[1]);
	if (err) {
		skep_close(&sockets[0]);
		return err;
	}
	*ret = skep_xcalloc(1, sizeof(**ret));
	**ret = (struct skep_worker){
		.pid = pid,
		.fd = sockets[0],
		.ending_fd = job->ending_fd,
		.answer_ns = (uint64_t)job->answer_ms * NS_IN_MS,
		.busy_most_ns = (uint64_t)job->busy_ms * NS_IN_MS,
	};
	return 0;
}

/* For how long a process has run, or would have if there had been a processor. */
static uint64_t busy_ns(const char *who)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64], *end;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", who);
	if (skep_file_read(path, 4096, &text) || !text.data)
		return 0;
	uint64_t ran = strtoull(text.data, &end, 10);
	return ran + strtoull(end, NULL, 10); /* and stood in a queue */
}

/* 0: the kernel does not tell, as we have run for some time. */
static uint64_t both_busy_ns(const struct skep_worker *worker)
{
	uint64_t own = busy_ns("self");
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)worker->pid);
	return own ? own + busy_ns(pid) : 0;
}

uint64_t skep_worker_waited_ns(const struct skep_worker *worker)
{
	uint64_t busy = both_busy_ns(worker), since = skep_clock_ns() - worker->asked_ns;

	busy = busy > worker->busy_ns && worker->busy_ns ? busy - worker->busy_ns : 0;
	return since > busy ? since - busy : 0;
}

/* Late is who has waited for so long; who was busy, or had no processor, gets more time. */
static bool is_late(struct skep_worker *worker)
{
	uint64_t now = skep_clock_ns(), waited, end;

	if (now < worker->late_ns)
		return false;
	end = worker->asked_ns + worker->answer_ns + worker->busy_most_ns;
	waited = now < end ? skep_worker_waited_ns(worker) : worker->answer_ns;
	if (waited >= worker->answer_ns)
		return true;
	worker->late_ns = now + worker->answer_ns - waited;
	if (worker->late_ns > end)
		worker->late_ns = end;
	return false;
}

/* Until the worker may be read or written. Return 0 | -ETIMEDOUT | -ECANCELED */
static int wait_for(struct skep_worker *worker, short events)
{
	struct pollfd polled[] = {{.fd = worker->fd, .events = events},
				  {.fd = worker->ending_fd, .events = POLLIN}};

	for (;;) {
		if (is_late(worker))
			return -ETIMEDOUT;
		uint64_t now = skep_clock_ns();
		uint64_t left_ns = worker->late_ns > now ? worker->late_ns - now : 0;
		uint64_t left_ms = (left_ns + NS_IN_MS - 1) / NS_IN_MS;
		int n = poll(polled, 2, (int)left_ms);
		if (n > 0 && polled[1].revents)
			return -ECANCELED;
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -ETIMEDOUT;
	}
}

/* What a call gave that moves bytes: is another one to come? Return 1 yes | 0 | -errno */
static int move(struct skep_worker *worker, ssize_t n, short events)
{
	if (n > 0)
		return 1;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return -EPIPE;
	int err = wait_for(worker, events);
	return err ? err : 1;
}

int skep_worker_ask(struct skep_worker *worker, const void *question, size_t len)
{
	const uint8_t *at = question;
	int go = 1;

	worker->busy_ns = both_busy_ns(worker);
	worker->asked_ns = skep_clock_ns();
	worker->late_ns = worker->asked_ns + worker->answer_ns;
	while (len && go > 0) {
		ssize_t n = send(worker->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		go = move(worker, n, POLLOUT);
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return go < 0 ? go : 0;
}

/* One that gives a byte at a time is not to have more time by it: each byte asks for the time. */
int skep_worker_receive(struct skep_worker *worker, void *to, size_t len)
{
	uint8_t *at = to;
	int go = 1;

	while (len && go > 0) {
		ssize_t n = recv(worker->fd, at, len, MSG_DONTWAIT);
		go = move(worker, n, POLLIN);
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		if (n > 0 && len && is_late(worker))
			return -ETIMEDOUT;
	}
	return go < 0 ? go : 0;
}

/* --- Its end --------------------------------------------------------------------------------- */

/* Whoever else waits for children may have got its status. */
static bool is_gone(pid_t pid, int *ret_status)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR))
		return false;
	if (ret_status)
		*ret_status = status;
	return true;
}

static bool free_if_gone(struct skep_worker **worker, int *ret_status)
{
	if (!is_gone((*worker)->pid, ret_status))
		return false;
	free(TAKE_PTR(*worker));
	return true;
}

bool skep_worker_stop(struct skep_worker **worker, int *ret_status)
{
	const struct timespec while_it_ends = {.tv_nsec = NS_IN_MS};
	bool is_over;

	if (!worker || !*worker)
		return true;
	skep_close(&(*worker)->fd);
	kill((*worker)->pid, SIGKILL);
	is_over = free_if_gone(worker, ret_status);
	for (int i = 0; i < WAITS && !is_over; i++) {
		nanosleep(&while_it_ends, NULL);
		is_over = free_if_gone(worker, ret_status);
	}
	return is_over;
}

bool skep_worker_is_over(struct skep_worker **worker)
{
	return !*worker || free_if_gone(worker, NULL);
}

void skep_worker_free(struct skep_worker *worker)
{
	if (!skep_worker_stop(&worker, NULL))
		free(worker);
}
