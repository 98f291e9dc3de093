/* Functions of interpreters' programs, see code.h: which file knows of which version. */
#include "interp/code.h"

#include <errno.h>
#include <string.h>

#include "interp/hotspot.h"
#include "interp/perl.h"
#include "interp/php.h"
#include "interp/python.h"
#include "interp/ruby.h"

struct interpreter {
	int (*read)(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		    struct skep_interp_code *code);
	uint32_t (*line)(const struct skep_interp_code *code, uint32_t at);
};

/* The machine itself: where it keeps what is its table. What it lacks is its name, if any. */
static int read_machine(const struct skep_interp_memory *memory, uint64_t base, uint32_t check,
			struct skep_interp_code *code)
{
	struct skep_hotspot hotspot;
	const char *missing = NULL;
	int err = skep_hotspot_read(memory, base, &hotspot, &missing);

	if (err && !missing)
		return err;
	if (missing)
		skep_buf_add(&code->function, missing, strlen(missing));
	else
		skep_buf_add(&code->lines, (const char *)&hotspot, sizeof(hotspot));
	return 0;
}

static uint32_t no_line(const struct skep_interp_code *code, uint32_t at)
{
	return 0;
}

static const struct interpreter interpreters[SKEP_INTERP_VERSION_CNT] = {
#define PYTHON(major, minor, ...)                                                                  \
	[SKEP_INTERP_PYTHON_##major##_##minor] = {skep_python_read, skep_python_code_line},
#include "interp/pythons.def"
#undef PYTHON
#define PHP(major, minor, ...)                                                                     \
	[SKEP_INTERP_PHP_##major##_##minor] = {skep_php_read, skep_php_code_line},
#include "interp/phps.def"
#undef PHP
#define RUBY(major, minor, ...)                                                                    \
	[SKEP_INTERP_RUBY_##major##_##minor] = {skep_ruby_read, skep_ruby_code_line},
#include "interp/rubies.def"
#undef RUBY
#define PERL(revision, version, ...)                                                               \
	[SKEP_INTERP_PERL_##revision##_##version] = {skep_perl_read, skep_perl_code_line},
#include "interp/perls.def"
#undef PERL
	[SKEP_INTERP_HOTSPOT] = {NULL, no_line}, /* skep_hotspot_read_method() */
	[SKEP_INTERP_HOTSPOT_MACHINE] = {read_machine, no_line},
};

int skep_interp_code_read(const struct skep_interp_memory *memory, uint32_t version, uint64_t addr,
			  uint32_t check, struct skep_interp_code *ret)
{
	struct skep_interp_code code = {.version = version};

	if (version >= SKEP_INTERP_VERSION_CNT || !interpreters[version].read)
		return -EINVAL;
	int err = interpreters[version].read(memory, addr, check, &code);
	if (err)
		skep_interp_code_done(&code);
	else
		*ret = code;
	return err;
}

void skep_interp_code_done(struct skep_interp_code *code)
{
	skep_buf_done(&code->function);
	skep_buf_done(&code->file);
	skep_buf_done(&code->lines);
}

uint32_t skep_interp_code_line(const struct skep_interp_code *code, uint32_t at)
{
	return interpreters[code->version].line(code, at);
}

int skep_interp_read_to(const struct skep_interp_memory *memory, uint64_t addr, size_t n,
			struct skep_buf *ret)
{
	char *to = skep_buf_reserve(ret, n);
	int err = n ? memory->read(memory->ctx, addr, to, n) : 0;

	if (!err)
		ret->len += n;
	return err;
}

uint64_t skep_interp_word(const uint8_t *bytes, uint32_t off)
{
	uint64_t word;

	memcpy(&word, bytes + off, sizeof(word));
	return word;
}

bool skep_interp_is_same(const uint8_t *object, uint32_t off, uint32_t check)
{
	uint64_t words[SKEP_INTERP_CHECK_WORDS];

	memcpy(words, object + off, sizeof(words));
	return skep_interp_check(words) == check;
}

/* A character that is none becomes the one that stands for that. */
static void add_utf8(uint32_t c, struct skep_buf *ret)
{
	static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};

	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		skep_buf_addc(ret, (char)c);
		return;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	skep_buf_addc(ret, (char)(leads[more] | c >> 6 * more));
	while (more--)
		skep_buf_addc(ret, (char)(0x80 | (c >> 6 * more & 0x3f)));
}

void skep_interp_add_characters(const char *data, size_t n, uint32_t width, struct skep_buf *ret)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t c = 0;
		memcpy(&c, data + i * width, width);
		add_utf8(c < 0x20 || (c >= 0x7f && c < 0xa0) ? '?' : c, ret);
	}
}
