/*
 * Reading profile.proto, from whoever wrote it; its fields are in pprof.c.
 *
 * Messages come in any order, and name each other by ids that are any numbers. So first
 * the message's parts are found and listed by kind; then strings, mappings, functions and
 * locations are looked into, each kind by what is known of those before; samples come last.
 * Nothing is believed: an id that nobody has is the same as none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "profile/pprof.h"
#include "profile/text.h"
#include "sink/protobuf.h"

#define PARTS_MOST  (1U << 24) /* of all kinds together */
#define FRAMES_MOST (1U << 26) /* of all samples' stacks: a location has any number of lines */
#define TYPES_MOST  64
#define HEAD_CNT    16

enum part { TYPES = 1, SAMPLES, MAPPINGS, LOCATIONS, FUNCTIONS, STRINGS, PARTS_CNT };

/* What an id is of: ids and places in a table of the reading. */
struct id {
	uint64_t id;
	uint32_t at;
};

struct ids {
	SKEP_VEC(struct id) list; /* sorted by id when they are looked up */
};

struct mapping {
	uint64_t start, limit, offset;
	skep_profile_str path;
};

struct function {
	skep_profile_str name, file;
	uint8_t kind;
};

/* The frames of a place in the code: the innermost first. */
struct location {
	uint32_t first, n;
};

struct reading {
	struct skep_profile *profile;
	struct parts {
		SKEP_VEC(struct skep_proto) list;
	} parts[PARTS_CNT];
	SKEP_VEC(skep_profile_str) strings; /* numbers of the profile, by those of the file */
	struct ids mapping_ids, function_ids, location_ids;
	SKEP_VEC(struct mapping) mappings;
	SKEP_VEC(struct function) functions;
	SKEP_VEC(struct location) locations;
	SKEP_VEC(uint32_t) frames;   /* of locations */
	SKEP_VEC(uint32_t) stack;    /* scratch: locations, the innermost first */
	SKEP_VEC(uint64_t) comments; /* numbers of strings */
	uint64_t head[HEAD_CNT];     /* single numbers of the profile, by field */
	struct skep_proto period_type;
	uint32_t slots[TYPES_MOST]; /* of a sample's value in the profile; UINT32_MAX: none */
	uint64_t n_parts, n_frames;
	uint64_t n_labels, n_values, n_locations, n_names, n_comments; /* lost */
};

/* --- Ids ------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct id *)a)->id, y = ((const struct id *)b)->id;

	return (x > y) - (x < y);
}

static void ids_sort(struct ids *ids)
{
	if (ids->list.len)
		qsort(ids->list.data, ids->list.len, sizeof(*ids->list.data), by_id);
}

/* The place that goes by @id; NULL: none. Nearly everybody counts from 1 on. */
static const uint32_t *ids_find(const struct ids *ids, uint64_t id)
{
	struct id key = {.id = id}, *found = NULL;

	if (id && id <= ids->list.len && ids->list.data[id - 1].id == id)
		return &ids->list.data[id - 1].at;
	if (id && ids->list.len)
		found = bsearch(&key, ids->list.data, ids->list.len, sizeof(key), by_id);
	return found ? &found->at : NULL;
}

/* --- Parts ---------------------------------------------------------------------------------- */

static int take_comments(struct reading *r, struct skep_proto_field *field)
{
	uint64_t value = 0;
	int more;

	while ((more = skep_proto_next_number(field, &value)) > 0) {
		if (++r->n_parts > PARTS_MOST)
			return -EFBIG;
		skep_vec_push(&r->comments, value);
	}
	return more;
}

/* Fields that were thought of later may be anything. */
static int take_part(struct reading *r, struct skep_proto_field *field)
{
	bool is_message = field->wire == SKEP_WIRE_BYTES;

	if (field->number == 13)
		return take_comments(r, field);
	if (is_message && field->number == 11)
		r->period_type = field->bytes;
	else if (!is_message && field->number < HEAD_CNT)
		r->head[field->number] = field->value;
	if (!is_message || field->number >= PARTS_CNT)
		return 0;
	if (++r->n_parts > PARTS_MOST)
		return -EFBIG;
	skep_vec_push(&r->parts[field->number].list, field->bytes);
	return 0;
}

static int find_parts(struct reading *r, struct skep_proto message)
{
	struct skep_proto_field field;
	int more;

	while ((more = skep_proto_next(&message, &field)) > 0) {
		int err = take_part(r, &field);
		if (err)
			return err;
	}
	return more;
}

static void take_strings(struct reading *r)
{
	skep_vec_foreach (struct skep_proto, part, &r->parts[STRINGS].list) {
		size_t len = (size_t)(part->end - part->at);
		const char *text = len ? (const char *)part->at : "";
		skep_vec_push(&r->strings, skep_profile_string(r->profile, text, len));
	}
}

/* Number 0 is "", whatever the file has there. */
static skep_profile_str string_at(struct reading *r, uint64_t at)
{
	if (at && at < r->strings.len)
		return r->strings.data[at];
	r->n_names += at != 0;
	return 0;
}

/* The numbers of @message by field, as far as they are below @n; the last of each. */
static int take_fields(struct skep_proto message, uint64_t *ret, uint32_t n)
{
	struct skep_proto_field field;
	int more;

	while ((more = skep_proto_next(&message, &field)) > 0) {
		if (field.number < n && field.wire != SKEP_WIRE_BYTES)
			ret[field.number] = field.value;
	}
	return more;
}

/* --- Types of values ------------------------------------------------------------------------ */

static int take_type(struct reading *r, struct skep_proto part, struct skep_profile_value_type *ret)
{
	uint64_t fields[3] = {0};

	if (take_fields(part, fields, 3))
		return -EINVAL;
	*ret = (struct skep_profile_value_type){string_at(r, fields[1]), string_at(r, fields[2])};
	return 0;
}

/* Two types, one against the other, as pprof.c wrote them. */
static bool is_diff(struct reading *r)
{
	if (r->parts[TYPES].list.len != 2)
		return false;
	skep_vec_foreach (uint64_t, comment, &r->comments) {
		bool is_there = *comment < r->strings.len;
		skep_profile_str text = is_there ? r->strings.data[*comment] : 0;
		if (!strcmp(r->profile->strings[text], SKEP_PPROF_DIFF))
			return true;
	}
	return false;
}

/* The type that is shown where nobody asks for another comes first: the one that the file
 * says, or its last, as pprof has it. */
static int take_types(struct reading *r)
{
	const struct parts *parts = &r->parts[TYPES];
	struct skep_profile_value_type types[TYPES_MOST];
	skep_profile_str chosen = string_at(r, r->head[14]);
	size_t n = parts->list.len, first = n;

	if (!n || n > TYPES_MOST)
		return n ? -E2BIG : -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (take_type(r, parts->list.data[i], &types[i]))
			return -EINVAL;
		if (first == n && chosen && types[i].name == chosen)
			first = i;
	}
	r->profile->is_diff = is_diff(r);
	if (r->profile->is_diff)
		first = 0;
	else if (first == n)
		first--;
	r->profile->types[0] = types[first];
	r->profile->n_types = 1;
	for (size_t i = 0; i < n; i++) {
		bool fits = r->profile->n_types < SKEP_PROFILE_VALUES_MOST;
		r->slots[i] = i == first ? 0 : fits ? r->profile->n_types : UINT32_MAX;
		if (i != first && fits)
			r->profile->types[r->profile->n_types++] = types[i];
	}
	return 0;
}

/* --- Mappings, functions, locations --------------------------------------------------------- */

static int take_mapping(struct reading *r, struct skep_proto part)
{
	uint64_t fields[7] = {0};

	if (take_fields(part, fields, 7))
		return -EINVAL;
	struct mapping mapping = {fields[2], fields[3], fields[4], string_at(r, fields[5])};
	skep_profile_str build = string_at(r, fields[6]);
	if (mapping.path && build)
		skep_profile_set_build(r->profile, mapping.path, build);
	struct id id = {fields[1], (uint32_t)r->mappings.len};
	skep_vec_push(&r->mapping_ids.list, id);
	skep_vec_push(&r->mappings, mapping);
	return 0;
}

static int take_function(struct reading *r, struct skep_proto part)
{
	uint64_t fields[5] = {0};

	if (take_fields(part, fields, 5))
		return -EINVAL;
	skep_profile_str system_name = string_at(r, fields[3]);
	struct function function = {string_at(r, fields[2]), string_at(r, fields[4]),
				    SKEP_FRAME_USER};
	for (unsigned kind = 0; kind < SKEP_FRAME_KIND_CNT; kind++) {
		const char *word = skep_pprof_kinds[kind];
		if (word && !strcmp(word, r->profile->strings[system_name]))
			function.kind = (uint8_t)kind;
	}
	if (!function.name)
		function.name = system_name;
	struct id id = {fields[1], (uint32_t)r->functions.len};
	skep_vec_push(&r->function_ids.list, id);
	skep_vec_push(&r->functions, function);
	return 0;
}

/* Those who do not say of what kind code is name the kernel's file so. */
static bool is_kernel(const char *module)
{
	return !strncmp(module, "[kernel", 7) || !strcmp(module, "vmlinux") ||
	       !strcmp(module, "[vmlinux]");
}

static int take_line(struct reading *r, struct skep_proto part, struct skep_profile_frame frame)
{
	uint64_t fields[3] = {0};
	const uint32_t *at;

	if (take_fields(part, fields, 3))
		return -EINVAL;
	at = ids_find(&r->function_ids, fields[1]);
	r->n_names += !at && fields[1];
	if (at) {
		const struct function *function = &r->functions.data[*at];
		frame.name = function->name ? function->name : frame.name;
		frame.file = function->file;
		if (function->kind)
			frame.kind = function->kind;
	}
	frame.line = fields[2] < UINT32_MAX ? (uint32_t)fields[2] : 0;
	skep_vec_push(&r->frames, skep_profile_frame(r->profile, &frame));
	return 0;
}

/* What its lines have in common. */
static struct skep_profile_frame frame_at(struct reading *r, uint64_t mapping_id, uint64_t address)
{
	const uint32_t *at = ids_find(&r->mapping_ids, mapping_id);
	struct skep_profile_frame frame = {.addr = address};
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	frame.name = skep_profile_text(r->profile, address ? text : "[unknown]");
	r->n_names += !at && mapping_id;
	if (at) {
		const struct mapping *mapping = &r->mappings.data[*at];
		frame.module = mapping->path;
		if (address >= mapping->start && address < mapping->limit)
			frame.addr = address - mapping->start + mapping->offset;
	}
	if (is_kernel(r->profile->strings[frame.module]))
		frame.kind = SKEP_FRAME_KERNEL;
	return frame;
}

/* All but the last of a location's lines are inlined. */
static void mark_inlined(struct reading *r, const struct location *location)
{
	for (uint32_t i = 0; i + 1 < location->n; i++) {
		uint32_t *at = &r->frames.data[location->first + i];
		struct skep_profile_frame frame = r->profile->frames[*at];
		frame.kind = SKEP_FRAME_INLINE;
		*at = skep_profile_frame(r->profile, &frame);
	}
}

static int take_lines(struct reading *r, struct skep_proto part, struct location *location,
		      const struct skep_profile_frame *frame)
{
	struct skep_proto_field field;

	while (skep_proto_next(&part, &field) > 0) {
		if (field.number != 4 || field.wire != SKEP_WIRE_BYTES)
			continue;
		if (r->frames.len > SKEP_PROFILE_FILE_MOST_NODES)
			return -EFBIG;
		if (take_line(r, field.bytes, *frame))
			return -EINVAL;
	}
	location->n = (uint32_t)r->frames.len - location->first;
	if (location->n) {
		mark_inlined(r, location);
		return 0;
	}
	skep_vec_push(&r->frames, skep_profile_frame(r->profile, frame));
	location->n = 1;
	return 0;
}

static int take_location(struct reading *r, struct skep_proto part)
{
	struct location location = {.first = (uint32_t)r->frames.len};
	uint64_t fields[4] = {0};

	if (take_fields(part, fields, 4))
		return -EINVAL;
	struct skep_profile_frame frame = frame_at(r, fields[2], fields[3]);
	int err = take_lines(r, part, &location, &frame);
	if (err)
		return err;
	struct id id = {fields[1], (uint32_t)r->locations.len};
	skep_vec_push(&r->location_ids.list, id);
	skep_vec_push(&r->locations, location);
	return 0;
}

/* --- Samples -------------------------------------------------------------------------------- */

/* A number that is there already, or is none of a process, is a label like any other. */
static bool take_pid(uint64_t number, uint32_t *ret)
{
	if (!number || number > UINT32_MAX || *ret)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool take_name(skep_profile_str name, skep_profile_str *ret)
{
	if (!name || *ret)
		return false;
	*ret = name;
	return true;
}

static int take_label(struct reading *r, struct skep_proto part, struct skep_profile_sample *sample)
{
	uint64_t fields[5] = {0};
	bool is_taken = false;

	if (take_fields(part, fields, 5))
		return -EINVAL;
	const char *key = r->profile->strings[string_at(r, fields[1])];
	if (!strcmp(key, "pid"))
		is_taken = take_pid(fields[3], &sample->pid);
	else if (!strcmp(key, "tid"))
		is_taken = take_pid(fields[3], &sample->tid);
	else if (!strcmp(key, "comm"))
		is_taken = take_name(string_at(r, fields[2]), &sample->comm);
	else if (!strcmp(key, "cgroup"))
		is_taken = take_name(string_at(r, fields[2]), &sample->cgroup);
	r->n_labels += !is_taken;
	return 0;
}

static int take_values(struct reading *r, struct skep_proto_field *field, uint32_t *n,
		       struct skep_profile_sample *sample)
{
	uint64_t value = 0;
	int more;

	while ((more = skep_proto_next_number(field, &value)) > 0) {
		uint32_t slot = *n < TYPES_MOST ? r->slots[*n] : UINT32_MAX;
		if (*n >= r->parts[TYPES].list.len)
			return -EINVAL;
		if (slot != UINT32_MAX)
			sample->values[slot] = (int64_t)value;
		else
			r->n_values++;
		++*n;
	}
	return more;
}

static int take_stack(struct reading *r, struct skep_proto_field *field)
{
	uint64_t id = 0;
	int more;

	while ((more = skep_proto_next_number(field, &id)) > 0) {
		const uint32_t *at = ids_find(&r->location_ids, id);
		if (r->stack.len > SKEP_PROFILE_FILE_MOST_NODES)
			return -EFBIG;
		if (at)
			skep_vec_push(&r->stack, *at);
		else
			r->n_locations++;
	}
	return more;
}

/* The stack's node: outermost first, so everything from behind. */
static int push_stack(struct reading *r, uint32_t *ret_node)
{
	uint32_t node = 0;

	for (size_t i = r->stack.len; i-- > 0;) {
		const struct location *location = &r->locations.data[r->stack.data[i]];
		r->n_frames += location->n;
		if (r->n_frames > FRAMES_MOST || r->profile->n_nodes > SKEP_PROFILE_FILE_MOST_NODES)
			return -EFBIG;
		for (uint32_t k = location->n; k-- > 0;)
			node = skep_profile_node(r->profile, node,
						 r->frames.data[location->first + k]);
	}
	*ret_node = node;
	return 0;
}

static int take_sample_field(struct reading *r, struct skep_proto_field *field, uint32_t *n_values,
			     struct skep_profile_sample *sample)
{
	switch (field->number) {
	case 1: return take_stack(r, field);
	case 2: return take_values(r, field, n_values, sample);
	case 3: return take_label(r, field->bytes, sample);
	}
	return 0;
}

static int take_sample(struct reading *r, struct skep_proto part)
{
	struct skep_profile_sample sample = {0};
	struct skep_proto_field field;
	uint32_t n_values = 0;
	int more;

	r->stack.len = 0;
	while ((more = skep_proto_next(&part, &field)) > 0) {
		int err = take_sample_field(r, &field, &n_values, &sample);
		if (err)
			return err;
	}
	int err = more ? more : push_stack(r, &sample.node);
	if (!err)
		skep_profile_add(r->profile, &sample);
	return err;
}

/* --- The whole ------------------------------------------------------------------------------ */

static int take_each(struct reading *r, enum part kind,
		     int (*take)(struct reading *, struct skep_proto))
{
	skep_vec_foreach (struct skep_proto, part, &r->parts[kind].list) {
		int err = take(r, *part);
		if (err)
			return err;
	}
	return 0;
}

/* "lost 3: stack maps full" */
static bool take_loss(struct skep_profile *profile, const char *text)
{
	char *end;

	if (strncmp(text, SKEP_PPROF_LOST, strlen(SKEP_PPROF_LOST)))
		return false;
	text += strlen(SKEP_PPROF_LOST);
	if (!skep_char_is_digit(*text))
		return false;
	unsigned long long n = strtoull(text, &end, 10);
	if (strncmp(end, ": ", 2))
		return false;
	skep_profile_lose(profile, end + 2, n);
	return true;
}

/* What pprof.c says in comments; others' are lost. */
static void take_comment(struct reading *r, const char *text)
{
	struct skep_profile *profile = r->profile;

	if (!strncmp(text, SKEP_PPROF_TITLE, strlen(SKEP_PPROF_TITLE)))
		profile->title = skep_profile_text(profile, text + strlen(SKEP_PPROF_TITLE));
	else if (*text && !take_loss(profile, text) && strcmp(text, SKEP_PPROF_DIFF) != 0)
		r->n_comments++;
}

static int take_head(struct reading *r)
{
	struct skep_profile *profile = r->profile;

	profile->start_ns = (int64_t)r->head[9] > 0 ? r->head[9] : 0;
	profile->duration_ns = (int64_t)r->head[10] > 0 ? r->head[10] : 0;
	profile->period = (int64_t)r->head[12];
	skep_vec_foreach (uint64_t, comment, &r->comments)
		take_comment(r, profile->strings[string_at(r, *comment)]);
	return take_type(r, r->period_type, &profile->period_type);
}

static void take_losses(struct reading *r)
{
	const struct {
		const char *what;
		uint64_t n;
	} lost[] = {
		{"labels that are no process or thread", r->n_labels},
		{"values of further types", r->n_values},
		{"frames of unknown locations", r->n_locations},
		{"names, functions or files that the profile does not have", r->n_names},
		{"comments", r->n_comments},
	};

	for (unsigned i = 0; i < sizeof(lost) / sizeof(*lost); i++) {
		if (lost[i].n)
			skep_profile_lose(r->profile, lost[i].what, lost[i].n);
	}
}

static int read_parts(struct reading *r, struct skep_proto message)
{
	int err = find_parts(r, message);

	if (err)
		return err;
	take_strings(r);
	if ((err = take_types(r)) || (err = take_each(r, MAPPINGS, take_mapping)) ||
	    (err = take_each(r, FUNCTIONS, take_function)))
		return err;
	ids_sort(&r->mapping_ids);
	ids_sort(&r->function_ids);
	if ((err = take_each(r, LOCATIONS, take_location)))
		return err;
	ids_sort(&r->location_ids);
	if ((err = take_each(r, SAMPLES, take_sample)) || (err = take_head(r)))
		return err;
	take_losses(r);
	return 0;
}

static void reading_done(struct reading *r)
{
	for (unsigned i = 0; i < PARTS_CNT; i++)
		skep_vec_done(&r->parts[i].list);
	skep_vec_done(&r->strings);
	skep_vec_done(&r->mapping_ids.list);
	skep_vec_done(&r->function_ids.list);
	skep_vec_done(&r->location_ids.list);
	skep_vec_done(&r->mappings);
	skep_vec_done(&r->functions);
	skep_vec_done(&r->locations);
	skep_vec_done(&r->frames);
	skep_vec_done(&r->stack);
	skep_vec_done(&r->comments);
}

static int too_large(const char *name, struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_PROFILE_LARGE, SKEP_NOWHERE, name);
	skep_diag_why(diag, "its stacks have over %u frames, or it has over %u parts", FRAMES_MOST,
		      PARTS_MOST);
	return -EFBIG;
}

int skep_profile_read_pprof(const struct skep_profile_bytes *bytes, struct skep_profile *ret,
			    struct skep_diag *diag)
{
	const uint8_t *data = (const uint8_t *)bytes->data;
	struct reading r = {.profile = ret};
	int err = read_parts(&r, (struct skep_proto){data, data + bytes->len});
	bool has_types = r.parts[TYPES].list.len;

	reading_done(&r);
	if (!err)
		return 0;
	if (err == -EFBIG)
		return too_large(bytes->name, diag);
	if (!has_types)
		return skep_diag_fail(diag, err, SKEP_DIAG_PROFILE_UNKNOWN, SKEP_NOWHERE,
				      bytes->name);
	return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_PROFILE_BROKEN, SKEP_NOWHERE, bytes->name,
			      err == -E2BIG ? "it has over 64 types of values"
					    : "its messages are cut or malformed");
}
