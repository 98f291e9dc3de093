/*
 * The overlay of the static program, see base/overlay.h; layout.py has what it holds.
 *
 * pack.py has left out of the file what the linker had laid from skep_overlay_code on, and has put
 * it, compressed, where the program has nothing else: its segment is the only one that begins at
 * skep_overlay_packed or behind. It is unpacked into a memfd and mapped from there as the kernel
 * maps a program's file: code is never writable where it can be run, so that systems which forbid
 * that run it, too. A program that was not packed has all of it in place.
 */
#include "base/overlay.h"

#include <elf.h>
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

#define NOEXEC_SEAL 0x0008u /* MFD_NOEXEC_SEAL: newer than the C library's headers */

extern char skep_overlay_code[], skep_overlay_constants[], skep_overlay_data[], skep_overlay_end[],
	skep_overlay_packed[];

static const Elf64_Phdr *packed_segment(void)
{
	const Elf64_Phdr *segments = (const Elf64_Phdr *)getauxval(AT_PHDR);

	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
		if (segments[i].p_type == PT_LOAD &&
		    segments[i].p_vaddr >= (uintptr_t)skep_overlay_packed)
			return &segments[i];
	}
	return NULL;
}

/* How long the code of an instruction is that refers to a place, as pack.py's RELATIVE has them; 0:
 * this is none. */
static size_t opcode_bytes(const uint8_t *code)
{
	if ((code[0] & 0xfe) == 0xe8)
		return 1;
	if (code[0] == 0x0f)
		return (code[1] & 0xf0) == 0x80 ? 2 : 0;
	bool is_access = code[0] == 0x89 || code[0] == 0x8b || code[0] == 0x8d;
	return is_access && (code[1] & 0xc7) == 0x05 ? 2 : 0;
}

/* What pack.py's places_absolute() did, back again: in 25 bits with a sign. */
static void places_relative(uint8_t *code, size_t size)
{
	for (size_t i = 0; i + 1 + sizeof(uint32_t) <= size; i++) {
		size_t len = opcode_bytes(code + i), end = i + len + sizeof(uint32_t);
		uint8_t *at = code + i + len;
		if (!len || end > size)
			continue;
		i = end - 1;
		if (at[3] != 0 && at[3] != 0xff)
			continue;
		uint32_t place;
		memcpy(&place, at, sizeof(place));
		int32_t distance = (int32_t)((place - (uint32_t)end) << 7) >> 7;
		memcpy(at, &distance, sizeof(distance));
	}
}

static int decode(const Elf64_Phdr *packed, uint8_t *to, size_t size)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	stream.next_in = (const uint8_t *)packed->p_vaddr;
	stream.avail_in = packed->p_filesz;
	stream.next_out = to;
	stream.avail_out = size;
	lzma_ret ret = lzma_alone_decoder(&stream, UINT64_MAX);
	while (ret == LZMA_OK)
		ret = lzma_code(&stream, LZMA_FINISH);
	lzma_end(&stream);
	if (ret == LZMA_STREAM_END && !stream.avail_out)
		return 0;
	return ret == LZMA_MEM_ERROR ? -ENOMEM : -EILSEQ;
}

static int unpack_to(int fd, const Elf64_Phdr *packed)
{
	size_t size = (size_t)(skep_overlay_end - skep_overlay_code);

	if (ftruncate(fd, (off_t)size))
		return -errno;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	int err = decode(packed, at, size);
	places_relative(at, (size_t)(skep_overlay_constants - skep_overlay_code));
	munmap(at, size);
	return err;
}

/* Kernels before 4.17 take the place for a wish. */
static int map_at(char *start, const char *end, int prot, int fd)
{
	size_t size = (size_t)(end - start);
	void *at = mmap(start, size, prot, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
			start - skep_overlay_code);

	if (at == MAP_FAILED)
		return -errno;
	if (at == start)
		return 0;
	munmap(at, size);
	return -EEXIST;
}

/* A file that nobody is to execute as a program, which some systems want of all such files; kernels
 * before 6.3 do not know of that. */
static int new_file(void)
{
	int fd = memfd_create("skep", MFD_CLOEXEC | NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("skep", MFD_CLOEXEC) : fd;
}

int skep_overlay_load(void)
{
	static bool is_loaded;
	const Elf64_Phdr *packed = is_loaded ? NULL : packed_segment();

	if (!packed)
		return 0;
	_cleanup_close_ int fd = new_file();
	if (fd < 0)
		return -errno;
	int err = unpack_to(fd, packed);
	if (!err)
		err = map_at(skep_overlay_data, skep_overlay_end, PROT_READ | PROT_WRITE, fd);
	if (!err)
		err = map_at(skep_overlay_constants, skep_overlay_data, PROT_READ, fd);
	if (!err)
		err = map_at(skep_overlay_code, skep_overlay_constants, PROT_READ | PROT_EXEC, fd);
	is_loaded = !err;
	return err;
}
