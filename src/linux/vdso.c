/* Reads the vdso, which no file holds, from the memory of a process. */
#include "linux/vdso.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

#define VDSO_MAX_BYTES (256 * 1024)
#define ANSWER_MS      1000

/* Not by /proc/PID/mem, which is kept from changing its mappings while it is read: where a file
 * system never gives them, who then attaches to functions of programs waits for it, and all who
 * would start a process for them. */
static int read_memory(pid_t pid, uint64_t start, size_t len, struct skep_buf *ret)
{
	struct iovec to = {.iov_base = skep_buf_reserve(ret, len), .iov_len = len};
	struct iovec from = {.iov_base = (void *)start, .iov_len = len};

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)len)
		return -ENOENT;
	ret->len += len;
	return 0;
}

static bool is_elf(const struct skep_buf *image)
{
	return image->len > SELFMAG && memcmp(image->data, ELFMAG, SELFMAG) == 0;
}

static size_t find_own_bytes(void)
{
	const unsigned long start = getauxval(AT_SYSINFO_EHDR);
	struct skep_maps maps;
	size_t bytes = 0;

	if (!start || skep_maps_read(getpid(), &maps) < 0)
		return 0;
	const struct skep_mapping *m = skep_maps_find(&maps, start);
	if (m && m->start == start)
		bytes = m->end - m->start;
	skep_maps_done(&maps);
	return bytes;
}

/* The kernel put it there, and it stays: looked for once, as whoever follows processes asks for
 * each that begins. 0: there is none. */
static size_t own_bytes(void)
{
	static _Atomic size_t found; /* + 1; two threads that look find the same */

	if (!found)
		found = find_own_bytes() + 1;
	return found - 1;
}

int skep_vdso_read_own(size_t len, struct skep_buf *ret)
{
	if (!len || own_bytes() != len)
		return -ENOENT;
	skep_buf_add(ret, (const void *)getauxval(AT_SYSINFO_EHDR), len);
	return 0;
}

/* --- Another process's ----------------------------------------------------------------------- */

struct question {
	uint64_t start;
	uint32_t len, pid;
};

/* The answer is whether it was read, in a byte, and what was. */
static void be_reader(void *ctx)
{
	_cleanup_buf_ struct skep_buf image = {0};
	struct question question;

	(void)ctx;
	while (skep_work_take(&question, sizeof(question))) {
		skep_buf_clear(&image);
		uint8_t is_read =
			!read_memory((pid_t)question.pid, question.start, question.len, &image);
		if (!skep_work_give(&is_read, 1) || !skep_work_give(image.data, image.len))
			return;
	}
}

void skep_vdso_reading_init(struct skep_keeper *ret)
{
	const struct skep_worker_job job = {
		.run = be_reader,
		.ending_fd = -1,
		.answer_ms = ANSWER_MS,
		.busy_ms = 4 * ANSWER_MS,
	};

	skep_keeper_init(ret, &job);
}

static int receive(struct skep_keeper *keeper, uint32_t len, struct skep_buf *ret)
{
	uint8_t is_read;
	int err = skep_keeper_receive(keeper, &is_read, 1);

	if (err || !is_read)
		return err;
	err = skep_keeper_receive(keeper, skep_buf_reserve(ret, len), len);
	if (!err)
		ret->len += len;
	return err;
}

/* A pid may have been given to another process, which has something else there: memory, even, that
 * a file system of its own is to give, and never does. */
int skep_vdso_read(struct skep_keeper *keeper, pid_t pid, const struct skep_mapping *m,
		   struct skep_buf *ret)
{
	size_t len = m->end - m->start;
	const struct question question = {m->start, (uint32_t)len, (uint32_t)pid};

	if (len > VDSO_MAX_BYTES)
		return -ENOENT;
	if (!skep_vdso_read_own(len, ret))
		return 0;
	skep_buf_clear(ret);
	int err = skep_keeper_ask(keeper, (uint64_t)pid, &question, sizeof(question));
	if (!err)
		err = receive(keeper, question.len, ret);
	if (!skep_keeper_end(keeper, err) && is_elf(ret))
		return 0;
	skep_buf_clear(ret);
	return -ENOENT;
}
