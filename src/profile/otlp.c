/*
 * OpenTelemetry's profiles as an ExportProfilesServiceRequest, v1development as of
 * opentelemetry-proto 1.11: what is posted to a collector's /v1development/profiles.
 *
 * Everything that can repeat is in a dictionary of tables, and is named by its number there;
 * number 0 of each table is the empty one. There is a profile for each value type.
 *
 *	Request     1 resource_profiles…  2 dictionary
 *	Resource…   2 scope_profiles…                   Scope…    1 scope  2 profiles…
 *	Scope       1 name  2 version
 *	Profile     1 sample_type  2 samples…  3 time_unix_nano (fixed)  4 duration_nano
 *	            5 period_type  6 period  11 attribute_indices…
 *	Sample      1 stack_index  2 attribute_indices…  4 values…
 *	Dictionary  1 mapping…  2 location…  3 function…  4 link…  5 string…  6 attribute…  7 stack…
 *	Mapping     4 filename  5 attribute_indices…
 *	Location    1 mapping_index  2 address  3 lines…  4 attribute_indices…
 *	Line        1 function_index  2 line
 *	Function    1 name  3 filename
 *	Attribute   1 key  2 value (1 string, 3 int)  3 unit
 *	Stack       1 location_indices…, the innermost first
 *
 * Source: the message definitions of open-telemetry/opentelemetry-proto, and the attributes of
 * OpenTelemetry's semantic conventions for profiles, as documented publicly.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "profile/locations.h"
#include "sink/protobuf.h"

enum table { MAPPINGS = 1, LOCATIONS, FUNCTIONS, LINKS, STRINGS, ATTRIBUTES, STACKS };

struct writing {
	const struct skep_profile_job *job;
	const struct skep_profile *profile;
	struct skep_profile ids; /* its strings are the table of strings, its frames of functions */
	struct skep_locations locations;
	uint32_t *location_of; /* number in the table, by that in locations; 0: none yet; owned */
	uint32_t *mapping_of;  /* by the module's path; owned */
	uint32_t *stack_of;    /* by node; owned */
	size_t n_location_of;
	uint32_t n_locations, n_mappings, n_stacks, n_attributes;
	struct skep_arena arena;       /* of what attributes are known by */
	struct skep_strmap attributes; /* numbers + 1, by the message's bytes */
	struct skep_buf dictionary; /* what was put into its tables, but for strings, functions */
	struct skep_buf message, inner, value; /* scratch, from the outer to the inner */
};

static uint32_t text(struct writing *w, const char *string)
{
	return skep_profile_text(&w->ids, string);
}

static uint32_t string_of(struct writing *w, skep_profile_str string)
{
	return text(w, w->profile->strings[string]);
}

/* @message becomes the next of @table. */
static void end_entry(struct writing *w, enum table table, struct skep_buf *message)
{
	skep_proto_add_message(&w->dictionary, table, message);
	skep_buf_clear(message);
}

/* --- Attributes ----------------------------------------------------------------------------- */

/* The number of the attribute whose message is in w->value; that is empty then. */
static uint32_t attribute(struct writing *w)
{
	const char *bytes = skep_arena_dup(&w->arena, w->value.data, w->value.len);
	void **place = skep_strmap_put(&w->attributes, bytes, w->value.len);

	if (!*place) {
		*place = (void *)(uintptr_t)++w->n_attributes;
		skep_proto_add_message(&w->dictionary, ATTRIBUTES, &w->value);
	}
	skep_buf_clear(&w->value);
	return (uint32_t)(uintptr_t)*place;
}

static uint32_t text_attribute(struct writing *w, const char *key, const char *value)
{
	_cleanup_buf_ struct skep_buf any = {0}, valid = {0};

	skep_profile_add_valid(&valid, value);
	skep_proto_add_message(&any, 1, &valid);
	skep_proto_put(&w->value, 1, text(w, key));
	skep_proto_add_message(&w->value, 2, &any);
	return attribute(w);
}

static uint32_t number_attribute(struct writing *w, const char *key, uint64_t value)
{
	_cleanup_buf_ struct skep_buf any = {0};

	skep_proto_add_u64(&any, 3, value);
	skep_proto_put(&w->value, 1, text(w, key));
	skep_proto_add_message(&w->value, 2, &any);
	return attribute(w);
}

/* --- The dictionary ------------------------------------------------------------------------- */

static uint32_t mapping(struct writing *w, skep_profile_str module)
{
	skep_profile_str build = skep_profile_build(w->profile, module);

	if (!module || w->mapping_of[module])
		return w->mapping_of[module];
	uint32_t id = build ? text_attribute(w, "process.executable.build_id.gnu",
					     w->profile->strings[build])
			    : 0;
	skep_proto_put(&w->inner, 4, string_of(w, module));
	skep_proto_put(&w->inner, 5, id);
	end_entry(w, MAPPINGS, &w->inner);
	w->mapping_of[module] = ++w->n_mappings;
	return w->n_mappings;
}

static uint32_t function(struct writing *w, const struct skep_profile_frame *frame)
{
	struct skep_profile_frame key = {.name = string_of(w, frame->name),
					 .file = string_of(w, frame->file)};

	return skep_profile_frame(&w->ids, &key);
}

/* The conventions' names of kinds; there is none for what has no language. */
static const char *type_of(uint8_t kind)
{
	if (kind == SKEP_FRAME_KERNEL)
		return "kernel";
	return kind == SKEP_FRAME_USER || kind == SKEP_FRAME_INLINE ? "native" : NULL;
}

/* Its lines, from the innermost outwards; returns the outermost frame. */
static const struct skep_profile_frame *put_lines(struct writing *w, uint32_t at)
{
	const struct skep_profile_frame *frame = NULL;

	for (; at; at = skep_location_outer(&w->locations, at)) {
		frame = skep_location_frame(&w->locations, at);
		skep_proto_put(&w->value, 1, function(w, frame));
		skep_proto_put(&w->value, 2, frame->line);
		skep_proto_add_message(&w->inner, 3, &w->value);
		skep_buf_clear(&w->value);
	}
	return frame;
}

static void put_location(struct writing *w, uint32_t at)
{
	const struct skep_profile_frame *frame = skep_location_frame(&w->locations, at);
	const char *type = type_of(frame->kind);
	uint32_t map = mapping(w, frame->module);
	uint32_t kind = type ? text_attribute(w, "profile.frame.type", type) : 0;

	skep_proto_put(&w->inner, 1, map);
	skep_proto_put(&w->inner, 2, frame->addr);
	put_lines(w, at);
	skep_proto_put(&w->inner, 4, kind);
	end_entry(w, LOCATIONS, &w->inner);
}

/* The number of location @at in the table. */
static uint32_t location(struct writing *w, uint32_t at)
{
	size_t n = w->n_location_of;

	if (at >= n) {
		w->n_location_of = w->locations.table.n_nodes * 2;
		w->location_of =
			skep_xrealloc(w->location_of, w->n_location_of * sizeof(*w->location_of));
		memset(w->location_of + n, 0, (w->n_location_of - n) * sizeof(*w->location_of));
	}
	if (!w->location_of[at]) {
		put_location(w, at);
		w->location_of[at] = ++w->n_locations;
	}
	return w->location_of[at];
}

static uint32_t stack(struct writing *w, uint32_t node)
{
	_cleanup_buf_ struct skep_buf numbers = {0};

	if (!node || w->stack_of[node])
		return w->stack_of[node];
	skep_locations_find(&w->locations, node);
	for (size_t i = w->locations.stack.len; i-- > 0;)
		skep_proto_add_varint(&numbers, location(w, w->locations.stack.data[i]));
	skep_proto_add_message(&w->inner, 1, &numbers);
	end_entry(w, STACKS, &w->inner);
	w->stack_of[node] = ++w->n_stacks;
	return w->n_stacks;
}

/* Number 0 of each table, before everything else. Strings and functions have theirs anyway. */
static void put_zeros(struct writing *w)
{
	for (enum table table = MAPPINGS; table <= STACKS; table++) {
		if (table != STRINGS && table != FUNCTIONS)
			end_entry(w, table, &w->inner);
	}
}

static void put_names(struct writing *w)
{
	for (uint32_t i = 0; i < w->ids.n_frames; i++) {
		skep_proto_put(&w->inner, 1, w->ids.frames[i].name);
		skep_proto_put(&w->inner, 3, w->ids.frames[i].file);
		end_entry(w, FUNCTIONS, &w->inner);
	}
	for (uint32_t i = 0; i < w->ids.n_strings; i++) {
		skep_profile_add_valid(&w->inner, w->ids.strings[i]);
		end_entry(w, STRINGS, &w->inner);
	}
}

/* --- Profiles ------------------------------------------------------------------------------- */

static void put_type(struct writing *w, unsigned field, struct skep_profile_value_type type)
{
	skep_proto_put(&w->inner, 1, string_of(w, type.name));
	skep_proto_put(&w->inner, 2, string_of(w, type.unit));
	skep_proto_add_message(&w->message, field, &w->inner);
	skep_buf_clear(&w->inner);
}

static void put_sample(struct writing *w, const struct skep_profile_sample *sample, uint32_t type)
{
	const char *comm = w->profile->strings[sample->comm];
	const char *cgroup = w->profile->strings[sample->cgroup];
	uint32_t at = stack(w, sample->node);
	_cleanup_buf_ struct skep_buf numbers = {0};

	if (sample->pid)
		skep_proto_add_varint(&numbers, number_attribute(w, "process.pid", sample->pid));
	if (sample->tid)
		skep_proto_add_varint(&numbers, number_attribute(w, "thread.id", sample->tid));
	if (*comm)
		skep_proto_add_varint(&numbers, text_attribute(w, "thread.name", comm));
	if (*cgroup)
		skep_proto_add_varint(&numbers, text_attribute(w, "process.linux.cgroup", cgroup));
	skep_proto_put(&w->inner, 1, at);
	if (numbers.len)
		skep_proto_add_message(&w->inner, 2, &numbers);
	skep_buf_clear(&numbers);
	skep_proto_add_varint(&numbers, (uint64_t)sample->values[type]);
	skep_proto_add_message(&w->inner, 4, &numbers);
	skep_proto_add_message(&w->message, 2, &w->inner);
	skep_buf_clear(&w->inner);
}

static void put_losses(struct writing *w)
{
	const struct skep_profile *p = w->profile;

	for (uint32_t i = 0; i < p->n_losses; i++) {
		_cleanup_buf_ struct skep_buf key = {0};
		skep_buf_printf(&key, "lost: %s", p->strings[p->losses[i].what]);
		skep_proto_add_u64(&w->message, 11, number_attribute(w, key.data, p->losses[i].n));
	}
}

/* Into @scope, as one of its profiles. */
static void put_profile(struct writing *w, uint32_t type, struct skep_buf *scope)
{
	const struct skep_profile *p = w->profile;

	put_type(w, 1, p->types[type]);
	for (uint32_t i = 0; i < p->n_samples; i++) {
		if (p->samples[i].values[type])
			put_sample(w, &p->samples[i], type);
	}
	skep_proto_add_fixed64(&w->message, 3, p->start_ns);
	skep_proto_put(&w->message, 4, p->duration_ns);
	if (p->period)
		put_type(w, 5, p->period_type);
	skep_proto_put(&w->message, 6, (uint64_t)p->period);
	put_losses(w);
	skep_proto_add_message(scope, 2, &w->message);
	skep_buf_clear(&w->message);
}

static void put_request(struct writing *w, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf scope = {0}, resource = {0};

	skep_proto_add_bytes(&w->inner, 1, "skep", strlen("skep"));
	skep_proto_add_bytes(&w->inner, 2, SKEP_VERSION, strlen(SKEP_VERSION));
	skep_proto_add_message(&scope, 1, &w->inner);
	skep_buf_clear(&w->inner);
	for (uint32_t i = 0; i < w->profile->n_types; i++)
		put_profile(w, i, &scope);
	skep_proto_add_message(&resource, 2, &scope);
	skep_proto_add_message(buf, 1, &resource);
	put_names(w);
	skep_proto_add_message(buf, 2, &w->dictionary);
}

static void writing_done(struct writing *w)
{
	skep_profile_done(&w->ids);
	skep_locations_done(&w->locations);
	skep_arena_done(&w->arena);
	skep_strmap_done(&w->attributes);
	free(w->location_of);
	free(w->mapping_of);
	free(w->stack_of);
	skep_buf_done(&w->dictionary);
	skep_buf_done(&w->message);
	skep_buf_done(&w->inner);
	skep_buf_done(&w->value);
}

int skep_profile_write_otlp(const struct skep_profile_job *job, struct skep_buf *buf)
{
	const struct skep_profile *p = job->profile;
	struct writing w = {.job = job, .profile = p};

	skep_profile_init(&w.ids);
	skep_locations_init(&w.locations, p);
	skep_arena_init(&w.arena);
	w.mapping_of = skep_xcalloc(p->n_strings, sizeof(*w.mapping_of));
	w.stack_of = skep_xcalloc(p->n_nodes, sizeof(*w.stack_of));
	put_zeros(&w);
	put_request(&w, buf);
	writing_done(&w);
	return 0;
}
