/* Mapped files, opened and looked through; see image.h. */
#include "unwind/image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/describe.h"
#include "linux/procroot.h"
#include "linux/vdso.h"

#ifdef __aarch64__
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_X86_64
#endif

#define MINOR_BITS 20 /* of a device's number, as mappings have it */

bool skep_unwind_is_vdso(const char *path)
{
	return !strcmp(path, "[vdso]");
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* An overlay shows the number of one inode in the mapping and of another in its file. */
static bool is_inode(int fd, uint64_t inode)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st))
		return false;
	return st.st_ino == inode || (!fstatfs(fd, &fs) && fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

/* The kernel's own link to the file: also for deleted ones, and in every container. It goes by the
 * mapping's exact borders, which may have grown since. */
static int open_by_mapping(const struct skep_unwind_place *place)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)place->tgid,
		 place->mapping->start, place->mapping->end);
	return skep_procroot_file(-1, path);
}

static int open_by_path(const struct skep_unwind_place *place)
{
	_cleanup_close_ int root = skep_procroot_open(place->tgid);

	return root < 0 ? -ESRCH : skep_procroot_file(root, place->path);
}

static bool is_file(int fd, const struct skep_mapping *m)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == m->inode &&
	       st.st_dev == makedev(m->dev >> MINOR_BITS, m->dev & ((1u << MINOR_BITS) - 1));
}

/* Some file systems call a file one thing, and its mappings another: so we map it and look. */
static bool is_mapped_so(int fd, const struct skep_mapping *m)
{
	void *at = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	struct skep_maps maps;
	bool is_so = false;

	if (at == MAP_FAILED)
		return false;
	if (!skep_maps_read(getpid(), &maps)) {
		const struct skep_mapping *ours = skep_maps_find(&maps, (uint64_t)(uintptr_t)at);
		is_so = ours && ours->inode == m->inode && ours->dev == m->dev;
		skep_maps_done(&maps);
	}
	munmap(at, 1);
	return is_so;
}

/* Of a process that has ended: by the path it had, if that leads us to the very same file. */
static int open_left(const struct skep_unwind_place *place)
{
	_cleanup_close_ int fd = skep_procroot_file(-1, place->path);

	if (fd < 0 || (!is_file(fd, place->mapping) && !is_mapped_so(fd, place->mapping)))
		return -ESRCH;
	return TAKE_FD(fd);
}

static int open_place(const struct skep_unwind_place *place)
{
	_cleanup_close_ int fd = open_by_mapping(place);

	if (fd < 0)
		fd = open_by_path(place);
	if (fd == -ESRCH)
		return open_left(place);
	if (fd < 0)
		return fd;
	return is_inode(fd, place->mapping->inode) ? TAKE_FD(fd) : -ENOENT;
}

/* Nobody but root may write to it. */
static bool is_roots(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int version_of(int fd, struct skep_unwind_version *ret, bool *ret_is_roots)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*ret_is_roots = is_roots(&st);
	*ret = (struct skep_unwind_version){
		.dev = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
	};
	return 0;
}

int skep_unwind_image_version(const struct skep_unwind_place *place,
			      struct skep_unwind_version *ret)
{
	if (skep_unwind_is_vdso(place->path)) { /* one for as long as the machine runs */
		*ret = (struct skep_unwind_version){0};
		return 0;
	}
	_cleanup_close_ int fd = open_place(place);
	bool is_roots;

	return fd < 0 ? fd : version_of(fd, ret, &is_roots);
}

/* --- Looking through -------------------------------------------------------------------------- */

static void take_segments(struct skep_unwind_image *image)
{
	struct skep_elf_segment s;

	for (uint32_t i = 0; !skep_elf_segment(image->elf, i, &s); i++) {
		if (s.type != PT_LOAD || !(s.flags & PF_X) || !s.file_bytes ||
		    s.off > UINT64_MAX - s.file_bytes ||
		    image->n_segments == SKEP_UNWIND_SEGMENTS_MOST)
			continue;
		image->segments[image->n_segments++] = (struct skep_unwind_segment){
			.off = s.off, .end = s.off + s.file_bytes, .addr = s.addr};
	}
}

/* Its build-id, which is the same in every container. But a file may claim any: of what somebody
 * else than root can have written, each file is only itself, lest it spoil the stacks of others. */
static void take_key(struct skep_unwind_image *image)
{
	struct skep_unwind_key *key = &image->key;
	const uint8_t *id;
	size_t n = image->is_roots ? skep_elf_build_id(image->elf, &id) : 0;

	*key = (struct skep_unwind_key){.addr = image->section.addr, .size = image->section.size};
	if (n)
		memcpy(key->id, id, n < sizeof(key->id) ? n : sizeof(key->id));
	else
		memcpy(key->id, &image->version, sizeof(key->id));
}
_Static_assert(sizeof(struct skep_unwind_version) == SKEP_UNWIND_ID_BYTES, "it is an id too");

static bool is_go(const struct skep_elf *elf)
{
	struct skep_elf_section section;

	for (uint32_t i = 0; !skep_elf_section_info(elf, i, &section); i++) {
		if (!strcmp(section.name, ".gopclntab") ||
		    !strcmp(section.name, ".data.rel.ro.gopclntab"))
			return true;
	}
	return false;
}

static bool find_frames(struct skep_unwind_image *image)
{
	struct skep_elf_section found;
	uint32_t n = skep_elf_n_sections(image->elf), i;

	for (i = 0; i < n; i++) {
		if (!skep_elf_section_info(image->elf, i, &found) &&
		    !strcmp(found.name, ".eh_frame"))
			break;
	}
	if (i == n || found.size > SKEP_UNWIND_FRAME_BYTES ||
	    skep_elf_section(image->elf, i, &found) || !found.data || !found.size)
		return false;
	image->section = (struct skep_cfi_section){.data = found.data,
						   .size = found.size,
						   .addr = found.addr,
						   .machine = skep_cfi_machine(OWN_MACHINE)};
	return true;
}

static void look_through(struct skep_unwind_image *image)
{
	image->kind = SKEP_UNWIND_IMAGE_NONE;
	if (skep_elf_machine(image->elf) != OWN_MACHINE)
		return;
	take_segments(image);
	if (is_go(image->elf)) { /* its call frame information, if any, is of the C it is linked to */
		image->kind = SKEP_UNWIND_IMAGE_FRAMES;
	} else if (find_frames(image)) {
		take_key(image);
		image->kind = SKEP_UNWIND_IMAGE_TABLE;
	}
}

/* There is one for all processes of one kind, and each may write over its copy: so only ours is
 * read. Those of another length are of another machine. */
static int open_vdso(const struct skep_unwind_place *place, struct skep_unwind_image *image)
{
	const struct skep_mapping *m = place->mapping;
	int err = skep_vdso_read_own(m->end - m->start, &image->memory);

	image->is_roots = true;

	if (!err)
		err = skep_elf_parse(image->memory.data, image->memory.len, &image->elf, NULL);
	return err;
}

static int open_file(const struct skep_unwind_place *place, struct skep_unwind_image *image)
{
	_cleanup_close_ int fd = open_place(place);

	if (fd < 0)
		return fd;
	int err = version_of(fd, &image->version, &image->is_roots);
	return err ? err : skep_elf_open_fd(TAKE_FD(fd), place->path, &image->elf, NULL);
}

int skep_unwind_image_open(const struct skep_unwind_place *place, struct skep_unwind_image *ret)
{
	_cleanup_image_ struct skep_unwind_image image = {0};
	int err = skep_unwind_is_vdso(place->path) ? open_vdso(place, &image)
						   : open_file(place, &image);

	if (!err) {
		look_through(&image);
		skep_interp_describe(image.elf, place->path, &image.runtime);
	} else if (err == -ENOEXEC) { /* made by a program that writes code into files */
		image.kind = SKEP_UNWIND_IMAGE_FRAMES;
	} else {
		return err;
	}
	*ret = image;
	image = (struct skep_unwind_image){0};
	return 0;
}

int skep_unwind_image_parse(const void *data, size_t size, struct skep_unwind_image *ret)
{
	struct skep_unwind_image image = {0};
	int err = skep_elf_parse(data, size, &image.elf, NULL);

	if (err)
		return err;
	look_through(&image);
	*ret = image;
	return 0;
}

void skep_unwind_image_done(struct skep_unwind_image *image)
{
	skep_elf_free(image->elf);
	skep_buf_done(&image->memory);
	*image = (struct skep_unwind_image){0};
}
