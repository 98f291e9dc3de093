/* What the page asks for, as JSON; see serve.h. */
#include <stdlib.h>
#include <string.h>

#include "cmd/profile/serve.h"
#include "profiler/health.h"
#include "sink/jsonw.h"

#define ROWS_MOST 100
#define MS        1000000u

/* --- The time line --------------------------------------------------------------------------- */

struct point {
	uint64_t begin_ns, duration_ns, own_ns, kernel_ns, memory_bytes, stacks, whole, lost;
	int64_t value;
	uint32_t intervals;
};

static void add_to(struct point *point, const struct skep_archive_interval *interval)
{
	const struct skep_archive_note *note = &interval->note;

	if (!point->intervals++ || note->begin_ns < point->begin_ns)
		point->begin_ns = note->begin_ns;
	point->duration_ns += note->duration_ns;
	point->own_ns += note->own_ns;
	if (note->kernel_ns != UINT64_MAX)
		point->kernel_ns += note->kernel_ns;
	if (note->memory_bytes > point->memory_bytes)
		point->memory_bytes = note->memory_bytes;
	point->stacks += note->stacks;
	point->whole += note->whole;
	point->lost += interval->lost;
	point->value = skep_profile_sum(point->value, interval->totals[0]);
}

static void put_point(struct skep_jsonw *w, const struct point *point)
{
	skep_jsonw_open(w, '[');
	skep_jsonw_u64(w, point->begin_ns / MS);
	skep_jsonw_u64(w, point->duration_ns / MS);
	skep_jsonw_s64(w, point->value);
	skep_jsonw_u64(w, point->own_ns);
	skep_jsonw_u64(w, point->kernel_ns);
	skep_jsonw_u64(w, point->memory_bytes);
	skep_jsonw_u64(w, point->stacks);
	skep_jsonw_u64(w, point->whole);
	skep_jsonw_u64(w, point->lost);
	skep_jsonw_close(w);
}

static void put_number(struct skep_jsonw *w, const char *key, uint64_t n)
{
	skep_jsonw_key(w, key);
	skep_jsonw_u64(w, n);
}

static void put_points(const struct point *points, uint32_t n, struct skep_jsonw *w)
{
	skep_jsonw_key(w, "points");
	skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (points[i].intervals)
			put_point(w, &points[i]);
	}
	skep_jsonw_close(w);
}

void skep_served_timeline(const struct skep_archive *archive,
			  const struct skep_archive_window *window, uint32_t n,
			  struct skep_buf *out)
{
	struct skep_jsonw w = {.buf = out};
	struct point *points = skep_xcalloc(n, sizeof(*points));
	uint64_t width = (window->to_ns - window->from_ns) / n + 1, first = UINT64_MAX, last = 0;
	uint64_t kind = skep_archive_kind(archive, window), others = 0;

	skep_vec_foreach (struct skep_archive_interval, interval, &archive->intervals) {
		uint64_t begin = interval->note.begin_ns;
		first = begin < first ? begin : first;
		last = begin > last ? begin : last;
		if (!skep_archive_is_in(interval, window))
			continue;
		if (interval->kind == kind)
			add_to(&points[(begin - window->from_ns) / width], interval);
		else
			others++;
	}
	skep_jsonw_open(&w, '{');
	put_number(&w, "intervals", archive->intervals.len);
	put_number(&w, "first", archive->intervals.len ? first / MS : 0);
	put_number(&w, "last", last / MS);
	put_number(&w, "from", window->from_ns / MS);
	put_number(&w, "to", window->to_ns / MS);
	put_number(&w, "others", others);
	skep_jsonw_key(&w, "has_writer");
	skep_jsonw_bool(&w, archive->has_writer);
	put_points(points, n, &w);
	skep_jsonw_close(&w);
	free(points);
}

/* --- Whose a window is ----------------------------------------------------------------------- */

struct share {
	skep_profile_str name;
	uint32_t number; /* of a process, a thread */
	int64_t value;
};

static int by_who(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int by_value(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return x->value > y->value ? -1 : x->value < y->value;
}

enum who { NAMES, PROCESSES, THREADS, GROUPS };

static struct share share_of(const struct skep_profile_sample *sample, enum who who)
{
	return (struct share){
		.name = who == GROUPS ? sample->cgroup : sample->comm,
		.number = who == PROCESSES ? sample->pid
			  : who == THREADS ? sample->tid
					   : 0,
		.value = sample->values[0],
	};
}

static void put_shares(const struct skep_profile *profile, enum who who, const char *key,
		       struct skep_jsonw *w)
{
	struct share *shares = skep_xcalloc(profile->n_samples + 1, sizeof(*shares));
	uint32_t n = 0;

	for (uint32_t i = 0; i < profile->n_samples; i++)
		shares[i] = share_of(&profile->samples[i], who);
	qsort(shares, profile->n_samples, sizeof(*shares), by_who);
	for (uint32_t i = 0; i < profile->n_samples; i++) {
		if (n && !by_who(&shares[n - 1], &shares[i]))
			shares[n - 1].value =
				skep_profile_sum(shares[n - 1].value, shares[i].value);
		else
			shares[n++] = shares[i];
	}
	qsort(shares, n, sizeof(*shares), by_value);
	skep_jsonw_key(w, key);
	skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < n && i < ROWS_MOST; i++) {
		skep_jsonw_open(w, '[');
		skep_jsonw_string(w, profile->strings[shares[i].name]);
		skep_jsonw_u64(w, shares[i].number);
		skep_jsonw_s64(w, shares[i].value);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
	free(shares);
}

static void put_health(const struct skep_profile *profile, struct skep_jsonw *w)
{
	struct skep_health health;

	skep_health_of(profile, true, &health);
	put_number(w, "stacks", health.stacks);
	put_number(w, "whole", health.whole);
	skep_jsonw_key(w, "health");
	skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < health.rows_broken && i < ROWS_MOST; i++) {
		const struct skep_health_row *row = &health.rows.data[i];
		skep_jsonw_open(w, '[');
		skep_jsonw_string(w, profile->strings[row->comm]);
		skep_jsonw_u64(w, row->stacks);
		skep_jsonw_u64(w, row->whole);
		skep_jsonw_string(w, profile->strings[row->reason]);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
	skep_health_done(&health);
}

static void put_losses(const struct skep_profile *profile, struct skep_jsonw *w)
{
	skep_jsonw_key(w, "losses");
	skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < profile->n_losses; i++) {
		skep_jsonw_open(w, '[');
		skep_jsonw_string(w, profile->strings[profile->losses[i].what]);
		skep_jsonw_u64(w, profile->losses[i].n);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

void skep_served_summary(const struct skep_profile *profile, struct skep_buf *out)
{
	struct skep_jsonw w = {.buf = out};
	bool has_types = profile->n_types;

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type");
	skep_jsonw_string(&w, has_types ? profile->strings[profile->types[0].name] : "");
	skep_jsonw_key(&w, "unit");
	skep_jsonw_string(&w, has_types ? profile->strings[profile->types[0].unit] : "");
	skep_jsonw_key(&w, "total");
	skep_jsonw_s64(&w, has_types ? skep_profile_total(profile, 0) : 0);
	put_number(&w, "duration", profile->duration_ns / MS);
	put_shares(profile, NAMES, "names", &w);
	put_shares(profile, PROCESSES, "processes", &w);
	put_shares(profile, THREADS, "threads", &w);
	put_shares(profile, GROUPS, "cgroups", &w);
	put_health(profile, &w);
	put_losses(profile, &w);
	skep_jsonw_close(&w);
}
