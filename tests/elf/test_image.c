/* Opening, sections, segments, build-id and debug link, against readelf where it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/diag.h>
#include <skep/elf.h>

static struct skep_elf *open_self(void)
{
	struct skep_elf *elf = NULL;

	assert_int_equal(skep_elf_open("/proc/self/exe", &elf, NULL), 0);
	return elf;
}

static void test_open(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = open_self();

	assert_true(skep_elf_is_exec_or_dyn(elf));
#ifdef __x86_64__
	assert_int_equal(skep_elf_machine(elf), EM_X86_64);
#endif
}

static void expect_refused(const char *path, int err, enum skep_diag_id id)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_elf *elf = (void *)1;

	assert_int_equal(skep_elf_open(path, &elf, &diag), err);
	assert_ptr_equal(elf, (void *)1);
	assert_int_equal(diag.n_items, 1);
	assert_int_equal(diag.items[0].id, id);
}

static void test_refused(void **state)
{
	expect_refused("/nonexistent", -ENOENT, SKEP_DIAG_FILE_READ);
	expect_refused("/etc/passwd", -ENOEXEC, SKEP_DIAG_ELF_FORMAT);
	expect_refused("/tmp", -ENOEXEC, SKEP_DIAG_ELF_FORMAT);
	expect_refused("/dev/null", -ENOEXEC, SKEP_DIAG_ELF_FORMAT);
}

static void note_libc(void *ctx, const char *name)
{
	int *found = ctx;

	*found += !strcmp(name, "libc.so.6");
}

static void test_needed(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = open_self();
	int found = 0;

	skep_elf_for_each_needed(elf, note_libc, &found);
	assert_int_equal(found, 1);
}

static void expect_bad_ident(int at, uint8_t value, const char *why)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	uint8_t image[sizeof(Elf64_Ehdr)] = {0x7f,       'E',         'L',       'F',
					     ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
	struct skep_elf *elf;

	image[at] = value;
	assert_int_equal(skep_elf_parse(image, sizeof(image), &elf, &diag), -ENOEXEC);
	assert_string_equal(skep_diag_code(diag.items[0].id), "E0001");
	assert_non_null(strstr(diag.items[0].why, why));
}

static void test_refused_kinds(void **state)
{
	expect_bad_ident(EI_CLASS, 3, "32- nor 64-bit");
	expect_bad_ident(EI_DATA, ELFDATA2MSB, "little-endian");
	expect_bad_ident(0, 0, "7f 45 4c 46");
}

static void test_sections(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = open_self();
	struct skep_elf_section text, other;
	uint32_t n_found = 0;

	assert_int_equal(skep_elf_find_section(elf, ".text", &text), 0);
	assert_string_equal(text.name, ".text");
	assert_int_equal(text.type, SHT_PROGBITS);
	assert_non_null(text.data);
	for (uint32_t i = 0; i < skep_elf_n_sections(elf); i++) {
		assert_int_equal(skep_elf_section(elf, i, &other), 0);
		n_found += strcmp(other.name, ".text") == 0;
	}
	assert_int_equal(n_found, 1);
	assert_int_equal(skep_elf_find_section(elf, ".bss", &other), 0);
	assert_null(other.data);
	assert_int_equal(skep_elf_find_section(elf, ".none", &other), -ENOENT);
	assert_int_equal(skep_elf_section(elf, skep_elf_n_sections(elf), &other), -ENOENT);
}

/* What the section's bytes are in the file must be what runs here at its address. */
static void test_translate(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = open_self();
	struct skep_elf_section text;
	uint64_t off, addr;

	assert_int_equal(skep_elf_find_section(elf, ".text", &text), 0);
	assert_int_equal(skep_elf_addr_to_off(elf, text.addr + 5, &off), 0);
	assert_int_equal(off, text.off + 5);
	assert_int_equal(skep_elf_off_to_addr(elf, off, &addr), 0);
	assert_int_equal(addr, text.addr + 5);
	assert_int_equal(skep_elf_addr_to_off(elf, UINT64_MAX, &off), -ENOENT);
	assert_int_equal(skep_elf_off_to_addr(elf, UINT64_MAX, &addr), -ENOENT);
}

static void test_segments(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = open_self();
	struct skep_elf_segment segment;
	uint32_t n_code = 0;

	for (uint32_t i = 0; i < skep_elf_n_segments(elf); i++) {
		assert_int_equal(skep_elf_segment(elf, i, &segment), 0);
		n_code += segment.type == PT_LOAD && (segment.flags & PF_X);
	}
	assert_int_equal(n_code, 1);
	assert_int_equal(skep_elf_segment(elf, skep_elf_n_segments(elf), &segment), -ENOENT);
}

static void test_build_id(void **state)
{
	struct skep_elf *elf;
	const uint8_t *id;
	char text[65] = "", line[512];
	bool same = false;
	size_t len;
	FILE *out;

	assert_int_equal(skep_elf_open("/proc/self/exe", &elf, NULL), 0);
	len = skep_elf_build_id(elf, &id);
	if (!len || access("/usr/bin/readelf", X_OK) < 0) {
		skep_elf_free(elf);
		skip();
	}
	for (size_t i = 0; i < len && i < 32; i++)
		sprintf(text + 2 * i, "%02x", id[i]);
	skep_elf_free(elf);
	snprintf(line, sizeof(line), "readelf -n /proc/%d/exe", getpid());
	out = popen(line, "r");
	while (fgets(line, sizeof(line), out))
		same |= strstr(line, "Build ID") && strstr(line, text);
	pclose(out);
	assert_true(same);
}

/* A minimal file: header, section names, one .gnu_debuglink. */
struct linked {
	Elf64_Ehdr h;
	Elf64_Shdr s[3];
	char names[32];
	char link[12];
	uint32_t crc;
};

static struct linked make_linked(void)
{
	struct linked f = {
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		      .e_type = ET_DYN,
		      .e_shoff = offsetof(struct linked, s),
		      .e_shentsize = sizeof(Elf64_Shdr),
		      .e_shnum = 3,
		      .e_shstrndx = 1},
		.names = "\0.shstrtab\0.gnu_debuglink",
		.link = "a.debug",
		.crc = 0x12345678,
	};

	f.s[1] = (Elf64_Shdr){.sh_name = 1,
			      .sh_type = SHT_STRTAB,
			      .sh_offset = offsetof(struct linked, names),
			      .sh_size = sizeof(f.names)};
	f.s[2] = (Elf64_Shdr){.sh_name = 11,
			      .sh_type = SHT_PROGBITS,
			      .sh_offset = offsetof(struct linked, link),
			      .sh_size = 12};
	return f;
}

static void test_debug_link(void **state)
{
	struct linked f = make_linked();
	struct skep_elf *elf;
	const char *name = NULL;
	uint32_t crc = 0;

	assert_int_equal(skep_elf_parse(&f, sizeof(f), &elf, NULL), 0);
	/* "a.debug" NUL is 8 bytes, so the CRC follows at once. */
	memcpy(f.link + 8, &f.crc, 4);
	assert_int_equal(skep_elf_debug_link(elf, &name, &crc), 0);
	assert_string_equal(name, "a.debug");
	assert_int_equal(crc, 0x12345678);
	f.s[2].sh_size = 11;
	assert_int_equal(skep_elf_debug_link(elf, &name, &crc), -ENOENT);
	f.s[2].sh_size = 12;
	memset(f.link, 'x', sizeof(f.link));
	assert_int_equal(skep_elf_debug_link(elf, &name, &crc), -ENOENT);
	skep_elf_free(elf);
}

/* A file that is cut while it is open gives NULL, not a signal. */
static void test_shrinking_file(void **state)
{
	struct linked f = make_linked();
	char path[] = "/tmp/skep-elf-XXXXXX";
	struct skep_elf_section s;
	struct skep_elf *elf;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, &f, sizeof(f)), sizeof(f));
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	f.s[2].sh_offset = 1 << 19;
	assert_int_equal(pwrite(fd, &f, sizeof(f), 0), sizeof(f));
	assert_int_equal(skep_elf_open(path, &elf, NULL), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(skep_elf_find_section(elf, ".gnu_debuglink", &s), 0);
	assert_null(s.data);
	skep_elf_free(elf);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needed),     cmocka_unit_test(test_open),
		cmocka_unit_test(test_refused),    cmocka_unit_test(test_refused_kinds),
		cmocka_unit_test(test_sections),   cmocka_unit_test(test_translate),
		cmocka_unit_test(test_segments),   cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_debug_link), cmocka_unit_test(test_shrinking_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
