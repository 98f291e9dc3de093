/*
 * The tree as text: a node a line, children indented below it; the type
 * behind a node once types/ has found it.
 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "trace/ast.h"

struct printer {
	struct skep_buf *out;
	uint32_t depth;
};

static void start(struct printer *pr)
{
	skep_buf_fill(pr->out, ' ', 2 * (size_t)pr->depth);
}

static void line(struct printer *pr, const char *text)
{
	start(pr);
	skep_buf_puts(pr->out, text);
	skep_buf_addc(pr->out, '\n');
}

/* --- expressions ---------------------------------------------------------------------------- */

static void print_int(struct printer *pr, const struct skep_expr *e)
{
	if (e->is_bool_lit)
		skep_buf_puts(pr->out, e->integer ? "bool true" : "bool false");
	else if (e->is_unsigned_lit)
		skep_buf_printf(pr->out, "int %lluu", (unsigned long long)e->integer);
	else
		skep_buf_printf(pr->out, "int %lld", (long long)e->integer);
}

static void print_string(struct printer *pr, const struct skep_expr *e)
{
	skep_buf_puts(pr->out, "string ");
	skep_json_string(pr->out, e->text ? e->text : "", e->text_len);
}

static void print_about(struct printer *pr, const char *what, const struct skep_expr *e)
{
	skep_buf_puts(pr->out, what);
	if (e->type_name)
		skep_buf_printf(pr->out, " (%s)", e->type_name);
	if (e->kind == SKEP_E_OFFSETOF)
		skep_buf_printf(pr->out, " .%s", e->text);
}

static void print_head(struct printer *pr, const struct skep_expr *e)
{
	const char *op = skep_operator_name(e->op);

	switch (e->kind) {
	case SKEP_E_INT: print_int(pr, e); break;
	case SKEP_E_STRING: print_string(pr, e); break;
	case SKEP_E_PARAM: skep_buf_printf(pr->out, "param $%lld", (long long)e->integer); break;
	case SKEP_E_PARAM_CNT: skep_buf_puts(pr->out, "param $#"); break;
	case SKEP_E_IDENT: skep_buf_printf(pr->out, "name %s", e->text); break;
	case SKEP_E_VAR: skep_buf_printf(pr->out, "var %s", e->text); break;
	case SKEP_E_MAP: skep_buf_printf(pr->out, "map %s", e->text); break;
	case SKEP_E_CALL: skep_buf_printf(pr->out, "call %s", e->text); break;
	case SKEP_E_FIELD:
		skep_buf_printf(pr->out, "field %s%s", e->is_arrow ? "->" : ".", e->text);
		break;
	case SKEP_E_TUPLE_AT: skep_buf_printf(pr->out, "at %lld", (long long)e->integer); break;
	case SKEP_E_INDEX: skep_buf_puts(pr->out, "index"); break;
	case SKEP_E_UNARY: skep_buf_printf(pr->out, "unary %s", op); break;
	case SKEP_E_INCDEC:
		skep_buf_printf(pr->out, "%s %s", e->is_postfix ? "postfix" : "prefix", op);
		break;
	case SKEP_E_BINARY: skep_buf_printf(pr->out, "binary %s", op); break;
	case SKEP_E_TERNARY: skep_buf_puts(pr->out, "ternary"); break;
	case SKEP_E_CAST: print_about(pr, "cast", e); break;
	case SKEP_E_SIZEOF: print_about(pr, "sizeof", e); break;
	case SKEP_E_OFFSETOF: print_about(pr, "offsetof", e); break;
	case SKEP_E_TYPEOF: print_about(pr, "typeof", e); break;
	case SKEP_E_TUPLE: skep_buf_puts(pr->out, "tuple"); break;
	case SKEP_E_BLOCK: skep_buf_puts(pr->out, "value"); break;
	case SKEP_E_N_KINDS: break;
	}
}

static void print_stmts(struct printer *pr, const struct skep_stmt *list);

static void print_expr(struct printer *pr, const struct skep_expr *e)
{
	if (!e)
		return;
	start(pr);
	if (e->elem_name)
		skep_buf_printf(pr->out, "%s = ", e->elem_name);
	print_head(pr, e);
	if (e->type) {
		skep_buf_puts(pr->out, " : ");
		skep_type_print(e->type, pr->out);
	}
	skep_buf_addc(pr->out, '\n');
	pr->depth++;
	print_stmts(pr, e->body);
	print_expr(pr, e->cond);
	print_expr(pr, e->left);
	print_expr(pr, e->right);
	for (const struct skep_expr *arg = e->args; arg; arg = arg->next)
		print_expr(pr, arg);
	pr->depth--;
}

/* --- statements ----------------------------------------------------------------------------- */

static const char *const stmt_names[SKEP_S_N_KINDS] = {
	[SKEP_S_EXPR] = "do",         [SKEP_S_ASSIGN] = "set",
	[SKEP_S_LET] = "let",         [SKEP_S_IF] = "if",
	[SKEP_S_WHILE] = "while",     [SKEP_S_UNROLL] = "unroll",
	[SKEP_S_FOR_MAP] = "for map", [SKEP_S_FOR_RANGE] = "for range",
	[SKEP_S_BREAK] = "break",     [SKEP_S_CONTINUE] = "continue",
	[SKEP_S_RETURN] = "return",   [SKEP_S_BLOCK] = "block",
};

static void print_body(struct printer *pr, const char *name, const struct skep_stmt *body)
{
	if (!body)
		return;
	line(pr, name);
	pr->depth++;
	print_stmts(pr, body);
	pr->depth--;
}

static void print_stmt(struct printer *pr, const struct skep_stmt *s)
{
	start(pr);
	skep_buf_puts(pr->out, stmt_names[s->kind]);
	if (s->kind == SKEP_S_ASSIGN)
		skep_buf_printf(pr->out, " %s%s", skep_operator_name(s->op), s->op ? "=" : "");
	if (s->type_name)
		skep_buf_printf(pr->out, " (%s)", s->type_name);
	skep_buf_addc(pr->out, '\n');
	pr->depth++;
	print_expr(pr, s->cond);
	print_expr(pr, s->target);
	print_expr(pr, s->value);
	print_expr(pr, s->limit);
	if (s->kind == SKEP_S_BLOCK)
		print_stmts(pr, s->body);
	else
		print_body(pr, "then", s->body);
	print_body(pr, "else", s->else_body);
	pr->depth--;
}

static void print_stmts(struct printer *pr, const struct skep_stmt *list)
{
	for (; list; list = list->next)
		print_stmt(pr, list);
}

/* --- top level ------------------------------------------------------------------------------ */

static void print_struct(struct printer *pr, const struct skep_struct_def *def)
{
	start(pr);
	skep_buf_printf(pr->out, "define %s%s\n",
			def->name[0]    ? def->name
			: def->is_enum  ? "enum"
			: def->is_union ? "union"
					: "struct",
			def->is_packed ? " packed" : "");
	pr->depth++;
	for (const struct skep_expr *e = def->values; e; e = e->next) {
		start(pr);
		skep_buf_printf(pr->out, "%s = %lld\n", e->text, (long long)e->integer);
	}
	for (const struct skep_field_def *f = def->fields; f; f = f->next) {
		start(pr);
		skep_buf_printf(pr->out, "member (%s)%s%s", f->type_name, f->name[0] ? " " : "",
				f->name);
		if (f->array_len >= 0)
			skep_buf_printf(pr->out, "[%lld]", (long long)f->array_len);
		if (f->bit_size)
			skep_buf_printf(pr->out, " : %u", f->bit_size);
		skep_buf_addc(pr->out, '\n');
		pr->depth++;
		if (f->inner)
			print_struct(pr, f->inner);
		pr->depth--;
	}
	pr->depth--;
}

static void print_parts(struct printer *pr, const struct skep_probe_spec *spec)
{
	start(pr);
	skep_buf_puts(pr->out, "at");
	for (uint32_t i = 0; i < spec->n_parts; i++) {
		skep_buf_puts(pr->out, i ? " | " : " ");
		skep_buf_puts(pr->out, spec->parts[i]);
	}
	skep_buf_addc(pr->out, '\n');
}

static void print_probe(struct printer *pr, const struct skep_probe_def *probe)
{
	line(pr, "probe");
	pr->depth++;
	for (const struct skep_probe_spec *spec = probe->specs; spec; spec = spec->next)
		print_parts(pr, spec);
	if (probe->predicate) {
		line(pr, "when");
		pr->depth++;
		print_expr(pr, probe->predicate);
		pr->depth--;
	}
	print_stmts(pr, probe->body);
	pr->depth--;
}

static void print_preamble(const struct skep_script *script, struct skep_buf *out)
{
	for (const struct skep_include *h = script->includes; h; h = h->next)
		skep_buf_printf(out, "include %s\n", h->name);
	for (const struct skep_config_item *c = script->config; c; c = c->next)
		skep_buf_printf(out, "config %s = %s\n", c->name, c->value);
	for (const struct skep_map_decl *d = script->map_decls; d; d = d->next)
		skep_buf_printf(out, "declare %s = %s(%lld)\n", d->name, d->kind,
				(long long)d->max_keys);
}

void skep_script_print(const struct skep_script *script, struct skep_buf *out)
{
	struct printer pr = {.out = out};

	print_preamble(script, out);
	for (const struct skep_struct_def *def = script->structs; def; def = def->next)
		print_struct(&pr, def);
	for (const struct skep_probe_def *probe = script->probes; probe; probe = probe->next)
		print_probe(&pr, probe);
}
