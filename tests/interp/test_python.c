/* Code objects of CPython, and garbage that others could be, in memory that may hold anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "interp/python.h"
#include "memory.h"

#define ROUNDS 20000

/* Of 3.11, as pythons.def has it. */
enum { ASCII = 48, COMPACT = 72, FIRST_LINE = 72, FILE_OFF = 112, NAME = 128, TABLE = 136 };
#define CODE_BYTES 160

/* Of three instructions: lines 10, 12, none. */
static const uint8_t table[] = {0x80 | 10 << 3, 0, 0, 0x80 | 12 << 3, 0, 0, 0x80 | 15 << 3};

struct object {
	uint8_t bytes[CODE_BYTES];
	uint64_t addr;
};

static void set(struct object *object, uint32_t off, uint64_t value, size_t n)
{
	memcpy(object->bytes + off, &value, n);
}

static uint32_t check_of(const struct object *object)
{
	uint64_t words[SKEP_INTERP_CHECK_WORDS];

	memcpy(words, object->bytes + FILE_OFF, sizeof(words));
	return skep_interp_check(words);
}

static struct object object_of(struct fake *fake, uint64_t name)
{
	struct object object = {0};

	set(&object, FIRST_LINE, 10, 4);
	set(&object, FILE_OFF, fake_string(fake, ASCII, COMPACT, "/a/b.py", 7, 0), 8);
	set(&object, NAME, name, 8);
	set(&object, TABLE, fake_bytes(fake, table, sizeof(table)), 8);
	object.addr = fake_put(fake, object.bytes, sizeof(object.bytes));
	return object;
}

static int read(struct fake *fake, const struct object *object, struct skep_interp_code *ret)
{
	const struct skep_interp_memory memory = fake_memory(fake);

	return skep_interp_code_read(&memory, SKEP_INTERP_PYTHON_3_11, object->addr,
				     check_of(object), ret);
}

static void a_code_object(void **state)
{
	struct fake fake = {0};
	struct object object = object_of(&fake, fake_string(&fake, ASCII, COMPACT, "A.f", 3, 0));
	struct skep_interp_code code;

	assert_int_equal(read(&fake, &object, &code), 0);
	assert_string_equal(code.function.data, "A.f");
	assert_string_equal(code.file.data, "/a/b.py");
	assert_int_equal(skep_interp_code_line(&code, 0), 10);
	assert_int_equal(skep_interp_code_line(&code, 2 | SKEP_INTERP_ENTRY), 12);
	assert_int_equal(skep_interp_code_line(&code, 4), 0);
	assert_int_equal(skep_interp_code_line(&code, (uint32_t)-2 & INT32_MAX), 10); /* before */
	assert_int_equal(skep_interp_code_line(&code, 6), 0);                         /* behind */
	skep_interp_code_done(&code);
}

static void check_name(const void *data, uint64_t length, uint32_t width, const char *expected)
{
	struct fake fake = {0};
	struct object object =
		object_of(&fake, fake_string(&fake, ASCII, COMPACT, data, length, width));
	struct skep_interp_code code;

	assert_int_equal(read(&fake, &object, &code), 0);
	assert_string_equal(code.function.data, expected);
	skep_interp_code_done(&code);
}

static void names(void **state)
{
	check_name("gr\xfc\xdf", 4, 1, "gr\xc3\xbc\xc3\x9f");
	check_name((const uint16_t[]){'x', 0x4e2d, 0xd800}, 3, 2, "x\xe4\xb8\xad\xef\xbf\xbd");
	check_name((const uint32_t[]){0x1f41d, 0x110000, 'y'}, 3, 4,
		   "\xf0\x9f\x90\x9d\xef\xbf\xbdy");
	check_name("a\x1b[0m\n", 6, 0, "a?[0m?");
}

static void another_object(void **state)
{
	struct fake fake = {0};
	struct object object = object_of(&fake, fake_string(&fake, ASCII, COMPACT, "f", 1, 0));
	const struct skep_interp_memory memory = fake_memory(&fake);
	struct skep_interp_code code;
	uint64_t other = fake_string(&fake, ASCII, COMPACT, "g", 1, 0);

	memcpy(fake.bytes + (object.addr - FAKE_START) + NAME, &other, sizeof(other));
	assert_int_equal(read(&fake, &object, &code), -ESTALE);
	assert_int_equal(skep_interp_code_read(&memory, SKEP_INTERP_NONE, object.addr, 0, &code),
			 -EINVAL);
	assert_int_equal(
		skep_interp_code_read(&memory, SKEP_INTERP_VERSION_CNT, object.addr, 0, &code),
		-EINVAL);
	assert_int_equal(skep_interp_code_read(&memory, SKEP_INTERP_PYTHON_3_11, 16, 0, &code),
			 -EFAULT);
}

/* What says that it is endless is read to a limit, or not at all. */
static void lengths(void **state)
{
	struct fake fake = {0};
	uint64_t name = fake_string(&fake, ASCII, COMPACT, "f", 1, 0), huge = UINT64_MAX / 4;
	struct object object = object_of(&fake, name);
	struct skep_interp_code code;

	memcpy(fake.bytes + (name - FAKE_START) + 16, &huge, sizeof(huge));
	assert_int_equal(read(&fake, &object, &code), 0);
	assert_in_range(code.function.len, SKEP_INTERP_NAME_MOST, 2 * SKEP_INTERP_NAME_MOST);
	skep_interp_code_done(&code);

	uint64_t lines;
	memcpy(&lines, object.bytes + TABLE, sizeof(lines));
	memcpy(fake.bytes + (lines - FAKE_START) + 16, &huge, sizeof(huge));
	assert_int_equal(read(&fake, &object, &code), 0);
	assert_int_equal(skep_interp_code_line(&code, 2), 10); /* no table: where it begins */
	skep_interp_code_done(&code);
}

static void garbage(void **state)
{
	static struct fake fake;
	const struct skep_interp_memory memory = fake_memory(&fake);
	uint32_t n_good = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct skep_interp_code code;
		uint32_t version = (uint32_t)rand() % SKEP_INTERP_VERSION_CNT;
		uint64_t addr = FAKE_START + (uint64_t)rand() % 32 * 8;
		for (int i = 0; i < 256; i++) {
			uint64_t word = rand() & 1 ? FAKE_START + (uint64_t)rand() % 2048
						   : 0x2424242424242424; /* heads of strings */
			memcpy(fake.bytes + 8 * i, &word, 8);
			fake.bytes[rand() % 16384] = (uint8_t)rand();
		}
		/* whatever check it has now */
		uint64_t words[SKEP_INTERP_CHECK_WORDS];
		uint32_t off = version >= SKEP_INTERP_PHP_8_2       ? 8
			       : version >= SKEP_INTERP_PYTHON_3_11 ? 112
								    : 96;
		memcpy(words, fake.bytes + (addr - FAKE_START) + off, sizeof(words));
		fake.n_read = 0;
		if (!skep_interp_code_read(&memory, version, addr, skep_interp_check(words),
					   &code)) {
			n_good++;
			skep_interp_code_line(&code, (uint32_t)rand());
			skep_interp_code_done(&code);
		}
		assert_true(fake.n_read < 4 * (SKEP_INTERP_NAME_MOST + SKEP_INTERP_FILE_MOST) +
						  8 * SKEP_INTERP_TABLE_MOST + 4096);
	}
	assert_true(n_good > 100);
}

/* Where a table's bytes end memory ends, and what a step adds is known: two bytes of which one is
 * the change. */
static void garbage_tables(void **state)
{
	const size_t page = 4096, most = 64;
	uint8_t *room =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t n_other = 0;

	assert_ptr_not_equal(room, MAP_FAILED);
	assert_int_equal(mprotect(room + page, page, PROT_NONE), 0);
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = (size_t)rand() % most;
		uint8_t *bytes = room + page - n;
		uint32_t first = 100000 + (uint32_t)rand() % 100000;
		int64_t at = rand() % 4096 - 64;
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)rand();
		for (int form = SKEP_PYTHON_LNOTAB; form <= SKEP_PYTHON_POSITIONS; form++) {
			uint32_t line = skep_python_line(form, bytes, n, first, at);
			if (!n || (at < 0 && form != SKEP_PYTHON_LNOTAB))
				assert_int_equal(line, first);
			if (line && form != SKEP_PYTHON_POSITIONS)
				assert_in_range(line, first - 64 * n, first + 64 * n);
			n_other += line && line != first;
		}
	}
	assert_true(n_other > ROUNDS / 10);
	munmap(room, 2 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_object),  cmocka_unit_test(names),
		cmocka_unit_test(another_object), cmocka_unit_test(lengths),
		cmocka_unit_test(garbage),        cmocka_unit_test(garbage_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
