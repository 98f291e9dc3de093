/*
 * Finds the debug file that a distribution keeps apart from a stripped binary.
 * Both ways to it go through names that the stripped file chose, so a candidate
 * is believed only after it proved to belong to it.
 */
#include "symbol/debugfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/fd.h"
#include "linux/procroot.h"
#include "symbol/debuginfod.h"

#define DEBUG_ROOT      "/usr/lib/debug"
#define CRC_MAX_BYTES   (1LL << 30)
#define CRC_CHUNK_BYTES (256 * 1024)
#define ID_MOST         64

struct search {
	const struct skep_elf *elf;
	int root_fd;
	const uint8_t *id; /* build-id */
	size_t id_len;
	uint32_t crc; /* of the debug link */
	int no_fd;    /* -EMFILE, -ENFILE: something could not be looked at, for that; 0 */
};

/* Return a descriptor, or below 0 */
static int open_candidate(struct search *search, int root_fd, const char *path)
{
	int fd = skep_procroot_file(root_fd, path);

	if (skep_fd_is_short(fd))
		search->no_fd = fd;
	return fd;
}

static int not_found(const struct search *search)
{
	return search->no_fd ? search->no_fd : -ENOENT;
}

int skep_debugfile_crc(int fd, uint32_t *ret)
{
	_cleanup_free_ uint8_t *buf = skep_xmalloc(CRC_CHUNK_BYTES);
	uLong crc = crc32(0, NULL, 0);
	struct stat st;
	off_t off = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	while (off <= CRC_MAX_BYTES && st.st_size <= CRC_MAX_BYTES) {
		ssize_t n = pread(fd, buf, CRC_CHUNK_BYTES, off);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0) {
			*ret = (uint32_t)crc;
			return 0;
		}
		if (n > 0) {
			crc = crc32(crc, buf, (uInt)n);
			off += n;
		}
	}
	return -EFBIG;
}

static bool same_build_id(const struct skep_elf *elf, const struct search *search)
{
	const uint8_t *id;

	return skep_elf_build_id(elf, &id) == search->id_len &&
	       memcmp(id, search->id, search->id_len) == 0;
}

static int try_build_id(struct search *search, int root_fd, const char *path, struct skep_elf **ret)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	int fd = open_candidate(search, root_fd, path);

	if (fd < 0 || skep_elf_open_fd(fd, path, &elf, NULL) < 0 || !same_build_id(elf, search))
		return -ENOENT;
	*ret = TAKE_PTR(elf);
	return 0;
}

/* The host's copy will do for a container's file: the build-id says they are the same. */
static int by_build_id(struct search *search, struct skep_elf **ret)
{
	char path[PATH_MAX] = DEBUG_ROOT "/.build-id/";
	size_t len = strlen(path);

	if (search->id_len < 2 || search->id_len > ID_MOST)
		return -ENOENT;
	for (size_t i = 0; i < search->id_len; i++)
		len += (size_t)snprintf(path + len, sizeof(path) - len, i ? "%02x" : "%02x/",
					search->id[i]);
	snprintf(path + len, sizeof(path) - len, ".debug");
	if (try_build_id(search, -1, path, ret) == 0)
		return 0;
	return search->root_fd < 0 ? -ENOENT : try_build_id(search, search->root_fd, path, ret);
}

static int try_link(struct search *search, const char *path, struct skep_elf **ret)
{
	_cleanup_close_ int fd = open_candidate(search, search->root_fd, path);
	uint32_t crc = 0;

	if (fd < 0 || skep_debugfile_crc(fd, &crc) < 0 || crc != search->crc)
		return -ENOENT;
	return skep_elf_open_fd(TAKE_FD(fd), path, ret, NULL) < 0 ? -ENOENT : 0;
}

static int by_link(struct search *search, const char *path, struct skep_elf **ret)
{
	static const struct {
		const char *before, *after;
	} places[] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_ROOT, "/"}};
	const char *slash = strrchr(path, '/');
	char candidate[PATH_MAX];
	const char *name;

	if (!slash || skep_elf_debug_link(search->elf, &name, &search->crc) < 0 ||
	    strchr(name, '/'))
		return -ENOENT;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(candidate, sizeof(candidate), "%s%.*s%s%s", places[i].before,
				   (int)(slash - path), path, places[i].after, name);

		if (len < (int)sizeof(candidate) && strcmp(candidate, path) != 0 &&
		    try_link(search, candidate, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

int skep_debugfile_open(const struct skep_elf *elf, const char *path, int root_fd,
			struct skep_debuginfod *debuginfod, struct skep_elf **ret)
{
	struct search search = {.elf = elf, .root_fd = root_fd};

	search.id_len = skep_elf_build_id(elf, &search.id);
	if (by_build_id(&search, ret) == 0 || by_link(&search, path, ret) == 0)
		return 0;
	if (debuginfod && !search.no_fd &&
	    skep_debuginfod_open(debuginfod, search.id, search.id_len, ret) == 0)
		return 0;
	return not_found(&search);
}

/* A path that is not whole begins where the file is that has it, links followed. */
static int by_alt_name(struct search *search, const char *name, struct skep_elf **ret)
{
	char link[64], path[PATH_MAX];
	const char *slash;

	if (*name == '/')
		return try_build_id(search, search->root_fd, name, ret);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", skep_elf_fd(search->elf));
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	size_t used = slash ? (size_t)(slash - path) + 1 : 0;
	if (!used || used + strlen(name) >= sizeof(path))
		return -ENOENT;
	strcpy(path + used, name);
	return try_build_id(search, -1, path, ret);
}

int skep_debugfile_open_alt(const struct skep_elf *elf, int root_fd, struct skep_elf **ret,
			    bool *ret_needed)
{
	struct search search = {.elf = elf, .root_fd = root_fd};
	struct skep_elf_section section;

	*ret_needed = skep_elf_find_section(elf, ".gnu_debugaltlink", &section) == 0;
	const char *name = *ret_needed ? section.data : NULL;
	const char *end = name ? memchr(name, 0, section.size) : NULL;
	if (!end)
		return -ENOENT;
	search.id = (const uint8_t *)end + 1;
	search.id_len = section.size - (size_t)(end + 1 - name);
	if (by_alt_name(&search, name, ret) == 0 || by_build_id(&search, ret) == 0)
		return 0;
	return not_found(&search);
}
