/*
 * Maps as series, see metrics.h.
 *
 * Two keys may read the same: stacks by other addresses of one line, names cut to
 * a label's length. Prometheus would refuse both, so their values are put together;
 * numbers that are no aggregate cannot be, and the smaller one is left out. Of a
 * family with too many series the greatest are kept. What is left out is counted.
 */
#include "trace/run/metrics.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <skep/load.h>
#include <skep/symbol.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/overlay.h"
#include "base/strmap.h"
#include "trace/run/metric_plan.h"
#include "trace/run/output_impl.h"

#define SERIES_MOST 10000 /* of one family, each bucket being one */

struct skep_metrics {
	struct skep_exporter *exporter;
	struct skep_metric_plan plan;
	struct skep_metrics_source source;
	struct skep_output out; /* as text whatever the script prints */
};

/* One set of labels of a map, and its value. */
struct series {
	void *value;
	struct skep_label labels[]; /* n_labels of the plan */
};

struct collected {
	const struct skep_metrics *metrics;
	struct skep_metric_plan_map *it;
	struct skep_exposition *exposition;
	struct skep_arena arena; /* texts of labels */
	struct series **series;  /* the greatest first; arena */
	size_t n;
};

/* --- Labels --------------------------------------------------------------------------------- */

/* A stack's lines as one, with ';' between: "a+1;b+2". */
static void join_lines(struct skep_buf *text)
{
	size_t n = 0;
	bool is_start = true;

	for (size_t i = 0; i < text->len; i++) {
		char c = text->data[i];
		if (c == '\n' || (is_start && isspace((unsigned char)c))) {
			is_start = true;
			continue;
		}
		if (is_start && n)
			text->data[n++] = ';';
		is_start = false;
		/* n never gets ahead: a line end or a blank was left out for each ';' */
		text->data[n++] = c;
	}
	text->len = n;
}

static struct skep_label label_of(struct collected *to, const struct skep_type *type,
				  const void *at, const char *name)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_output *out = (struct skep_output *)&to->metrics->out;
	struct skep_printer printer = {.out = out, .buf = &text, .style = SKEP_STYLE_KEY};
	struct skep_view view = skep_view_of(type, at, type->size);

	skep_print_value(&printer, &view);
	if (skep_type_is_stack(type))
		join_lines(&text);
	size_t len = text.len < 4 * SKEP_LABEL_BYTES_MOST ? text.len : 4 * SKEP_LABEL_BYTES_MOST;
	char *copy = skep_arena_dup(&to->arena, text.data ? text.data : "", len);
	return (struct skep_label){name, copy, len};
}

static void label_key(struct collected *to, const void *key, struct series *series)
{
	const struct skep_type *type = to->it->map->key;

	if (!type)
		return;
	if (type->kind != SKEP_T_TUPLE) {
		series->labels[0] = label_of(to, type, key, to->it->labels[0]);
		return;
	}
	for (uint32_t i = 0; i < to->it->n_labels; i++)
		series->labels[i] =
			label_of(to, type->fields[i].type, (const char *)key + type->fields[i].off,
				 to->it->labels[i]);
}

/* Those that all metrics of the script have, then the key's. */
static void all_labels(const struct collected *to, const struct series *series,
		       struct skep_labels *ret)
{
	const struct skep_export_identity *identity = skep_exporter_identity(to->metrics->exporter);

	ret->n = 0;
	for (size_t i = 0; identity && i < identity->labels.len; i++) {
		const struct skep_export_label *label = &identity->labels.data[i];
		skep_labels_add(ret, label->name, label->value, strlen(label->value));
	}
	for (uint32_t i = 0; i < to->it->n_labels; i++)
		skep_labels_add(ret, series->labels[i].name, series->labels[i].value,
				series->labels[i].len);
}

/* --- Series --------------------------------------------------------------------------------- */

/* How many series each set of labels is. */
static size_t series_of_one(const struct skep_type *value)
{
	return value->kind == SKEP_T_HIST || value->kind == SKEP_T_LHIST ? value->n + 2 : 1;
}

static char *identity_of(struct collected *to, const struct series *series, size_t *ret_len)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_labels labels;

	all_labels(to, series, &labels);
	skep_labels_identity(&labels, &text);
	*ret_len = text.len;
	return skep_arena_dup(&to->arena, text.data ? text.data : "", text.len);
}

static void take_entry(struct collected *to, struct skep_strmap *known,
		       const struct skep_map_entry *entry)
{
	size_t bytes = sizeof(struct series) + to->it->n_labels * sizeof(struct skep_label), len;
	struct series *series = skep_arena_alloc(&to->arena, bytes);

	label_key(to, entry->key, series);
	series->value = (void *)entry->value; /* of skep_map_entries: ours to change */
	char *identity = identity_of(to, series, &len);
	struct series **same = (struct series **)skep_strmap_get(known, identity, len);
	if (same && *same && skep_type_is_agg(to->it->map->value)) {
		skep_map_fold(to->it->map->value, (*same)->value, series->value);
	} else if (same && *same) {
		to->it->dropped += series_of_one(to->it->map->value);
	} else {
		*skep_strmap_put(known, identity, len) = series;
		to->series[to->n++] = series;
	}
}

static void take_entries(struct collected *to, struct skep_map_entries *entries)
{
	struct skep_strmap known = {0};
	size_t each = series_of_one(to->it->map->value), i = entries->n;

	skep_sort_entries(to->it->map, entries->entries, entries->n);
	to->series = skep_arena_array(&to->arena, struct series *, entries->n + 1);
	while (i > 0 && (to->n + 1) * each <= SERIES_MOST)
		take_entry(to, &known, &entries->entries[--i]);
	to->it->dropped += i * each;
	skep_strmap_done(&known);
}

/* --- Values --------------------------------------------------------------------------------- */

static uint64_t word(const void *value, size_t i)
{
	uint64_t bits;

	memcpy(&bits, (const char *)value + 8 * i, 8);
	return bits;
}

static double number(const struct skep_type *type, uint64_t bits, unsigned scale)
{
	return skep_metric_scaled(type->is_signed ? (double)(int64_t)bits : (double)bits, scale);
}

static double value_of(const struct skep_type *type, const void *value, unsigned scale)
{
	struct skep_view view = skep_view_of(type, value, type->size);

	if (type->kind == SKEP_T_INT)
		return number(type, skep_view_int(&view), scale);
	double first = number(type, word(value, 0), scale);
	uint64_t count = type->kind == SKEP_T_AVG ? word(value, 1) : 1;
	return count ? first / (double)count : 0;
}

static struct skep_metric_hist hist_of(const struct collected *to, const uint64_t *counts,
				       size_t used)
{
	const struct skep_type *type = to->it->map->value;

	if (type->kind == SKEP_T_HIST)
		return skep_metric_hist_log2(counts, used, type->hist_bits, to->it->scale);
	return skep_metric_hist_linear(counts, type->n, type->lhist.min, type->lhist.step,
				       to->it->scale);
}

/* All sets of labels have the same buckets. */
static size_t most_used(const struct collected *to)
{
	size_t most = 0;

	for (size_t i = 0; i < to->n; i++) {
		size_t used = skep_metric_hist_used(to->series[i]->value, to->it->map->value->n);
		most = used > most ? used : most;
	}
	return most;
}

static void expose_histograms(const struct collected *to)
{
	size_t used = most_used(to);
	struct skep_labels labels;

	for (size_t i = 0; i < to->n; i++) {
		struct skep_metric_hist hist = hist_of(to, to->series[i]->value, used);
		all_labels(to, to->series[i], &labels);
		skep_exposition_histogram(to->exposition, &labels, &hist);
		skep_metric_hist_done(&hist);
	}
}

static void expose(const struct collected *to)
{
	const struct skep_type *type = to->it->map->value;
	struct skep_labels labels;

	skep_exposition_family(to->exposition, &to->it->family);
	if (to->it->family.type == SKEP_METRIC_HISTOGRAM) {
		expose_histograms(to);
		return;
	}
	for (size_t i = 0; i < to->n; i++) {
		const void *value = to->series[i]->value;
		all_labels(to, to->series[i], &labels);
		if (type->kind == SKEP_T_STATS)
			skep_exposition_summary(to->exposition, &labels, word(value, 1),
						number(type, word(value, 0), to->it->scale));
		else
			skep_exposition_value(to->exposition, &labels,
					      value_of(type, value, to->it->scale));
	}
}

/* A counter without a key is there before it counts: what is not there cannot be seen to rise. */
static void collect_map(struct skep_metrics *metrics, struct skep_metric_plan_map *it,
			struct skep_exposition *exposition)
{
	struct collected to = {.metrics = metrics, .it = it, .exposition = exposition};
	struct skep_map_entries entries;
	bool with_unset = it->family.type != SKEP_METRIC_GAUGE;

	skep_arena_init(&to.arena);
	if (!skep_map_read(metrics->source.maps, it->map, with_unset, &entries)) {
		take_entries(&to, &entries);
		expose(&to);
	}
	skep_map_entries_done(&entries);
	skep_arena_done(&to.arena);
}

/* --- skep's own ----------------------------------------------------------------------------- */

/* The common labels and the script's name. */
static void script_labels(const struct skep_metrics *metrics, struct skep_labels *ret)
{
	static struct skep_metric_plan_map no_key;
	const struct collected none = {.metrics = metrics, .it = &no_key};

	all_labels(&none, NULL, ret);
	skep_labels_add(ret, "script", metrics->plan.script, strlen(metrics->plan.script));
}

static void expose_one(const struct skep_metrics *metrics, struct skep_exposition *exposition,
		       const struct skep_family *family, double value)
{
	struct skep_labels labels;

	script_labels(metrics, &labels);
	skep_exposition_family(exposition, family);
	skep_exposition_value(exposition, &labels, value);
}

static const char *cause_of(uint32_t i)
{
	static const char *const names[SKEP_LOSS_CNT] = {
#define LOSS(name, text, hint) [SKEP_LOSS_##name] = #name,
#include "trace/losses.def"
#undef LOSS
	};

	return i < SKEP_LOSS_CNT ? names[i] : "MAP_FULL";
}

static void expose_loss(const struct skep_metrics *metrics, struct skep_exposition *exposition,
			const char *cause, const char *map, uint64_t n)
{
	struct skep_labels labels;
	char lower[32] = "";

	for (size_t i = 0; cause[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)cause[i]);
	script_labels(metrics, &labels);
	skep_labels_add(&labels, "cause", lower, strlen(lower));
	if (map)
		skep_labels_add(&labels, "map", map, strlen(map));
	skep_exposition_value(exposition, &labels, (double)n);
}

uint64_t skep_metrics_lost(const struct skep_metrics_source *source, uint32_t i)
{
	uint64_t n = skep_map_loss(source->maps, source->program->loss_off + 8 * i);

	return i == SKEP_LOSS_MAPPING ? n + skep_watch_lost(source->watch) : n;
}

static void expose_losses(struct skep_metrics *metrics, struct skep_exposition *exposition)
{
	const struct skep_trace_program *program = metrics->source.program;

	skep_exposition_family(exposition, &skep_families[SKEP_FAMILY_LOST]);
	for (uint32_t i = 0; i < SKEP_LOSS_CNT + program->n_maps; i++) {
		const struct skep_trace_map *map =
			i < SKEP_LOSS_CNT ? NULL : &program->maps[i - SKEP_LOSS_CNT];
		if (map && !map->key)
			continue; /* there is always room for it */
		expose_loss(metrics, exposition, cause_of(i), map ? map->name : NULL,
			    skep_metrics_lost(&metrics->source, i));
	}
	expose_loss(metrics, exposition, "missed", NULL,
		    skep_session_missed(metrics->source.session));
}

static void expose_dropped(const struct skep_metrics *metrics, struct skep_exposition *exposition)
{
	skep_exposition_family(exposition, &skep_families[SKEP_FAMILY_DROPPED]);
	for (uint32_t i = 0; i < metrics->plan.n_maps; i++) {
		const struct skep_metric_plan_map *it = &metrics->plan.maps[i];
		struct skep_labels labels;
		script_labels(metrics, &labels);
		skep_labels_add(&labels, "map", it->map->name, strlen(it->map->name));
		skep_exposition_value(exposition, &labels, (double)it->dropped);
	}
}

static void expose_info(const struct skep_metrics *metrics, struct skep_exposition *exposition)
{
	struct skep_labels labels;

	script_labels(metrics, &labels);
	skep_labels_add(&labels, "version", SKEP_VERSION, strlen(SKEP_VERSION));
	skep_exposition_family(exposition, &skep_families[SKEP_FAMILY_INFO]);
	skep_exposition_value(exposition, &labels, 1);
}

static void collect(void *ctx, struct skep_exposition *exposition)
{
	struct skep_metrics *metrics = ctx;

	for (uint32_t i = 0; metrics->source.maps && i < metrics->plan.n_maps; i++)
		collect_map(metrics, &metrics->plan.maps[i], exposition);
	expose_info(metrics, exposition);
	expose_one(metrics, exposition, &skep_families[SKEP_FAMILY_UP], 1);
	if (!metrics->source.maps)
		return;
	expose_one(metrics, exposition, &skep_families[SKEP_FAMILY_ATTACHED],
		   metrics->source.n_attached);
	expose_losses(metrics, exposition);
	expose_dropped(metrics, exposition);
}

/* --- Its life ------------------------------------------------------------------------------- */

int skep_metrics_open(const struct skep_trace_program *program, const char *address,
		      const char *file, struct skep_metrics **ret, struct skep_diag *diag)
{
	int err = skep_overlay_load();

	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_OVERLAY, SKEP_NOWHERE, "--prometheus",
				      strerror(-err));
	struct skep_metrics *metrics = skep_xcalloc(1, sizeof(*metrics));
	err = skep_exporter_open(address, collect, metrics, &metrics->exporter, diag);
	if (!err)
		err = skep_metric_plan_make(program, skep_exporter_identity(metrics->exporter),
					    file, &metrics->plan, diag);
	if (err)
		skep_metrics_free(metrics);
	else
		*ret = metrics;
	return err;
}

void skep_metrics_start(struct skep_metrics *metrics, const struct skep_metrics_source *source)
{
	metrics->source = *source;
	metrics->out = *source->out;
	metrics->out.json = false;
	metrics->out.state = NULL;
}

void skep_metrics_free(struct skep_metrics *metrics)
{
	if (!metrics)
		return;
	skep_exporter_free(metrics->exporter);
	skep_metric_plan_done(&metrics->plan);
	skep_output_done(&metrics->out);
	free(metrics);
}

const char *skep_metrics_url(const struct skep_metrics *metrics)
{
	return skep_exporter_url(metrics->exporter);
}

bool skep_metrics_poll(struct skep_metrics *metrics, struct pollfd *fds, size_t n, int timeout_ms)
{
	skep_exporter_poll(metrics->exporter, fds, n, timeout_ms);
	return skep_exporter_is_orphan(metrics->exporter);
}
