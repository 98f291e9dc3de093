/* The summary as text: findings first, then each panel's facts and tables. */
#include <math.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "cmd/watch/watch.h"
#include "sink/columns.h"
#include "sink/units.h"

/** A cell's width at most. */
#define WIDEST 44

/* --- What it costs --------------------------------------------------------------------------- */

double skep_watch_probes_percent(const struct skep_overhead *overhead)
{
	return overhead->measured_ns
		       ? 100.0 * (double)overhead->runs_ns / (double)overhead->measured_ns
		       : NAN;
}

void skep_watch_cost_text(const struct skep_snapshot *snapshot, struct skep_buf *out)
{
	const struct skep_overhead *cost = &snapshot->overhead;
	double seconds = (double)cost->measured_ns / 1e9;

	skep_buf_printf(out, "skep itself: %.1f%% of a CPU",
			skep_snapshot_rate(snapshot, cost->own_ns) / 1e7);
	if (seconds > 0) {
		skep_buf_printf(out, ", its probes %.1f%% (", skep_watch_probes_percent(cost));
		skep_unit_text(SKEP_UNIT_RATE, (double)cost->runs / seconds, out);
		skep_buf_printf(out, " events/s, %.0f ns each)",
				cost->runs ? (double)cost->runs_ns / (double)cost->runs : 0.0);
	}
	skep_buf_puts(out, ", ");
	skep_sink_bytes(out, cost->resident);
}

void skep_watch_lost_text(const struct skep_snapshot *snapshot, struct skep_buf *out)
{
	static const char *const words[SKEP_LOSS_CNT] = {
#define LOSS(name, text, hint) text,
#include "trace/losses.def"
#undef LOSS
	};
	const struct skep_live_losses *lost = &snapshot->losses;
	size_t start = out->len;

	for (int i = 0; i < SKEP_LOSS_CNT; i++) {
		if (lost->by_cause[i])
			skep_buf_printf(out, "%s%llu %s", out->len > start ? "; " : "lost: ",
					(unsigned long long)lost->by_cause[i], words[i]);
	}
	if (lost->map_full)
		skep_buf_printf(
			out, "%s%llu additions to full maps",
			out->len > start ? "; " : "lost: ", (unsigned long long)lost->map_full);
	if (lost->missed)
		skep_buf_printf(
			out, "%s%llu events while a probe was at work",
			out->len > start ? "; " : "lost: ", (unsigned long long)lost->missed);
	if (out->len == start)
		skep_buf_puts(out, "nothing lost");
}

/* --- Panels ---------------------------------------------------------------------------------- */

static void put_facts(const struct skep_shown *shown, struct skep_buf *out)
{
	skep_vec_foreach (struct skep_fact, fact, &shown->facts) {
		skep_buf_puts(out, "   ");
		skep_fact_text(fact, out);
	}
}

static void put_cell(const struct skep_table *table, const struct skep_cell *cell, uint32_t column,
		     struct skep_columns *columns)
{
	_cleanup_buf_ struct skep_buf text = {0};

	if (cell->text)
		skep_buf_puts(&text, cell->text);
	else
		skep_unit_text(table->columns[column].unit, cell->number, &text);
	skep_columns_add(columns, text.data ? text.data : "", (ssize_t)text.len);
}

static void put_indented(const struct skep_buf *lines, struct skep_buf *out)
{
	for (const char *at = lines->data; at && *at;) {
		size_t len = strcspn(at, "\n") + 1;
		skep_buf_puts(out, "    ");
		skep_buf_add(out, at, len);
		at += len;
	}
}

static void put_table(const struct skep_table *table, uint32_t most, struct skep_buf *out)
{
	uint32_t rows = skep_table_n_rows(table);
	struct skep_columns columns;
	char align[SKEP_TABLE_COLUMNS];
	_cleanup_buf_ struct skep_buf lines = {0};

	if (!rows)
		return;
	for (uint32_t i = 0; i < table->n_columns; i++)
		align[i] = skep_unit_is_right(table->columns[i].unit) ? 'r' : 'l';
	skep_columns_init(&columns, table->n_columns, align);
	columns.max_width = WIDEST;
	for (uint32_t i = 0; i < table->n_columns; i++)
		skep_columns_add(&columns, table->columns[i].title, -1);
	for (uint32_t row = 0; row < rows && row < most; row++) {
		for (uint32_t i = 0; i < table->n_columns; i++)
			put_cell(table, skep_table_cell(table, row, i), i, &columns);
	}
	skep_columns_render(&columns, &lines);
	skep_columns_done(&columns);
	skep_buf_printf(out, "  %s\n", table->title);
	put_indented(&lines, out);
}

static void put_panel(const struct skep_panel *panel, const struct skep_snapshot *snapshot,
		      const struct skep_watch_opts *opts, struct skep_buf *out)
{
	struct skep_arena arena;
	struct skep_shown shown = {.arena = &arena};

	skep_arena_init(&arena);
	panel->build(snapshot, &opts->filter, &shown);
	skep_buf_printf(out, "\n%s", panel->title);
	put_facts(&shown, out);
	skep_buf_addc(out, '\n');
	if (shown.why_not)
		skep_buf_printf(out, "  not all of it can be seen here: %s\n", shown.why_not);
	skep_vec_foreach (struct skep_table, table, &shown.tables)
		put_table(table, opts->rows, out);
	skep_shown_done(&shown);
	skep_arena_done(&arena);
}

/* --- All of it ------------------------------------------------------------------------------- */

static void put_findings(const struct skep_snapshot *snapshot, struct skep_buf *out)
{
	struct skep_arena arena;
	struct skep_findings findings = {.arena = &arena};

	skep_arena_init(&arena);
	skep_findings_find(snapshot, &findings);
	skep_vec_foreach (struct skep_finding, finding, &findings.found)
		skep_buf_printf(out, "  * %s\n", finding->text);
	if (!findings.found.len)
		skep_buf_puts(out, "  nothing stands out\n");
	skep_findings_done(&findings);
	skep_arena_done(&arena);
}

void skep_watch_text(const struct skep_snapshot *snapshot, const struct skep_watch_opts *opts,
		     struct skep_buf *out)
{
	struct utsname host;

	uname(&host);
	skep_buf_printf(out, "%s in %.1f s (%u CPUs, Linux %s)\n\nFindings\n", host.nodename,
			(double)snapshot->ns / 1e9, snapshot->n_cpus, host.release);
	put_findings(snapshot, out);
	for (int i = 0; i < SKEP_PANEL_CNT; i++)
		put_panel(&skep_panels[i], snapshot, opts, out);
	skep_buf_addc(out, '\n');
	skep_watch_cost_text(snapshot, out);
	skep_buf_puts(out, "; ");
	skep_watch_lost_text(snapshot, out);
	skep_buf_addc(out, '\n');
}
