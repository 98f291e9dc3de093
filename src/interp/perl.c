/*
 * Subroutines of Perl, see perl.h.
 *
 * A value has a head, which says where its body is. A subroutine's body has its name, or the glob
 * that has it; a package is a hash whose body has its name. Strings (HEK) have their length before
 * them, and behind them and a zero byte what kind of characters theirs are.
 */
#include "interp/perl.h"

#include <errno.h>
#include <string.h>

#define BODY_BYTES  96 /* of a subroutine's, that are read at once */
#define COP_BYTES   72 /* of a statement */
#define WORDS_BYTES 64 /* of other bodies */
#define PIECE_BYTES 64 /* of a file's name */
#define NAME_MOST   (SKEP_INTERP_NAME_MOST / 2)

/* The same in all versions. */
#define FLAGS_OFF  12         /* of a head */
#define IS_PACKAGE 0x0200000c /* of a hash's: it is one, and its body has a name */
#define IS_MASK    0x020000ff
#define LENGTH_OFF 4 /* of a string */
#define BYTES_OFF  8
#define IS_UTF8    1
/* A subroutine's flags: it has its name itself; it has no package. */
#define NAMED     0x8000
#define LEXICAL   0x10000
#define OP_MASK   0x1ff
#define ANONYMOUS "__ANON__" /* as Perl calls what has no name */

static const struct layout {
	uint16_t cop_check, cop_file, cop_kind, statement, check, name, file, flags, glob_name,
		glob_package, package_name, package_names;
} layouts[SKEP_INTERP_VERSION_CNT] = {
#define PERL(Revision, Version, Stack, Cop, Phase, Contexts, Previous, Last, Last_sub, Bytes,      \
	     Old_cop, Return_op, Old_sub, Cv, Line, Cop_check, Cop_file, Kind, Statement, Check,   \
	     Name, File, Flags, Glob_name, Glob_package, Package_name, Package_names)              \
	[SKEP_INTERP_PERL_##Revision##_##Version] = {                                              \
		Cop_check, Cop_file, Kind,      Statement,    Check,        Name,                  \
		File,      Flags,    Glob_name, Glob_package, Package_name, Package_names},
#include "interp/perls.def"
#undef PERL
};

struct reader {
	const struct skep_interp_memory *memory;
	const struct layout *layout;
};

static int read_bytes(const struct reader *r, uint64_t addr, void *ret, size_t n)
{
	return r->memory->read(r->memory->ctx, addr, ret, n);
}

/* The body of the value at @addr. */
static int read_body(const struct reader *r, uint64_t addr, uint8_t *ret, size_t n)
{
	uint64_t body;
	int err = read_bytes(r, addr, &body, sizeof(body));

	return err ? err : read_bytes(r, body, ret, n);
}

/* --- Strings ---------------------------------------------------------------------------------- */

static int add_string(const struct reader *r, uint64_t addr, struct skep_buf *ret)
{
	_cleanup_buf_ struct skep_buf raw = {0};
	uint32_t len;
	int err = read_bytes(r, addr + LENGTH_OFF, &len, sizeof(len));
	if (err)
		return err;
	size_t n = len < NAME_MOST ? len : NAME_MOST;
	err = skep_interp_read_to(r->memory, addr + BYTES_OFF, n + 2, &raw);
	if (err)
		return err;
	if (raw.data[n + 1] & IS_UTF8 || n < len)
		skep_buf_add_printable(ret, raw.data, n);
	else
		skep_interp_add_characters(raw.data, n, 1, ret);
	return 0;
}

/* It ends with a zero byte. Pieces are aligned: none is half in memory that is not there. */
static int add_file(const struct reader *r, uint64_t addr, struct skep_buf *ret)
{
	char piece[PIECE_BYTES];

	for (size_t done = 0, n; done < SKEP_INTERP_FILE_MOST; done += n) {
		n = sizeof(piece) - (addr + done) % sizeof(piece);
		int err = read_bytes(r, addr + done, piece, n);
		if (err)
			return err;
		size_t len = strnlen(piece, n);
		skep_buf_add_printable(ret, piece, len);
		if (len < n)
			break;
	}
	return 0;
}

/* --- Subroutines ------------------------------------------------------------------------------ */

/* One that had several names has an array of them; the first is its own. */
static int find_package_name(const struct reader *r, uint64_t package, uint64_t *ret)
{
	uint8_t body[WORDS_BYTES];
	uint32_t flags, n;
	int err = read_bytes(r, package + FLAGS_OFF, &flags, sizeof(flags));

	if (!err)
		err = (flags & IS_MASK) == IS_PACKAGE ? read_body(r, package, body, sizeof(body))
						      : -ENOENT;
	if (err)
		return err;
	*ret = skep_interp_word(body, r->layout->package_name);
	memcpy(&n, body + r->layout->package_names, sizeof(n));
	return n ? read_bytes(r, *ret, ret, sizeof(*ret)) : 0;
}

static int add_package(const struct reader *r, uint64_t package, struct skep_buf *ret)
{
	uint64_t name;
	int err = find_package_name(r, package, &name);

	if (!err)
		err = add_string(r, name, ret);
	if (err)
		skep_buf_puts(ret, ANONYMOUS);
	skep_buf_puts(ret, "::");
	return err;
}

static int add_name(const struct reader *r, const uint8_t *sub, struct skep_buf *ret)
{
	uint64_t name = skep_interp_word(sub, r->layout->name);
	uint64_t package = skep_interp_word(sub, r->layout->check);
	uint32_t flags = (uint32_t)(skep_interp_word(sub, r->layout->flags - 4) >> 32);
	uint8_t glob[WORDS_BYTES];
	int err = 0;

	if (!(flags & NAMED)) {
		err = read_body(r, name, glob, sizeof(glob));
		if (err)
			return err;
		name = skep_interp_word(glob, r->layout->glob_name);
		package = skep_interp_word(glob, r->layout->glob_package);
	}
	if (!(flags & LEXICAL))
		add_package(r, package, ret);
	return add_string(r, name, ret);
}

static int read_sub(const struct reader *r, uint64_t addr, uint32_t check,
		    struct skep_interp_code *code)
{
	uint8_t sub[BODY_BYTES];
	int err = read_body(r, addr, sub, sizeof(sub));

	if (!err && !skep_interp_is_same(sub, r->layout->check, check))
		err = -ESTALE;
	if (!err)
		err = add_name(r, sub, &code->function);
	/* the function is known without, too */
	if (!err && add_file(r, skep_interp_word(sub, r->layout->file), &code->file))
		skep_buf_done(&code->file);
	return err;
}

static void read_statement(const struct reader *r, uint64_t addr, uint32_t check,
			   struct skep_interp_code *code)
{
	uint8_t cop[COP_BYTES];

	if (!read_bytes(r, addr, cop, sizeof(cop)) &&
	    skep_interp_is_same(cop, r->layout->cop_check, check) &&
	    add_file(r, skep_interp_word(cop, r->layout->cop_file), &code->file))
		skep_buf_done(&code->file);
}

/* There is no check of it, but what it must be: the statement is one, the package has a name. */
static int read_closure(const struct reader *r, uint64_t code, uint32_t check,
			struct skep_interp_code *ret)
{
	uint64_t package = code >> SKEP_PERL_ADDRESS_BITS << SKEP_PERL_PACKAGE_BITS |
			   (uint64_t)check << SKEP_PERL_PACKAGE_SHIFT;
	uint64_t addr =
		code & ((1ull << SKEP_PERL_ADDRESS_BITS) - 1) & ~(uint64_t)SKEP_PERL_KIND_MASK;
	uint8_t cop[COP_BYTES];
	int err = read_bytes(r, addr, cop, sizeof(cop));

	if (!err && ((uint32_t)skep_interp_word(cop, r->layout->cop_kind) & OP_MASK) !=
			    r->layout->statement)
		err = -ESTALE;
	if (!err)
		err = add_package(r, package, &ret->function);
	if (err)
		return err;
	skep_buf_puts(&ret->function, ANONYMOUS);
	if (add_file(r, skep_interp_word(cop, r->layout->cop_file), &ret->file))
		skep_buf_done(&ret->file);
	return 0;
}

int skep_perl_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		   struct skep_interp_code *code)
{
	const struct reader r = {memory, &layouts[code->version]};
	uint32_t kind = addr & SKEP_PERL_KIND_MASK;

	if (kind == SKEP_PERL_SUB)
		return read_sub(&r, addr, check, code);
	if (kind & SKEP_PERL_CLOSURE)
		return read_closure(&r, addr, check, code);
	skep_buf_puts(&code->function, kind == SKEP_PERL_MAIN ? "(main)" : "(eval)");
	read_statement(&r, addr - kind, check, code);
	return 0;
}

/* It was read where the statement was met. */
uint32_t skep_perl_code_line(const struct skep_interp_code *code, uint32_t at)
{
	return at & ~SKEP_INTERP_ENTRY;
}

/* --- Its place among native frames ------------------------------------------------------------ */

/*
 * C code that calls a subroutine, and catches no errors, leaves that to the first eval in it: this
 * begins a call of the interpreter's function of its own, which also runs what comes behind the
 * eval. What is outside of the outermost call of that is run by no interpreter: the file that is
 * being compiled, what a thread was begun with.
 */
void skep_perl_entries(const struct skep_interp_stack *stack, enum skep_perl_entry *ret)
{
	uint32_t n = stack->n < SKEP_INTERP_FRAMES_MOST ? stack->n : SKEP_INTERP_FRAMES_MOST;
	uint32_t eval = n, last = n;

	for (uint32_t i = 0; i < n; i++) {
		const struct skep_interp_frame *frame = &stack->frames[i];
		uint32_t kind = frame->code & SKEP_PERL_KIND_MASK;
		ret[i] = frame->at & SKEP_INTERP_ENTRY ? SKEP_PERL_CALLED : SKEP_PERL_INNER;
		/* the last eval of a block that is no frame looks as if C code had made it */
		bool is_scope = kind == SKEP_PERL_SCOPE && i && ret[i - 1] != SKEP_PERL_INNER;
		if (ret[i] == SKEP_PERL_INNER) {
			eval = kind & SKEP_PERL_EVAL && !is_scope ? i : eval;
			continue;
		}
		bool is_caught =
			kind == SKEP_PERL_EVAL || kind == SKEP_PERL_MAIN ||
			(i + 1 < n && (frame[1].code & SKEP_PERL_KIND_MASK) == SKEP_PERL_SCOPE);
		if (eval < n && !is_caught)
			ret[eval] = SKEP_PERL_CALLED;
		else if (!is_caught)
			ret[i] = SKEP_PERL_UNCAUGHT;
		last = i;
		eval = n;
	}
	if (last + 1 < n && stack->end == SKEP_INTERP_WHOLE)
		ret[last] = SKEP_PERL_INNER;
}
