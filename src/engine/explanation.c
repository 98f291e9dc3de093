/*
 * Explanations as text and JSON: see explanation.h.
 *
 *	error L0012: program count was refused: this uses a value of map things that may not be …
 *	  --> count.bpf.c:21:2
 *	   21 |         value->n++;
 *	      |         ^
 *	  how it came to this:
 *	   19 |         value = bpf_map_lookup_elem(&things, &key);
 *	      |   4: call bpf_map_lookup_elem#1
 *	      |      bpf_map_lookup_elem() returns a value of map things, or NULL
 *	  for example: …
 *	  try: …
 *	         if (!value)
 *	                 return 0;
 *	  the kernel says: R0 invalid mem access 'map_value_or_null'
 */
#include "engine/explanation.h"

#include <string.h>

#include <skep/buf.h>
#include <skep/diag.h>

#include "sink/jsonw.h"

#define CODE_COLUMN 9 /* below what is to be tried */

/* --- Text ------------------------------------------------------------------------------------- */

static const char *file_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "?";
}

/* Blanks before the caret, tabs as in the line, so that it stands below. */
static void caret(const struct skep_explain_place *place, struct skep_buf *out)
{
	skep_buf_puts(out, "      | ");
	for (uint32_t i = 1; i < place->column && place->text[i - 1]; i++)
		skep_buf_addc(out, place->text[i - 1] == '\t' ? '\t' : ' ');
	skep_buf_puts(out, "^\n");
}

static void source_line(const struct skep_explain_place *place, struct skep_buf *out)
{
	skep_buf_printf(out, " %4u | %s\n", place->line, place->text);
}

static void render_place(const struct skep_explain_place *place, struct skep_buf *out)
{
	if (place->slot == UINT32_MAX)
		return;
	if (!place->line) {
		skep_buf_printf(out, "  --> instruction %u\n", place->slot);
		return;
	}
	skep_buf_printf(out, "  --> %s:%u:%u\n", file_name(place->file), place->line,
			place->column);
	if (!place->text)
		return;
	source_line(place, out);
	caret(place, out);
}

static bool is_same_line(const struct skep_explain_place *a, const struct skep_explain_place *b)
{
	return a->line == b->line && a->file && b->file && !strcmp(a->file, b->file);
}

static void render_chain(const struct skep_explanation *e, struct skep_buf *out)
{
	if (e->n_links)
		skep_buf_puts(out, "  how it came to this:\n");
	for (uint32_t i = 0; i < e->n_links; i++) {
		const struct skep_explain_link *link = &e->chain[i];

		if (link->place.text && (!i || !is_same_line(&link->place, &e->chain[i - 1].place)))
			source_line(&link->place, out);
		skep_buf_printf(out, "      | %3u: %s\n      |      %s\n", link->place.slot,
				link->insn, link->says);
	}
}

/* Each line of the code below "try:", further in. */
static void render_code(const char *code, struct skep_buf *out)
{
	while (*code) {
		size_t len = strcspn(code, "\n"), tabs = strspn(code, "\t");

		skep_buf_fill(out, ' ', CODE_COLUMN + 8 * tabs);
		skep_buf_printf(out, "%.*s\n", (int)(len - tabs), code + tabs);
		code += len + (code[len] == '\n');
	}
}

void skep_explanation_render(const struct skep_explanation *explanation, const char *program,
			     struct skep_buf *out)
{
	const struct skep_explanation *e = explanation;

	skep_buf_printf(out, "error %s: program %s was refused: %s\n",
			skep_diag_code(SKEP_DIAG_PROG_UNVERIFIED), program, e->what);
	render_place(&e->place, out);
	if (e->why)
		skep_buf_printf(out, "  why: %s\n", e->why);
	render_chain(e, out);
	if (e->counterexample)
		skep_buf_printf(out, "  for example: %s\n", e->counterexample);
	if (e->hint || e->code)
		skep_buf_printf(out, "  try: %s\n", e->hint ? e->hint : "");
	if (e->code)
		render_code(e->code, out);
	if (e->kernel)
		skep_buf_printf(out, "  the kernel says: %s\n", e->kernel);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void text_field(struct skep_jsonw *w, const char *key, const char *text)
{
	if (text)
		skep_jsonw_key(w, key), skep_jsonw_string(w, text);
}

static void place_fields(struct skep_jsonw *w, const struct skep_explain_place *place)
{
	if (place->line) {
		text_field(w, "source_file", place->file);
		skep_jsonw_key(w, "line"), skep_jsonw_u64(w, place->line);
		skep_jsonw_key(w, "column"), skep_jsonw_u64(w, place->column);
		text_field(w, "source", place->text);
	}
	if (place->slot != UINT32_MAX)
		skep_jsonw_key(w, "slot"), skep_jsonw_u64(w, place->slot);
}

static void chain_field(struct skep_jsonw *w, const struct skep_explanation *e)
{
	skep_jsonw_key(w, "chain"), skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < e->n_links; i++) {
		skep_jsonw_open(w, '{');
		place_fields(w, &e->chain[i].place);
		text_field(w, "insn", e->chain[i].insn);
		text_field(w, "says", e->chain[i].says);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

void skep_explanation_json(const struct skep_explanation *explanation, struct skep_jsonw *w)
{
	const struct skep_explanation *e = explanation;

	skep_jsonw_open(w, '{');
	text_field(w, "rule", e->rule);
	text_field(w, "what", e->what);
	text_field(w, "why", e->why);
	place_fields(w, &e->place);
	chain_field(w, e);
	text_field(w, "counterexample", e->counterexample);
	text_field(w, "try", e->hint);
	text_field(w, "code", e->code);
	text_field(w, "kernel", e->kernel);
	skep_jsonw_close(w);
}
