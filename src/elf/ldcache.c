/*
 * Reads glibc's /etc/ld.so.cache.
 *
 *	old part, may be absent          new part
 *	"ld.so-1.7.0" NUL n_libs(4)      "glibc-ld.so.cache" "1.1"
 *	n_libs × 12 bytes                n_libs(4) strings_len(4) flags(1)… = 48 bytes
 *	padding to 8                     n_libs × { flags key value osversion hwcap(8) }
 *	                                 strings
 *
 * key and value are offsets from the new part's start. Invariant: a string is
 * used only after its NUL was found inside the file.
 */
#include "elf/ldcache.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define OLD_MAGIC "ld.so-1.7.0"
#define NEW_MAGIC "glibc-ld.so.cache1.1"

/* glibc's numbers: 3 is "ELF for libc 6", the second byte the machine. */
#if defined(__x86_64__)
#define NATIVE_FLAGS 0x0303
#elif defined(__aarch64__)
#define NATIVE_FLAGS 0x0a03
#else
#define NATIVE_FLAGS 0x0003
#endif
#define FLAGS_MASK 0xffff

struct header {
	char magic[20];
	uint32_t n_libs, strings_len;
	uint8_t flags, pad[3];
	uint32_t extensions_off, unused[3];
};

struct entry {
	int32_t flags;
	uint32_t key, value, osversion;
	uint64_t hwcap;
};

_Static_assert(sizeof(struct header) == 48, "as in the file");
_Static_assert(sizeof(struct entry) == 24, "as in the file");

/* ".so" must follow the stem, and "." or the end must follow ".so". */
static bool ends_as_library(const char *tail)
{
	return strncmp(tail, ".so", 3) == 0 && (tail[3] == '\0' || tail[3] == '.');
}

static bool stem_matches(const char *name, const char *stem)
{
	size_t len = strlen(stem);

	if (strncmp(name, stem, len) != 0)
		return false;
	if (strstr(stem, ".so"))
		return name[len] == '\0' || name[len] == '.';
	return ends_as_library(name + len);
}

bool skep_elf_library_matches(const char *name, const char *wanted)
{
	if (strcmp(name, wanted) == 0 || stem_matches(name, wanted))
		return true;
	return strncmp(name, "lib", 3) == 0 && stem_matches(name + 3, wanted);
}

static size_t new_part(const uint8_t *data, size_t size)
{
	uint32_t n;
	uint64_t off;

	if (size < 16 || memcmp(data, OLD_MAGIC, sizeof(OLD_MAGIC) - 1) != 0)
		return 0;
	memcpy(&n, data + 12, sizeof(n));
	off = (16 + (uint64_t)n * 12 + 7) & ~7ULL;
	return off < size ? off : size;
}

static const char *string_at(const uint8_t *data, size_t size, uint32_t off)
{
	return off < size && memchr(data + off, 0, size - off) ? (const char *)data + off : NULL;
}

/* The exact name beats one that only begins so ("libc.so.6" before "libc.so.6.bak"). */
static int rank_of(const char *key, const char *wanted)
{
	if (strcmp(key, wanted) == 0)
		return 2;
	return skep_elf_library_matches(key, wanted);
}

const char *skep_elf_ldcache_find(const void *bytes, size_t size, const char *wanted)
{
	size_t skip = new_part(bytes, size);
	const uint8_t *data = (const uint8_t *)bytes + skip;
	const char *found = NULL;
	struct header h;
	int best = 0;

	size -= skip;
	if (size < sizeof(h) || memcmp(data, NEW_MAGIC, sizeof(h.magic)) != 0)
		return NULL;
	memcpy(&h, data, sizeof(h));
	for (uint32_t i = 0; i < h.n_libs && i < (size - sizeof(h)) / sizeof(struct entry); i++) {
		const char *key, *value;
		struct entry e;
		int rank;

		memcpy(&e, data + sizeof(h) + i * sizeof(e), sizeof(e));
		key = string_at(data, size, e.key);
		value = string_at(data, size, e.value);
		if ((e.flags & FLAGS_MASK) != NATIVE_FLAGS || !key || !value || value[0] != '/')
			continue;
		rank = rank_of(key, wanted);
		if (rank > best) {
			best = rank;
			found = value;
		}
	}
	return found;
}
