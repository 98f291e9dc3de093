/*
 * Real programs: the BPF objects inside the binaries of libbpf-tools, if they
 * are installed. Each executable section goes to text and comes back.
 */
#include "isa_test.h"

#include <dirent.h>
#include <elf.h>

#define DIRECTORY "/usr/sbin"

static size_t n_sections, n_insns, n_objects;

/* Before relocation, too, every slot is an instruction. */
static void check_decodes(const struct skep_insn *insns, size_t n)
{
	enum skep_op op;
	unsigned slots;

	for (size_t at = 0; at < n; at += slots)
		assert_int_equal(skep_isa_decode(insns + at, n - at, &op, &slots, NULL), 0);
}

static void check_section(const char *elf, size_t size, const Elf64_Shdr *section)
{
	bool code = section->sh_type == SHT_PROGBITS && section->sh_flags & SHF_EXECINSTR;

	if (!code || !section->sh_size || section->sh_offset > size ||
	    section->sh_size > size - section->sh_offset)
		return;
	size_t n = section->sh_size / sizeof(struct skep_insn);
	_cleanup_free_ struct skep_insn *insns = malloc(n * sizeof(*insns));
	memcpy(insns, elf + section->sh_offset, n * sizeof(*insns));
	check_decodes(insns, n);
	assert_true(comes_back(insns, n));
	n_sections++;
	n_insns += n;
}

static void check_object(const char *elf, size_t size)
{
	Elf64_Ehdr header;

	memcpy(&header, elf, sizeof(header));
	if (header.e_machine != EM_BPF || header.e_shentsize != sizeof(Elf64_Shdr) ||
	    header.e_shoff > size || header.e_shnum * sizeof(Elf64_Shdr) > size - header.e_shoff)
		return;
	n_objects++;
	for (unsigned i = 0; i < header.e_shnum; i++) {
		Elf64_Shdr section;
		memcpy(&section, elf + header.e_shoff + i * sizeof(section), sizeof(section));
		check_section(elf, size, &section);
	}
}

static void check_file(const char *path)
{
	_cleanup_buf_ struct skep_buf file = {0};
	const char *at, *end;

	if (skep_file_read(path, 16u << 20, &file) || file.len < sizeof(Elf64_Ehdr))
		return;
	end = file.data + file.len - sizeof(Elf64_Ehdr);
	for (at = file.data; (at = memmem(at, (size_t)(end - at), ELFMAG, SELFMAG)); at++)
		check_object(at, (size_t)(file.data + file.len - at));
}

static void test_libbpf_tools(void **state)
{
	DIR *dir = opendir(DIRECTORY);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[512];
		snprintf(path, sizeof(path), DIRECTORY "/%s", entry->d_name);
		check_file(path);
	}
	if (dir)
		closedir(dir);
	print_message("%zu objects, %zu sections of code, %zu slots\n", n_objects, n_sections,
		      n_insns);
	if (!n_objects)
		skip();
	assert_true(n_sections > n_objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_libbpf_tools)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
