/*
 * USDT notes of every binary and library here: each probe lies in the file,
 * its arguments parse, and readelf sees the same number of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/elf.h>

struct tally {
	const struct skep_elf *elf;
	const char *path;
	size_t n_probes, n_args, n_unknown;
};

static int check_probe(void *ctx, const struct skep_elf_usdt *usdt)
{
	struct skep_usdt_arg args[SKEP_USDT_MAX_ARGS];
	struct tally *tally = ctx;
	int n = skep_usdt_parse_args(usdt->args, skep_elf_machine(tally->elf), args,
				     SKEP_USDT_MAX_ARGS);

	if (n < 0)
		fail_msg("%s: %s:%s: %s", tally->path, usdt->provider, usdt->name, usdt->args);
	for (int i = 0; i < n; i++)
		tally->n_unknown += args[i].kind == SKEP_USDT_UNKNOWN;
	assert_true(usdt->off > 0);
	tally->n_probes++;
	tally->n_args += (size_t)n;
	return 0;
}

static size_t count_by_readelf(const char *path)
{
	char line[8192];
	size_t n = 0;
	FILE *out;

	snprintf(line, sizeof(line), "readelf -n '%s' 2>/dev/null", path);
	out = popen(line, "r");
	while (fgets(line, sizeof(line), out))
		n += strstr(line, "Provider: ") != NULL;
	pclose(out);
	return n;
}

static void check_file(const char *path, struct tally *total)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct tally tally = {.path = path};

	if (skep_elf_open(path, &elf, NULL) < 0)
		return;
	tally.elf = elf;
	assert_int_equal(skep_elf_for_each_usdt(elf, check_probe, &tally), 0);
	if (tally.n_probes && access("/usr/bin/readelf", X_OK) == 0)
		assert_int_equal(tally.n_probes, count_by_readelf(path));
	total->n_probes += tally.n_probes;
	total->n_args += tally.n_args;
	total->n_unknown += tally.n_unknown;
}

static void check_folder(const char *folder, struct tally *total)
{
	const struct dirent *entry;
	char path[4096];
	struct stat st;
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			check_file(path, total);
	}
	if (dir)
		closedir(dir);
}

static void test_all_here(void **state)
{
	struct tally total = {0};

	check_folder("/usr/bin", &total);
	check_folder("/usr/sbin", &total);
	check_folder("/lib/x86_64-linux-gnu", &total);
	check_folder("/lib/aarch64-linux-gnu", &total);
	print_message("%zu probes, %zu arguments, %zu out of reach\n", total.n_probes, total.n_args,
		      total.n_unknown);
	assert_int_equal(total.n_unknown, 0);
}

/* A made-up file whose .stapsdt.base has moved by 0x100 since the note was written. */
struct probed {
	Elf64_Ehdr h;
	Elf64_Phdr p;
	Elf64_Shdr s[4];
	char names[48];
	Elf64_Nhdr n;
	char owner[8];
	uint64_t words[3];
	char texts[24];
} __attribute__((packed));

static struct probed make_probed(void)
{
	struct probed f = {
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		      .e_type = ET_DYN,
		      .e_machine = EM_X86_64,
		      .e_phoff = offsetof(struct probed, p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 1,
		      .e_shoff = offsetof(struct probed, s),
		      .e_shentsize = sizeof(Elf64_Shdr),
		      .e_shnum = 4,
		      .e_shstrndx = 1},
		.p = {.p_type = PT_LOAD,
		      .p_flags = PF_R | PF_X,
		      .p_vaddr = 0x1000,
		      .p_filesz = 0x800,
		      .p_memsz = 0x800},
		.names = "\0.shstrtab\0.note.stapsdt\0.stapsdt.base",
		.n = {.n_namesz = 8, .n_descsz = 24 + 24, .n_type = 3},
		.owner = "stapsdt",
		.words = {0x1050, 0x1600, 0x1080},
		.texts = "prov\0name\0-4@%eax",
	};

	f.s[1] = (Elf64_Shdr){.sh_name = 1,
			      .sh_type = SHT_STRTAB,
			      .sh_offset = offsetof(struct probed, names),
			      .sh_size = sizeof(f.names)};
	f.s[2] = (Elf64_Shdr){.sh_name = 11,
			      .sh_type = SHT_NOTE,
			      .sh_offset = offsetof(struct probed, n),
			      .sh_size = sizeof(f) - offsetof(struct probed, n),
			      .sh_addralign = 4};
	f.s[3] = (Elf64_Shdr){.sh_name = 25, .sh_type = SHT_PROGBITS, .sh_addr = 0x1700};
	return f;
}

static int keep(void *ctx, const struct skep_elf_usdt *usdt)
{
	*(struct skep_elf_usdt *)ctx = *usdt;
	return 1;
}

static void test_moved_base(void **state)
{
	struct probed f = make_probed();
	struct skep_elf_usdt usdt = {0};
	struct skep_elf *elf;

	assert_int_equal(skep_elf_parse(&f, sizeof(f), &elf, NULL), 0);
	assert_int_equal(skep_elf_for_each_usdt(elf, keep, &usdt), 1);
	assert_string_equal(usdt.provider, "prov");
	assert_string_equal(usdt.name, "name");
	assert_string_equal(usdt.args, "-4@%eax");
	assert_int_equal(usdt.addr, 0x1150);
	assert_int_equal(usdt.off, 0x150);
	assert_int_equal(usdt.semaphore_off, 0x180);
	skep_elf_free(elf);
}

static int count(void *ctx, const struct skep_elf_usdt *usdt)
{
	++*(int *)ctx;
	return 0;
}

static void expect_no_probe(const struct probed *f)
{
	struct skep_elf *elf;
	int n = 0;

	assert_int_equal(skep_elf_parse(f, sizeof(*f), &elf, NULL), 0);
	assert_int_equal(skep_elf_for_each_usdt(elf, count, &n), 0);
	assert_int_equal(n, 0);
	skep_elf_free(elf);
}

static void test_damaged_notes(void **state)
{
	struct probed f = make_probed();

	f.words[0] = 0x9000; /* outside the code */
	expect_no_probe(&f);
	f = make_probed();
	memset(f.texts, 'x', sizeof(f.texts)); /* no NUL */
	expect_no_probe(&f);
	f = make_probed();
	f.n.n_descsz = 0xfffffff0;
	expect_no_probe(&f);
	f = make_probed();
	f.n.n_namesz = 0xffffffff;
	expect_no_probe(&f);
	f = make_probed();
	f.s[2].sh_size = UINT64_MAX;
	expect_no_probe(&f);
	f = make_probed();
	f.n.n_descsz = 16;
	expect_no_probe(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_here),
		cmocka_unit_test(test_moved_base),
		cmocka_unit_test(test_damaged_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
