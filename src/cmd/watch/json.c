/*
 * The summary as one JSON object:
 *
 *	{"seconds", "cpus", "findings": [{"id", "panel", "text"}],
 *	 "panels": {NAME: {"unavailable", FACT: number…, TABLE: [{COLUMN: value}…]…,
 *	            HISTOGRAM: [{"min", "max", "count"}…]…}…},
 *	 "overhead": {…}, "lost": {…}}
 */
#include <math.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/watch/watch.h"
#include "sink/hist.h"
#include "sink/jsonw.h"

static void put_text(struct skep_jsonw *w, const char *key, const char *text)
{
	skep_jsonw_key(w, key);
	if (text)
		skep_jsonw_string(w, text);
	else
		skep_jsonw_null(w);
}

static void put_number(struct skep_jsonw *w, const char *key, double number)
{
	skep_jsonw_key(w, key);
	skep_jsonw_double(w, number);
}

static void put_findings(const struct skep_snapshot *snapshot, struct skep_jsonw *w)
{
	struct skep_arena arena;
	struct skep_findings findings = {.arena = &arena};

	skep_arena_init(&arena);
	skep_findings_find(snapshot, &findings);
	skep_jsonw_key(w, "findings");
	skep_jsonw_open(w, '[');
	skep_vec_foreach (struct skep_finding, finding, &findings.found) {
		const struct skep_finding_rule *rule = &skep_finding_rules[finding->id];
		skep_jsonw_open(w, '{');
		put_text(w, "id", rule->name);
		put_text(w, "panel", skep_panels[rule->panel].name);
		put_text(w, "text", finding->text);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
	skep_findings_done(&findings);
	skep_arena_done(&arena);
}

static void put_table(const struct skep_table *table, struct skep_jsonw *w)
{
	skep_jsonw_key(w, table->json);
	skep_jsonw_open(w, '[');
	for (uint32_t row = 0; row < skep_table_n_rows(table); row++) {
		skep_jsonw_open(w, '{');
		for (uint32_t i = 0; i < table->n_columns; i++) {
			const struct skep_cell *cell = skep_table_cell(table, row, i);
			if (cell->text)
				put_text(w, table->columns[i].json, cell->text);
			else
				put_number(w, table->columns[i].json, cell->number);
		}
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

static void put_histogram(const struct skep_shown_hist *shown, struct skep_jsonw *w)
{
	_cleanup_hist_ struct skep_hist hist = skep_hist_log2(
		shown->histogram.counts, shown->histogram.n, shown->histogram.bits, 1);

	skep_jsonw_key(w, shown->json);
	skep_hist_json(&hist, w->buf);
	w->after_key = false;
}

static void put_panel(const struct skep_panel *panel, const struct skep_snapshot *snapshot,
		      const struct skep_filter *filter, struct skep_jsonw *w)
{
	struct skep_arena arena;
	struct skep_shown shown = {.arena = &arena};

	skep_arena_init(&arena);
	panel->build(snapshot, filter, &shown);
	skep_jsonw_key(w, panel->name);
	skep_jsonw_open(w, '{');
	put_text(w, "unavailable", shown.why_not);
	skep_vec_foreach (struct skep_fact, fact, &shown.facts)
		put_number(w, fact->json, fact->number);
	skep_vec_foreach (struct skep_table, table, &shown.tables)
		put_table(table, w);
	skep_vec_foreach (struct skep_shown_hist, hist, &shown.histograms)
		put_histogram(hist, w);
	skep_jsonw_close(w);
	skep_shown_done(&shown);
	skep_arena_done(&arena);
}

static void put_overhead(const struct skep_snapshot *snapshot, struct skep_jsonw *w)
{
	const struct skep_overhead *cost = &snapshot->overhead;
	double seconds = cost->measured_ns ? (double)cost->measured_ns / 1e9 : NAN;

	skep_jsonw_key(w, "overhead");
	skep_jsonw_open(w, '{');
	put_number(w, "own_cpu_percent", skep_snapshot_rate(snapshot, cost->own_ns) / 1e7);
	put_number(w, "probes_cpu_percent", skep_watch_probes_percent(cost));
	put_number(w, "events_per_second", (double)cost->runs / seconds);
	put_number(w, "ns_per_event",
		   cost->runs ? (double)cost->runs_ns / (double)cost->runs : NAN);
	put_number(w, "reading_ns", (double)cost->reading_ns / (double)cost->readings);
	put_number(w, "resident_bytes", (double)cost->resident);
	put_number(w, "places_unread", (double)cost->unread);
	skep_jsonw_close(w);
}

static void put_losses(const struct skep_live_losses *lost, struct skep_jsonw *w)
{
	static const char *const names[SKEP_LOSS_CNT] = {
#define LOSS(name, text, hint) #name,
#include "trace/losses.def"
#undef LOSS
	};

	skep_jsonw_key(w, "lost");
	skep_jsonw_open(w, '{');
	for (int i = 0; i < SKEP_LOSS_CNT; i++) {
		char name[32] = "";
		for (size_t at = 0; names[i][at] && at + 1 < sizeof(name); at++)
			name[at] = (char)(names[i][at] | 0x20);
		skep_jsonw_key(w, name);
		skep_jsonw_u64(w, lost->by_cause[i]);
	}
	skep_jsonw_key(w, "map_full");
	skep_jsonw_u64(w, lost->map_full);
	skep_jsonw_key(w, "missed");
	skep_jsonw_u64(w, lost->missed);
	skep_jsonw_close(w);
}

void skep_watch_json(const struct skep_snapshot *snapshot, const struct skep_watch_opts *opts,
		     struct skep_buf *out)
{
	struct skep_jsonw w = {.buf = out};

	skep_jsonw_open(&w, '{');
	put_number(&w, "seconds", (double)snapshot->ns / 1e9);
	put_number(&w, "cpus", snapshot->n_cpus);
	put_findings(snapshot, &w);
	skep_jsonw_key(&w, "panels");
	skep_jsonw_open(&w, '{');
	for (int i = 0; i < SKEP_PANEL_CNT; i++)
		put_panel(&skep_panels[i], snapshot, &opts->filter, &w);
	skep_jsonw_close(&w);
	put_overhead(snapshot, &w);
	put_losses(&snapshot->losses, &w);
	skep_jsonw_close(&w);
	skep_buf_addc(out, '\n');
}
