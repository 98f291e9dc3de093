/* The table of one file's functions: choice among names, sizes, and nm as the oracle. */
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

#include "symbol/pass.h"
#include "symbol/table.h"

#define N_SYMS 12

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	Elf64_Shdr s[5];
	char section_names[48];
	Elf64_Sym syms[N_SYMS];
	char names[128];
};

struct made {
	uint64_t addr, size;
	uint8_t bind, type;
	const char *name;
};

static void add_symbols(struct image *f, const struct made *made, size_t n)
{
	size_t at = 1;

	for (size_t i = 0; i < n; i++) {
		f->syms[i + 1] = (Elf64_Sym){
			.st_name = (uint32_t)at,
			.st_info = ELF64_ST_INFO(made[i].bind, made[i].type),
			.st_shndx = 4,
			.st_value = made[i].addr,
			.st_size = made[i].size,
		};
		strcpy(f->names + at, made[i].name);
		at += strlen(made[i].name) + 1;
	}
	assert_true(at <= sizeof(f->names));
}

static Elf64_Shdr section(uint32_t type, uint64_t off, uint64_t size)
{
	return (Elf64_Shdr){.sh_type = type, .sh_offset = off, .sh_size = size};
}

static struct image make(const struct made *made, size_t n)
{
	struct image f = {
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		      .e_type = ET_DYN,
		      .e_phoff = offsetof(struct image, p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 2,
		      .e_shoff = offsetof(struct image, s),
		      .e_shentsize = sizeof(Elf64_Shdr),
		      .e_shnum = 5,
		      .e_shstrndx = 1},
		.p = {{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1000},
		      {.p_type = PT_LOAD,
		       .p_flags = PF_R | PF_X,
		       .p_offset = 0x1000,
		       .p_vaddr = 0x2000,
		       .p_filesz = 0x1000}},
	};

	f.s[1] =
		section(SHT_STRTAB, offsetof(struct image, section_names), sizeof(f.section_names));
	f.s[2] = section(SHT_SYMTAB, offsetof(struct image, syms), sizeof(f.syms));
	f.s[2].sh_entsize = sizeof(Elf64_Sym);
	f.s[2].sh_link = 3;
	f.s[3] = section(SHT_STRTAB, offsetof(struct image, names), sizeof(f.names));
	f.s[4] = section(SHT_PROGBITS, 0x1000, 0x800);
	f.s[4].sh_addr = 0x2000;
	f.s[4].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	add_symbols(&f, made, n);
	return f;
}

static void expect(const struct skep_table *table, uint64_t addr, const char *name, uint64_t start)
{
	uint64_t found = 0;
	const char *text = skep_table_find(table, addr, &found);

	if (!text || strcmp(text, name) != 0)
		fail_msg("%lx: %s, not %s", (unsigned long)addr, text ? text : "(none)", name);
	assert_int_equal(found, start);
}

static void expect_none(const struct skep_table *table, uint64_t addr)
{
	uint64_t start;

	assert_null(skep_table_find(table, addr, &start));
}

static const struct made made[] = {
	{0x2000, 0x100, STB_LOCAL, STT_FUNC, "local"},
	{0x2000, 0x100, STB_GLOBAL, STT_FUNC, "__global"},
	{0x2000, 0x100, STB_WEAK, STT_FUNC, "global"},
	{0x2000, 0, STB_GLOBAL, STT_NOTYPE, "mark"},
	{0x2010, 0, STB_LOCAL, STT_NOTYPE, "label"}, /* inside global */
	{0x2200, 0, STB_GLOBAL, STT_FUNC, "unsized"},
	{0x2300, 0x10, STB_GLOBAL, STT_FUNC, "next"},
	{0x2400, 0, STB_GLOBAL, STT_NOTYPE, "last"},
	{0x2900, 0, STB_GLOBAL, STT_NOTYPE, "data"}, /* in no code section */
	{0x2050, 0x10, STB_LOCAL, STT_FUNC, "nested"},
	{0x2380, 0x10, STB_GLOBAL, STT_OBJECT, "object"},
};

static void test_choice(void **state)
{
	struct image f = make(made, sizeof(made) / sizeof(made[0]));
	struct skep_elf *elf;
	struct skep_table table;

	assert_int_equal(skep_elf_parse(&f, sizeof(f), &elf, NULL), 0);
	skep_table_build(elf, NULL, &table);
	skep_elf_free(elf);
	expect(&table, 0x2000, "global", 0x2000);
	expect(&table, 0x2010, "global", 0x2000);
	expect(&table, 0x2055, "nested", 0x2050);
	expect(&table, 0x2060, "global", 0x2000);
	expect_none(&table, 0x2100);
	expect(&table, 0x22ff, "unsized", 0x2200);
	expect(&table, 0x230f, "next", 0x2300);
	expect_none(&table, 0x2310);
	expect_none(&table, 0x2380);
	expect(&table, 0x27ff, "last", 0x2400); /* to the section's end */
	expect_none(&table, 0x2800);
	expect_none(&table, 0x2900);
	expect_none(&table, 0x1fff);
	skep_table_done(&table);
}

static void test_offsets(void **state)
{
	struct image f = make(made, 1);
	struct skep_elf *elf;
	struct skep_table table;
	uint64_t addr;

	assert_int_equal(skep_elf_parse(&f, sizeof(f), &elf, NULL), 0);
	skep_table_build(elf, NULL, &table);
	skep_elf_free(elf);
	assert_int_equal(skep_table_off_to_addr(&table, 0x1234, &addr), 0);
	assert_int_equal(addr, 0x2234);
	assert_int_equal(skep_table_off_to_addr(&table, 0x10, &addr), 0);
	assert_int_equal(addr, 0x10);
	assert_int_equal(skep_table_off_to_addr(&table, 0x2000, &addr), -ENOENT);
	skep_table_done(&table);
}

static int check_symbol(void *ctx, const struct skep_elf_sym *sym)
{
	uint64_t start = 0;

	if (sym->type != STT_FUNC || !sym->size)
		return 0;
	assert_non_null(skep_table_find(ctx, sym->addr, &start));
	assert_int_equal(start, sym->addr);
	return 0;
}

/* Every function of a real library is found at its address. */
static void test_libc(void **state)
{
	struct skep_elf *elf;
	struct skep_table table;

	if (skep_elf_open("/lib/x86_64-linux-gnu/libc.so.6", &elf, NULL) < 0)
		skip();
	skep_table_build(elf, NULL, &table);
	assert_true(table.n > 1000);
	assert_int_equal(skep_elf_for_each_symbol(elf, check_symbol, &table), 0);
	skep_elf_free(elf);
	skep_table_done(&table);
}

/* --- A pass: the same names as the table's --------------------------------------------------- */

static const char *by_table(const struct skep_table *table, uint64_t off)
{
	uint64_t addr, start;

	return skep_table_off_to_addr(table, off, &addr) ? NULL
							 : skep_table_find(table, addr, &start);
}

static void expect_same(const char *got, const char *wanted, uint64_t off)
{
	if (!got != !wanted || (got && strcmp(got, wanted) != 0))
		fail_msg("offset %lx: %s, not %s", (unsigned long)off, got ? got : "(none)",
			 wanted ? wanted : "(none)");
}

/* What is said of a place is true of all that is said to be like it. */
static void check_place(const struct skep_table *table, const struct skep_pass_place *place,
			uint64_t step)
{
	const char *wanted = by_table(table, place->off);

	expect_same(place->name, wanted, place->off);
	assert_in_range(place->off, place->from, place->to - 1);
	for (uint64_t off = place->from; off < place->to; off += step)
		expect_same(place->name, by_table(table, off), off);
	expect_same(place->name, by_table(table, place->to - 1), place->to - 1);
}

/* All places from @from to @to, @step apart, asked in a disorder, in one pass and alone. */
static void check_pass(struct skep_elf *elf, uint64_t from, uint64_t to, uint64_t step)
{
	size_t n = (size_t)((to - from) / step);
	struct skep_pass_place *places = calloc(n, sizeof(*places));
	struct skep_table table;

	skep_table_build(elf, NULL, &table);
	for (size_t i = 0; i < n; i++) {
		places[i].tag = i * 7919 % n;
		places[i].off = from + places[i].tag * step;
	}
	skep_pass(elf, NULL, places, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(places[i].off, from + places[i].tag * step);
		check_place(&table, &places[i], step);
	}
	for (size_t i = 0; i < n; i += n / 30 + 1) {
		struct skep_pass_place alone = {.off = places[i].off};
		skep_pass(elf, NULL, &alone, 1);
		check_place(&table, &alone, step);
	}
	free(places);
	skep_table_done(&table);
}

static void test_pass_choice(void **state)
{
	struct image f = make(made, sizeof(made) / sizeof(made[0]));
	struct skep_elf *elf;

	for (size_t n = 0; n <= sizeof(made) / sizeof(made[0]); n++) {
		f = make(made, n);
		assert_int_equal(skep_elf_parse(&f, sizeof(f), &elf, NULL), 0);
		check_pass(elf, 0, 0x2100, 1);
		skep_elf_free(elf);
	}
}

static void test_pass_library(void **state)
{
	static const char *const paths[] = {"/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6",
					    "/lib/x86_64-linux-gnu/libcrypto.so.3"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct skep_elf *elf;
		struct skep_elf_segment s = {0};
		if (skep_elf_open(paths[i], &elf, NULL) < 0)
			continue;
		for (uint32_t k = 0; !skep_elf_segment(elf, k, &s) && !(s.flags & PF_X); k++)
			;
		assert_true(s.file_bytes > 4096);
		check_pass(elf, s.off, s.off + s.file_bytes, 101);
		skep_elf_free(elf);
	}
}

/* Each of them would have to be told to each place: the pass is given up, and says nothing. */
static void test_pass_too_much(void **state)
{
	enum { N = 4096, PLACES = 5000 };
	static struct {
		struct image image;
		Elf64_Sym syms[N];
	} f;
	static struct skep_pass_place places[PLACES];
	struct skep_elf *elf;

	f.image = make(made, 1);
	f.image.s[2].sh_offset = sizeof(f.image);
	f.image.s[2].sh_size = sizeof(f.syms);
	for (int i = 0; i < N; i++)
		f.syms[i] = f.image.syms[1];
	for (int i = 0; i < PLACES; i++)
		places[i].off = 0x1010;
	assert_int_equal(skep_elf_parse(&f, sizeof(f), &elf, NULL), 0);
	skep_pass(elf, NULL, places, 10);
	assert_string_equal(places[9].name, "local");
	skep_pass(elf, NULL, places, PLACES);
	for (int i = 0; i < PLACES; i++) {
		assert_null(places[i].name);
		assert_int_equal(places[i].from, 0x1010);
		assert_int_equal(places[i].to, 0x1011);
	}
	skep_elf_free(elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),       cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_libc),         cmocka_unit_test(test_pass_choice),
		cmocka_unit_test(test_pass_library), cmocka_unit_test(test_pass_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
