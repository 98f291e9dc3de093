/*
 * An explanation of a refusal (skep/explain.h) as text for people and as JSON for programs; the one
 * place where it gets its form.
 */
#ifndef SKEP_ENGINE_EXPLANATION_H
#define SKEP_ENGINE_EXPLANATION_H

#include <skep/explain.h>

struct skep_buf;
struct skep_jsonw;

/**
 * As a diagnostic (L0012): what, where with a caret, why, how it came to this, a counterexample,
 * what to try, and the kernel's own words.
 */
void skep_explanation_render(const struct skep_explanation *explanation, const char *program,
			     struct skep_buf *out);
/** The same fields as an object; those that are not known are left out. */
void skep_explanation_json(const struct skep_explanation *explanation, struct skep_jsonw *w);

#endif
