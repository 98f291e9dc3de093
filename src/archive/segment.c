/* Heads of segments and blocks, and where they lie; see segment.h. */
#include "archive/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define DIGITS    8
#define FILE_MODE 0600

/* Far above what the writer lets grow before it begins another one; see write.c. */
const struct skep_segment_most skep_segment_most = {
	.strings = 1u << 20,
	.frames = 1u << 20,
	.nodes = 1u << 22,
	.samples = 1u << 20,
	.losses = 1u << 12,
	.text_bytes = 64u << 20,
};

void skep_segment_path(const char *dir, uint32_t number, struct skep_buf *out)
{
	skep_buf_printf(out, "%s/%0*u" SKEP_SEGMENT_SUFFIX, dir, DIGITS, number);
}

/* Return 0: it is no segment's name, to the digit. */
static uint32_t number_of(const char *name)
{
	char again[32];
	unsigned long number = strtoul(name, NULL, 10);

	snprintf(again, sizeof(again), "%0*lu" SKEP_SEGMENT_SUFFIX, DIGITS, number);
	return number > UINT32_MAX || strcmp(name, again) != 0 ? 0 : (uint32_t)number;
}

int skep_segment_open(const char *dir, uint32_t number, int flags)
{
	_cleanup_buf_ struct skep_buf path = {0};
	struct stat info;

	skep_segment_path(dir, number, &path);
	_cleanup_close_ int fd =
		open(path.data, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == ENODEV || errno == EISDIR
			       ? -EINVAL
			       : -errno;
	if (fstat(fd, &info))
		return -errno;
	return S_ISREG(info.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int skep_segment_list(const char *dir, struct skep_segment_numbers *ret)
{
	DIR *folder = opendir(dir);

	if (!folder)
		return -errno;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		uint32_t number = number_of(entry->d_name);
		if (number)
			skep_vec_push(&ret->of, number);
	}
	closedir(folder);
	if (ret->of.len)
		qsort(ret->of.data, ret->of.len, sizeof(*ret->of.data), by_number);
	return 0;
}

/* --- Heads ----------------------------------------------------------------------------------- */

uint32_t skep_segment_crc(const void *data, size_t bytes)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)bytes);
}

static uint32_t crc_of_segment(struct skep_segment_head head)
{
	head.crc = 0;
	return skep_segment_crc(&head, sizeof(head));
}

static uint32_t crc_of_block(struct skep_block_head head)
{
	head.crc = 0;
	return skep_segment_crc(&head, sizeof(head));
}

void skep_segment_head_make(uint64_t created_ns, struct skep_segment_head *ret)
{
	*ret = (struct skep_segment_head){.version = SKEP_SEGMENT_VERSION,
					  .created_ns = created_ns};
	memcpy(ret->magic, SKEP_SEGMENT_MAGIC, sizeof(ret->magic));
	ret->crc = crc_of_segment(*ret);
}

static enum skep_segment_kind kind_of(const struct skep_segment_head *head)
{
	if (memcmp(head->magic, SKEP_SEGMENT_MAGIC, sizeof(head->magic)) != 0 ||
	    head->crc != crc_of_segment(*head))
		return SKEP_SEGMENT_NONE;
	return head->version == SKEP_SEGMENT_VERSION ? SKEP_SEGMENT_OURS : SKEP_SEGMENT_OTHER;
}

/* Of the first @bytes of a head: they may be those of ours. */
static bool may_begin(const struct skep_segment_head *head, size_t bytes)
{
	struct skep_segment_head ours;
	const size_t fixed = offsetof(struct skep_segment_head, crc);

	skep_segment_head_make(0, &ours);
	return !memcmp(head, &ours, bytes < fixed ? bytes : fixed);
}

void skep_block_head_seal(struct skep_block_head *head)
{
	head->magic = SKEP_BLOCK_MAGIC;
	head->crc = crc_of_block(*head);
}

int skep_block_head_check(const struct skep_block_head *head)
{
	return head->magic != SKEP_BLOCK_MAGIC || head->crc != crc_of_block(*head) ||
			       head->plain_bytes > SKEP_BLOCK_MOST_BYTES ||
			       head->stored_bytes > SKEP_BLOCK_MOST_STORED
		       ? -EINVAL
		       : 0;
}

/* --- Blocks ---------------------------------------------------------------------------------- */

/* Return 0 | -EINVAL the file has no so many bytes there | -errno */
static int read_at(int fd, void *to, size_t bytes, uint64_t at)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EINVAL;
		done += (size_t)n;
	}
	return 0;
}

int skep_segment_kind(int fd, struct skep_segment_head *ret_head)
{
	struct skep_segment_head head = {0};
	struct stat info;

	if (fstat(fd, &info))
		return -errno;
	bool is_whole = (uint64_t)info.st_size >= sizeof(head);
	size_t bytes = is_whole ? sizeof(head) : (size_t)info.st_size;
	int err = read_at(fd, &head, bytes, 0);
	if (err)
		return err == -EINVAL ? SKEP_SEGMENT_NONE : err;
	if (!is_whole)
		return may_begin(&head, bytes) ? SKEP_SEGMENT_CUT : SKEP_SEGMENT_NONE;
	enum skep_segment_kind kind = kind_of(&head);
	if (kind == SKEP_SEGMENT_OURS)
		*ret_head = head;
	return (int)kind;
}

int skep_block_next(int fd, uint64_t bytes, uint64_t at, struct skep_block_head *ret)
{
	if (at > bytes || bytes - at < sizeof(*ret))
		return 0;
	int err = read_at(fd, ret, sizeof(*ret), at);
	if (!err)
		err = skep_block_head_check(ret);
	if (err)
		return err == -EINVAL ? 0 : err;
	return bytes - at - sizeof(*ret) >= ret->stored_bytes;
}

int skep_block_payload(int fd, const struct skep_block_head *head, uint64_t at,
		       struct skep_buf *ret)
{
	char *to = skep_buf_reserve(ret, head->stored_bytes);
	int err = read_at(fd, to, head->stored_bytes, at + sizeof(*head));

	if (err)
		return err;
	if (skep_segment_crc(to, head->stored_bytes) != head->payload_crc)
		return -EINVAL;
	ret->len += head->stored_bytes;
	return 0;
}
