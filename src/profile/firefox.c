/*
 * What profiler.firefox.com opens: its processed format, version 48, which later ones read.
 * Tables are columns; each thread has its own.
 *
 *	threads[]: samples   stack, time, weight   of each sample
 *	           stackTable  frame, prefix       a stack is its innermost frame and the rest
 *	           frameTable  func, address, line, inlineDepth, category
 *	           funcTable   name, resource      a function, and the file that it is of
 *	           resourceTable  name
 *
 * A profile does not know when its samples were taken. They are put one after the other into
 * its duration, each as long as its part of the whole.
 *
 * A difference is three threads: what was before, what is now, and what changed, as the
 * profiler's own comparisons have it: weights are below zero where there is less than before,
 * which is made as long as now.
 *
 * Source: the type definitions and the changelog of the formats in firefox-devtools/profiler.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "sink/jsonw.h"

#define RESOURCE_LIBRARY 1

static const struct category {
	const char *name, *color;
} categories[SKEP_FRAME_KIND_CNT] = {
	[SKEP_FRAME_USER] = {"User", "yellow"},
	[SKEP_FRAME_KERNEL] = {"Kernel", "orange"},
	[SKEP_FRAME_INLINE] = {"Inlined", "yellow"},
	[SKEP_FRAME_JIT] = {"Compiled at run time", "green"},
	[SKEP_FRAME_INTERPRETED] = {"Interpreted", "blue"},
	[SKEP_FRAME_PROCESS] = {"Process", "grey"},
	[SKEP_FRAME_THREAD] = {"Thread", "grey"},
	[SKEP_FRAME_BROKEN] = {"Other", "grey"},
};

enum side { BEFORE, NOW, CHANGE, SIDE_CNT };

struct writing {
	const struct skep_profile_job *job;
	enum side side;             /* of a difference, that is written */
	double stretch;             /* of what was before, to be as long as now */
	struct skep_profile thread; /* stacks of the one that is written */
	struct skep_jsonw json;
	uint32_t *resource_of;                /* number + 1, by the module's path; owned */
	SKEP_VEC(skep_profile_str) resources; /* paths of modules, by number */
	double time_ms;
	double per_value; /* ms of time that one of a value is */
};

static void open_object(struct writing *w, const char *key)
{
	skep_jsonw_key(&w->json, key);
	skep_jsonw_open(&w->json, '{');
}

static void open_list(struct writing *w, const char *key)
{
	skep_jsonw_key(&w->json, key);
	skep_jsonw_open(&w->json, '[');
}

static void end(struct writing *w)
{
	skep_jsonw_close(&w->json);
}

static void put_text(struct writing *w, const char *key, const char *text)
{
	skep_jsonw_key(&w->json, key);
	skep_jsonw_string(&w->json, text);
}

/* Bytes and times since 1970 have more digits than skep_jsonw_double() writes. */
static void put_double(struct writing *w, double value)
{
	skep_jsonw_item(&w->json);
	skep_buf_printf(w->json.buf, "%.15g", value);
}

static void put_number(struct writing *w, const char *key, double value)
{
	skep_jsonw_key(&w->json, key);
	put_double(w, value);
}

static void put_null(struct writing *w, const char *key)
{
	skep_jsonw_key(&w->json, key);
	skep_jsonw_null(&w->json);
}

static void put_empty(struct writing *w, const char *key)
{
	open_list(w, key);
	end(w);
}

/* A column of @n that is the same everywhere. */
static void fill_null(struct writing *w, const char *key, uint32_t n)
{
	open_list(w, key);
	for (uint32_t i = 0; i < n; i++)
		skep_jsonw_null(&w->json);
	end(w);
}

static void fill_false(struct writing *w, const char *key, uint32_t n)
{
	open_list(w, key);
	for (uint32_t i = 0; i < n; i++)
		skep_jsonw_bool(&w->json, false);
	end(w);
}

static void fill_zero(struct writing *w, const char *key, uint32_t n)
{
	open_list(w, key);
	for (uint32_t i = 0; i < n; i++)
		skep_jsonw_u64(&w->json, 0);
	end(w);
}

static void put_or_null(struct writing *w, uint32_t value)
{
	if (value)
		skep_jsonw_u64(&w->json, value);
	else
		skep_jsonw_null(&w->json);
}

/* --- Samples -------------------------------------------------------------------------------- */

/* How many ms one of @unit is; 0: it is no time. */
static double ms_of(const char *unit)
{
	static const struct {
		const char *unit;
		double ms;
	} times[] = {{"nanoseconds", 1e-6},
		     {"microseconds", 1e-3},
		     {"milliseconds", 1},
		     {"seconds", 1e3}};

	for (unsigned i = 0; i < sizeof(times) / sizeof(*times); i++) {
		if (!strcmp(unit, times[i].unit))
			return times[i].ms;
	}
	return 0;
}

static const char *unit_of(const struct writing *w)
{
	const struct skep_profile *p = w->job->profile;

	return p->strings[p->types[w->job->type].unit];
}

static double value_of(const struct writing *w, const struct skep_profile_sample *sample)
{
	double before = (double)sample->values[0], now = (double)sample->values[1];

	if (!w->job->profile->is_diff)
		return (double)sample->values[w->job->type];
	if (w->side == CHANGE)
		return now - before * w->stretch;
	return w->side == BEFORE ? before : now;
}

static void put_weights(struct writing *w)
{
	const char *unit = unit_of(w);
	double ms = ms_of(unit);

	put_text(w, "weightType", ms ? "tracing-ms" : strcmp(unit, "bytes") ? "samples" : "bytes");
	open_list(w, "weight");
	for (uint32_t i = 0; i < w->thread.n_samples; i++)
		put_double(w, value_of(w, &w->thread.samples[i]) * (ms ? ms : 1));
	end(w);
}

static void put_samples(struct writing *w)
{
	open_object(w, "samples");
	open_list(w, "stack");
	for (uint32_t i = 0; i < w->thread.n_samples; i++) {
		uint32_t node = w->thread.samples[i].node;
		if (node)
			skep_jsonw_u64(&w->json, node - 1);
		else
			skep_jsonw_null(&w->json);
	}
	end(w);
	open_list(w, "time");
	for (uint32_t i = 0; i < w->thread.n_samples; i++) {
		put_double(w, w->time_ms);
		w->time_ms += fabs(value_of(w, &w->thread.samples[i])) * w->per_value;
	}
	end(w);
	put_weights(w);
	put_number(w, "length", w->thread.n_samples);
	end(w);
}

static void put_stacks(struct writing *w)
{
	const struct skep_profile *p = &w->thread;

	open_object(w, "stackTable");
	open_list(w, "frame");
	for (uint32_t i = 1; i < p->n_nodes; i++)
		skep_jsonw_u64(&w->json, p->nodes[i].frame);
	end(w);
	open_list(w, "prefix");
	for (uint32_t i = 1; i < p->n_nodes; i++) {
		if (p->nodes[i].parent)
			skep_jsonw_u64(&w->json, p->nodes[i].parent - 1);
		else
			skep_jsonw_null(&w->json);
	}
	end(w);
	open_list(w, "category");
	for (uint32_t i = 1; i < p->n_nodes; i++)
		skep_jsonw_u64(&w->json, p->frames[p->nodes[i].frame].kind);
	end(w);
	fill_zero(w, "subcategory", p->n_nodes - 1);
	put_number(w, "length", p->n_nodes - 1);
	end(w);
}

/* --- Frames and functions: each frame is a row of both --------------------------------------- */

static void put_addresses(struct writing *w)
{
	const struct skep_profile *p = &w->thread;

	open_list(w, "address");
	for (uint32_t i = 0; i < p->n_frames; i++) {
		if (p->frames[i].addr && p->frames[i].addr < 1ull << 53)
			skep_jsonw_u64(&w->json, p->frames[i].addr);
		else
			skep_jsonw_s64(&w->json, -1);
	}
	end(w);
}

static void put_frames(struct writing *w)
{
	const struct skep_profile *p = &w->thread;

	open_object(w, "frameTable");
	put_addresses(w);
	open_list(w, "inlineDepth");
	for (uint32_t i = 0; i < p->n_frames; i++)
		skep_jsonw_u64(&w->json, p->frames[i].kind == SKEP_FRAME_INLINE);
	end(w);
	open_list(w, "category");
	for (uint32_t i = 0; i < p->n_frames; i++)
		skep_jsonw_u64(&w->json, p->frames[i].kind);
	end(w);
	fill_zero(w, "subcategory", p->n_frames);
	open_list(w, "func");
	for (uint32_t i = 0; i < p->n_frames; i++)
		skep_jsonw_u64(&w->json, i);
	end(w);
	fill_null(w, "nativeSymbol", p->n_frames);
	fill_null(w, "innerWindowID", p->n_frames);
	fill_null(w, "implementation", p->n_frames);
	open_list(w, "line");
	for (uint32_t i = 0; i < p->n_frames; i++)
		put_or_null(w, p->frames[i].line);
	end(w);
	fill_null(w, "column", p->n_frames);
	put_number(w, "length", p->n_frames);
	end(w);
}

static int64_t resource(struct writing *w, skep_profile_str module)
{
	if (!module)
		return -1;
	if (!w->resource_of[module]) {
		skep_vec_push(&w->resources, module);
		w->resource_of[module] = (uint32_t)w->resources.len;
	}
	return w->resource_of[module] - 1;
}

static void put_functions(struct writing *w)
{
	const struct skep_profile *p = &w->thread;

	open_object(w, "funcTable");
	open_list(w, "name");
	for (uint32_t i = 0; i < p->n_frames; i++)
		skep_jsonw_u64(&w->json, p->frames[i].name);
	end(w);
	fill_false(w, "isJS", p->n_frames);
	fill_false(w, "relevantForJS", p->n_frames);
	open_list(w, "resource");
	for (uint32_t i = 0; i < p->n_frames; i++)
		skep_jsonw_s64(&w->json, resource(w, p->frames[i].module));
	end(w);
	open_list(w, "fileName");
	for (uint32_t i = 0; i < p->n_frames; i++)
		put_or_null(w, p->frames[i].file);
	end(w);
	fill_null(w, "lineNumber", p->n_frames);
	fill_null(w, "columnNumber", p->n_frames);
	put_number(w, "length", p->n_frames);
	end(w);
}

static void put_resources(struct writing *w)
{
	uint32_t n = (uint32_t)w->resources.len;

	open_object(w, "resourceTable");
	fill_null(w, "lib", n);
	open_list(w, "name");
	skep_vec_foreach (skep_profile_str, module, &w->resources)
		skep_jsonw_u64(&w->json, *module);
	end(w);
	fill_null(w, "host", n);
	open_list(w, "type");
	for (uint32_t i = 0; i < n; i++)
		skep_jsonw_u64(&w->json, RESOURCE_LIBRARY);
	end(w);
	put_number(w, "length", n);
	end(w);
}

/* --- Threads -------------------------------------------------------------------------------- */

/* Tables that have columns and no rows. */
static void put_rowless(struct writing *w, const char *key, const char *const *columns)
{
	open_object(w, key);
	for (; *columns; columns++)
		put_empty(w, *columns);
	put_number(w, "length", 0);
	end(w);
}

static void put_strings(struct writing *w)
{
	open_list(w, "stringArray");
	for (uint32_t i = 0; i < w->thread.n_strings; i++)
		skep_jsonw_string(&w->json, w->thread.strings[i]);
	end(w);
}

static void put_whose(struct writing *w, const struct skep_profile_sample *whose)
{
	const char *comm = w->job->profile->strings[whose->comm];
	static const char *const sides[SIDE_CNT] = {"before", "now", "change"};
	const char *name = *comm ? comm : *w->job->title ? w->job->title : "all";
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", whose->pid);
	put_text(w, "name", w->job->profile->is_diff ? sides[w->side] : name);
	put_text(w, "processName", comm);
	put_text(w, "pid", pid);
	put_number(w, "tid", whose->tid);
	skep_jsonw_key(&w->json, "isMainThread");
	skep_jsonw_bool(&w->json, whose->pid == whose->tid);
	put_text(w, "processType", "default");
	put_number(w, "processStartupTime", 0);
	put_null(w, "processShutdownTime");
	put_number(w, "registerTime", 0);
	put_null(w, "unregisterTime");
	put_empty(w, "pausedRanges");
}

/* The thread of the @n samples whose numbers are in @which. */
static void put_thread(struct writing *w, const uint32_t *which, uint32_t n)
{
	static const char *const markers[] = {"data",  "name",     "startTime", "endTime",
					      "phase", "category", NULL};
	static const char *const symbols[] = {"libIndex", "address", "name", "functionSize", NULL};
	struct skep_profile_shape shape = {
		.which = which, .n_which = n, .root = SKEP_PROFILE_ROOT_NONE};

	skep_profile_shaped(w->job->profile, &shape, &w->thread);
	w->resource_of = skep_xcalloc(w->thread.n_strings, sizeof(*w->resource_of));
	w->resources.len = 0;
	w->time_ms = 0;
	skep_jsonw_open(&w->json, '{');
	put_whose(w, &w->job->profile->samples[*which]);
	put_samples(w);
	put_stacks(w);
	put_frames(w);
	put_functions(w);
	put_resources(w);
	put_rowless(w, "nativeSymbols", symbols);
	put_rowless(w, "markers", markers);
	put_strings(w);
	end(w);
	free(w->resource_of);
	skep_profile_done(&w->thread);
}

static int by_thread(const void *a, const void *b, void *context)
{
	const struct skep_profile *p = context;
	const struct skep_profile_sample *x = &p->samples[*(const uint32_t *)a];
	const struct skep_profile_sample *y = &p->samples[*(const uint32_t *)b];

	if (x->pid != y->pid)
		return x->pid > y->pid ? 1 : -1;
	if (x->tid != y->tid)
		return x->tid > y->tid ? 1 : -1;
	return (x->comm > y->comm) - (x->comm < y->comm);
}

/* By process and thread; @order is put into that order. */
static void put_each(struct writing *w, uint32_t *order)
{
	const struct skep_profile *p = w->job->profile;

	qsort_r(order, p->n_samples, sizeof(*order), by_thread, (void *)(uintptr_t)p);
	for (uint32_t i = 0, next; i < p->n_samples; i = next) {
		next = i + 1;
		while (next < p->n_samples &&
		       !by_thread(&order[i], &order[next], (void *)(uintptr_t)p))
			next++;
		put_thread(w, order + i, next - i);
	}
}

static void put_threads(struct writing *w)
{
	const struct skep_profile *p = w->job->profile;
	uint32_t *order = skep_xcalloc(p->n_samples + 1, sizeof(*order));

	for (uint32_t i = 0; i < p->n_samples; i++)
		order[i] = i;
	open_list(w, "threads");
	if (!p->is_diff)
		put_each(w, order);
	for (w->side = BEFORE; p->is_diff && p->n_samples && w->side < SIDE_CNT; w->side++)
		put_thread(w, order, p->n_samples);
	end(w);
	free(order);
}

/* --- The whole ------------------------------------------------------------------------------ */

static void put_categories(struct writing *w)
{
	open_list(w, "categories");
	for (unsigned i = 0; i < SKEP_FRAME_KIND_CNT; i++) {
		skep_jsonw_open(&w->json, '{');
		put_text(w, "name", categories[i].name);
		put_text(w, "color", categories[i].color);
		open_list(w, "subcategories");
		skep_jsonw_string(&w->json, "Other");
		end(w);
		end(w);
	}
	end(w);
}

/* Shown with what else is known of the profile. */
static void put_losses(struct writing *w)
{
	const struct skep_profile *p = w->job->profile;

	open_list(w, "extra");
	skep_jsonw_open(&w->json, '{');
	put_text(w, "label", "Lost");
	open_list(w, "entries");
	for (uint32_t i = 0; i < p->n_losses; i++) {
		skep_jsonw_open(&w->json, '{');
		put_text(w, "label", p->strings[p->losses[i].what]);
		put_text(w, "format", "integer");
		put_number(w, "value", (double)p->losses[i].n);
		end(w);
	}
	end(w);
	end(w);
	end(w);
}

static void put_meta(struct writing *w)
{
	const struct skep_profile *p = w->job->profile;
	double ms = ms_of(p->strings[p->period_type.unit]);

	open_object(w, "meta");
	put_number(w, "interval", p->period > 0 && ms ? (double)p->period * ms : 1);
	put_number(w, "startTime", (double)p->start_ns / 1e6);
	put_number(w, "processType", 0);
	put_text(w, "product", *w->job->title ? w->job->title : "skep");
	put_text(w, "importedFrom", "skep " SKEP_VERSION);
	put_number(w, "stackwalk", 1);
	put_number(w, "version", 29);
	put_number(w, "preprocessedProfileVersion", 48);
	skep_jsonw_key(&w->json, "symbolicated");
	skep_jsonw_bool(&w->json, true);
	put_empty(w, "markerSchema");
	put_categories(w);
	if (p->n_losses)
		put_losses(w);
	end(w);
}

/* Time is laid out along what all weigh, whatever their sign. */
static double find_scale(struct writing *w)
{
	const struct skep_profile *p = w->job->profile;
	double all = 0, ms = ms_of(unit_of(w)), before = 0, now = 0;

	for (uint32_t i = 0; i < p->n_samples; i++) {
		w->side = NOW;
		all += fabs(value_of(w, &p->samples[i]));
		before += (double)p->samples[i].values[0];
		now += (double)p->samples[i].values[1];
	}
	w->stretch = before > 0 && now > 0 ? now / before : 1;
	if (!(all > 0))
		return ms ? ms : 1;
	return p->duration_ns ? (double)p->duration_ns / 1e6 / all : ms ? ms : 1;
}

int skep_profile_write_firefox(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct writing w = {.job = job, .json.buf = buf};

	w.per_value = find_scale(&w);
	skep_jsonw_open(&w.json, '{');
	put_meta(&w);
	put_empty(&w, "libs");
	put_threads(&w);
	skep_jsonw_close(&w.json);
	skep_buf_addc(buf, '\n');
	skep_vec_done(&w.resources);
	return 0;
}
