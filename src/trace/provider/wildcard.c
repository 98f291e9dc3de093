/*
 * Shell-style patterns. Only the last star is ever tried again, so the cost is
 * at most the product of the lengths, whatever the pattern.
 */
#include "trace/probe.h"

#include <string.h>

/* The class at @p ("[a-z]", "[!x]"): its length, 0 if it is none: "[]" and "[" are themselves,
 * so that C++'s operator[] can be named. */
static size_t class_len(const char *p)
{
	const char *end = p[0] == '[' && p[1] && p[1] != ']' ? strchr(p + 2, ']') : NULL;

	return end ? (size_t)(end - p) + 1 : 0;
}

static bool class_has(const char *p, size_t len, char c)
{
	const char *end = p + len - 1;
	bool negated = p[1] == '!' || p[1] == '^', found = false;

	for (p += 1 + negated; p < end; p++) {
		if (p + 2 < end && p[1] == '-') {
			found |= (unsigned char)p[0] <= (unsigned char)c &&
				 (unsigned char)c <= (unsigned char)p[2];
			p += 2;
		} else {
			found |= *p == c;
		}
	}
	return found != negated;
}

/* Length of the pattern's element at @p if it matches @c, else 0. */
static size_t match_one(const char *p, char c)
{
	size_t len = class_len(p);

	if (len)
		return class_has(p, len, c) ? len : 0;
	return *p && (*p == '?' || *p == c) ? 1 : 0;
}

bool skep_wildcard_match(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	for (;;) {
		size_t len;
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (!*text) {
			return !*pattern;
		} else if ((len = match_one(pattern, *text))) {
			pattern += len;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
}

bool skep_has_wildcard(const char *text)
{
	for (; *text; text++) {
		if (*text == '*' || *text == '?' || class_len(text))
			return true;
	}
	return false;
}
