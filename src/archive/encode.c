/* What an interval adds to its segment, as numbers; see segment.h. */
#include <string.h>

#include "archive/segment.h"
#include "sink/protobuf.h"

void skep_segment_mark(const struct skep_profile *table, struct skep_segment_mark *ret)
{
	*ret = (struct skep_segment_mark){table->n_strings, table->n_frames, table->n_nodes};
}

static void put(struct skep_buf *out, uint64_t n)
{
	skep_proto_add_varint(out, n);
}

static void put_signed(struct skep_buf *out, int64_t n)
{
	put(out, (uint64_t)n << 1 ^ (uint64_t)(n >> 63));
}

/* By how much @n differs from what was put before. */
static void put_step(struct skep_buf *out, uint64_t *before, uint64_t n)
{
	put_signed(out, (int64_t)(n - *before));
	*before = n;
}

/* --- What is new ----------------------------------------------------------------------------- */

static void put_strings(const struct skep_profile *table, uint32_t from, struct skep_buf *out)
{
	put(out, table->n_strings - from);
	for (uint32_t i = from; i < table->n_strings; i++) {
		size_t len = strlen(table->strings[i]);
		put(out, len);
		skep_buf_add(out, table->strings[i], len);
	}
}

static void put_frames(const struct skep_profile *table, uint32_t from, struct skep_buf *out)
{
	uint64_t name = 0, module = 0, file = 0, line = 0, addr = 0;

	put(out, table->n_frames - from);
	for (uint32_t i = from; i < table->n_frames; i++) {
		const struct skep_profile_frame *frame = &table->frames[i];
		put_step(out, &name, frame->name);
		put_step(out, &module, frame->module);
		put_step(out, &file, frame->file);
		put_step(out, &line, frame->line);
		put_step(out, &addr, frame->addr);
		put(out, frame->kind);
	}
}

static void put_nodes(const struct skep_profile *table, uint32_t from, struct skep_buf *out)
{
	uint64_t frame = 0;

	put(out, table->n_nodes - from);
	for (uint32_t i = from; i < table->n_nodes; i++) {
		put(out, i - table->nodes[i].parent);
		put_step(out, &frame, table->nodes[i].frame);
	}
}

/* --- What is told of the interval ------------------------------------------------------------ */

static void put_type(struct skep_buf *out, struct skep_profile_value_type type)
{
	put(out, type.name);
	put(out, type.unit);
}

static void put_head(const struct skep_profile *table, struct skep_buf *out)
{
	put(out, table->n_modules);
	for (uint32_t i = 0; i < table->n_modules; i++) {
		put(out, table->modules[i].path);
		put(out, table->modules[i].build_id);
	}
	put(out, table->n_types);
	for (uint32_t i = 0; i < table->n_types; i++)
		put_type(out, table->types[i]);
	put_signed(out, table->period);
	put_type(out, table->period_type);
	put(out, table->title);
	put(out, table->n_losses);
	for (uint32_t i = 0; i < table->n_losses; i++) {
		put(out, table->losses[i].what);
		put(out, table->losses[i].n);
	}
}

#define PUT_COLUMN(out, table, field)                                                              \
	do {                                                                                       \
		uint64_t before = 0;                                                               \
		for (uint32_t i = 0; i < (table)->n_samples; i++)                                  \
			put_step(out, &before, (table)->samples[i].field);                         \
	} while (0)

static void put_samples(const struct skep_profile *table, struct skep_buf *out)
{
	put(out, table->n_samples);
	PUT_COLUMN(out, table, node);
	PUT_COLUMN(out, table, pid);
	PUT_COLUMN(out, table, tid);
	PUT_COLUMN(out, table, comm);
	PUT_COLUMN(out, table, cgroup);
	for (uint32_t type = 0; type < table->n_types; type++) {
		for (uint32_t i = 0; i < table->n_samples; i++)
			put_signed(out, table->samples[i].values[type]);
	}
}

void skep_segment_encode(const struct skep_profile *table, const struct skep_segment_mark *mark,
			 struct skep_buf *out)
{
	put_strings(table, mark->strings, out);
	put_frames(table, mark->frames, out);
	put_nodes(table, mark->nodes, out);
	put_head(table, out);
	put_samples(table, out);
}
