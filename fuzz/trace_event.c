/*
 * Events as a hostile kernel might send them: the input describes types, an
 * event with its arguments, a format, and the record's bytes; everything is
 * printed as text and as JSON, and the record's bytes once more as a map.
 *
 * Types are such as the compiler makes them (sizes fit the kinds): only the
 * bytes are hostile. The record lies in a block of its own size, so that one
 * byte too many is seen.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/run/output.h"

#define MOST_ARGS  6
#define MOST_DEPTH 4

struct input {
	const uint8_t *at, *end;
};

static uint32_t take(struct input *in, uint32_t below)
{
	uint32_t value = 0;

	for (int i = 0; i < 2 && in->at < in->end; i++)
		value = value << 8 | *in->at++;
	return below ? value % below : value;
}

static const struct skep_type *make_type(struct skep_types *types, struct input *in, int depth);

static const struct skep_type *make_tuple(struct skep_types *types, struct input *in, int depth)
{
	const struct skep_type *fields[4];
	uint32_t n = 1 + take(in, 4);
	static const char *const names[] = {"a", "b", "c", "d"};

	for (uint32_t i = 0; i < n; i++)
		fields[i] = make_type(types, in, depth + 1);
	const struct skep_type *tuple = skep_type_tuple(types, fields, n);
	if (take(in, 2)) {
		for (uint32_t i = 0; i < n; i++)
			((struct skep_tuple_field *)tuple->fields)[i].name = names[i];
	}
	return tuple;
}

static const struct skep_type *make_record(struct skep_types *types, struct input *in, int depth)
{
	struct skep_record *record = skep_arena_new(types->arena, struct skep_record);
	struct skep_field *fields = skep_arena_array(types->arena, struct skep_field, 4);

	record->n_fields = take(in, 5);
	record->size = take(in, 200);
	record->align = 1;
	record->fields = fields;
	record->name = "struct x";
	for (uint32_t i = 0; i < record->n_fields; i++) {
		fields[i].name = "m";
		fields[i].type = make_type(types, in, depth + 1);
		fields[i].off = take(in, 256);
		if (fields[i].type->kind == SKEP_T_INT) {
			fields[i].bit_size = (uint8_t)take(in, 65);
			fields[i].bit_off = (uint8_t)take(in, 64);
		}
	}
	return skep_type_record(types, record, SKEP_SPACE_BPF);
}

static const struct skep_type *plain(uint32_t which)
{
	static const struct skep_type *const all[] = {
		&skep_type_none,     &skep_type_void_ptr, &skep_type_ksym,  &skep_type_usym,
		&skep_type_username, &skep_type_inet,     &skep_type_mac,   &skep_type_timestamp,
		&skep_type_strerror, &skep_type_signal,   &skep_type_probe, &skep_type_bool};

	return all[which % (sizeof(all) / sizeof(all[0]))];
}

static const struct skep_type *make_type(struct skep_types *types, struct input *in, int depth)
{
	switch (take(in, depth < MOST_DEPTH ? 10 : 7)) {
	case 0: return skep_type_int(1u << take(in, 4), take(in, 2));
	case 1: return skep_type_string(types, 1 + take(in, 300));
	case 2: return skep_type_buffer(types, take(in, 300));
	case 3: return plain(take(in, 0));
	case 4: return skep_type_stack(types, take(in, 2), take(in, 4), take(in, 130));
	case 5: return skep_type_agg(types, SKEP_T_COUNT + take(in, 6), take(in, 2));
	case 6:
		if (take(in, 2))
			return skep_type_hist(types, take(in, 6));
		return skep_type_lhist(types, -(int64_t)take(in, 100), take(in, 100),
				       1 + take(in, 2000));
	case 7: return skep_type_array(types, make_type(types, in, depth + 1), take(in, 5));
	case 8: return make_record(types, in, depth);
	default: return make_tuple(types, in, depth);
	}
}

static int frames(void *ctx, bool user, uint32_t stack_id, uint64_t *ret, uint32_t max)
{
	for (uint32_t i = 0; i < max && i < 3; i++)
		ret[i] = stack_id + i;
	return stack_id % 5 ? 3 : -2;
}

static char *take_format(struct skep_arena *arena, struct input *in)
{
	size_t len = take(in, 64);

	if (len > (size_t)(in->end - in->at))
		len = (size_t)(in->end - in->at);
	char *format = skep_arena_dup(arena, in->at, len);
	in->at += len;
	return format;
}

static void print_all(struct skep_output *out, struct skep_event *event, const uint8_t *record,
		      size_t size)
{
	struct skep_buf buf = {0};

	for (int kind = 0; kind < SKEP_EV_N_KINDS; kind++) {
		event->kind = (enum skep_event_kind)kind;
		skep_output_event(out, event, record, size, &buf);
		skep_buf_clear(&buf);
	}
	skep_buf_done(&buf);
}

static void print_as_map(struct skep_output *out, const struct skep_event *event,
			 const uint8_t *record, size_t size)
{
	struct skep_trace_map map = {
		.name = "@", .key = event->args[0].type, .value = event->args[1].type};
	struct skep_buf buf = {0};
	struct skep_map_entry entries[3];
	size_t need = map.key->size + map.value->size, n = 0;

	for (; n < 3 && size >= need; n++, record += need, size -= need)
		entries[n] = (struct skep_map_entry){record, record + map.key->size};
	skep_output_map(out, &map, entries, n, 2, 3, &buf);
	if (n) {
		map.key = NULL;
		skep_output_map(out, &map, entries, 1, 0, 0, &buf);
	}
	skep_output_map_unset(out, &map, &buf);
	skep_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const strings[] = {"%H:%M:%S %f", "%"};
	struct input in = {data, data + size};
	struct skep_arena arena;
	struct skep_trace_program program = {.strings = (const char **)strings, .n_strings = 2};
	struct skep_event_arg args[MOST_ARGS];
	struct skep_event event = {.args = args};

	skep_arena_init(&arena);
	skep_types_init(&program.types, &arena);
	program.types.btf_err = -2; /* the kernel's BTF is not what is tested */
	skep_config_init(&program.config);
	program.config.max_strlen = take(&in, 300);
	program.events = &event;
	program.n_events = 1;
	event.n_args = 2 + take(&in, MOST_ARGS - 1);
	for (uint32_t i = 0; i < event.n_args; i++) {
		const struct skep_type *type = make_type(&program.types, &in, 0);
		bool text = type->kind == SKEP_T_STRING || type->kind == SKEP_T_BUFFER;
		args[i] = (struct skep_event_arg){
			.type = type, .off = take(&in, 512), .is_varying = text && take(&in, 2)};
	}
	event.text = take_format(&arena, &in);
	size_t left = (size_t)(in.end - in.at);
	uint8_t *record = malloc(left ? left : 1);
	memcpy(record, in.at, left);
	struct skep_output out = {.program = &program, .stack = frames};
	for (int json = 0; json < 2; json++) {
		out.json = json;
		print_all(&out, &event, record, left);
		print_as_map(&out, &event, record, left);
	}
	skep_output_done(&out);
	free(record);
	skep_types_done(&program.types);
	skep_arena_done(&arena);
	return 0;
}
