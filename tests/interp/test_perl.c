/* Subroutines of Perl in memory that may hold anything, and which of its frames C code called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "interp/merge.h"
#include "interp/perl.h"
#include "memory.h"

#define ROUNDS 20000
#define MOST   64

/* Of 5.36, as perls.def has it. */
enum { COP_CHECK = 40, COP_FILE = 48, PACKAGE = 32, NAME = 56, SUB_FILE = 64, SUB_FLAGS = 92 };
enum { GLOB_NAME = 32, GLOB_PACKAGE = 40, PACKAGE_NAME = 32, PACKAGE_NAMES = 60 };
enum { NAMED = 0x8000, LEXICAL = 0x10000, HAS_NAME = 0x0200000c };
enum { COP_KIND = 32, NEXTSTATE = 195 };

/* --- Objects ---------------------------------------------------------------------------------- */

static void set(struct fake *fake, uint64_t addr, uint64_t value, size_t n)
{
	memcpy(fake->bytes + (addr - FAKE_START), &value, n);
}

static uint64_t value_of(struct fake *fake, uint32_t flags, uint64_t *ret_body)
{
	const uint8_t zeros[128] = {0};
	uint64_t head = fake_put(fake, zeros, 24);

	*ret_body = fake_put(fake, zeros, sizeof(zeros));
	set(fake, head, *ret_body, 8);
	set(fake, head + 12, flags, 4);
	return head;
}

static uint64_t string_of(struct fake *fake, const char *text, bool is_utf8)
{
	uint8_t bytes[256] = {0};
	uint32_t n = (uint32_t)strlen(text);

	memcpy(bytes + 4, &n, sizeof(n));
	memcpy(bytes + 8, text, n);
	bytes[8 + n + 1] = is_utf8;
	return fake_put(fake, bytes, sizeof(bytes));
}

static uint64_t package_of(struct fake *fake, const char *name)
{
	uint64_t body, package = value_of(fake, HAS_NAME, &body);

	set(fake, body + PACKAGE_NAME, string_of(fake, name, false), 8);
	return package;
}

/* Its name is @name, or that of a glob if it is not @flags & NAMED. */
static uint64_t sub_of(struct fake *fake, uint64_t package, uint64_t name, uint32_t flags)
{
	uint64_t body, sub = value_of(fake, 0, &body), glob_body;

	set(fake, body + SUB_FILE, fake_put(fake, "/a/b.pl", 8), 8);
	set(fake, body + SUB_FLAGS, flags, 4);
	set(fake, body + PACKAGE, package, 8);
	if (!(flags & NAMED)) {
		uint64_t glob = value_of(fake, 0, &glob_body);
		set(fake, glob_body + GLOB_NAME, name, 8);
		set(fake, glob_body + GLOB_PACKAGE, package, 8);
		name = glob;
	}
	set(fake, body + NAME, name, 8);
	return sub;
}

static uint64_t word_at(const struct fake *fake, uint64_t addr)
{
	uint64_t word;

	memcpy(&word, fake->bytes + (addr - FAKE_START), sizeof(word));
	return word;
}

static uint32_t check_at(const struct fake *fake, uint64_t addr)
{
	uint64_t words[SKEP_INTERP_CHECK_WORDS];

	for (int i = 0; i < SKEP_INTERP_CHECK_WORDS; i++)
		words[i] = word_at(fake, addr + 8 * (uint64_t)i);
	return skep_interp_check(words);
}

static int read(struct fake *fake, uint64_t addr, uint32_t check, struct skep_interp_code *ret)
{
	const struct skep_interp_memory memory = fake_memory(fake);

	return skep_interp_code_read(&memory, SKEP_INTERP_PERL_5_36, addr, check, ret);
}

static int read_sub(struct fake *fake, uint64_t sub, struct skep_interp_code *ret)
{
	return read(fake, sub, check_at(fake, word_at(fake, sub) + PACKAGE), ret);
}

static void check_sub(struct fake *fake, uint64_t sub, const char *expected)
{
	struct skep_interp_code code;

	assert_int_equal(read_sub(fake, sub, &code), 0);
	assert_string_equal(code.function.data, expected);
	assert_string_equal(code.file.data, "/a/b.pl");
	assert_int_equal(skep_interp_code_line(&code, 17 | SKEP_INTERP_ENTRY), 17);
	skep_interp_code_done(&code);
}

/* --- Names ------------------------------------------------------------------------------------ */

static void subroutines(void **state)
{
	struct fake fake = {0};
	uint64_t package = package_of(&fake, "A::B"), name = string_of(&fake, "f", false), body;
	uint64_t nothing = value_of(&fake, 0, &body), two = value_of(&fake, HAS_NAME, &body);

	check_sub(&fake, sub_of(&fake, package, name, 0), "A::B::f");
	check_sub(&fake, sub_of(&fake, package, name, NAMED), "A::B::f");
	check_sub(&fake, sub_of(&fake, package, name, NAMED | LEXICAL), "f");
	check_sub(&fake, sub_of(&fake, nothing, name, 0), "__ANON__::f");
	check_sub(&fake, sub_of(&fake, 16, name, 0), "__ANON__::f"); /* it has gone */
	uint64_t names[] = {string_of(&fake, "First", false), name};
	set(&fake, body + PACKAGE_NAME, fake_put(&fake, names, sizeof(names)), 8);
	set(&fake, body + PACKAGE_NAMES, 2, 4);
	check_sub(&fake, sub_of(&fake, two, name, 0), "First::f");
}

static void characters(void **state)
{
	struct fake fake = {0};
	uint64_t package = package_of(&fake, "gr\xfc\xdf");

	check_sub(&fake, sub_of(&fake, package, string_of(&fake, "\xc3\xa9", true), 0),
		  "gr\xc3\xbc\xc3\x9f::\xc3\xa9");
	check_sub(&fake, sub_of(&fake, package, string_of(&fake, "a\x1b[0m\n", false), LEXICAL),
		  "a?[0m?");
}

static void another_one(void **state)
{
	struct fake fake = {0};
	uint64_t name = string_of(&fake, "f", false);
	uint64_t sub = sub_of(&fake, package_of(&fake, "A"), name, 0);
	uint32_t check = check_at(&fake, word_at(&fake, sub) + PACKAGE);
	struct skep_interp_code code;

	set(&fake, word_at(&fake, sub) + PACKAGE, 0, 8);
	assert_int_equal(read(&fake, sub, check, &code), -ESTALE);
	set(&fake, sub, 16, 8);
	assert_int_equal(read(&fake, sub, check, &code), -EFAULT);
	sub = sub_of(&fake, package_of(&fake, "A"), 16, NAMED);
	assert_int_equal(read_sub(&fake, sub, &code), -EFAULT);
}

static void check_statement(struct fake *fake, uint64_t addr, uint32_t check, const char *function,
			    const char *file)
{
	struct skep_interp_code code;

	assert_int_equal(read(fake, addr, check, &code), 0);
	assert_string_equal(code.function.data, function);
	assert_string_equal(code.file.len ? code.file.data : "", file);
	assert_int_equal(skep_interp_code_line(&code, 3), 3);
	skep_interp_code_done(&code);
}

/* What it is, is known without it. */
static void statements(void **state)
{
	const uint8_t zeros[80] = {0};
	struct fake fake = {0};
	uint64_t cop = fake_put(&fake, zeros, sizeof(zeros));

	set(&fake, cop + COP_FILE, fake_put(&fake, "(eval 2)", 9), 8);
	uint32_t check = check_at(&fake, cop + COP_CHECK);
	check_statement(&fake, cop | SKEP_PERL_EVAL, check, "(eval)", "(eval 2)");
	check_statement(&fake, cop | SKEP_PERL_SCOPE, check, "(eval)", "(eval 2)");
	check_statement(&fake, cop | SKEP_PERL_MAIN, check, "(main)", "(eval 2)");
	check_statement(&fake, cop | SKEP_PERL_MAIN, check + 1, "(main)", "");
	check_statement(&fake, 16 | SKEP_PERL_EVAL, check, "(eval)", "");
	set(&fake, cop + COP_FILE, 16, 8);
	check = check_at(&fake, cop + COP_CHECK);
	check_statement(&fake, cop | SKEP_PERL_EVAL, check, "(eval)", "");
}

/* Told by its statement and its package; what is no such is none. */
static void closures(void **state)
{
	const uint8_t zeros[80] = {0};
	struct skep_interp_code code;
	struct fake fake = {0};
	uint64_t cop = fake_put(&fake, zeros, sizeof(zeros)), package = package_of(&fake, "A"),
		 body;
	uint32_t check = (uint32_t)(package >> 3);

	set(&fake, cop + COP_FILE, fake_put(&fake, "/a/b.pl", 8), 8);
	set(&fake, cop + COP_KIND, NEXTSTATE, 2);
	check_statement(&fake, cop | SKEP_PERL_CLOSURE, check, "A::__ANON__", "/a/b.pl");
	assert_int_equal(read(&fake, cop | SKEP_PERL_CLOSURE, 16, &code), -EFAULT);
	assert_int_equal(read(&fake, cop | SKEP_PERL_CLOSURE | 1ull << 48, check, &code), -EFAULT);
	uint64_t other = value_of(&fake, 13, &body);
	assert_int_equal(read(&fake, cop | SKEP_PERL_CLOSURE, (uint32_t)(other >> 3), &code),
			 -ENOENT);
	set(&fake, cop + COP_KIND, NEXTSTATE + 1, 2);
	assert_int_equal(read(&fake, cop | SKEP_PERL_CLOSURE, check, &code), -ESTALE);
	assert_int_equal(read(&fake, 16 | SKEP_PERL_CLOSURE, check, &code), -EFAULT);
}

/* What says that it is endless is read to a limit, or not at all. */
static void lengths(void **state)
{
	static struct fake fake;
	uint64_t name = string_of(&fake, "f", false);
	uint64_t sub = sub_of(&fake, package_of(&fake, "A"), name, 0);
	struct skep_interp_code code;

	memset(fake.bytes + fake.used, 'x', sizeof(fake.bytes) - fake.used);
	set(&fake, name + 4, UINT32_MAX, 4);
	set(&fake, word_at(&fake, sub) + SUB_FILE, FAKE_START + fake.used, 8);
	assert_int_equal(read_sub(&fake, sub, &code), 0);
	assert_in_range(code.function.len, SKEP_INTERP_NAME_MOST / 2, SKEP_INTERP_NAME_MOST);
	assert_in_range(code.file.len, SKEP_INTERP_FILE_MOST, SKEP_INTERP_FILE_MOST + 64);
	skep_interp_code_done(&code);
	set(&fake, word_at(&fake, sub) + SUB_FILE, FAKE_START + FAKE_BYTES - 100, 8);
	assert_int_equal(read_sub(&fake, sub, &code), 0);
	assert_int_equal(code.file.len, 0);
	skep_interp_code_done(&code);
}

static void garbage(void **state)
{
	static struct fake fake;
	uint32_t n_good = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct skep_interp_code code;
		uint64_t addr = FAKE_START + (uint64_t)rand() % 32 * 8;
		for (int i = 0; i < 256; i++) {
			set(&fake, FAKE_START + 8 * (uint64_t)i,
			    FAKE_START + (uint64_t)rand() % 256 * 8, 8);
			fake.bytes[rand() % 16384] = (uint8_t)rand();
		}
		uint64_t body = word_at(&fake, addr);
		bool is_body = body >= FAKE_START && body < FAKE_START + FAKE_BYTES - 128;
		uint32_t kind = (uint32_t)rand() & SKEP_PERL_KIND_MASK;
		uint32_t check = kind & SKEP_PERL_CLOSURE
					 ? (uint32_t)(FAKE_START / 8 + rand() % 256)
				 : kind    ? check_at(&fake, addr + COP_CHECK)
				 : is_body ? check_at(&fake, body + PACKAGE)
					   : 0;
		fake.n_read = 0;
		if (!read(&fake, addr | kind, check, &code)) {
			n_good += !kind;
			skep_interp_code_done(&code);
		}
		assert_true(fake.n_read < 2 * (SKEP_INTERP_NAME_MOST + SKEP_INTERP_FILE_MOST));
	}
	assert_true(n_good > 100);
}

/* --- Frames ----------------------------------------------------------------------------------- */

/* Frames, innermost first: s a subroutine, a an anonymous one, e an eval, c one that C code made
 * for its call, m the file; capitals were called by C code; '|' is no frame, but such a call. */
static struct skep_interp_stack stack_of(const char *frames, enum skep_interp_end end)
{
	static const char kinds[] = "semca";
	struct skep_interp_stack stack = {.n = (uint16_t)strlen(frames),
					  .end = (uint8_t)end,
					  .version = SKEP_INTERP_PERL_5_36};

	for (uint32_t i = 0; i < stack.n; i++) {
		const char *at = strchr(kinds, frames[i] | 0x20);
		stack.frames[i].code = at ? 0x1000 | (uint64_t)(at - kinds) : 0;
		stack.frames[i].at = at && frames[i] & 0x20 ? 0 : SKEP_INTERP_ENTRY;
	}
	return stack;
}

static void check_entries(const char *frames, enum skep_interp_end end, const char *expected)
{
	const struct skep_interp_stack stack = stack_of(frames, end);
	enum skep_perl_entry entries[SKEP_INTERP_FRAMES_MOST];
	char text[MOST] = {0};

	skep_perl_entries(&stack, entries);
	for (uint32_t i = 0; i < stack.n; i++)
		text[i] = ".12"[entries[i]];
	assert_string_equal(text, expected);
}

static void entries(void **state)
{
	check_entries("", SKEP_INTERP_WHOLE, "");
	check_entries("ssM", SKEP_INTERP_WHOLE, "..1");
	check_entries("sesM", SKEP_INTERP_WHOLE, "...1");     /* the program catches its errors */
	check_entries("sSsM", SKEP_INTERP_WHOLE, ".2.1");     /* C code does not: */
	check_entries("sesSM", SKEP_INTERP_WHOLE, ".1.11");   /* the eval is run by itself, */
	check_entries("eseSsM", SKEP_INTERP_WHOLE, "..11.1"); /* but none in it */
	check_entries("se|M", SKEP_INTERP_WHOLE, ".111");
	check_entries("aeAaM", SKEP_INTERP_WHOLE, ".11.1");
	check_entries("seScM", SKEP_INTERP_WHOLE, "..1.1"); /* here it does */
	check_entries("aeAcM", SKEP_INTERP_WHOLE, "..1.1");
	check_entries("eEM", SKEP_INTERP_WHOLE, ".11");
	check_entries("eSeSM", SKEP_INTERP_WHOLE, "11111");
	check_entries("sc|M", SKEP_INTERP_WHOLE, ".111"); /* the last in a block to sort by */
}

/* What there is of Perl outside of the outermost call has no native frame. */
static void not_run(void **state)
{
	check_entries("sScm", SKEP_INTERP_WHOLE, "....");
	check_entries("sSsSc", SKEP_INTERP_WHOLE, ".2...");
	check_entries("sSc", SKEP_INTERP_FULL, ".1.");
	check_entries("sSc", SKEP_INTERP_UNREADABLE, ".1.");
	check_entries("sc", SKEP_INTERP_WHOLE, "..");
	check_entries("c", SKEP_INTERP_WHOLE, ".");
}

/* Natively 'r' is the interpreter's function; what comes out has the frames in its place. */
static void check_merged(const char *native, const char *frames, const char *expected,
			 uint32_t n_displaced)
{
	const struct skep_interp_stack stack = stack_of(frames, SKEP_INTERP_WHOLE);
	struct skep_interp_run runs[MOST];
	bool is_evaluator[MOST] = {false};
	uint32_t n = (uint32_t)strlen(native), at = 0;
	char text[MOST] = {0};

	for (uint32_t i = 0; i < n; i++)
		is_evaluator[i] = native[i] == 'r';
	struct skep_interp_rest rest = skep_interp_merge(&stack, is_evaluator, n, true, runs);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = 0; j < runs[i].n; j++)
			text[at++] = frames[runs[i].first + j];
		if (!runs[i].n)
			text[at++] = native[i];
	}
	assert_string_equal(text, expected);
	assert_int_equal(rest.n_displaced, n_displaced);
}

static void merged(void **state)
{
	check_merged("r.0", "ssM", "ssM.0", 0);
	check_merged(".r..r.0", "sSsM", ".sS..sM.0", 0);
	check_merged("r.r.r.0", "sesSM", "se.sS.M.0", 0);
	check_merged("r.r.0", "s|sM", "s.sM.0", 0);
	check_merged("r.r.0", "|sM", "r.sM.0", 0);
	check_merged("r.r.0", "S|sM", "S.sM.0", 0);     /* the last that the block calls, */
	check_merged("r.r.r.0", "S|sM", "S.r.sM.0", 0); /* or C code for the block */
	check_merged("..r.0", "sScm", "..sScm.0", 0);
	/* an eval was there before */
	check_merged("r.r.r.0", "sSsM", "sS.r.sM.0", 0);
	check_merged("r.r.r.r.0", "sSSM", "sS.S.r.M.0", 0);
	check_merged("r.r.r.r.r.0", "sSSM", "sS.r.S.r.M.0", 0);
	check_merged("r.r.r.r.0", "s|esSM", "s.e.sS.M.0", 0);
	check_merged("r.r.r.r.r.0", "s|esSM", "s.r.e.sS.M.0", 0);
	check_merged("r.r.r.0", "sScM", "r.sS.cM.0", 0);
	/* what compares is there, and does not run */
	check_merged("..r.0", "SsM", "..sM.0", 0);
	check_merged("..r.0", "|sM", "..|sM.0", 0);
	check_merged("..r.0", "sSsM", "..sSsM.0", 2);
	check_merged("..r.0", "SSsM", "..SSsM.0", 2);
	check_merged("...0", "sM", "...0", 2);
}

static void any_frames(void **state)
{
	struct skep_interp_stack stack;
	enum skep_perl_entry entries[SKEP_INTERP_FRAMES_MOST];

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(stack); i += 4)
			*(uint32_t *)((char *)&stack + i) = (uint32_t)rand() * 2u;
		stack.n = (uint16_t)rand();
		stack.end = (uint8_t)(rand() % SKEP_INTERP_END_CNT);
		stack.frames[0].at |= SKEP_INTERP_ENTRY;
		skep_perl_entries(&stack, entries);
		if (stack.n > 1 && stack.end != SKEP_INTERP_WHOLE)
			assert_int_not_equal(entries[0], SKEP_PERL_INNER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subroutines), cmocka_unit_test(characters),
		cmocka_unit_test(another_one), cmocka_unit_test(statements),
		cmocka_unit_test(closures),    cmocka_unit_test(lengths),
		cmocka_unit_test(garbage),     cmocka_unit_test(entries),
		cmocka_unit_test(not_run),     cmocka_unit_test(merged),
		cmocka_unit_test(any_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
