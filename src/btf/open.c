/*
 * From a file or from bytes to a struct skep_btf.
 *
 * Opening checks the header and the two ends of the strings, nothing more:
 * for the kernel's BTF that touches three pages. Foreign bytes (modules,
 * files, memory) are then looked at record by record (check.c); the kernel's
 * own are not, for they cost a millisecond that a script may never need. The
 * readers' checks do not depend on it.
 *
 * Only sysfs is mapped (map_linux.c): that is memory of the kernel's, which
 * nobody can change under us. A plain file may shrink or change after it was
 * checked, so it is read. Kernels before 6.16 refuse to map; then it is read as
 * well.
 */
#include "btf/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"

#define KERNEL_PATH "/sys/kernel/btf/vmlinux"
#define FILE_LIMIT  (256u << 20)

void skep_btf_free(struct skep_btf *btf)
{
	if (!btf)
		return;
	btf_index_free(btf->index);
	if (btf->mapped_size)
		btf_unmap(btf);
	else
		free(btf->bytes);
	free(btf);
}

static void freep(struct skep_btf **btf)
{
	skep_btf_free(*btf);
}

#define _cleanup_btf_ __attribute__((cleanup(freep)))

/* --- The header ---------------------------------------------------------------------- */

static int check_header(const struct wire_header *header, size_t size, struct skep_diag *diag)
{
	const unsigned char *magic = (const void *)&header->magic;

	if (size < sizeof(*header))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_SHORT, SKEP_NOWHERE, size);
	if (header->magic == WIRE_MAGIC_OTHER)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_ENDIAN, SKEP_NOWHERE);
	if (header->magic != WIRE_MAGIC)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_MAGIC, SKEP_NOWHERE, magic[0],
				      magic[1]);
	if (header->version != WIRE_VERSION || header->flags)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_VERSION, SKEP_NOWHERE,
				      header->version, header->flags);
	if (header->hdr_len < sizeof(*header) || header->hdr_len > size)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_HEADER, SKEP_NOWHERE,
				      header->hdr_len, size);
	return 0;
}

/* @off and @len count from behind the header, which check_header() found inside of @size. */
static int check_section(const struct wire_header *header, size_t size, const char *what,
			 const uint32_t *off_len, struct skep_diag *diag)
{
	uint64_t end = (uint64_t)header->hdr_len + off_len[0] + off_len[1];

	if (end > size)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_SECTION, SKEP_NOWHERE, what,
				      off_len[1], off_len[0], size);
	return 0;
}

static int check_strings(const struct skep_btf *btf, struct skep_diag *diag)
{
	if (!btf->str_len && btf->base)
		return 0; /* all its names are in the base */
	if (!btf->str_len || btf->strings[btf->str_len - 1])
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_STRINGS, SKEP_NOWHERE, "end");
	if (!btf->base && btf->strings[0])
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_STRINGS, SKEP_NOWHERE, "begin");
	return 0;
}

/* Where ids and string offsets begin, and that they all fit their 32 bits. */
static int stack_on_base(struct skep_btf *btf, struct skep_diag *diag)
{
	const struct skep_btf *base = btf->base;
	uint64_t ids, strings;

	btf->first_id = base ? skep_btf_n_types(base) + 1 : 1;
	btf->first_str = base ? base->first_str + base->str_len : 0;
	ids = (uint64_t)btf->first_id + btf->type_len / sizeof(struct wire_type);
	strings = (uint64_t)btf->first_str + btf->str_len;
	if (ids > INT32_MAX || strings > INT32_MAX)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_TOO_MANY, SKEP_NOWHERE);
	return 0;
}

/* Find the sections in btf->bytes. */
static int settle(struct skep_btf *btf, size_t size, struct skep_diag *diag)
{
	const struct wire_header *header = btf->bytes;
	int err = check_header(header, size, diag);

	if (!err)
		err = check_section(header, size, "types", &header->type_off, diag);
	if (!err)
		err = check_section(header, size, "strings", &header->str_off, diag);
	if (err)
		return err;
	if ((header->hdr_len + header->type_off) % _Alignof(struct wire_type))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_ALIGN, SKEP_NOWHERE,
				      header->hdr_len + header->type_off);
	btf->types = (const unsigned char *)btf->bytes + header->hdr_len + header->type_off;
	btf->type_len = header->type_len;
	btf->strings = (const char *)btf->bytes + header->hdr_len + header->str_off;
	btf->str_len = header->str_len;
	err = check_strings(btf, diag);
	return err ? err : stack_on_base(btf, diag);
}

static struct skep_btf *new_btf(const struct skep_btf *base)
{
	struct skep_btf *btf = skep_xcalloc(1, sizeof(*btf));

	btf->base = base;
	btf->index = skep_xcalloc(1, sizeof(*btf->index));
	return btf;
}

/* --- Where the bytes come from ------------------------------------------------------- */

/* Fill btf->bytes from @path. Return 0 | -errno */
static int load_file(struct skep_btf *btf, const char *path, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct skep_buf buf = {0};
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > FILE_LIMIT)
		return -EFBIG;
	*ret_size = st.st_size;
	if (btf_map(btf, fd, st.st_size) == 0)
		return 0;
	skep_buf_reserve(&buf, st.st_size);
	err = skep_fd_read(fd, FILE_LIMIT, &buf);
	if (err)
		return err;
	*ret_size = buf.len;
	btf->bytes = TAKE_PTR(buf.data);
	return 0;
}

static int open_file(const char *path, const struct skep_btf *base, struct skep_btf **ret,
		     struct skep_diag *diag)
{
	_cleanup_btf_ struct skep_btf *btf = new_btf(base);
	size_t size = 0;
	int err = load_file(btf, path, &size);

	if (err == -ENOENT && !strcmp(path, KERNEL_PATH))
		return skep_diag_fail(diag, err, SKEP_DIAG_BTF_MISSING, SKEP_NOWHERE, path);
	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_BTF_OPEN, SKEP_NOWHERE, path,
				      strerror(-err));
	err = settle(btf, size, diag);
	if (err) {
		skep_diag_why(diag, "in %s", path);
		return err;
	}
	*ret = TAKE_PTR(btf);
	return 0;
}

int skep_btf_open_kernel(struct skep_btf **ret, struct skep_diag *diag)
{
	const char *path = getenv("SKEP_BTF_PATH");

	return open_file(path && *path ? path : KERNEL_PATH, NULL, ret, diag);
}

int skep_btf_open(const char *path, const struct skep_btf *base, struct skep_btf **ret,
		  struct skep_diag *diag)
{
	_cleanup_btf_ struct skep_btf *btf = NULL;
	int err = open_file(path, base, &btf, diag);

	if (err)
		return err;
	err = btf_check(btf, diag);
	if (err) {
		skep_diag_why(diag, "in %s", path);
		return err;
	}
	*ret = TAKE_PTR(btf);
	return 0;
}

int skep_btf_parse(const void *data, size_t size, const struct skep_btf *base,
		   struct skep_btf **ret, struct skep_diag *diag)
{
	_cleanup_btf_ struct skep_btf *btf = new_btf(base);
	int err;

	if (size > FILE_LIMIT)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_TOO_MANY, SKEP_NOWHERE);
	btf->bytes = skep_xmalloc(size + 1);
	if (size)
		memcpy(btf->bytes, data, size);
	err = settle(btf, size, diag);
	if (!err)
		err = btf_check(btf, diag);
	if (err)
		return err;
	*ret = TAKE_PTR(btf);
	return 0;
}
