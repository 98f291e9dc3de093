/*
 * The top level of a script, and the order of things:
 *
 *	preprocess.c	comments, #-lines				text of the same length
 *	lex.c		text, #defines expanded				tokens
 *	parse.c …	the grammar, one file for each kind of thing	tree, macros apart
 *	expand.c	calls of macros					tree
 *
 *	script    = { config | map_decl | macro | record | probe }
 *
 * What an item is, its first word tells; anything else is a probe.
 */
#include "trace/parse.h"

#include <errno.h>
#include <string.h>

#include "trace/parse/parser.h"

/* --- items ---------------------------------------------------------------------------------- */

static void not_supported(struct skep_parser *p)
{
	skep_parse_fail(p, SKEP_DIAG_NOT_SUPPORTED, skep_tok(p)->span, skep_tok(p)->text, NULL);
}

static void no_typedef(struct skep_parser *p)
{
	skep_parse_fail(p, SKEP_DIAG_TYPEDEF, skep_tok(p)->span, NULL, NULL);
}

static const struct {
	const char *word;
	void (*parse)(struct skep_parser *p);
	char next; /* what must follow, blanks apart, lest it be a probe's name; 0: not ':' */
} items[] = {
	{"config", skep_parse_config, '='}, {"let", skep_parse_map_decl, 0},
	{"macro", skep_parse_macro, 0},     {"struct", skep_parse_record, 0},
	{"union", skep_parse_record, 0},    {"enum", skep_parse_record, 0},
	{"import", not_supported, 0},       {"fn", not_supported, 0},
	{"typedef", no_typedef, 0},
};

static uint32_t skip_space(const struct skep_parser *p, uint32_t at)
{
	while (at < p->pp.len && skep_is_space(p->pp.text[at]))
		at++;
	return at;
}

static bool starts_with_word(const struct skep_parser *p, uint32_t at, const char *word, char next)
{
	size_t len = strlen(word);
	uint32_t behind;
	char c;

	if (p->pp.len - at < len || memcmp(p->pp.text + at, word, len))
		return false;
	behind = at + len;
	if (behind < p->pp.len && skep_is_word(p->pp.text[behind]))
		return false;
	behind = skip_space(p, behind);
	c = behind < p->pp.len ? p->pp.text[behind] : '\0';
	return next ? c == next : c != ':';
}

static void item(struct skep_parser *p, uint32_t at)
{
	skep_tok_restart(p, at);
	if (p->pp.text[at] == '}') {
		skep_parse_complain(p, SKEP_DIAG_BRACE_EXTRA, (struct skep_span){at, 1}, NULL,
				    NULL);
		p->last_end = at + 1;
		return;
	}
	if (p->pp.text[at] == ';') { /* after a definition or declaration */
		p->last_end = at + 1;
		return;
	}
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
		if (starts_with_word(p, at, items[i].word, items[i].next)) {
			items[i].parse(p);
			return;
		}
	}
	skep_parse_probe(p);
}

static void script(struct skep_parser *p)
{
	uint32_t at = skip_space(p, 0);

	while (at < p->pp.len && !p->stop) {
		item(p, at);
		if (p->panic) {
			skep_tok_recover(p);
			skep_tok_accept(p, TOK_RBRACE); /* of what could not be read */
		}
		at = skip_space(p, p->last_end > at ? p->last_end : at + 1);
	}
	if (!p->script->probes && !p->n_errors && !p->lx.failed && !p->pp.failed)
		skep_parse_complain(p, SKEP_DIAG_NO_PROBE, (struct skep_span){0, p->pp.len > 0},
				    NULL, NULL);
}

/* --- entry ---------------------------------------------------------------------------------- */

static int check_text(const struct skep_source *source, struct skep_diag *diag)
{
	const char *nul;

	if (source->len > SKEP_PARSE_TEXT_MAX)
		return skep_diag_fail(diag, -E2BIG, SKEP_DIAG_TEXT_SIZE, SKEP_NOWHERE,
				      SKEP_PARSE_TEXT_MAX);
	nul = source->len ? memchr(source->text, '\0', source->len) : NULL;
	if (nul)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_TEXT_NUL,
				      (struct skep_span){nul - source->text, 1});
	return 0;
}

static void init(struct skep_parser *p)
{
	p->script = skep_arena_new(p->arena, struct skep_script);
	p->config_tail = &p->script->config;
	p->decls_tail = &p->script->map_decls;
	p->structs_tail = &p->script->structs;
	p->probes_tail = &p->script->probes;
	skep_lex_init(&p->lx, &p->pp, p->pp.text, 0, p->pp.len);
}

static void done(struct skep_parser *p)
{
	skep_pp_done(&p->pp);
	skep_vec_done(&p->tokens);
	skep_strmap_done(&p->enumerators);
	skep_strmap_done(&p->macros);
}

static int run(struct skep_parser *p)
{
	skep_preprocess(&p->pp, p->arena, p->source, p->diag);
	init(p);
	script(p);
	if (p->lx.n_tokens > SKEP_TOKENS_MAX)
		p->err = -E2BIG;
	if (!p->n_errors && !p->lx.failed && !p->pp.failed)
		skep_expand_macros(p);
	if (p->err)
		return p->err;
	return p->n_errors || p->lx.failed || p->pp.failed ? -EINVAL : 0;
}

int skep_parse(struct skep_arena *arena, const struct skep_source *source,
	       const struct skep_params *params, struct skep_script **ret, struct skep_diag *diag)
{
	struct skep_parser p = {
		.arena = arena,
		.source = source,
		.params = params,
		.diag = diag,
	};
	int err = check_text(source, diag);

	if (err)
		return err;
	err = run(&p);
	if (!err) {
		p.script->includes = p.pp.includes;
		*ret = p.script;
	}
	done(&p);
	return err;
}
