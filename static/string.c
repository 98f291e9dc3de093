/*
 * For the static program (./dev dist) only: functions of the C library of which it has one for each
 * kind of CPU, up to nine. These take their place. What is called often (memcpy, memchr, strlen...)
 * goes by blocks of 16 bytes, which every x86-64 can.
 *
 * What looks for the end of a text reads whole blocks, each of which lies in one page.
 *
 * Letters are those of ASCII, as in the "C" locale: a UTF-8 locale's single bytes are no others.
 * Names with two underscores are those by which the C library calls them itself.
 */
#include <emmintrin.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

void *__mempcpy(void *to, const void *from, size_t n);
void *__memchr(const void *from, int wanted, size_t n);
void *__memrchr(const void *from, int wanted, size_t n);
char *__strchrnul(const char *text, int wanted);
void *__rawmemchr(const void *from, int wanted);
size_t __strnlen(const char *text, size_t n);
int __strcasecmp(const char *a, const char *b);
int __strcasecmp_l(const char *a, const char *b, locale_t locale);
int __strncasecmp_l(const char *a, const char *b, size_t n, locale_t locale);
char *__stpcpy(char *to, const char *from);
size_t __wcslen(const wchar_t *text);
size_t __wcsnlen(const wchar_t *text, size_t n);
wchar_t *__wcschr(const wchar_t *text, wchar_t wanted);
wchar_t *__wmemchr(const wchar_t *text, wchar_t wanted, size_t n);
wchar_t *__wmemset(wchar_t *to, wchar_t value, size_t n);

#define BLOCK sizeof(__m128i)

static __m128i load(const void *from)
{
	return _mm_loadu_si128(from);
}

static void store(void *to, __m128i block)
{
	_mm_storeu_si128(to, block);
}

static __m128i all(int byte)
{
	return _mm_set1_epi8((char)byte);
}

/* A bit for each byte that is the same. */
static unsigned int same(__m128i a, __m128i b)
{
	return (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}

/* --- Blocks of memory ------------------------------------------------------------------------ */

/* A number that may lie anywhere. */
#define ANYWHERE(type)                                                                             \
	struct anywhere_##type {                                                                   \
		type value;                                                                        \
	} __attribute__((packed, may_alias))
ANYWHERE(uint16_t);
ANYWHERE(uint32_t);
ANYWHERE(uint64_t);
#define AT(type, address) (((struct anywhere_##type *)(address))->value)

/* Its first and its last bytes are all of it. */
#define MOVE_ENDS(type, to, from, n)                                                               \
	do {                                                                                       \
		type first = AT(type, from), last = AT(type, (from) + (n) - sizeof(type));         \
		AT(type, to) = first;                                                              \
		AT(type, (to) + (n) - sizeof(type)) = last;                                        \
	} while (0)

static void move_short(char *to, const char *from, size_t n)
{
	if (n >= sizeof(uint64_t))
		MOVE_ENDS(uint64_t, to, from, n);
	else if (n >= sizeof(uint32_t))
		MOVE_ENDS(uint32_t, to, from, n);
	else if (n >= sizeof(uint16_t))
		MOVE_ENDS(uint16_t, to, from, n);
	else if (n)
		*to = *from;
}

/* The ends, two blocks each, are read before anything is written, and written last. Between them,
 * away from what is still to be read. */
static void move_long(char *to, const char *from, size_t n)
{
	__m128i first = load(from), second = load(from + BLOCK);
	__m128i last = load(from + n - BLOCK), last_but_one = load(from + n - 2 * BLOCK);

	if ((size_t)(to - from) >= n) {
		for (size_t i = BLOCK - (uintptr_t)to % BLOCK; i + 2 * BLOCK < n; i += 2 * BLOCK) {
			__m128i low = load(from + i), high = load(from + i + BLOCK);
			store(to + i, low);
			store(to + i + BLOCK, high);
		}
	} else {
		for (size_t i = n - (uintptr_t)(to + n) % BLOCK; i > 2 * BLOCK; i -= 2 * BLOCK) {
			__m128i high = load(from + i - BLOCK), low = load(from + i - 2 * BLOCK);
			store(to + i - BLOCK, high);
			store(to + i - 2 * BLOCK, low);
		}
	}
	store(to, first);
	store(to + BLOCK, second);
	store(to + n - 2 * BLOCK, last_but_one);
	store(to + n - BLOCK, last);
}

void *memmove(void *to, const void *from, size_t n)
{
	if (n < BLOCK) {
		move_short(to, from, n);
	} else if (n <= 2 * BLOCK) {
		__m128i first = load(from), last = load((const char *)from + n - BLOCK);
		store(to, first);
		store((char *)to + n - BLOCK, last);
	} else {
		move_long(to, from, n);
	}
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	return memmove(to, from, n);
}

void *mempcpy(void *to, const void *from, size_t n)
{
	return (char *)memmove(to, from, n) + n;
}

void *__mempcpy(void *to, const void *from, size_t n)
{
	return mempcpy(to, from, n);
}

static void set_short(char *to, uint64_t bytes, size_t n)
{
	if (n >= sizeof(uint64_t)) {
		AT(uint64_t, to) = AT(uint64_t, to + n - sizeof(uint64_t)) = bytes;
	} else if (n >= sizeof(uint32_t)) {
		AT(uint32_t, to) = AT(uint32_t, to + n - sizeof(uint32_t)) = (uint32_t)bytes;
	} else {
		for (size_t i = 0; i < n; i++)
			to[i] = (char)bytes;
	}
}

void *memset(void *to, int byte, size_t n)
{
	char *start = to;
	__m128i block = all(byte);

	if (n < BLOCK) {
		set_short(to, (unsigned char)byte * 0x0101010101010101ull, n);
		return to;
	}
	store(start, block);
	for (size_t i = BLOCK - (uintptr_t)to % BLOCK; i + BLOCK < n; i += BLOCK)
		store(start + i, block);
	store(start + n - BLOCK, block);
	return to;
}

/* As the numbers that they are where the first byte counts most. */
static int compare_words(const unsigned char *a, const unsigned char *b)
{
	uint64_t left = __builtin_bswap64(AT(uint64_t, (void *)a));
	uint64_t right = __builtin_bswap64(AT(uint64_t, (void *)b));

	return (left > right) - (left < right);
}

static int compare_short(const unsigned char *a, const unsigned char *b, size_t n)
{
	if (n >= sizeof(uint64_t)) {
		int order = compare_words(a, b);
		size_t last = n - sizeof(uint64_t);
		return order ? order : compare_words(a + last, b + last);
	}
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i])
			return a[i] - b[i];
	}
	return 0;
}

/* Blocks, the last of which may begin within the one before. */
int memcmp(const void *left, const void *right, size_t n)
{
	const unsigned char *a = left, *b = right;

	for (size_t i = 0; n >= BLOCK && i < n; i += BLOCK) {
		size_t at = i + BLOCK <= n ? i : n - BLOCK;
		unsigned int differ = same(load(a + at), load(b + at)) ^ 0xffff;
		if (differ) {
			at += (size_t)__builtin_ctz(differ);
			return a[at] - b[at];
		}
	}
	return n < BLOCK ? compare_short(a, b, n) : 0;
}

/* --- Looking for a character ----------------------------------------------------------------- */

/* The block that @at lies in. */
static const char *block_of(const void *at)
{
	return (const char *)at - (uintptr_t)at % BLOCK;
}

/* All of it, of which less may be the caller's. */
__attribute__((no_sanitize_address)) static __m128i whole(const char *block)
{
	return _mm_load_si128((const __m128i *)block);
}

/* The first that is @wanted or @other. */
static const char *find_either(const char *text, int wanted, int other)
{
	const char *block = block_of(text);
	__m128i these = all(wanted), those = all(other), bytes = whole(block);
	unsigned int found = (same(bytes, these) | same(bytes, those)) >> (text - block);

	if (found)
		return text + __builtin_ctz(found);
	do {
		block += BLOCK;
		bytes = whole(block);
		found = same(bytes, these) | same(bytes, those);
	} while (!found);
	return block + __builtin_ctz(found);
}

char *strchrnul(const char *text, int wanted)
{
	return (char *)find_either(text, wanted, '\0');
}

char *__strchrnul(const char *text, int wanted)
{
	return strchrnul(text, wanted);
}

char *strchr(const char *text, int wanted)
{
	char *found = strchrnul(text, wanted);

	return *found == (char)wanted ? found : NULL;
}

size_t strlen(const char *text)
{
	return (size_t)(find_either(text, '\0', '\0') - text);
}

void *memchr(const void *from, int wanted, size_t n)
{
	const char *start = from, *block = block_of(from);
	const char *end = n > UINTPTR_MAX - (uintptr_t)from ? (const char *)UINTPTR_MAX : start + n;
	__m128i these = all(wanted);

	if (!n)
		return NULL;
	unsigned int found = same(whole(block), these) & ~0u << (start - block);
	while (!found) {
		block += BLOCK;
		if (block >= end)
			return NULL;
		found = same(whole(block), these);
	}
	block += __builtin_ctz(found);
	return block < end ? (char *)block : NULL;
}

void *__memchr(const void *from, int wanted, size_t n)
{
	return memchr(from, wanted, n);
}

void *memrchr(const void *from, int wanted, size_t n)
{
	const char *start = from;

	while (n--) {
		if (start[n] == (char)wanted)
			return (char *)start + n;
	}
	return NULL;
}

void *__memrchr(const void *from, int wanted, size_t n)
{
	return memrchr(from, wanted, n);
}

/* --- Looking for one of several -------------------------------------------------------------- */

/* How many at the start of @text are among @chars, or are not. */
static size_t span(const char *text, const char *chars, bool are)
{
	bool among[UCHAR_MAX + 1] = {0};
	size_t len = 0;

	while (*chars)
		among[(unsigned char)*chars++] = true;
	while (text[len] && among[(unsigned char)text[len]] == are)
		len++;
	return len;
}

size_t strspn(const char *text, const char *chars)
{
	return span(text, chars, true);
}

size_t strcspn(const char *text, const char *chars)
{
	return span(text, chars, false);
}

char *strpbrk(const char *text, const char *chars)
{
	const char *found = text + strcspn(text, chars);

	return *found ? (char *)found : NULL;
}

char *strstr(const char *text, const char *part)
{
	return memmem(text, strlen(text), part, strlen(part));
}

size_t strnlen(const char *text, size_t n)
{
	const char *end = memchr(text, '\0', n);

	return end ? (size_t)(end - text) : n;
}

size_t __strnlen(const char *text, size_t n)
{
	return strnlen(text, n);
}

char *strrchr(const char *text, int wanted)
{
	return memrchr(text, wanted, strlen(text) + 1);
}

void *rawmemchr(const void *from, int wanted)
{
	const char *at = from;

	if (!wanted)
		return (char *)at + strlen(at);
	while (*at != (char)wanted)
		at++;
	return (char *)at;
}

void *__rawmemchr(const void *from, int wanted)
{
	return rawmemchr(from, wanted);
}

/* --- Comparing ------------------------------------------------------------------------------ */

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--) {
		a++;
		b++;
	}
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char)c;
}

int strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && lower(*a) == lower(*b); n--) {
		a++;
		b++;
	}
	return n ? lower(*a) - lower(*b) : 0;
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, SIZE_MAX);
}

int __strcasecmp(const char *a, const char *b)
{
	return strcasecmp(a, b);
}

int __strcasecmp_l(const char *a, const char *b, locale_t locale)
{
	return strcasecmp(a, b);
}

int __strncasecmp_l(const char *a, const char *b, size_t n, locale_t locale)
{
	return strncasecmp(a, b, n);
}

char *strcasestr(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (; strncasecmp(text, part, len); text++) {
		if (!*text)
			return NULL;
	}
	return (char *)text;
}

/* --- Copying -------------------------------------------------------------------------------- */

char *stpcpy(char *to, const char *from)
{
	size_t len = strlen(from);

	memcpy(to, from, len + 1);
	return to + len;
}

char *__stpcpy(char *to, const char *from)
{
	return stpcpy(to, from);
}

char *strcpy(char *to, const char *from)
{
	stpcpy(to, from);
	return to;
}

char *strncpy(char *to, const char *from, size_t n)
{
	size_t len = strnlen(from, n);

	memcpy(to, from, len);
	memset(to + len, 0, n - len);
	return to;
}

char *strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}

char *strncat(char *to, const char *from, size_t n)
{
	char *end = to + strlen(to);
	size_t len = strnlen(from, n);

	memcpy(end, from, len);
	end[len] = '\0';
	return to;
}

/* --- Wide characters ------------------------------------------------------------------------ */

size_t wcsnlen(const wchar_t *text, size_t n)
{
	size_t len = 0;

	while (len < n && text[len])
		len++;
	return len;
}

size_t __wcsnlen(const wchar_t *text, size_t n)
{
	return wcsnlen(text, n);
}

size_t wcslen(const wchar_t *text)
{
	return wcsnlen(text, SIZE_MAX);
}

size_t __wcslen(const wchar_t *text)
{
	return wcslen(text);
}

wchar_t *wmemchr(const wchar_t *text, wchar_t wanted, size_t n)
{
	for (; n; n--, text++) {
		if (*text == wanted)
			return (wchar_t *)text;
	}
	return NULL;
}

wchar_t *__wmemchr(const wchar_t *text, wchar_t wanted, size_t n)
{
	return wmemchr(text, wanted, n);
}

wchar_t *wcschr(const wchar_t *text, wchar_t wanted)
{
	return wmemchr(text, wanted, wcslen(text) + 1);
}

wchar_t *__wcschr(const wchar_t *text, wchar_t wanted)
{
	return wcschr(text, wanted);
}

wchar_t *wmemset(wchar_t *to, wchar_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = value;
	return to;
}

wchar_t *__wmemset(wchar_t *to, wchar_t value, size_t n)
{
	return wmemset(to, value, n);
}
