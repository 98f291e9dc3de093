/* The arena, growing arrays and buffers, the hash table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/strmap.h"
#include "base/vec.h"

static bool is_all(const char *bytes, size_t n, char c)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != c)
			return false;
	}
	return true;
}

/* What it gives is zeroed and aligned, and no later request moves or overlaps it. */
static void arena_memory(void **state)
{
	enum { N = 400 };
	struct skep_arena arena;
	char *blocks[N];

	skep_arena_init(&arena);
	for (size_t i = 0; i < N; i++) {
		size_t size = i * i % 9001;
		blocks[i] = skep_arena_alloc(&arena, size);
		assert_true((uintptr_t)blocks[i] % 16 == 0);
		assert_true(is_all(blocks[i], size, 0));
		memset(blocks[i], (char)i, size);
	}
	for (size_t i = 0; i < N; i++)
		assert_true(is_all(blocks[i], i * i % 9001, (char)i));
	skep_arena_done(&arena);
}

static void arena_text(void **state)
{
	struct skep_arena arena;
	char *wide, part[] = "abcdef";

	skep_arena_init(&arena);
	const char *copy = skep_arena_dup(&arena, part, 3);
	memset(part, 'x', 3);
	assert_string_equal(copy, "abc");
	assert_string_equal(skep_arena_strdup(&arena, part), "xxxdef");
	assert_string_equal(skep_arena_printf(&arena, "%s %d", "n", 7), "n 7");
	wide = skep_arena_printf(&arena, "%*d", 70000, 1);
	assert_int_equal(strlen(wide), 70000);
	assert_true(arena.used_bytes >= 70000);
	skep_arena_done(&arena);
}

static void vectors(void **state)
{
	SKEP_VEC(uint64_t) v = {0};
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 1000; i++)
		skep_vec_push(&v, i);
	assert_int_equal(v.len, 1000);
	skep_vec_foreach (uint64_t, it, &v)
		sum += *it;
	assert_int_equal(sum, 999 * 500);
	assert_int_equal(*skep_vec_last(&v), 999);
	assert_int_equal(skep_vec_pop(&v), 999);
	assert_int_equal(*skep_vec_add(&v), 0); /* where 999 was: zeroed */
	skep_vec_done(&v);
	assert_null(v.data);
	skep_vec_foreach (uint64_t, it, &v)
		fail();
}

static void buffers(void **state)
{
	struct skep_buf buf = {0};

	skep_buf_puts(&buf, "ab");
	skep_buf_addc(&buf, 'c');
	skep_buf_add(&buf, "d\0e", 3);
	skep_buf_fill(&buf, '-', 3);
	assert_int_equal(buf.len, 9);
	assert_memory_equal(buf.data, "abcd\0e---", 10);
	skep_buf_clear(&buf);
	assert_int_equal(buf.len, 0);
	skep_buf_printf(&buf, "%0*d", 5000, 7);
	assert_int_equal(buf.len, 5000);
	assert_int_equal(buf.data[4999], '7');
	assert_int_equal(buf.data[5000], '\0');
	char *room = skep_buf_reserve(&buf, 10);
	assert_ptr_equal(room, buf.data + 5000);
	assert_int_equal(buf.len, 5000);
	skep_buf_done(&buf);
	assert_null(buf.data);
}

static void printable(void **state)
{
	struct skep_buf buf = {0};

	skep_buf_add_printable(&buf, "a\tb\n\x1b[2J\x7f\xc3\xa4", 11);
	assert_string_equal(buf.data, "a\tb??[2J?\xc3\xa4");
	skep_buf_clear(&buf);
	skep_buf_add_printable(&buf,
			       "\xc2\x9b"
			       "31m\xc2\xa0\xc2",
			       8);
	assert_string_equal(buf.data, "?31m\xc2\xa0\xc2");
	skep_buf_done(&buf);
}

/* As many as make it grow several times; prefixes of one another; one with a NUL within. */
static void names(void **state)
{
	enum { N = 5000 };
	static char keys[N][12];
	struct skep_strmap map = {0};

	assert_null(skep_strmap_get(&map, "x", 1));
	for (uintptr_t i = 0; i < N; i++) {
		int len = snprintf(keys[i], sizeof(keys[i]), "k%u", (unsigned)i);
		void **place = skep_strmap_put(&map, keys[i], (size_t)len);
		assert_null(*place);
		*place = (void *)(i + 1);
	}
	assert_int_equal(map.len, N);
	for (uintptr_t i = 0; i < N; i++) {
		void **place = skep_strmap_get(&map, keys[i], strlen(keys[i]));
		assert_non_null(place);
		assert_int_equal((uintptr_t)*place, i + 1);
		assert_ptr_equal(skep_strmap_put(&map, keys[i], strlen(keys[i])), place);
	}
	assert_null(skep_strmap_get(&map, "k50000", 6));
	assert_null(skep_strmap_get(&map, "k1\0", 3));
	*skep_strmap_put(&map, "k1\0", 3) = keys;
	assert_ptr_equal(*skep_strmap_get(&map, "k1\0", 3), keys);
	assert_int_equal((uintptr_t)*skep_strmap_get(&map, "k1", 2), 2);
	skep_strmap_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_memory), cmocka_unit_test(arena_text),
		cmocka_unit_test(vectors),      cmocka_unit_test(buffers),
		cmocka_unit_test(printable),    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
