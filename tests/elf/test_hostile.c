/*
 * Damaged images: cut short, header fields and random bytes overwritten. What
 * is asserted is that everything that can be asked still ends, inside the
 * image (a heap copy of the exact size, so the sanitizers see one byte more).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

#include "base/buf.h"
#include "base/fd.h"

static int touch_symbol(void *ctx, const struct skep_elf_sym *sym)
{
	*(size_t *)ctx += strlen(sym->name) + sym->size;
	return 0;
}

static int touch_usdt(void *ctx, const struct skep_elf_usdt *usdt)
{
	*(size_t *)ctx += strlen(usdt->provider) + strlen(usdt->name) + strlen(usdt->args);
	return 0;
}

/* Ask everything; false if it was refused. */
static bool exercise(const void *data, size_t size)
{
	struct skep_elf_section s;
	struct skep_elf_sym sym;
	struct skep_elf *elf;
	const uint8_t *id;
	const char *name;
	uint64_t sum = 0;
	uint32_t crc;

	if (skep_elf_parse(data, size, &elf, NULL) < 0)
		return false;
	for (uint32_t i = 0; i < skep_elf_n_sections(elf) && i < 200; i++)
		if (skep_elf_section(elf, i, &s) == 0 && s.data && s.size)
			sum += strlen(s.name) + ((const uint8_t *)s.data)[s.size - 1];
	skep_elf_for_each_symbol(elf, touch_symbol, &sum);
	skep_elf_for_each_usdt(elf, touch_usdt, &sum);
	skep_elf_find_symbol(elf, "main", &sym);
	skep_elf_addr_to_off(elf, sum, &sum);
	skep_elf_off_to_addr(elf, sum, &sum);
	if (skep_elf_build_id(elf, &id))
		sum += id[0];
	if (skep_elf_debug_link(elf, &name, &crc) == 0)
		sum += strlen(name);
	skep_elf_free(elf);
	return true;
}

static void test_cut(void **state)
{
	struct skep_buf *file = *state;
	size_t n_refused = 0;

	for (size_t len = 0; len < file->len; len += len < 512 ? 1 : 4099) {
		uint8_t *cut = malloc(len ? len : 1);

		memcpy(cut, file->data, len);
		n_refused += !exercise(cut, len);
		free(cut);
	}
	assert_int_equal(n_refused, sizeof(Elf64_Ehdr));
}

static const uint64_t bad_values[] = {
	0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX, UINT64_MAX - 63};

/* Every field-sized place of the header, the program headers and the section headers. */
static void mutate_range(uint8_t *image, size_t size, size_t off, size_t len)
{
	for (size_t at = off; at + 8 <= off + len && at + 8 <= size; at += 4) {
		uint64_t saved;

		memcpy(&saved, image + at, 8);
		for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
			size_t width = i & 1 ? 4 : 8;

			memcpy(image + at, &bad_values[i], width);
			exercise(image, size);
			memcpy(image + at, &saved, 8);
		}
	}
}

static void test_headers(void **state)
{
	struct skep_buf *file = *state;
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)file->data;
	uint8_t *image = malloc(file->len);

	memcpy(image, file->data, file->len);
	mutate_range(image, file->len, 16, sizeof(*h) - 16);
	mutate_range(image, file->len, h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr));
	mutate_range(image, file->len, h->e_shoff, h->e_shnum * sizeof(Elf64_Shdr));
	assert_memory_equal(image, file->data, file->len);
	assert_true(exercise(image, file->len));
	free(image);
}

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void test_random_bytes(void **state)
{
	struct skep_buf *file = *state;
	uint8_t *image = malloc(file->len);
	uint64_t seed = 88172645463325252ULL;
	size_t n_read = 0;

	for (int round = 0; round < 300; round++) {
		memcpy(image, file->data, file->len);
		for (int i = 0; i < 200; i++)
			image[random_next(&seed) % file->len] = (uint8_t)random_next(&seed);
		n_read += exercise(image, file->len);
	}
	assert_true(n_read > 250);
	free(image);
}

/* The 32-bit class on the same bytes: all offsets are read from other places. */
static void test_other_class(void **state)
{
	struct skep_buf *file = *state;

	file->data[EI_CLASS] = ELFCLASS32;
	exercise(file->data, file->len);
	file->data[EI_CLASS] = ELFCLASS64;
	assert_true(exercise(file->data, file->len));
}

static int setup(void **state)
{
	struct skep_buf *file = calloc(1, sizeof(*file));

	*state = file;
	/* Small, with symbols, notes and segments of every kind. */
	return skep_file_read("/lib64/ld-linux-x86-64.so.2", 16 << 20, file) < 0 &&
	       skep_file_read("/bin/true", 16 << 20, file) < 0;
}

static int teardown(void **state)
{
	skep_buf_done(*state);
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_other_class),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
