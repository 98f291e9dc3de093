/* See describe.h. */
#include "interp/describe.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include <skep/elf.h>

#define RUBY_VERSION_OF_API "ruby_version" /* "3.1.0" */
#define PYTHON_VERSION      "Py_Version"   /* since 3.11: 0xMMmmppXX */
#define PHP_VERSION         "X-Powered-By: PHP/"
#define PERL_REVISION       "PL_revision" /* a byte each */
#define PERL_VERSION        "PL_version"
#define PERL_DEBUGGING      "Perl_hv_assert" /* has other layouts */
#define RODATA_MOST         (256u << 20)

static const struct version {
	uint32_t major, minor;
	struct skep_interp_runtime runtime;
} pythons[] = {
#define PYTHON(Major, Minor, Current, Key, Thread_id, Frame, Inner, Start, Bytes, Code, Previous,  \
	       Instr, Is_pointer, Entry, Entry_xor, Entry_mask, Has_shims, Instructions, Check,    \
	       ...)                                                                                \
	{.major = Major,                                                                           \
	 .minor = Minor,                                                                           \
	 .runtime = {.code_mask = (Is_pointer) ? UINT64_MAX : 0,                                   \
		     .version = SKEP_INTERP_PYTHON_##Major##_##Minor,                              \
		     .current = Current,                                                           \
		     .key = Key,                                                                   \
		     .thread_id = Thread_id,                                                       \
		     .frame = Frame,                                                               \
		     .inner = Inner,                                                               \
		     .stack = SKEP_INTERP_NO_OFF,                                                  \
		     .flags = SKEP_INTERP_NO_OFF,                                                  \
		     .start = Start,                                                               \
		     .bytes = Bytes,                                                               \
		     .code = Code,                                                                 \
		     .previous = Previous,                                                         \
		     .instr = Instr,                                                               \
		     .entry = Entry,                                                               \
		     .entry_xor = Entry_xor,                                                       \
		     .entry_mask = Entry_mask,                                                     \
		     .has_shims = Has_shims,                                                       \
		     .instructions = Instructions,                                                 \
		     .check = Check}},
#include "interp/pythons.def"
#undef PYTHON
};

static const struct version phps[] = {
#define PHP(Major, Minor, Current, Opline, Func, Flags, Previous, Name, ...)                       \
	{.major = Major,                                                                           \
	 .minor = Minor,                                                                           \
	 .runtime = {.version = SKEP_INTERP_PHP_##Major##_##Minor,                                 \
		     .current = Current,                                                           \
		     .way = SKEP_INTERP_ALONE,                                                     \
		     .flags = SKEP_INTERP_NO_OFF,                                                  \
		     .bytes = (Previous) + 8,                                                      \
		     .code = Func,                                                                 \
		     .previous = Previous,                                                         \
		     .instr = Opline,                                                              \
		     .entry = Flags,                                                               \
		     .entry_xor = 2,                                                               \
		     .entry_mask = 2,                                                              \
		     .check = Name}},
#include "interp/phps.def"
#undef PHP
};

static const struct version rubies[] = {
#define RUBY(Major, Minor, Cfp, Stack, Bytes, Pc, Iseq, Ep, Check, ...)                            \
	{.major = Major,                                                                           \
	 .minor = Minor,                                                                           \
	 .runtime = {.version = SKEP_INTERP_RUBY_##Major##_##Minor,                                \
		     .way = SKEP_INTERP_BY_TLS,                                                    \
		     .frame = Cfp,                                                                 \
		     .inner = SKEP_INTERP_NO_OFF,                                                  \
		     .stack = Stack,                                                               \
		     .bytes = Bytes,                                                               \
		     .code = Iseq,                                                                 \
		     .previous = SKEP_INTERP_NO_OFF,                                               \
		     .instr = Pc,                                                                  \
		     .flags = Ep,                                                                  \
		     .entry = SKEP_INTERP_FLAGS_AT,                                                \
		     .entry_xor = 0x20,                                                            \
		     .entry_mask = 0x20,                                                           \
		     .c_mask = 0x80,                                                               \
		     .check = Check}},
#include "interp/rubies.def"
#undef RUBY
};

static const struct version perls[] = {
#define PERL(Revision, Version, Stack, Cop, Phase, Contexts, Previous, Last, Last_sub, Bytes,      \
	     Old_cop, Return_op, Old_sub, Cv, Line, Cop_check, Cop_file, Kind, Statement,          \
	     Cv_check, Name, File, Flags, ...)                                                     \
	{.major = Revision,                                                                        \
	 .minor = Version,                                                                         \
	 .runtime = {.version = SKEP_INTERP_PERL_##Revision##_##Version,                           \
		     .frame = Stack,                                                               \
		     .code = Cv,                                                                   \
		     .previous = SKEP_INTERP_NO_OFF,                                               \
		     .bytes = Bytes,                                                               \
		     .way = SKEP_INTERP_PERLS,                                                     \
		     .check = Cv_check,                                                            \
		     .perl = {.cop = Cop,                                                          \
			      .phase = Phase,                                                      \
			      .contexts = Contexts,                                                \
			      .previous = Previous,                                                \
			      .last = Last,                                                        \
			      .last_sub = Last_sub,                                                \
			      .old_cop = Old_cop,                                                  \
			      .return_op = Return_op,                                              \
			      .old_sub = Old_sub,                                                  \
			      .line = Line,                                                        \
			      .cop_check = Cop_check,                                              \
			      .flags = Flags}}},
#include "interp/perls.def"
#undef PERL
};

/* --- Versions --------------------------------------------------------------------------------- */

/* @n bytes of the variable called @name, as the file has it. */
static bool read_symbol(const struct skep_elf *elf, const char *name, void *ret, size_t n)
{
	struct skep_elf_section section;
	struct skep_elf_sym sym;

	if (skep_elf_find_any_symbol(elf, name, &sym) ||
	    skep_elf_section(elf, sym.section, &section) || !section.data ||
	    sym.addr < section.addr || section.size < n ||
	    sym.addr - section.addr > section.size - n)
		return false;
	memcpy(ret, (const char *)section.data + (sym.addr - section.addr), n);
	return true;
}

/* Before 3.11 their names only say it: python3.9, libpython3.10.so.1.0. */
static bool python_version(const struct skep_elf *elf, const char *name, uint32_t *ret_major,
			   uint32_t *ret_minor)
{
	uint32_t number;

	if (!read_symbol(elf, PYTHON_VERSION, &number, sizeof(number)))
		return sscanf(strstr(name, "python"), "python%2u.%2u", ret_major, ret_minor) == 2;
	*ret_major = number >> 24;
	*ret_minor = number >> 16 & 0xff;
	return true;
}

static bool ruby_version(const struct skep_elf *elf, const char *name, uint32_t *ret_major,
			 uint32_t *ret_minor)
{
	char digits[6] = {0};

	return read_symbol(elf, RUBY_VERSION_OF_API, digits, sizeof(digits) - 1) &&
	       sscanf(digits, "%2u.%2u", ret_major, ret_minor) == 2;
}

/* From what it tells in the head of an answer. */
static bool php_version(const struct skep_elf *elf, const char *name, uint32_t *ret_major,
			uint32_t *ret_minor)
{
	const size_t len = strlen(PHP_VERSION);
	struct skep_elf_section section;
	char digits[8] = {0};

	if (skep_elf_find_section(elf, ".rodata", &section) || !section.data ||
	    section.size > RODATA_MOST)
		return false;
	const char *end = (const char *)section.data + section.size;
	const char *at = memmem(section.data, section.size, PHP_VERSION, len);
	if (!at || (size_t)(end - at) < len + sizeof(digits))
		return false;
	memcpy(digits, at + len, sizeof(digits) - 1);
	return sscanf(digits, "%2u.%2u", ret_major, ret_minor) == 2;
}

static bool perl_version(const struct skep_elf *elf, const char *name, uint32_t *ret_major,
			 uint32_t *ret_minor)
{
	struct skep_elf_sym sym;
	uint8_t revision, version;

	if (!skep_elf_find_any_symbol(elf, PERL_DEBUGGING, &sym) ||
	    !read_symbol(elf, PERL_REVISION, &revision, sizeof(revision)) ||
	    !read_symbol(elf, PERL_VERSION, &version, sizeof(version)))
		return false;
	*ret_major = revision;
	*ret_minor = version;
	return true;
}

/* --- Where the state is ----------------------------------------------------------------------- */

static bool by_symbol(const struct skep_elf *elf, const char *name,
		      struct skep_interp_runtime *runtime)
{
	struct skep_elf_sym sym;

	if (skep_elf_find_any_symbol(elf, name, &sym))
		return false;
	runtime->addr = sym.addr;
	return true;
}

/* What the dynamic linker is to put in for a variable of threads: its place in the file's part of
 * them, and where the number of that part comes to be. */
static bool by_variable(const struct skep_elf *elf, const char *name,
			struct skep_interp_runtime *runtime)
{
	struct skep_elf_section rela, syms, names;

	if (skep_elf_find_section(elf, ".rela.dyn", &rela) || !rela.data ||
	    skep_elf_find_section(elf, ".dynsym", &syms) || !syms.data ||
	    skep_elf_find_section(elf, ".dynstr", &names) || !names.data)
		return false;
	size_t len = strlen(name) + 1;
	for (size_t i = 0; i < rela.size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela entry;
		Elf64_Sym sym;
		memcpy(&entry, (const Elf64_Rela *)rela.data + i, sizeof(entry));
		uint64_t number = ELF64_R_SYM(entry.r_info);
		if (ELF64_R_TYPE(entry.r_info) != R_X86_64_DTPMOD64 ||
		    number >= syms.size / sizeof(sym))
			continue;
		memcpy(&sym, (const Elf64_Sym *)syms.data + number, sizeof(sym));
		if (names.size < len || sym.st_name > names.size - len ||
		    memcmp((const char *)names.data + sym.st_name, name, len) != 0)
			continue;
		runtime->addr = entry.r_offset;
		runtime->key = (uint32_t)sym.st_value;
		return true;
	}
	return false;
}

/* --- What a file tells of itself -------------------------------------------------------------- */

/* Since 3.13 the state begins with a table for debuggers, in words: where it is in these. */
enum {
	COOKIE = 0,
	IS_FREE_THREADED = 2,
	THREAD_FRAME = 23,
	THREAD_ID = 24,
	FRAME_PREVIOUS = 29,
	FRAME_CODE = 30,
	FRAME_INSTR = 31,
	FRAME_OWNER = 33,
	CODE_INSTRUCTIONS = 43,
	TABLE_WORDS
};
#define COOKIE_WORDS "xdebugpy"

static bool are_within(const uint64_t *words, uint64_t frame_bytes)
{
	return words[FRAME_PREVIOUS] <= frame_bytes - 8 && words[FRAME_CODE] <= frame_bytes - 8 &&
	       words[FRAME_INSTR] <= frame_bytes - 8 && words[FRAME_OWNER] < frame_bytes &&
	       words[THREAD_FRAME] < SKEP_INTERP_NO_OFF && words[THREAD_ID] < SKEP_INTERP_NO_OFF &&
	       words[CODE_INSTRUCTIONS] < SKEP_INTERP_NO_OFF;
}

/* It goes before what is known of the version. False: that is another kind of build. */
static bool take_own_table(const struct skep_elf *elf, const char *state,
			   struct skep_interp_runtime *runtime)
{
	uint64_t words[TABLE_WORDS];

	if (!read_symbol(elf, state, words, sizeof(words)) ||
	    memcmp(&words[COOKIE], COOKIE_WORDS, sizeof(words[COOKIE])) != 0)
		return true;
	if (words[IS_FREE_THREADED] || !are_within(words, runtime->bytes))
		return false;
	runtime->frame = (uint16_t)words[THREAD_FRAME];
	runtime->thread_id = (uint16_t)words[THREAD_ID];
	runtime->previous = (uint16_t)words[FRAME_PREVIOUS];
	runtime->code = (uint16_t)words[FRAME_CODE];
	runtime->instr = (uint16_t)words[FRAME_INSTR];
	runtime->entry = (uint16_t)words[FRAME_OWNER];
	runtime->instructions = (uint16_t)words[CODE_INSTRUCTIONS];
	return true;
}

/* --- The whole -------------------------------------------------------------------------------- */

static const struct interpreter {
	const char *name;  /* a part of the file's */
	const char *state; /* symbol */
	bool (*find)(const struct skep_elf *elf, const char *name,
		     struct skep_interp_runtime *runtime);
	bool (*version)(const struct skep_elf *elf, const char *name, uint32_t *ret_major,
			uint32_t *ret_minor);
	const struct version *versions;
	size_t n_versions;
} interpreters[] = {
#define VERSIONS(array) array, sizeof(array) / sizeof((array)[0])
	{"python", "_PyRuntime", by_symbol, python_version, VERSIONS(pythons)},
	{"php", "executor_globals", by_symbol, php_version, VERSIONS(phps)},
	{"ruby", "ruby_current_ec", by_variable, ruby_version, VERSIONS(rubies)},
	{"perl", "PL_thr_key", by_symbol, perl_version, VERSIONS(perls)},
};

static bool describe(const struct interpreter *it, const struct skep_elf *elf, const char *name,
		     struct skep_interp_runtime *ret)
{
	struct skep_interp_runtime state = {0};
	uint32_t major, minor;

	if (!strstr(name, it->name) || !it->find(elf, it->state, &state) ||
	    !it->version(elf, name, &major, &minor))
		return false;
	for (size_t i = 0; i < it->n_versions; i++) {
		if (it->versions[i].major != major || it->versions[i].minor != minor)
			continue;
		struct skep_interp_runtime runtime = it->versions[i].runtime;
		runtime.addr = state.addr;
		runtime.key = state.key ? state.key : runtime.key;
		if (!take_own_table(elf, it->state, &runtime))
			return false;
		*ret = runtime;
		return true;
	}
	return false;
}

bool skep_interp_describe(const struct skep_elf *elf, const char *path,
			  struct skep_interp_runtime *ret)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(interpreters) / sizeof(interpreters[0]); i++) {
		if (describe(&interpreters[i], elf, name, ret))
			return true;
	}
	return false;
}
