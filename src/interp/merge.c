/* See merge.h. */
#include "interp/merge.h"

#include <string.h>

#include "interp/hotspot_layout.h"
#include "interp/perl.h"

enum language { NONE, PYTHON, PHP, RUBY, PERL };

static const enum language languages[SKEP_INTERP_VERSION_CNT] = {
#define PYTHON(major, minor, ...) [SKEP_INTERP_PYTHON_##major##_##minor] = PYTHON,
#include "interp/pythons.def"
#undef PYTHON
#define PHP(major, minor, ...) [SKEP_INTERP_PHP_##major##_##minor] = PHP,
#include "interp/phps.def"
#undef PHP
#define RUBY(major, minor, ...) [SKEP_INTERP_RUBY_##major##_##minor] = RUBY,
#include "interp/rubies.def"
#undef RUBY
#define PERL(revision, version, ...) [SKEP_INTERP_PERL_##revision##_##version] = PERL,
#include "interp/perls.def"
#undef PERL
};

static enum language language_of(uint32_t version)
{
	return version < SKEP_INTERP_VERSION_CNT ? languages[version] : NONE;
}

static const struct {
	enum language language;
	const char *name;
} evaluators[] = {
#define EVALUATOR(language, name) {language, name},
#include "interp/evaluators.def"
#undef EVALUATOR
};

bool skep_interp_is_evaluator(uint32_t version, const char *name)
{
	enum language language = language_of(version);

	for (size_t i = 0; name && i < sizeof(evaluators) / sizeof(evaluators[0]); i++) {
		size_t len = strlen(evaluators[i].name);
		/* compilers split a function, and say so behind a point */
		if (evaluators[i].language == language && !strncmp(name, evaluators[i].name, len) &&
		    (!name[len] || name[len] == '.'))
			return true;
	}
	return false;
}

struct runs {
	uint32_t n;
	struct skep_interp_run at[2 * SKEP_INTERP_FRAMES_MOST]; /* innermost first */
};

static uint32_t n_of(const struct skep_interp_stack *stack)
{
	return stack->n < SKEP_INTERP_FRAMES_MOST ? stack->n : SKEP_INTERP_FRAMES_MOST;
}

static void find_entries(const struct skep_interp_stack *stack, enum skep_perl_entry *ret)
{
	if (language_of(stack->version) == PERL) {
		skep_perl_entries(stack, ret);
		return;
	}
	for (uint32_t i = 0; i < n_of(stack); i++)
		ret[i] = stack->frames[i].at & SKEP_INTERP_ENTRY ? SKEP_PERL_CALLED
								 : SKEP_PERL_INNER;
}

/* A run ends with the frame that C code called. */
static void split(const struct skep_interp_stack *stack, const enum skep_perl_entry *entries,
		  struct runs *ret)
{
	uint32_t first = 0, n = n_of(stack);

	ret->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (entries[i] == SKEP_PERL_INNER && i + 1 < n)
			continue;
		ret->at[ret->n++] = (struct skep_interp_run){
			.first = (uint16_t)first,
			.n = (uint16_t)(i - first + (stack->frames[i].code != 0))};
		first = i + 1;
	}
}

static uint32_t count(const bool *is_evaluator, uint32_t n)
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < n; i++)
		cnt += is_evaluator[i];
	return cnt;
}

static uint32_t n_frames_of(const struct runs *runs, uint32_t first, uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < end; i++)
		n += runs->at[i].n;
	return n;
}

/* All that is outside of run @at, and this itself: one stretch, shims included. */
static struct skep_interp_run outside(const struct skep_interp_stack *stack,
				      const struct runs *runs, uint32_t at)
{
	struct skep_interp_run run = {0};

	if (at < runs->n)
		run = (struct skep_interp_run){.first = runs->at[at].first,
					       .n = (uint16_t)(n_of(stack) - runs->at[at].first)};
	return run;
}

/* Run @at, with all that is inside of it. */
static struct skep_interp_run with_inner(const struct runs *runs, uint32_t at)
{
	return (struct skep_interp_run){.n = (uint16_t)(runs->at[at].first + runs->at[at].n)};
}

/* What a block of Perl's calls last, to sort by or in a regular expression, returns to nothing, as
 * what C code calls does. The block is no frame: where runs are too many, its own is none. */
static void drop_empty(struct runs *runs, uint32_t n_excess)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < runs->n; i++) {
		if (n_excess && !runs->at[i].n)
			n_excess--;
		else
			runs->at[n++] = runs->at[i];
	}
	runs->n = n;
}

/* Natively there are more: evals have ended, of which what is outside has no frame any more. Those
 * that began first are likelier to have had one. */
static void add_empty(const enum skep_perl_entry *entries, struct runs *runs, uint32_t n_missing)
{
	for (uint32_t i = runs->n; i-- && n_missing;) {
		const struct skep_interp_run run = runs->at[i];
		uint32_t end = i + 1 < runs->n ? runs->at[i + 1].first : run.first + run.n;
		if (!end || entries[end - 1] != SKEP_PERL_UNCAUGHT)
			continue;
		memmove(&runs->at[i + 2], &runs->at[i + 1],
			(runs->n - i - 1) * sizeof(runs->at[0]));
		runs->at[i + 1] = (struct skep_interp_run){.first = (uint16_t)end};
		runs->n++;
		n_missing--;
	}
}

/* Perl's C code makes a frame before it begins to run it, and keeps one for many runs: what
 * compares for a sort is there while that is sorting. It is none if nothing interprets it. */
static bool is_idle(const struct runs *runs, uint32_t n_excess)
{
	return n_excess == 1 && runs->at[0].n == 1;
}

struct skep_interp_rest skep_interp_merge(const struct skep_interp_stack *stack,
					  const bool *is_evaluator, uint32_t n, bool is_whole,
					  struct skep_interp_run *ret_runs)
{
	uint32_t n_evaluators = count(is_evaluator, n), skip = 0, first = 0, k = 0;
	bool is_perl = language_of(stack->version) == PERL;
	enum skep_perl_entry entries[SKEP_INTERP_FRAMES_MOST];
	struct skep_interp_rest rest = {0};
	struct runs runs;

	find_entries(stack, entries);
	split(stack, entries, &runs);
	memset(ret_runs, 0, n * sizeof(*ret_runs));
	if (is_whole && n_evaluators && stack->end == SKEP_INTERP_WHOLE) {
		if (is_perl && runs.n > n_evaluators)
			drop_empty(&runs, runs.n - n_evaluators);
		else if (is_perl)
			add_empty(entries, &runs, n_evaluators - runs.n);
		skip = n_evaluators > runs.n ? n_evaluators - runs.n : 0;
		first = runs.n > n_evaluators ? runs.n - n_evaluators : 0;
	}
	uint32_t at = first, from = is_perl && is_idle(&runs, first) ? first : 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!is_evaluator[i] || k++ < skip || at == runs.n)
			continue;
		ret_runs[i] = at == first && !from ? with_inner(&runs, at) : runs.at[at];
		at++;
	}
	rest.outer = outside(stack, &runs, at);
	rest.n_displaced = n_frames_of(&runs, from, first);
	if (is_whole)
		rest.n_displaced += n_frames_of(&runs, at, runs.n);
	return rest;
}

/* The first entry is no frame. */
void skep_interp_place(const struct skep_interp_stack *stack, uint32_t n,
		       struct skep_interp_run *ret_runs)
{
	memset(ret_runs, 0, n * sizeof(*ret_runs));
	for (uint32_t i = 1; i < n_of(stack); i++) {
		uint32_t place = stack->frames[i].at & SKEP_HOTSPOT_PLACE;
		if (place < n)
			ret_runs[place] = (struct skep_interp_run){.first = (uint16_t)i, .n = 1};
	}
}
