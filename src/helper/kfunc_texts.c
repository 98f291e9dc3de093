/*
 * Text by address, which may not be there or not end: read in pieces, carefully, and no
 * further than the kernel goes.
 */
#include <ctype.h>
#include <string.h>

#include "helper/kfuncs.h"
#include "helper/os.h"

#define MOST_BYTES 65536 /* XATTR_SIZE_MAX */
#define PIECE      256

/* A text read ahead; err says why the last byte could not be had. */
struct reader {
	uint64_t at;
	uint32_t have_from, have; /* piece holds [have_from, have_from + have) */
	char piece[PIECE];
};

/* Byte @i: 0..255 | -EFAULT */
static int byte_at(struct reader *r, uint32_t i)
{
	if (i - r->have_from >= r->have) {
		uint64_t from = r->at + i;
		uint32_t len = PIECE - (from & (PIECE - 1));
		r->have = 0;
		if (skep_os_read(r->piece, from, len))
			return -EFAULT;
		r->have_from = i;
		r->have = len;
	}
	return (unsigned char)r->piece[i - r->have_from];
}

static struct reader reader_at(uint64_t at)
{
	struct reader r;

	r.at = at;
	r.have_from = r.have = 0;
	return r;
}

static int compare(uint64_t a_at, uint64_t b_at, bool fold)
{
	struct reader a = reader_at(a_at), b = reader_at(b_at);

	for (uint32_t i = 0; i < MOST_BYTES; i++) {
		int x = byte_at(&a, i), y = byte_at(&b, i);
		if (x < 0 || y < 0)
			return -EFAULT;
		if (fold) {
			x = tolower(x);
			y = tolower(y);
		}
		if (x != y)
			return x < y ? -1 : 1;
		if (!x)
			return 0;
	}
	return -E2BIG;
}

DEFINE_KFUNC(strcmp)
{
	return as_r0(compare(r1, r2, false));
}

DEFINE_KFUNC(strcasecmp)
{
	return as_r0(compare(r1, r2, true));
}

enum { OR_END = 1, LAST = 2 };

/* Where @c is in at most @most bytes: the first or the last, or the end if there is none. */
static int find_byte(uint64_t text, uint64_t most, char c, unsigned how)
{
	struct reader r = reader_at(text);
	int found = -ENOENT;

	for (uint32_t i = 0; i < MOST_BYTES && i < most; i++) {
		int x = byte_at(&r, i);
		if (x < 0)
			return x;
		if (x == (unsigned char)c)
			found = (int)i;
		if (found >= 0 && !(how & LAST))
			return found;
		if (!x)
			return found < 0 && how & OR_END ? (int)i : found;
	}
	return most < MOST_BYTES ? found : -E2BIG;
}

DEFINE_KFUNC(strchr)
{
	return as_r0(find_byte(r1, UINT64_MAX, (char)r2, 0));
}

DEFINE_KFUNC(strnchr)
{
	return as_r0(find_byte(r1, r2, (char)r3, 0));
}

DEFINE_KFUNC(strchrnul)
{
	return as_r0(find_byte(r1, UINT64_MAX, (char)r2, OR_END));
}

DEFINE_KFUNC(strrchr)
{
	return as_r0(find_byte(r1, UINT64_MAX, (char)r2, LAST));
}

DEFINE_KFUNC(strlen)
{
	return as_r0(find_byte(r1, UINT64_MAX, 0, 0));
}

DEFINE_KFUNC(strnlen)
{
	int len = find_byte(r1, r2, 0, 0);

	return len == -ENOENT ? r2 : as_r0(len);
}

/* Length of the start of @text whose bytes are all in @set, or all not. */
static int span(uint64_t text, uint64_t set, bool in)
{
	struct reader r = reader_at(text);

	for (uint32_t i = 0; i < MOST_BYTES; i++) {
		int x = byte_at(&r, i);
		if (x <= 0)
			return x < 0 ? x : (int)i;
		int found = find_byte(set, UINT64_MAX, (char)x, 0);
		if (found < 0 && found != -ENOENT)
			return found;
		if ((found >= 0) != in)
			return (int)i;
	}
	return -E2BIG;
}

DEFINE_KFUNC(strspn)
{
	return as_r0(span(r1, r2, true));
}

DEFINE_KFUNC(strcspn)
{
	return as_r0(span(r1, r2, false));
}

/* Does @b begin at byte @at of @a, within @most? 1 | 0 | -ENOENT the text ends | -errno */
static int begins(struct reader *a, uint32_t at, struct reader *b, uint64_t most)
{
	for (uint32_t i = 0; i < MOST_BYTES && at + i < MOST_BYTES; i++) {
		int y = byte_at(b, i), x;
		if (y <= 0)
			return y < 0 ? y : 1;
		if (at + i >= most)
			return -ENOENT;
		x = byte_at(a, at + i);
		if (x <= 0)
			return x < 0 ? x : -ENOENT;
		if (x != y)
			return 0;
	}
	return -E2BIG;
}

static int find_text(uint64_t text, uint64_t what, uint64_t most)
{
	struct reader a = reader_at(text), b = reader_at(what);

	for (uint32_t at = 0; at < MOST_BYTES; at++) {
		int ret = begins(&a, at, &b, most);
		if (ret)
			return ret < 0 ? ret : (int)at;
	}
	return -E2BIG;
}

DEFINE_KFUNC(strstr)
{
	return as_r0(find_text(r1, r2, UINT64_MAX));
}

DEFINE_KFUNC(strnstr)
{
	return as_r0(find_text(r1, r2, r3));
}
