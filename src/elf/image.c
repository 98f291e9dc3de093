/*
 * Opens an ELF file and checks its header; first step of everything else in
 * this folder. See image.h for how bytes are brought in and why.
 *
 * Invariant: once skep_elf_open() or skep_elf_parse() succeeded, the tables of
 * sections and segments lie inside the file and keep within the limits. What
 * the entries of these tables say is still unchecked.
 */
#include "elf/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <skep/diag.h>

#include "base/arena.h"
#include "base/fd.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the reader copies fields as they are");

#define PAGE_SHIFT 12
#define PAGE_BYTES (1ULL << PAGE_SHIFT)

struct skep_elf_pages {
	int fd;           /* owned */
	uint8_t *memory;  /* as large as the file, unbacked until written */
	size_t map_bytes; /* of memory */
	uint64_t *copied; /* one bit a page */
	uint64_t n_copied;
};

static void pages_free(struct skep_elf_pages *pages)
{
	if (!pages)
		return;
	if (pages->memory)
		munmap(pages->memory, pages->map_bytes);
	skep_close(&pages->fd);
	free(pages->copied);
	free(pages);
}

static bool page_copied(const struct skep_elf_pages *pages, uint64_t page)
{
	return pages->copied[page / 64] >> (page % 64) & 1;
}

static bool read_all(int fd, uint8_t *at, uint64_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pread(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return true;
}

/* Copy pages [first, end), all missing, of a file of @size bytes. */
static bool copy_run(struct skep_elf_pages *pages, uint64_t size, uint64_t first, uint64_t end)
{
	uint64_t from = first << PAGE_SHIFT;
	uint64_t to = end << PAGE_SHIFT;

	if (to > size)
		to = size;
	if (pages->n_copied + (end - first) > ELF_MAX_COPY_BYTES >> PAGE_SHIFT)
		return false;
	pages->n_copied += end - first;
	if (!read_all(pages->fd, pages->memory + from, to - from, from))
		return false;
	for (uint64_t page = first; page < end; page++)
		pages->copied[page / 64] |= 1ULL << (page % 64);
	return true;
}

static bool copy_missing(struct skep_elf_pages *pages, uint64_t size, uint64_t off, uint64_t len)
{
	uint64_t page = off >> PAGE_SHIFT;
	uint64_t end = ((off + len - 1) >> PAGE_SHIFT) + 1;

	while (page < end) {
		uint64_t first = page;

		while (page < end && !page_copied(pages, page))
			page++;
		if (page > first && !copy_run(pages, size, first, page))
			return false;
		while (page < end && page_copied(pages, page))
			page++;
	}
	return true;
}

const void *skep_elf_bytes(const struct skep_elf *elf, uint64_t off, uint64_t len)
{
	if (off > elf->size || len > elf->size - off)
		return NULL;
	if (len && elf->pages && !copy_missing(elf->pages, elf->size, off, len))
		return NULL;
	return elf->data + off;
}

bool skep_elf_copy(const struct skep_elf *elf, uint64_t off, uint64_t len, void *at)
{
	if (off > elf->size || len > elf->size - off)
		return false;
	if (elf->pages)
		return read_all(elf->pages->fd, at, len, off);
	memcpy(at, elf->data + off, len);
	return true;
}

static uint64_t ehdr_size(const struct skep_elf *elf)
{
	return elf->is64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
}

static uint64_t shdr_size(const struct skep_elf *elf)
{
	return elf->is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
}

static uint64_t phdr_size(const struct skep_elf *elf)
{
	return elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

bool skep_elf_shdr(const struct skep_elf *elf, uint32_t i, Elf64_Shdr *ret)
{
	uint64_t len = shdr_size(elf);
	const void *at =
		i < elf->n_sections ? skep_elf_bytes(elf, elf->shoff + i * len, len) : NULL;
	Elf32_Shdr s;

	if (!at)
		return false;
	if (elf->is64) {
		memcpy(ret, at, sizeof(*ret));
		return true;
	}
	memcpy(&s, at, sizeof(s));
	*ret = (Elf64_Shdr){
		.sh_name = s.sh_name,
		.sh_type = s.sh_type,
		.sh_flags = s.sh_flags,
		.sh_addr = s.sh_addr,
		.sh_offset = s.sh_offset,
		.sh_size = s.sh_size,
		.sh_link = s.sh_link,
		.sh_info = s.sh_info,
		.sh_addralign = s.sh_addralign,
		.sh_entsize = s.sh_entsize,
	};
	return true;
}

bool skep_elf_phdr(const struct skep_elf *elf, uint32_t i, Elf64_Phdr *ret)
{
	uint64_t len = phdr_size(elf);
	const void *at =
		i < elf->n_segments ? skep_elf_bytes(elf, elf->phoff + i * len, len) : NULL;
	Elf32_Phdr p;

	if (!at)
		return false;
	if (elf->is64) {
		memcpy(ret, at, sizeof(*ret));
		return true;
	}
	memcpy(&p, at, sizeof(p));
	*ret = (Elf64_Phdr){
		.p_type = p.p_type,
		.p_flags = p.p_flags,
		.p_offset = p.p_offset,
		.p_vaddr = p.p_vaddr,
		.p_paddr = p.p_paddr,
		.p_filesz = p.p_filesz,
		.p_memsz = p.p_memsz,
		.p_align = p.p_align,
	};
	return true;
}

static bool read_ehdr(const struct skep_elf *elf, Elf64_Ehdr *ret)
{
	const void *at = skep_elf_bytes(elf, 0, ehdr_size(elf));
	Elf32_Ehdr e;

	if (!at)
		return false;
	if (elf->is64) {
		memcpy(ret, at, sizeof(*ret));
		return true;
	}
	memcpy(&e, at, sizeof(e));
	*ret = (Elf64_Ehdr){
		.e_type = e.e_type,
		.e_machine = e.e_machine,
		.e_phoff = e.e_phoff,
		.e_shoff = e.e_shoff,
		.e_phentsize = e.e_phentsize,
		.e_phnum = e.e_phnum,
		.e_shentsize = e.e_shentsize,
		.e_shnum = e.e_shnum,
		.e_shstrndx = e.e_shstrndx,
	};
	return true;
}

/* As many whole entries of @len bytes as lie in the file from @off. */
static uint32_t clip(const struct skep_elf *elf, uint64_t off, uint64_t n, uint64_t len,
		     uint32_t max)
{
	uint64_t room = off && off < elf->size ? (elf->size - off) / len : 0;

	n = n < room ? n : room;
	return (uint32_t)(n < max ? n : max);
}

/*
 * Counts too large for the header's 16 bits are kept in section 0, so it is
 * made readable first.
 */
static void take_tables(struct skep_elf *elf, const Elf64_Ehdr *e)
{
	Elf64_Shdr zero = {0};
	uint64_t n_sections = e->e_shnum, n_segments = e->e_phnum;
	uint32_t names = e->e_shstrndx;

	elf->shoff = e->e_shoff;
	elf->phoff = e->e_phoff;
	elf->n_sections = 0;
	if (e->e_shentsize == shdr_size(elf))
		elf->n_sections = clip(elf, elf->shoff, 1, shdr_size(elf), 1);
	if (skep_elf_shdr(elf, 0, &zero)) {
		if (n_sections == 0)
			n_sections = zero.sh_size;
		if (n_segments == PN_XNUM)
			n_segments = zero.sh_info;
		if (names == SHN_XINDEX)
			names = zero.sh_link;
		elf->n_sections =
			clip(elf, elf->shoff, n_sections, shdr_size(elf), ELF_MAX_SECTIONS);
	}
	if (e->e_phentsize == phdr_size(elf))
		elf->n_segments =
			clip(elf, elf->phoff, n_segments, phdr_size(elf), ELF_MAX_SEGMENTS);
	elf->names = skep_elf_strings(elf, names);
}

static int refuse(struct skep_diag *diag, const char *path, const char *why)
{
	skep_diag_add(diag, SKEP_DIAG_ELF_FORMAT, SKEP_NOWHERE, path);
	skep_diag_why(diag, "%s", why);
	return -ENOEXEC;
}

static int read_header(struct skep_elf *elf, const char *path, struct skep_diag *diag)
{
	const uint8_t *ident = skep_elf_bytes(elf, 0, EI_NIDENT);
	Elf64_Ehdr e;

	if (!ident || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return refuse(diag, path, "it does not begin with the bytes 7f 45 4c 46");
	if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
		return refuse(diag, path, "it is neither 32- nor 64-bit");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return refuse(diag, path, "it is not little-endian");
	elf->is64 = ident[EI_CLASS] == ELFCLASS64;
	if (!read_ehdr(elf, &e))
		return refuse(diag, path, "it ends inside its header");
	elf->type = e.e_type;
	elf->machine = e.e_machine;
	take_tables(elf, &e);
	return 0;
}

int skep_elf_parse(const void *data, size_t size, struct skep_elf **ret, struct skep_diag *diag)
{
	struct skep_elf *elf = skep_xcalloc(1, sizeof(*elf));
	int err;

	elf->data = data;
	elf->size = size;
	err = read_header(elf, "the image", diag);
	if (err) {
		skep_elf_free(elf);
		return err;
	}
	*ret = elf;
	return 0;
}

/* Room for the whole file that takes no memory until pages of it are read. */
static int reserve(struct skep_elf *elf, int fd, uint64_t size)
{
	struct skep_elf_pages *pages = skep_xcalloc(1, sizeof(*pages));
	uint64_t n_pages = (size + PAGE_BYTES - 1) >> PAGE_SHIFT;
	void *memory;

	elf->pages = pages;
	elf->size = size;
	pages->fd = fd;
	pages->map_bytes = n_pages ? n_pages << PAGE_SHIFT : PAGE_BYTES;
	memory = mmap(NULL, pages->map_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	pages->memory = memory;
	pages->copied = skep_xcalloc(n_pages / 64 + 1, sizeof(*pages->copied));
	elf->data = pages->memory;
	return 0;
}

static int unreadable(struct skep_diag *diag, int err, const char *path)
{
	return skep_diag_fail(diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, path, strerror(-err));
}

static int open_image(struct skep_elf *elf, int fd, const char *path, struct skep_diag *diag)
{
	_cleanup_close_ int owned = fd;
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return unreadable(diag, -errno, path);
	if (!S_ISREG(st.st_mode))
		return refuse(diag, path, "it is not a regular file");
	if ((uint64_t)st.st_size > ELF_MAX_BYTES)
		return skep_diag_fail(diag, -EFBIG, SKEP_DIAG_FILE_TOO_LARGE, SKEP_NOWHERE, path,
				      (size_t)ELF_MAX_BYTES);
	err = reserve(elf, TAKE_FD(owned), (uint64_t)st.st_size);
	if (err)
		return unreadable(diag, err, path);
	return read_header(elf, path, diag);
}

int skep_elf_open_fd(int fd, const char *path, struct skep_elf **ret, struct skep_diag *diag)
{
	struct skep_elf *elf = skep_xcalloc(1, sizeof(*elf));
	int err = open_image(elf, fd, path, diag);

	if (err) {
		skep_elf_free(elf);
		return err;
	}
	*ret = elf;
	return 0;
}

int skep_elf_open(const char *path, struct skep_elf **ret, struct skep_diag *diag)
{
	/* O_NONBLOCK: a pipe under that name must not make us wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return unreadable(diag, -errno, path);
	return skep_elf_open_fd(fd, path, ret, diag);
}

void skep_elf_free(struct skep_elf *elf)
{
	if (!elf)
		return;
	pages_free(elf->pages);
	free(elf);
}

void skep_elf_freep(struct skep_elf **elf)
{
	skep_elf_free(*elf);
	*elf = NULL;
}

int skep_elf_fd(const struct skep_elf *elf)
{
	return elf->pages ? elf->pages->fd : -1;
}

uint16_t skep_elf_machine(const struct skep_elf *elf)
{
	return elf->machine;
}

bool skep_elf_is_64(const struct skep_elf *elf)
{
	return elf->is64;
}

bool skep_elf_is_exec_or_dyn(const struct skep_elf *elf)
{
	return elf->type == ET_EXEC || elf->type == ET_DYN;
}
