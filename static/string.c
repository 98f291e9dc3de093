/*
 * For the static program (./dev dist) only: functions of the C library of which it has one for each
 * kind of CPU, up to nine, where none is called often enough for that to be felt. These take their
 * place. What is called often (memcpy, memchr, strlen, strchr...) stays the C library's.
 *
 * Letters are those of ASCII, as in the "C" locale: a UTF-8 locale's single bytes are no others.
 * Names with two underscores are those by which the C library calls them itself.
 */
#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

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

/* --- Looking for a character ----------------------------------------------------------------- */

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
	for (size_t i = strlen(text) + 1; i--;) {
		if (text[i] == (char)wanted)
			return (char *)text + i;
	}
	return NULL;
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
