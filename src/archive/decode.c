/*
 * A segment's blocks back into a profile, see segment.h. Whatever the bytes are, no number is used
 * before it was found to be one of something there is; and there is no more of anything than
 * skep_segment_most says, however little room deflating leaves it.
 */
#include <errno.h>
#include <string.h>

#include "archive/segment.h"
#include "sink/protobuf.h"

/* What one takes at least. */
#define FRAME_BYTES  6
#define SAMPLE_BYTES 5

/* What is left of a block. Once something was wrong all numbers are 0. */
struct cursor {
	struct skep_proto_field field;
	bool is_broken, is_large;
};

static uint64_t take(struct cursor *cursor)
{
	uint64_t n = 0;

	if (cursor->is_broken || skep_proto_next_number(&cursor->field, &n) != 1) {
		cursor->is_broken = true;
		return 0;
	}
	return n;
}

static int64_t take_signed(struct cursor *cursor)
{
	uint64_t n = take(cursor);

	return (int64_t)(n >> 1 ^ -(n & 1));
}

/* A number below @limit. */
static uint32_t take_below(struct cursor *cursor, uint64_t limit)
{
	uint64_t n = take(cursor);

	if (n < limit)
		return (uint32_t)n;
	cursor->is_broken = true;
	return 0;
}

/* How many of something follow that takes @bytes at least. */
static uint32_t take_count(struct cursor *cursor, uint32_t bytes)
{
	size_t left = (size_t)(cursor->field.bytes.end - cursor->field.bytes.at);

	return take_below(cursor, left / bytes + 1);
}

/* The same, if what there is then is no more than @most. */
static uint32_t take_some(struct cursor *cursor, uint32_t bytes, uint64_t there, uint64_t most)
{
	uint32_t n = take_count(cursor, bytes);

	if (there + n <= most)
		return n;
	cursor->is_broken = cursor->is_large = true;
	return 0;
}

/* The one that differs so much from @before; below @limit. */
static uint64_t take_step(struct cursor *cursor, uint64_t *before, uint64_t limit)
{
	*before += (uint64_t)take_signed(cursor);
	if (*before >= limit) {
		cursor->is_broken = true;
		*before = 0;
	}
	return *before;
}

/* --- What is new ----------------------------------------------------------------------------- */

/* A string of @len bytes; NULL: there are not so many. */
static const char *take_text(struct cursor *cursor, uint32_t len)
{
	const char *text = (const char *)cursor->field.bytes.at;

	if (cursor->is_broken || len > (size_t)(cursor->field.bytes.end - cursor->field.bytes.at)) {
		cursor->is_broken = true;
		return NULL;
	}
	cursor->field.bytes.at += len;
	return text;
}

/* Each has to get the number that whoever wrote it gave it: equal ones would share one. */
static void add_strings(struct skep_segment_reader *reader, struct cursor *cursor)
{
	struct skep_profile *table = &reader->table;
	uint32_t n = take_some(cursor, 1, table->n_strings, reader->most.strings);

	for (; n && !cursor->is_broken; n--) {
		uint32_t next = table->n_strings;
		uint32_t len = take_some(cursor, 1, reader->text_bytes, reader->most.text_bytes);
		reader->text_bytes += len;
		const char *text = take_text(cursor, len);
		if (!text || skep_profile_string(table, text, len) != next)
			cursor->is_broken = true;
	}
}

static void add_frames(struct skep_segment_reader *reader, struct cursor *cursor)
{
	struct skep_profile *table = &reader->table;
	uint64_t name = 0, module = 0, file = 0, line = 0, addr = 0;
	uint32_t n = take_some(cursor, FRAME_BYTES, table->n_frames, reader->most.frames);

	for (; n && !cursor->is_broken; n--) {
		struct skep_profile_frame frame = {
			.name = (uint32_t)take_step(cursor, &name, table->n_strings),
			.module = (uint32_t)take_step(cursor, &module, table->n_strings),
			.file = (uint32_t)take_step(cursor, &file, table->n_strings),
			.line = (uint32_t)take_step(cursor, &line, 1ull << 32),
		};
		addr += (uint64_t)take_signed(cursor);
		frame.addr = addr;
		frame.kind = (uint8_t)take_below(cursor, SKEP_FRAME_KIND_CNT);
		uint32_t next = table->n_frames;
		if (cursor->is_broken || skep_profile_frame(table, &frame) != next)
			cursor->is_broken = true;
	}
}

static void add_nodes(struct skep_segment_reader *reader, struct cursor *cursor)
{
	struct skep_profile *table = &reader->table;
	uint64_t frame = 0;
	uint32_t n = take_some(cursor, 2, table->n_nodes, reader->most.nodes);

	for (; n && !cursor->is_broken; n--) {
		uint32_t next = table->n_nodes;
		uint32_t up = take_below(cursor, (uint64_t)next + 1);
		uint32_t of = (uint32_t)take_step(cursor, &frame, table->n_frames);
		if (cursor->is_broken || !up || skep_profile_node(table, next - up, of) != next)
			cursor->is_broken = true;
	}
}

/* --- What is told of the interval ------------------------------------------------------------ */

static struct skep_profile_value_type take_type(const struct skep_profile *table,
						struct cursor *cursor)
{
	struct skep_profile_value_type type = {.name = take_below(cursor, table->n_strings)};

	type.unit = take_below(cursor, table->n_strings);
	return type;
}

static void add_types(struct skep_profile *table, struct cursor *cursor)
{
	uint32_t n = take_below(cursor, SKEP_PROFILE_VALUES_MOST + 1);

	table->n_types = n;
	for (uint32_t i = 0; i < n; i++)
		table->types[i] = take_type(table, cursor);
}

static void add_losses(struct skep_segment_reader *reader, struct cursor *cursor)
{
	struct skep_profile *table = &reader->table;
	uint32_t n = take_some(cursor, 2, 0, reader->most.losses);

	for (; n && !cursor->is_broken; n--) {
		uint32_t what = take_below(cursor, table->n_strings);
		skep_profile_lose(table, table->strings[what], take(cursor));
	}
}

static void add_head(struct skep_profile *table, struct cursor *cursor)
{
	for (uint32_t n = take_count(cursor, 2); n && !cursor->is_broken; n--) {
		uint32_t module = take_below(cursor, table->n_strings);
		uint32_t build = take_below(cursor, table->n_strings);
		skep_profile_set_build(table, module, build);
	}
	add_types(table, cursor);
	table->period = take_signed(cursor);
	table->period_type = take_type(table, cursor);
	table->title = take_below(cursor, table->n_strings);
}

#define TAKE_COLUMN(cursor, samples, count, field, limit)                                          \
	do {                                                                                       \
		uint64_t before = 0;                                                               \
		for (uint32_t i = 0; i < (count); i++)                                             \
			(samples)[i].field = (uint32_t)take_step(cursor, &before, limit);          \
	} while (0)

static void add_samples(struct skep_segment_reader *reader, struct cursor *cursor)
{
	struct skep_profile *table = &reader->table;
	uint32_t n = take_some(cursor, SAMPLE_BYTES, 0, reader->most.samples);
	struct skep_profile_sample *samples = skep_xcalloc(n + 1, sizeof(*samples));

	TAKE_COLUMN(cursor, samples, n, node, table->n_nodes);
	TAKE_COLUMN(cursor, samples, n, pid, 1ull << 32);
	TAKE_COLUMN(cursor, samples, n, tid, 1ull << 32);
	TAKE_COLUMN(cursor, samples, n, comm, table->n_strings);
	TAKE_COLUMN(cursor, samples, n, cgroup, table->n_strings);
	for (uint32_t type = 0; type < table->n_types; type++) {
		for (uint32_t i = 0; i < n; i++)
			samples[i].values[type] = take_signed(cursor);
	}
	for (uint32_t i = 0; i < n && !cursor->is_broken; i++)
		skep_profile_add(table, &samples[i]);
	free(samples);
}

/* --- Blocks ---------------------------------------------------------------------------------- */

void skep_segment_reader_init(struct skep_segment_reader *reader)
{
	*reader = (struct skep_segment_reader){.most = skep_segment_most};
	skep_profile_init(&reader->table);
	if (inflateInit2(&reader->stream, -MAX_WBITS) != Z_OK)
		skep_oom();
}

void skep_segment_reader_done(struct skep_segment_reader *reader)
{
	inflateEnd(&reader->stream);
	skep_profile_done(&reader->table);
	skep_buf_done(&reader->plain);
}

/* A block is flushed: what is deflated in it comes out to the last byte. */
static int unpack(struct skep_segment_reader *reader, const void *stored,
		  const struct skep_block_head *head)
{
	z_stream *stream = &reader->stream;

	skep_buf_clear(&reader->plain);
	stream->next_in = (Bytef *)(uintptr_t)stored;
	stream->avail_in = head->stored_bytes;
	/* One more: what is longer than its head says shows. */
	stream->next_out = (Bytef *)skep_buf_reserve(&reader->plain, (size_t)head->plain_bytes + 1);
	stream->avail_out = head->plain_bytes + 1;
	int err = inflate(stream, Z_SYNC_FLUSH);
	if ((err != Z_OK && err != Z_BUF_ERROR) || stream->avail_in || stream->avail_out != 1)
		return -EINVAL;
	reader->plain.len = head->plain_bytes;
	return 0;
}

int skep_segment_read(struct skep_segment_reader *reader, const void *stored,
		      const struct skep_block_head *head, bool with_samples)
{
	struct skep_profile *table = &reader->table;
	int err = unpack(reader, stored, head);

	if (err)
		return err;
	const uint8_t *plain = (const uint8_t *)reader->plain.data;
	struct cursor cursor = {
		.field = {.wire = SKEP_WIRE_BYTES, .bytes = {plain, plain + reader->plain.len}}};
	skep_profile_clear(table);
	add_strings(reader, &cursor);
	add_frames(reader, &cursor);
	add_nodes(reader, &cursor);
	add_head(table, &cursor);
	add_losses(reader, &cursor);
	if (with_samples)
		add_samples(reader, &cursor);
	return cursor.is_large ? -E2BIG : cursor.is_broken ? -EINVAL : 0;
}
