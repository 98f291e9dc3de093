/*
 * Writing profile.proto, deflated. Everything is numbered: strings by their place in the
 * table, the rest by its id, from 1 on. A location is a place in the code and has a line for
 * each function that was inlined there, from the innermost outwards.
 *
 *	Profile   1 sample_type…  2 sample…  3 mapping…  4 location…  5 function…  6 string…
 *	          9 time_nanos  10 duration_nanos  11 period_type  12 period  13 comment…
 *	          14 default_sample_type
 *	ValueType 1 type  2 unit
 *	Sample    1 location_id…  2 value…  3 label…
 *	Label     1 key  2 str  3 num
 *	Mapping   1 id  5 filename  6 build_id  7 has_functions  8 has_filenames
 *	          9 has_line_numbers  10 has_inline_frames
 *	Location  1 id  2 mapping_id  3 address  4 line…
 *	Line      1 function_id  2 line
 *	Function  1 id  2 name  3 system_name  4 filename
 *
 * What it has no field for: a frame's kind is told by its function's system_name (pprof.h),
 * the title and what was lost by comments.
 *
 * Source: the message definitions and README of google/pprof's proto/, as documented publicly.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "profile/gzip.h"
#include "profile/locations.h"
#include "profile/pprof.h"
#include "sink/protobuf.h"

const char *const skep_pprof_kinds[SKEP_FRAME_KIND_CNT] = {
	[SKEP_FRAME_KERNEL] = "[kernel]",           [SKEP_FRAME_JIT] = "[jit]",
	[SKEP_FRAME_INTERPRETED] = "[interpreted]", [SKEP_FRAME_PROCESS] = "[process]",
	[SKEP_FRAME_THREAD] = "[thread]",           [SKEP_FRAME_BROKEN] = "[broken]",
};

struct writing {
	const struct skep_profile *profile;
	const struct skep_profile_job *job;
	struct skep_profile ids; /* its strings are the table, its frames the functions */
	struct skep_locations locations;
	SKEP_VEC(uint32_t) used;             /* locations that samples name */
	uint32_t *mappings;                  /* id by the number of the module's path; owned */
	bool *is_named;                      /* by the same; owned */
	struct skep_buf out, message, inner; /* the whole; scratch */
};

static uint32_t text(struct writing *w, const char *string)
{
	return skep_profile_text(&w->ids, string);
}

static uint32_t string_of(struct writing *w, skep_profile_str string)
{
	return text(w, w->profile->strings[string]);
}

static void end_message(struct writing *w, unsigned field)
{
	skep_proto_add_message(&w->out, field, &w->message);
	skep_buf_clear(&w->message);
}

static void end_inner(struct writing *w, unsigned field)
{
	skep_proto_add_message(&w->message, field, &w->inner);
	skep_buf_clear(&w->inner);
}

static void put_type(struct writing *w, unsigned field, struct skep_profile_value_type type)
{
	skep_proto_put(&w->message, 1, string_of(w, type.name));
	skep_proto_put(&w->message, 2, string_of(w, type.unit));
	end_message(w, field);
}

/* --- Locations and samples ------------------------------------------------------------------ */

static void put_label(struct writing *w, const char *key, uint32_t string, uint64_t number)
{
	if (!string && !number)
		return;
	skep_proto_put(&w->inner, 1, text(w, key));
	skep_proto_put(&w->inner, 2, string);
	skep_proto_put(&w->inner, 3, number);
	end_inner(w, 3);
}

static void put_sample(struct writing *w, const struct skep_profile_sample *sample)
{
	skep_locations_find(&w->locations, sample->node);
	for (size_t i = w->locations.stack.len; i-- > 0;) {
		skep_proto_add_varint(&w->inner, w->locations.stack.data[i]);
		skep_vec_push(&w->used, w->locations.stack.data[i]);
	}
	end_inner(w, 1);
	for (uint32_t i = 0; i < w->profile->n_types; i++)
		skep_proto_add_varint(&w->inner, (uint64_t)sample->values[i]);
	end_inner(w, 2);
	put_label(w, "pid", 0, sample->pid);
	put_label(w, "tid", 0, sample->tid);
	put_label(w, "comm", string_of(w, sample->comm), 0);
	put_label(w, "cgroup", string_of(w, sample->cgroup), 0);
	end_message(w, 2);
}

/* A location's lines, up to the one that is not inlined; 0: no such function yet. */
static uint64_t put_lines(struct writing *w, uint32_t location)
{
	const struct skep_profile_frame *frame = NULL;

	for (; location; location = skep_location_outer(&w->locations, location)) {
		frame = skep_location_frame(&w->locations, location);
		struct skep_profile_frame function = {
			.name = string_of(w, frame->name),
			.file = string_of(w, frame->file),
			.kind = frame->kind == SKEP_FRAME_INLINE ? SKEP_FRAME_USER : frame->kind,
		};
		skep_proto_put(&w->inner, 1, skep_profile_frame(&w->ids, &function));
		skep_proto_put(&w->inner, 2, frame->line);
		end_inner(w, 4);
	}
	return frame ? w->mappings[frame->module] : 0;
}

static void put_location(struct writing *w, uint32_t location)
{
	const struct skep_profile_frame *frame = skep_location_frame(&w->locations, location);

	skep_proto_put(&w->message, 1, location);
	skep_proto_put(&w->message, 3, frame->addr);
	skep_proto_put(&w->message, 2, put_lines(w, location));
	end_message(w, 4);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void put_locations(struct writing *w)
{
	if (w->used.len)
		qsort(w->used.data, w->used.len, sizeof(*w->used.data), by_number);
	for (size_t i = 0; i < w->used.len; i++) {
		if (!i || w->used.data[i] != w->used.data[i - 1])
			put_location(w, w->used.data[i]);
	}
}

static void put_functions(struct writing *w)
{
	for (uint32_t i = 1; i < w->ids.n_frames; i++) {
		const struct skep_profile_frame *function = &w->ids.frames[i];
		const char *kind = skep_pprof_kinds[function->kind];
		skep_proto_put(&w->message, 1, i);
		skep_proto_put(&w->message, 2, function->name);
		skep_proto_put(&w->message, 3, kind ? text(w, kind) : 0);
		skep_proto_put(&w->message, 4, function->file);
		end_message(w, 5);
	}
}

/* --- Mappings ------------------------------------------------------------------------------- */

/* Modules that have names: nobody else has to find them out. */
static void find_named(struct writing *w)
{
	const struct skep_profile *p = w->profile;

	for (uint32_t i = 1; i < p->n_frames; i++) {
		const char *name = p->strings[p->frames[i].name];
		if (strncmp(name, "0x", 2) && *name != '[')
			w->is_named[p->frames[i].module] = true;
	}
}

static void put_mapping(struct writing *w, skep_profile_str module, uint32_t id)
{
	bool named = w->is_named[module];

	skep_proto_put(&w->message, 1, id);
	skep_proto_put(&w->message, 5, string_of(w, module));
	skep_proto_put(&w->message, 6, string_of(w, skep_profile_build(w->profile, module)));
	for (unsigned field = 7; field <= 10; field++)
		skep_proto_put(&w->message, field, named);
	end_message(w, 3);
}

/* The first mapping is taken for the program that it is all about: 0, rather than 1 a library or
 * what was made at run time, or 2 the kernel and what else is no file. */
static int class_of(const char *module)
{
	if (*module == '[')
		return 2;
	return strstr(module, ".so") || strstr(module, "/perf-") ? 1 : 0;
}

static void put_mappings(struct writing *w)
{
	const struct skep_profile *p = w->profile;
	uint32_t id = 0;

	for (int class = 0; class <= 2; class ++) {
		for (uint32_t i = 1; i < p->n_frames; i++) {
			skep_profile_str module = p->frames[i].module;
			if (!module || w->mappings[module] || class_of(p->strings[module]) != class)
				continue;
			w->mappings[module] = ++id;
			put_mapping(w, module, id);
		}
	}
}

/* --- The whole ------------------------------------------------------------------------------ */

static void put_comments(struct writing *w)
{
	const struct skep_profile *p = w->profile;

	if (*w->job->title) {
		skep_buf_printf(&w->inner, "%s%s", SKEP_PPROF_TITLE, w->job->title);
		skep_proto_add_u64(&w->out, 13, text(w, w->inner.data));
	}
	if (p->is_diff)
		skep_proto_add_u64(&w->out, 13, text(w, SKEP_PPROF_DIFF));
	for (uint32_t i = 0; i < p->n_losses; i++) {
		skep_buf_clear(&w->inner);
		skep_buf_printf(&w->inner, "%s%llu: %s", SKEP_PPROF_LOST,
				(unsigned long long)p->losses[i].n, p->strings[p->losses[i].what]);
		skep_proto_add_u64(&w->out, 13, text(w, w->inner.data));
	}
	skep_buf_clear(&w->inner);
}

static void put_head(struct writing *w)
{
	const struct skep_profile *p = w->profile;

	for (uint32_t i = 0; i < p->n_types; i++)
		put_type(w, 1, p->types[i]);
	if (p->period_type.name)
		put_type(w, 11, p->period_type);
	skep_proto_put(&w->out, 9, p->start_ns);
	skep_proto_put(&w->out, 10, p->duration_ns);
	skep_proto_put(&w->out, 12, (uint64_t)p->period);
	/* Of a difference, what is now: no other tool knows how to show both. */
	skep_proto_put(&w->out, 14, string_of(w, p->types[p->is_diff ? 1 : w->job->type].name));
	put_comments(w);
}

/* After everything that names strings. Number 0 is "". */
static void put_strings(struct writing *w)
{
	for (uint32_t i = 0; i < w->ids.n_strings; i++) {
		skep_profile_add_valid(&w->message, w->ids.strings[i]);
		end_message(w, 6);
	}
}

static void writing_done(struct writing *w)
{
	skep_profile_done(&w->ids);
	skep_vec_done(&w->used);
	skep_locations_done(&w->locations);
	skep_buf_done(&w->out);
	skep_buf_done(&w->message);
	skep_buf_done(&w->inner);
	free(w->mappings);
	free(w->is_named);
}

int skep_profile_write_pprof(const struct skep_profile_job *job, struct skep_buf *buf)
{
	const struct skep_profile *p = job->profile;
	struct writing w = {.profile = p, .job = job};

	skep_profile_init(&w.ids);
	skep_locations_init(&w.locations, p);
	w.mappings = skep_xcalloc(p->n_strings, sizeof(*w.mappings));
	w.is_named = skep_xcalloc(p->n_strings, sizeof(*w.is_named));
	put_head(&w);
	find_named(&w);
	put_mappings(&w);
	for (uint32_t i = 0; i < p->n_samples; i++)
		put_sample(&w, &p->samples[i]);
	put_locations(&w);
	put_functions(&w);
	put_strings(&w);
	skep_gzip(w.out.data, w.out.len, buf);
	writing_done(&w);
	return 0;
}
