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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/worker.h"

#define MEMORY_BYTES (256ull << 20)
#define CPU_SECONDS  60
#define ANSWER_MS    10000
#define TEXT_MOST    (2u << 20)
#define WHY_MOST     256u

/* Where the worker has what it is given. */
enum { AT_FILE = SKEP_WORKER_FD_FIRST, AT_ALT };

struct head {
	int32_t status; /* 0 | -errno */
	uint32_t n, is_partial, text, why;
};

struct skep_dwarf_worker {
	struct skep_worker *process; /* owned; NULL: it has ended */
	bool is_over;                /* it is asked nothing more, and may not have ended yet */
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

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

/* A file has room for all of it, of which little is filled (elf/image.h). */
static void begin(struct work *work, bool has_alt)
{
	skep_work_bound_memory(MEMORY_BYTES + size_of(AT_FILE) + size_of(AT_ALT));
	skep_work_seal();
	int err = skep_elf_open_fd(AT_FILE, "", &work->elf, NULL);
	if (!err && has_alt && skep_elf_open_fd(AT_ALT, "", &work->alt, NULL))
		work->alt = NULL;
	if (err)
		work->why = "its file is no ELF file";
	else
		skep_dwarf_open(work->elf, work->alt, &work->dwarf, &work->why);
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
		head.is_partial = work->answer.is_partial;
		head.text = (uint32_t)work->answer.text.len;
	}
	if (work->why && !work->has_told_why)
		head.why = (uint32_t)strnlen(work->why, WHY_MOST - 1);
	work->has_told_why |= head.why;
	return skep_work_give(&head, sizeof(head)) &&
	       skep_work_give(work->answer.frames, head.n * sizeof(work->answer.frames[0])) &&
	       skep_work_give(work->answer.text.data, head.text) &&
	       skep_work_give(work->why, head.why);
}

static void be_worker(void *has_alt)
{
	struct work *work = skep_xcalloc(1, sizeof(*work));
	uint64_t addr;

	begin(work, *(const bool *)has_alt);
	while (skep_work_take(&addr, sizeof(addr))) {
		if (!answer(work, addr))
			break;
	}
}

/* --- Who asks -------------------------------------------------------------------------------- */

int skep_dwarf_worker_start(int fd, int alt_fd, int ending_fd, struct skep_dwarf_worker **ret)
{
	bool has_alt = alt_fd >= 0;
	const struct skep_worker_job job = {
		.run = be_worker,
		.ctx = &has_alt,
		.fds = {fd, alt_fd},
		.n_fds = 2,
		.ending_fd = ending_fd,
		.answer_ms = ANSWER_MS,
		.cpu_seconds = CPU_SECONDS,
	};
	struct skep_worker *process = NULL;

	int err = skep_worker_start(&job, &process);
	if (err)
		return err;
	*ret = skep_xcalloc(1, sizeof(**ret));
	(*ret)->process = process;
	return 0;
}

/* One that has ended by itself tells by how it did: it is too late then to end it otherwise. */
static const char *why_ended(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == SKEP_WORKER_EXIT_SETUP
			       ? "what reads it had no descriptors left"
			       : "it takes too much memory to read";
	if (WTERMSIG(status) == SIGXCPU)
		return "it takes too long to read";
	if (WTERMSIG(status) == SIGSYS)
		return "it led what reads it to do what that may not";
	return WTERMSIG(status) == SIGKILL ? "what reads it was killed" : "it broke what reads it";
}

static int give_up(struct skep_dwarf_worker *worker, int err)
{
	int status = SIGKILL;
	const char *why;

	worker->is_over = true;
	skep_worker_stop(&worker->process, &status);
	why = why_ended(status);
	if (err == -EBADMSG)
		why = "it led to no sensible answer";
	else if (err == -ETIMEDOUT)
		why = "it takes too long to read";
	else if (err == -ECANCELED)
		why = "a signal ended the reading";
	snprintf(worker->why, sizeof(worker->why), "%s", why);
	return err == -ECANCELED ? err : -EPIPE;
}

static int receive_why(struct skep_dwarf_worker *worker, uint32_t len)
{
	char why[WHY_MOST] = "";

	int err = skep_worker_receive(worker->process, why, len);
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
			  : skep_worker_receive(worker->process, ret->frames,
						head->n * sizeof(ret->frames[0]));

	skep_buf_clear(&ret->text);
	if (!err)
		err = skep_worker_receive(worker->process, skep_buf_reserve(&ret->text, head->text),
					  head->text);
	if (!err)
		err = receive_why(worker, head->why);
	if (err)
		return err;
	ret->text.len = head->text;
	ret->n = head->n;
	ret->is_partial = head->is_partial;
	return is_sensible(ret) ? 0 : -EBADMSG;
}

int skep_dwarf_worker_ask(struct skep_dwarf_worker *worker, uint64_t addr,
			  struct skep_dwarf_answer *ret)
{
	struct head head;
	int err;

	ret->n = 0;
	ret->is_partial = false;
	if (worker->is_over)
		return -EPIPE;
	err = skep_worker_ask(worker->process, &addr, sizeof(addr));
	if (!err)
		err = skep_worker_receive(worker->process, &head, sizeof(head));
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
	skep_worker_free(worker->process);
	free(worker);
}
