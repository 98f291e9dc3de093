/* Heads of segments and blocks, and where they lie; see segment.h. */
#include "archive/segment.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS 8

void skep_segment_path(const char *dir, uint32_t number, struct skep_buf *out)
{
	skep_buf_printf(out, "%s/%0*u" SKEP_SEGMENT_SUFFIX, dir, DIGITS, number);
}

/* Return 0: it is no segment's name. */
static uint32_t number_of(const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (end - name < DIGITS || strcmp(end, SKEP_SEGMENT_SUFFIX) != 0 || number > UINT32_MAX ||
	    strspn(name, "0123456789") != (size_t)(end - name))
		return 0;
	return (uint32_t)number;
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

int skep_segment_head_check(const struct skep_segment_head *head)
{
	return memcmp(head->magic, SKEP_SEGMENT_MAGIC, sizeof(head->magic)) ||
			       head->version != SKEP_SEGMENT_VERSION ||
			       head->crc != crc_of_segment(*head)
		       ? -EINVAL
		       : 0;
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
			       head->stored_bytes > SKEP_BLOCK_MOST_BYTES
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

int skep_segment_begins(int fd)
{
	struct skep_segment_head head;
	int err = read_at(fd, &head, sizeof(head), 0);

	if (!err)
		err = skep_segment_head_check(&head);
	return err == -EINVAL ? 0 : err ? err : 1;
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
