/*
 * What the static program has in place of functions of the C library: each beside the one whose
 * place it takes. The rest of static/ is tested by program.py, which runs the program.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define memmove         our_memmove
#define memcpy          our_memcpy
#define mempcpy         our_mempcpy
#define __mempcpy       our_mempcpy_inside
#define memset          our_memset
#define memcmp          our_memcmp
#define memchr          our_memchr
#define __memchr        our_memchr_inside
#define memrchr         our_memrchr
#define __memrchr       our_memrchr_inside
#define strchr          our_strchr
#define strchrnul       our_strchrnul
#define __strchrnul     our_strchrnul_inside
#define strlen          our_strlen
#define strspn          our_strspn
#define strcspn         our_strcspn
#define strpbrk         our_strpbrk
#define strstr          our_strstr
#define strnlen         our_strnlen
#define __strnlen       our_strnlen_inside
#define strrchr         our_strrchr
#define rawmemchr       our_rawmemchr
#define __rawmemchr     our_rawmemchr_inside
#define strcmp          our_strcmp
#define strncmp         our_strncmp
#define strncasecmp     our_strncasecmp
#define strcasecmp      our_strcasecmp
#define __strcasecmp    our_strcasecmp_inside
#define __strcasecmp_l  our_strcasecmp_inside_l
#define __strncasecmp_l our_strncasecmp_inside_l
#define strcasestr      our_strcasestr
#define stpcpy          our_stpcpy
#define __stpcpy        our_stpcpy_inside
#define strcpy          our_strcpy
#define strncpy         our_strncpy
#define strcat          our_strcat
#define strncat         our_strncat
#define wcsnlen         our_wcsnlen
#define __wcsnlen       our_wcsnlen_inside
#define wcslen          our_wcslen
#define __wcslen        our_wcslen_inside
#define wmemchr         our_wmemchr
#define __wmemchr       our_wmemchr_inside
#define wcschr          our_wcschr
#define __wcschr        our_wcschr_inside
#define wmemset         our_wmemset
#define __wmemset       our_wmemset_inside
#include "../../static/string.c"
#undef memmove
#undef memcpy
#undef mempcpy
#undef memset
#undef memcmp
#undef memchr
#undef memrchr
#undef strchr
#undef strchrnul
#undef strlen
#undef strspn
#undef strcspn
#undef strpbrk
#undef strstr
#undef strnlen
#undef strrchr
#undef rawmemchr
#undef strcmp
#undef strncmp
#undef strncasecmp
#undef strcasecmp
#undef strcasestr
#undef stpcpy
#undef strcpy
#undef strncpy
#undef strcat
#undef strncat
#undef wcsnlen
#undef wcslen
#undef wmemchr
#undef wcschr
#undef wmemset

#define ROUNDS 20000
#define ROOM   24
#define BLOCKS 150 /* bytes: more than what is done by several blocks at once */

/* Few characters, so that texts are alike; of both cases, and one beyond ASCII. */
static void random_text(char *text, size_t room)
{
	static const char letters[] = "aAbBz@[\xe9";
	size_t len = (size_t)rand() % room;

	for (size_t i = 0; i < len; i++)
		text[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
	text[len] = '\0';
}

/* Compilers are not to know how great: they warn of what is cut. */
static size_t random_size(void)
{
	volatile size_t size = (size_t)rand() % ROOM;

	return size;
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void they_compare_alike(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		char a[ROOM], b[ROOM];
		size_t n = random_size();
		random_text(a, round % 2 ? ROOM : 4);
		random_text(b, round % 2 ? ROOM : 4);
		if (round % 3 == 0)
			memcpy(b, a, (size_t)rand() % (strlen(a) + 1));
		assert_int_equal(sign(our_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(our_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_int_equal(sign(our_strcasecmp(a, b)), sign(strcasecmp(a, b)));
		assert_int_equal(sign(our_strncasecmp(a, b, n)), sign(strncasecmp(a, b, n)));
	}
	assert_int_equal(our_strncmp("a", "b", 0), 0);
	assert_int_equal(our_strncasecmp("a", "b", 0), 0);
}

/* Where a page ends there is no byte to read behind. @ret: the last @n of the page */
static char *end_of_page(char *pages, size_t n)
{
	return pages + sysconf(_SC_PAGESIZE) - n;
}

static char *two_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	return pages;
}

static void blocks_compare_alike(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		char a[BLOCKS], b[BLOCKS];
		size_t n = (size_t)rand() % BLOCKS;
		memset(a, 'a', sizeof(a));
		memset(b, 'a', sizeof(b));
		b[(size_t)rand() % BLOCKS] = (char)rand();
		b[(size_t)rand() % BLOCKS] = (char)rand();
		assert_int_equal(sign(our_memcmp(a, b, n)), sign(memcmp(a, b, n)));
	}
}

/* Wherever both begin, over one another, too; nothing around is touched. */
static void blocks_are_moved_alike(void **state)
{
	char ours[BLOCKS], theirs[BLOCKS];

	for (int round = 0; round < ROUNDS; round++) {
		size_t to = (size_t)rand() % BLOCKS, from = (size_t)rand() % BLOCKS;
		size_t n = (size_t)rand() % (BLOCKS - (to > from ? to : from));
		for (size_t i = 0; i < BLOCKS; i++)
			ours[i] = theirs[i] = (char)rand();
		assert_ptr_equal(our_memmove(ours + to, ours + from, n), ours + to);
		memmove(theirs + to, theirs + from, n);
		assert_memory_equal(ours, theirs, BLOCKS);
		assert_ptr_equal(our_memset(ours + from, round, n), ours + from);
		memset(theirs + from, round, n);
		assert_memory_equal(ours, theirs, BLOCKS);
	}
	assert_ptr_equal(our_mempcpy(ours, theirs, 3), ours + 3);
	assert_ptr_equal(our_memcpy(ours, theirs, BLOCKS), ours);
	assert_memory_equal(ours, theirs, BLOCKS);
}

static void they_stay_in_their_page(void **state)
{
	char *pages = two_pages();

	for (size_t n = 1; n < BLOCKS; n++) {
		char *text = end_of_page(pages, n);
		memset(text, 'a', n);
		assert_null(our_memchr(text, 'b', n));
		assert_ptr_equal(our_memchr(text, 'a', SIZE_MAX), text);
		our_memmove(text, pages, n);
		our_memmove(pages, text, n);
		assert_int_equal(our_memcmp(text, pages, n), 0);
		our_memset(text, 'a', n);
		text[n - 1] = '\0';
		assert_int_equal(our_strlen(text), n - 1);
		assert_null(our_strchr(text, 'b'));
		assert_ptr_equal(our_strchrnul(text, 'b'), text + n - 1);
	}
	munmap(pages, 2 * (size_t)sysconf(_SC_PAGESIZE));
}

static void they_find_alike(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		char a[ROOM], b[ROOM];
		size_t n = random_size();
		random_text(a, ROOM);
		random_text(b, 4);
		assert_ptr_equal(our_strcasestr(a, b), strcasestr(a, b));
		assert_ptr_equal(our_strrchr(a, b[0]), strrchr(a, b[0]));
		assert_ptr_equal(our_strstr(a, b), strstr(a, b));
		assert_ptr_equal(our_strchr(a, b[0]), strchr(a, b[0]));
		assert_ptr_equal(our_strchrnul(a, b[0]), strchrnul(a, b[0]));
		assert_ptr_equal(our_strpbrk(a, b), strpbrk(a, b));
		assert_int_equal(our_strspn(a, b), strspn(a, b));
		assert_int_equal(our_strcspn(a, b), strcspn(a, b));
		assert_ptr_equal(our_memchr(a, b[0], n), memchr(a, b[0], n));
		assert_ptr_equal(our_memrchr(a, b[0], n), memrchr(a, b[0], n));
		assert_int_equal(our_strlen(a), strlen(a));
		assert_int_equal(our_strnlen(a, n), strnlen(a, n));
		assert_ptr_equal(our_rawmemchr(a, '\0'), rawmemchr(a, '\0'));
		if (strchr(a, 'z'))
			assert_ptr_equal(our_rawmemchr(a, 'z'), rawmemchr(a, 'z'));
	}
}

/* @ours and @theirs: what came of it, and what is behind, which nobody is to touch. */
static void assert_same(const char *ours, const char *theirs)
{
	assert_memory_equal(ours, theirs, 3 * ROOM);
	memset((char *)ours, 0x55, 3 * ROOM);
	memset((char *)theirs, 0x55, 3 * ROOM);
}

static void they_copy_alike(void **state)
{
	char ours[3 * ROOM], theirs[3 * ROOM];

	memset(ours, 0x55, sizeof(ours));
	memset(theirs, 0x55, sizeof(theirs));
	for (int round = 0; round < ROUNDS; round++) {
		char a[ROOM], b[ROOM];
		size_t n = random_size();
		random_text(a, ROOM);
		random_text(b, ROOM);
		assert_int_equal(our_stpcpy(ours, a) - ours, stpcpy(theirs, a) - theirs);
		assert_ptr_equal(our_strcat(ours, b), ours);
		assert_same(ours, strcat(theirs, b));
		assert_ptr_equal(our_strcpy(ours, a), ours);
		assert_ptr_equal(our_strncat(ours, b, n), ours);
		strcpy(theirs, a);
		assert_same(ours, strncat(theirs, b, n));
		assert_ptr_equal(our_strncpy(ours, a, n), ours);
		assert_same(ours, strncpy(theirs, a, n));
	}
}

static void wide_ones_are_alike(void **state)
{
	static const wchar_t text[] = L"a─b─";
	wchar_t ours[6] = L"xxxxx", theirs[6] = L"xxxxx";

	assert_int_equal(our_wcslen(text), wcslen(text));
	for (size_t n = 0; n < 7; n++)
		assert_int_equal(our_wcsnlen(text, n), wcsnlen(text, n));
	for (const wchar_t *c = L"a─bz"; *c; c++) {
		assert_ptr_equal(our_wcschr(text, *c), wcschr(text, *c));
		assert_ptr_equal(our_wmemchr(text, *c, 2), wmemchr(text, *c, 2));
	}
	assert_ptr_equal(our_wcschr(text, L'\0'), text + 4);
	assert_ptr_equal(our_wmemset(ours, L'─', 3), ours);
	wmemset(theirs, L'─', 3);
	assert_memory_equal(ours, theirs, sizeof(ours));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_compare_alike),      cmocka_unit_test(they_find_alike),
		cmocka_unit_test(they_stay_in_their_page), cmocka_unit_test(blocks_compare_alike),
		cmocka_unit_test(blocks_are_moved_alike),  cmocka_unit_test(they_copy_alike),
		cmocka_unit_test(wide_ones_are_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
