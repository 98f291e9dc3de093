/*
 * Probes.
 *
 *	probe     = attach_point { "," attach_point } [ "," ] [ "/" expr "/" ] block
 *
 * Attach points are text (attach.c); from the predicate or '{' on, tokens.
 */
#include <string.h>

#include "trace/parse/parser.h"

static uint32_t skip_space(const struct skep_parser *p, uint32_t at)
{
	while (at < p->pp.len && skep_is_space(p->pp.text[at]))
		at++;
	return at;
}

static char char_at(const struct skep_parser *p, uint32_t at)
{
	return at < p->pp.len ? p->pp.text[at] : '\0';
}

/* The list; tokens begin behind it. False if reported. */
static bool attach_points(struct skep_parser *p, struct skep_probe_spec **ret)
{
	struct skep_probe_spec **tail = ret;
	uint32_t at = p->last_end;
	bool ok;

	do {
		ok = skep_parse_attach_point(p, at, &at, tail);
		if (!ok)
			break;
		tail = &(*tail)->next;
		at = skip_space(p, at);
		if (char_at(p, at) != ',')
			break;
		at = skip_space(p, at + 1);
	} while (char_at(p, at) != '{' && char_at(p, at) != '/');
	skep_tok_restart(p, at);
	return ok;
}

static struct skep_expr *predicate(struct skep_parser *p)
{
	struct skep_expr *e;

	skep_tok_take(p);
	e = skep_parse_condition(p);
	if (!skep_tok_accept(p, TOK_SLASH)) {
		if (skep_tok(p)->kind == TOK_BAD || skep_tok_was_bad(p))
			skep_tok_unexpected(p, "'/'");
		skep_parse_fail(p, SKEP_DIAG_PREDICATE_END, skep_tok_span(p), NULL, NULL);
	}
	return e;
}

/* What stands where '{' should: most often a comma was forgotten. */
static void no_body(struct skep_parser *p)
{
	const struct skep_token tok = *skep_tok(p);

	if (!skep_parse_fail(p, SKEP_DIAG_PROBE_BODY, skep_tok_span(p), NULL, NULL))
		return;
	if (tok.kind == TOK_IDENT)
		skep_diag_try(p->diag, "between two attach points, write ','; in one with blanks, "
				       "write quotes: uprobe:\"/a b\":f");
}

void skep_parse_probe(struct skep_parser *p)
{
	struct skep_probe_def *probe = skep_arena_new(p->arena, struct skep_probe_def);
	uint32_t from = p->last_end;

	if (!attach_points(p, &probe->specs))
		return;
	probe->span = skep_parse_span(p, from);
	if (skep_tok_is(p, TOK_SLASH))
		probe->predicate = predicate(p);
	if (!p->panic && !skep_tok_is(p, TOK_LBRACE)) {
		no_body(p);
		return;
	}
	probe->body = skep_parse_block(p);
	*p->probes_tail = probe;
	p->probes_tail = &probe->next;
}
