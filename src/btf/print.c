/*
 * Types as C.
 *
 * BTF says "array of pointer to function": C says it inside out. So a
 * declaration is built from its middle: the text begins as the variable's
 * name, every pointer puts a '*' before it, every array or prototype its
 * brackets behind it (parentheses first if a '*' was the last thing added),
 * and the base type comes before it all.
 *
 *	fops → *fops → (*fops)[4] → struct x (*fops)[4]
 *
 * Qualifiers wait until it is known whether they belong behind a '*' or before
 * a base. Structs without a name are spelt out where they are used.
 *
 * Foreign bytes may describe types without end; three limits stop them: steps
 * of one declarator, nesting, and the number of bytes one call prints. Where
 * a limit cuts, "..." stands.
 */
#include "btf/reader.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"

#define MAX_DEPTH      16
#define MAX_BYTES      (8u << 20)
#define COMMENT_COLUMN 56
#define TAB_WIDTH      8

struct printer {
	const struct skep_btf *btf;
	size_t budget;  /* bytes that may still be printed */
	bool bodies;    /* spell out structs, unions and enums without a name */
	bool offsets;   /* after each member, where it lies */
	unsigned depth; /* of bodies and prototypes around us */
};

/* A declarator growing outwards from the variable's name. */
struct declarator {
	struct skep_buf text;
	struct skep_buf qualifiers; /* "const volatile ", for what comes next */
	struct skep_buf tags;       /* " __user": stand behind a base, unlike qualifiers */
	bool ends_in_star;          /* the '*' was added last */
	bool points;                /* a '*' was added ever */
};

/* Where a body stands: how far indented, and how far into the outermost struct. */
struct place {
	unsigned indent;
	uint32_t bit_off;
};

static void print_body(struct printer *printer, uint32_t id, struct place place,
		       struct skep_buf *out);
static void declare(struct printer *printer, uint32_t id, const char *var, struct place place,
		    struct skep_buf *out);

/* Take @n bytes from the budget. */
static bool afford(struct printer *printer, size_t n)
{
	bool enough = printer->budget >= n;

	printer->budget = enough ? printer->budget - n : 0;
	return enough;
}

/* A name from the file; what could upset a terminal becomes '?'. */
static void print_name(struct printer *printer, const char *name, struct skep_buf *out)
{
	if (!afford(printer, strlen(name))) {
		skep_buf_puts(out, "...");
		return;
	}
	for (; *name; name++)
		skep_buf_addc(out, iscntrl((unsigned char)*name) ? '?' : *name);
}

/* --- Declarators --------------------------------------------------------------------- */

static void declarator_done(struct declarator *decl)
{
	skep_buf_done(&decl->text);
	skep_buf_done(&decl->qualifiers);
	skep_buf_done(&decl->tags);
}

static void prepend(struct skep_buf *buf, const char *before)
{
	struct skep_buf joined = {0};

	skep_buf_puts(&joined, before);
	skep_buf_add(&joined, buf->data, buf->len);
	skep_buf_done(buf);
	*buf = joined;
}

static const char *text_of(const struct skep_buf *buf)
{
	return buf->data ? buf->data : "";
}

static void add_pointer(struct declarator *decl)
{
	_cleanup_buf_ struct skep_buf star = {0};

	skep_buf_printf(&star, "*%s%s", text_of(&decl->qualifiers),
			decl->tags.len ? text_of(&decl->tags) + 1 : "");
	if (decl->tags.len)
		skep_buf_addc(&star, ' ');
	skep_buf_clear(&decl->qualifiers);
	skep_buf_clear(&decl->tags);
	prepend(&decl->text, star.data);
	decl->ends_in_star = decl->points = true;
}

/* What stands behind the text binds stronger than a '*' before it. */
static void bind(struct declarator *decl)
{
	if (decl->ends_in_star) {
		prepend(&decl->text, "(");
		skep_buf_addc(&decl->text, ')');
	}
	decl->ends_in_star = false;
}

static void add_tag(struct printer *printer, const struct wire_type *tag, struct declarator *decl)
{
	const char *name = btf_string(printer->btf, tag->name_off);
	bool attribute = wire_kflag(tag->info);

	skep_buf_puts(&decl->tags, attribute ? " __attribute__((" : " __");
	print_name(printer, name ? name : "", &decl->tags);
	skep_buf_puts(&decl->tags, attribute ? "))" : "");
}

static void print_params(struct printer *printer, uint32_t proto, struct skep_buf *out)
{
	uint32_t n = skep_btf_n_members(printer->btf, proto);
	struct skep_btf_member param;

	if (!n)
		skep_buf_puts(out, "void");
	for (uint32_t i = 0; i < n && !skep_btf_member(printer->btf, proto, i, &param); i++) {
		skep_buf_puts(out, i ? ", " : "");
		if (!afford(printer, 8) || (i == n - 1 && i && !param.type && !*param.name)) {
			skep_buf_puts(out, "...");
			return;
		}
		/* clang writes one nameless void for a prototype that says nothing. */
		if (n > 1 || param.type)
			declare(printer, param.type, param.name, (struct place){0}, out);
	}
}

static void add_prototype(struct printer *printer, uint32_t proto, struct declarator *decl)
{
	bool bodies = printer->bodies;

	bind(decl);
	skep_buf_addc(&decl->text, '(');
	printer->bodies = false;
	if (printer->depth < MAX_DEPTH) {
		printer->depth++;
		print_params(printer, proto, &decl->text);
		printer->depth--;
	} else {
		skep_buf_puts(&decl->text, "...");
	}
	printer->bodies = bodies;
	skep_buf_addc(&decl->text, ')');
}

/* Grow @decl by the type @id. False if that is a base, which takes more than a declarator. */
static bool grow(struct printer *printer, uint32_t id, struct declarator *decl)
{
	const char *const qualifiers[SKEP_BTF_N_KINDS] = {
		[SKEP_BTF_CONST] = "const ",
		[SKEP_BTF_VOLATILE] = "volatile ",
		[SKEP_BTF_RESTRICT] = "restrict ",
	};
	enum skep_btf_kind kind = skep_btf_kind(printer->btf, id);

	if (kind == SKEP_BTF_PTR) {
		add_pointer(decl);
	} else if (kind == SKEP_BTF_ARRAY) {
		bind(decl);
		skep_buf_printf(&decl->text, "[%" PRIu32 "]", skep_btf_array_len(printer->btf, id));
	} else if (kind == SKEP_BTF_FUNC_PROTO) {
		add_prototype(printer, id, decl);
	} else if (kind == SKEP_BTF_TYPE_TAG) {
		add_tag(printer, btf_record(printer->btf, id), decl);
	} else if (qualifiers[kind]) {
		if (!strstr(text_of(&decl->qualifiers), qualifiers[kind]))
			skep_buf_puts(&decl->qualifiers, qualifiers[kind]);
	} else {
		return false;
	}
	return true;
}

static const char *keyword(const struct skep_btf *btf, uint32_t id)
{
	static const char *const keywords[SKEP_BTF_N_KINDS] = {
		[SKEP_BTF_STRUCT] = "struct", [SKEP_BTF_UNION] = "union", [SKEP_BTF_ENUM] = "enum",
		[SKEP_BTF_ENUM64] = "enum",   [SKEP_BTF_FWD] = "struct",
	};
	const struct wire_type *type = btf_record(btf, id);

	if (!type)
		return "void";
	if (wire_kind(type->info) == SKEP_BTF_FWD && wire_kflag(type->info))
		return "union";
	return keywords[wire_kind(type->info)];
}

/* What every declaration begins with: "struct path", "unsigned int", "struct {...}". */
static void print_base(struct printer *printer, uint32_t id, struct place place,
		       struct skep_buf *out)
{
	const char *word = keyword(printer->btf, id);
	const char *name = skep_btf_name(printer->btf, id);

	skep_buf_puts(out, word ? word : "");
	skep_buf_puts(out, word && *name ? " " : "");
	print_name(printer, name, out);
	if (*name || !word || !btf_record(printer->btf, id))
		return;
	if (printer->bodies)
		print_body(printer, id, place, out);
	else
		skep_buf_puts(out, " { ... }");
}

/* The type @id with @var inside. */
static void declare(struct printer *printer, uint32_t id, const char *var, struct place place,
		    struct skep_buf *out)
{
	struct declarator decl = {0};
	int steps = 0;

	print_name(printer, var, &decl.text);
	while (steps++ < MAX_STEPS && afford(printer, 1) && grow(printer, id, &decl))
		id = skep_btf_target(printer->btf, id);
	if (decl.points)
		place.bit_off = 0;
	skep_buf_puts(out, text_of(&decl.qualifiers));
	if (steps > MAX_STEPS)
		skep_buf_puts(out, "...");
	else
		print_base(printer, id, place, out);
	skep_buf_puts(out, text_of(&decl.tags));
	if (decl.text.len)
		skep_buf_addc(out, ' ');
	skep_buf_add(out, decl.text.data, decl.text.len);
	declarator_done(&decl);
}

/* --- Bodies -------------------------------------------------------------------------- */

/* Spaces from the end of the line that @out ends with to the comments' column. */
static void pad(struct skep_buf *out)
{
	size_t from = out->len, column = 0;

	while (from && out->data[from - 1] != '\n')
		from--;
	for (; from < out->len; from++)
		column += out->data[from] == '\t' ? TAB_WIDTH - column % TAB_WIDTH : 1;
	skep_buf_fill(out, ' ', column < COMMENT_COLUMN ? COMMENT_COLUMN - column : 1);
}

static void print_offset(const struct skep_btf_member *member, struct skep_buf *out)
{
	pad(out);
	skep_buf_printf(out, "/* %" PRIu32, member->bit_off / 8);
	if (member->bit_size)
		skep_buf_printf(out, ":%" PRIu32, member->bit_off % 8);
	skep_buf_puts(out, " */");
}

static void print_member(struct printer *printer, const struct skep_btf_member *member,
			 struct place place, struct skep_buf *out)
{
	skep_buf_fill(out, '\t', place.indent);
	declare(printer, member->type, member->name, place, out);
	if (member->bit_size)
		skep_buf_printf(out, ": %u", member->bit_size);
	skep_buf_addc(out, ';');
	if (printer->offsets)
		print_offset(member, out);
	skep_buf_addc(out, '\n');
}

static void print_enumerator(struct printer *printer, uint32_t id, uint32_t i, struct place place,
			     struct skep_buf *out)
{
	struct skep_btf_int info;
	const char *name;
	int64_t value;

	if (skep_btf_enumerator(printer->btf, id, i, &name, &value) ||
	    skep_btf_int_info(printer->btf, id, &info))
		return;
	skep_buf_fill(out, '\t', place.indent);
	print_name(printer, name, out);
	if (info.is_signed)
		skep_buf_printf(out, " = %" PRId64 ",\n", value);
	else
		skep_buf_printf(out, " = %" PRIu64 "%s,\n", (uint64_t)value,
				value < 0 ? "ULL" : "");
}

static void print_elements(struct printer *printer, uint32_t id, struct place place,
			   struct skep_buf *out)
{
	uint32_t n = skep_btf_n_members(printer->btf, id);
	struct place inner = {.indent = place.indent + 1};
	struct skep_btf_member member;

	for (uint32_t i = 0; i < n; i++) {
		if (!afford(printer, 8)) {
			skep_buf_fill(out, '\t', inner.indent);
			skep_buf_puts(out, "...\n");
			return;
		}
		if (skep_btf_member(printer->btf, id, i, &member)) {
			print_enumerator(printer, id, i, inner, out);
			continue;
		}
		member.bit_off += place.bit_off;
		inner.bit_off = member.bit_off;
		print_member(printer, &member, inner, out);
	}
}

/* " {…}" of the struct, union or enum @id. */
static void print_body(struct printer *printer, uint32_t id, struct place place,
		       struct skep_buf *out)
{
	if (!skep_btf_n_members(printer->btf, id)) {
		skep_buf_puts(out, " {}");
		return;
	}
	if (printer->depth >= MAX_DEPTH) {
		skep_buf_puts(out, " { ... }");
		return;
	}
	printer->depth++;
	skep_buf_puts(out, " {\n");
	print_elements(printer, id, place, out);
	skep_buf_fill(out, '\t', place.indent);
	skep_buf_addc(out, '}');
	printer->depth--;
}

/* --- The two questions --------------------------------------------------------------- */

void skep_btf_print_decl(const struct skep_btf *btf, uint32_t id, const char *var,
			 struct skep_buf *out)
{
	struct printer printer = {.btf = btf, .budget = MAX_BYTES};
	uint32_t named = SKEP_BTF_MASK(SKEP_BTF_FUNC) | SKEP_BTF_MASK(SKEP_BTF_VAR);

	/* A function or a variable is a name with a type, rather than a type. */
	if (SKEP_BTF_MASK(skep_btf_kind(btf, id)) & named) {
		var = var ? var : skep_btf_name(btf, id);
		id = skep_btf_target(btf, id);
	}
	declare(&printer, id, var ? var : "", (struct place){0}, out);
}

void skep_btf_print_def(const struct skep_btf *btf, uint32_t id, bool offsets, struct skep_buf *out)
{
	struct printer printer = {
		.btf = btf, .budget = MAX_BYTES, .bodies = true, .offsets = offsets};
	uint32_t bodied = SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION) |
			  SKEP_BTF_MASK(SKEP_BTF_ENUM) | SKEP_BTF_MASK(SKEP_BTF_ENUM64);
	uint32_t kind_mask = SKEP_BTF_MASK(skep_btf_kind(btf, id));

	if (kind_mask & SKEP_BTF_MASK(SKEP_BTF_TYPEDEF)) {
		skep_buf_puts(out, "typedef ");
		declare(&printer, skep_btf_target(btf, id), skep_btf_name(btf, id),
			(struct place){0}, out);
	} else if (kind_mask & bodied) {
		print_base(&printer, id, (struct place){0}, out);
		if (*skep_btf_name(btf, id))
			print_body(&printer, id, (struct place){0}, out);
	} else {
		skep_btf_print_decl(btf, id, NULL, out);
	}
	skep_buf_addc(out, ';');
	if (offsets && skep_btf_size(btf, id) >= 0)
		skep_buf_printf(out, " /* %" PRId64 " bytes */", skep_btf_size(btf, id));
}
