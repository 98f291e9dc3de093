/*
 * The rounds: every probe is walked for every place that matters, silently,
 * until the types of maps stand still; then once more with errors reported.
 *
 * Why it ends: a map's type only ever grows (none, then a type, then longer
 * strings up to a bound), and after ROUNDS_MAX it is taken as it is: the last
 * walk reports whatever still does not fit.
 */
#include "trace/types/typer.h"

#include <errno.h>
#include <stdarg.h>

#include "base/arena.h"
#include "base/buf.h"

#define ROUNDS_MAX 8

const char *skep_typer_name(const struct skep_typer *t, const struct skep_type *type)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	if (!t->diag)
		return "";
	skep_type_print(type, &buf);
	return skep_arena_strdup(t->arena, buf.data ? buf.data : "");
}

void skep_typer_why_at(const struct skep_typer *t, struct skep_span span, const char *fmt, ...)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	uint32_t line, col;
	va_list ap;

	if (!t->diag || !span.len)
		return;
	va_start(ap, fmt);
	skep_buf_vprintf(&buf, fmt, ap);
	va_end(ap);
	if (t->diag->source) {
		skep_source_pos(t->diag->source, span.off, &line, &col);
		skep_buf_printf(&buf, " (line %u, column %u)", line, col);
	}
	skep_diag_why(t->diag, "%s", buf.data);
}

static struct skep_typer *typer_of(struct skep_check *check)
{
	if (!check->typer) {
		check->typer = skep_arena_new(check->arena, struct skep_typer);
		check->typer->check = check;
		check->typer->types = check->types;
		check->typer->arena = check->arena;
	}
	return check->typer;
}

static void walk(struct skep_typer *t)
{
	struct skep_scope top = {0};

	t->n_errors = 0;
	t->loop_depth = 0;
	t->dead_depth = t->def->is_off;
	t->def->n_vars = 0;
	skep_scope_open(t, &top, NULL);
	if (t->def->predicate)
		skep_type_condition(t, t->def->predicate);
	skep_type_stmts(t, t->def->body);
	skep_scope_close(t);
}

static void walk_until_settled(struct skep_typer *t)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		t->vars_changed = false;
		walk(t);
		if (!t->vars_changed)
			break;
	}
}

/*
 * One place: silent walks until its variables stand still, then one that
 * reports if @diag is given. Return how many errors there are.
 */
static uint32_t walk_place(struct skep_typer *t, struct skep_probe *probe, struct skep_diag *diag)
{
	t->probe = probe;
	t->def = probe->def;
	t->round++;
	t->diag = NULL;
	t->may_guess = false;
	walk_until_settled(t);
	t->may_guess = t->maps_settled;
	if (t->may_guess)
		walk_until_settled(t);
	if (diag) {
		t->diag = diag;
		walk(t);
	}
	return t->n_errors;
}

/* Is @probe the same to the checker as @before, a place of the same definition? */
static bool is_alike(const struct skep_probe *probe, const struct skep_probe *before)
{
	return before && before->def == probe->def && !probe->def->uses_args &&
	       before->provider == probe->provider && before->hook == probe->hook;
}

static bool is_placed(const struct skep_probe_def *def, struct skep_probe *const *probes,
		      uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (probes[i]->def == def)
			return true;
	}
	return false;
}

/*
 * A probe that could not be attached anywhere, which was allowed: its body is
 * not compiled, but other probes may read the maps it would have filled.
 */
static void learn_from(struct skep_typer *t, struct skep_probe_def *def)
{
	struct skep_expand *expand = t->check->expand;
	struct skep_probe nowhere = {.def = def};

	if (!def->specs || !def->specs->n_parts)
		return;
	nowhere.spec = def->specs;
	nowhere.name = def->specs->text;
	nowhere.provider = skep_provider_find(def->specs->parts[0]);
	if (!nowhere.provider)
		return;
	t->check->expand = NULL; /* there are no arguments to ask for */
	walk_place(t, &nowhere, NULL);
	t->check->expand = expand;
}

static bool learn_from_unplaced(struct skep_typer *t, struct skep_probe **probes, uint32_t n)
{
	bool is_any = false;

	for (struct skep_probe_def *def = t->check->script->probes; def; def = def->next) {
		if (is_placed(def, probes, n))
			continue;
		learn_from(t, def);
		is_any = true;
	}
	return is_any;
}

static void settle_maps(struct skep_typer *t, struct skep_probe **probes, uint32_t n)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		t->maps_changed = false;
		for (uint32_t i = 0; i < n; i++) {
			if (!is_alike(probes[i], i ? probes[i - 1] : NULL))
				walk_place(t, probes[i], NULL);
		}
		if (learn_from_unplaced(t, probes, n))
			skep_maps_guess(t);
		if (!t->maps_changed)
			return;
	}
}

/* Further places of a definition are reported only if they have errors and none had before. */
static void report(struct skep_typer *t, struct skep_probe **probes, uint32_t n)
{
	struct skep_diag *diag = t->check->diag;
	const struct skep_probe_def *bad = NULL;

	for (uint32_t i = 0; i < n; i++) {
		const struct skep_probe *before = i ? probes[i - 1] : NULL;
		bool is_first = !before || before->def != probes[i]->def;

		if (is_alike(probes[i], before) || probes[i]->def == bad)
			continue;
		if (!is_first && !walk_place(t, probes[i], NULL))
			continue;
		if (walk_place(t, probes[i], diag))
			bad = probes[i]->def;
	}
}

int skep_check_script(struct skep_check *check, struct skep_probe **probes, uint32_t n_probes)
{
	struct skep_typer *t = typer_of(check);
	size_t n_before = check->diag->n_errors;

	settle_maps(t, probes, n_probes);
	t->maps_settled = true;
	report(t, probes, n_probes);
	t->diag = check->diag;
	if (check->diag->n_errors == n_before) {
		skep_maps_finish(t);
		skep_typer_check_options(t);
	}
	return check->diag->n_errors == n_before ? 0 : -EINVAL;
}

int skep_check_probe(struct skep_check *check, struct skep_probe *probe)
{
	struct skep_typer *t = typer_of(check);

	if (!walk_place(t, probe, NULL))
		return 0;
	walk_place(t, probe, check->diag);
	return -EINVAL;
}
