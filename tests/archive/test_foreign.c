/*
 * What lies in an archive's folder and is none of it, or says more than an archive would: it stays
 * as it is, it is told, and it takes neither room nor memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <zlib.h>

#include "archive_test.h"
#include "base/fd.h"
#include "sink/protobuf.h"

#define LARGE (1ull << 30)

static void path_of(const char *dir, uint32_t number, char ret[128])
{
	snprintf(ret, 128, "%s/%08u.seg", dir, number);
}

static void put_file(const char *path, const void *data, size_t bytes)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(skep_fd_write(fd, data, bytes), 0);
}

static void assert_file(const char *path, const void *data, size_t bytes)
{
	_cleanup_buf_ struct skep_buf now = {0};

	assert_int_equal(skep_file_read(path, 1 << 20, &now), 0);
	assert_int_equal(now.len, bytes);
	assert_memory_equal(now.data ? now.data : "", data, bytes);
}

static void head_of(uint32_t version, struct skep_segment_head *ret)
{
	skep_segment_head_make(1, ret);
	ret->version = version;
	ret->crc = 0;
	ret->crc = skep_segment_crc(ret, sizeof(*ret));
}

/* How many of what is lost are so. */
static uint64_t lost_of(const struct skep_profile *profile, const char *words)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < profile->n_losses; i++) {
		if (strstr(profile->strings[profile->losses[i].what], words))
			n += profile->losses[i].n;
	}
	return n;
}

static uint64_t lost_in(const char *dir, const char *words)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	const struct skep_archive_window all = {0, UINT64_MAX};
	struct skep_archive archive;

	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	skep_archive_read(&archive, &all, NULL, &profile);
	skep_archive_done(&archive);
	return lost_of(&profile, words);
}

/* A writer that begins and appends leaves it; what it writes is behind it. */
static void assert_left_alone(const char *dir, uint32_t number, const char *words)
{
	char path[128];
	uint64_t cut = 7;
	struct skep_archive_writer *writer = writer_new(dir, LARGE, &cut);

	assert_int_equal(cut, 0);
	assert_int_equal(append(writer, 0), 0);
	skep_archive_close(writer);
	path_of(dir, number + 1, path);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(lost_in(dir, words), 1);
	assert_int_equal(unlink(path), 0);
}

static void test_other_files(void **state)
{
	char *dir = folder_new(), path[128];
	struct skep_segment_head other, damaged;
	static const char text[] = "notes of mine, which are older than skep";

	head_of(SKEP_SEGMENT_VERSION + 1, &other);
	head_of(SKEP_SEGMENT_VERSION, &damaged);
	damaged.created_ns++;
	const struct {
		const void *data;
		size_t bytes;
		const char *words;
	} files[] = {
		{text, sizeof(text), "no segments"},
		{text, 5, "no segments"},
		{&damaged, sizeof(damaged), "broken at their beginning"},
		{&other, sizeof(other), "another version"},
	};
	path_of(dir, 3, path);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		put_file(path, files[i].data, files[i].bytes);
		assert_left_alone(dir, 3, files[i].words);
		assert_file(path, files[i].data, files[i].bytes);
	}
	folder_free(dir);
}

static void test_no_files(void **state)
{
	char *dir = folder_new(), *outside = folder_new(), path[128], target[128];

	path_of(dir, 3, path);
	snprintf(target, sizeof(target), "%s/precious", outside);
	put_file(target, "", 0); /* as a segment would be that was just begun */
	assert_int_equal(symlink(target, path), 0);
	assert_left_alone(dir, 3, "no segments");
	assert_file(target, "", 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_left_alone(dir, 3, "no segments");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_left_alone(dir, 3, "no segments");
	assert_int_equal(rmdir(path), 0);
	folder_free(dir);
	folder_free(outside);
}

/* A lock that leads elsewhere makes nothing there. */
static void test_lock_elsewhere(void **state)
{
	char *dir = folder_new(), *outside = folder_new(), path[128], target[128];
	const struct skep_archive_limits limits = {.keep_bytes = LARGE};
	struct skep_archive_writer *writer;
	struct skep_diag diag = {0};
	uint64_t cut;

	snprintf(path, sizeof(path), "%s/skep.lock", dir);
	snprintf(target, sizeof(target), "%s/made", outside);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(skep_archive_create(dir, &limits, &writer, &cut, &diag), -ELOOP);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_ARCHIVE_DIR);
	skep_diag_done(&diag);
	assert_int_equal(access(target, F_OK), -1);
	folder_free(dir);
	folder_free(outside);
}

/* The first bytes of a head are what a writer leaves that was killed at once. */
static void test_cut_heads(void **state)
{
	struct skep_segment_head head;

	head_of(SKEP_SEGMENT_VERSION, &head);
	for (size_t bytes = 0; bytes < sizeof(head); bytes++) {
		char *dir = folder_new(), path[128];
		uint64_t cut;
		path_of(dir, 1, path);
		put_file(path, &head, bytes);
		skep_archive_close(writer_new(dir, LARGE, &cut));
		assert_int_equal(cut, bytes);
		assert_int_equal(access(path, F_OK), -1);
		folder_free(dir);
	}
}

/* They are not among what is kept: neither removed for lack of room, nor for their age. */
static void test_limits_leave_them(void **state)
{
	char *dir = folder_new(), path[128];
	const struct skep_archive_limits limits = {.keep_ns = 1000 * SECOND,
						   .keep_bytes = SKEP_ARCHIVE_LEAST_BYTES};
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	_cleanup_free_ char *large = calloc(1, 2 << 20);
	struct skep_archive_writer *writer;
	struct skep_archive archive;
	struct skep_segment_head head;
	uint64_t cut;

	head_of(SKEP_SEGMENT_VERSION + 1, &head);
	memcpy(large, &head, sizeof(head));
	path_of(dir, 1, path);
	put_file(path, large, 2 << 20);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(skep_archive_create(dir, &limits, &writer, &cut, NULL), 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(append(writer, i), 0);
	skep_archive_close(writer);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.intervals.len, 100);
	skep_archive_done(&archive);
	folder_free(dir);
}

static void test_names(void **state)
{
	static const char *const names[] = {"1.seg",        "000000001.seg", "00000001.segs",
					    "+0000001.seg", "00000000.seg",  "99999999999.seg"};
	char *dir = folder_new(), path[128];
	struct skep_archive archive;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		put_file(path, "", 0);
	}
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	assert_int_equal(append(writer, 0), 0);
	skep_archive_close(writer);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(access(path, F_OK), 0);
	}
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.segments.len, 1);
	assert_int_equal(archive.segments.data[0].number, 1);
	skep_archive_done(&archive);
	folder_free(dir);
}

/* Behind the last number there is none: it is said, and nothing begins anew. */
static void test_last_number(void **state)
{
	char *dir = folder_new(), path[128];
	struct skep_archive_writer *writer;

	path_of(dir, UINT32_MAX - 1, path);
	put_file(path, "mine", 4);
	writer = writer_new(dir, LARGE, NULL);
	assert_int_equal(append(writer, 0), 0);
	skep_archive_close(writer);
	path_of(dir, UINT32_MAX, path);
	assert_int_equal(access(path, F_OK), 0);
	writer = writer_new(dir, LARGE, NULL);
	assert_int_equal(append(writer, 1), -EOVERFLOW);
	assert_int_equal(append(writer, 2), -EOVERFLOW);
	assert_int_equal(skep_archive_lost(writer), 2);
	skep_archive_close(writer);
	assert_int_equal(lost_in(dir, "no segments"), 1);
	folder_free(dir);
}

/* --- More than a segment holds --------------------------------------------------------------- */

static void put(struct skep_buf *out, uint64_t n)
{
	skep_proto_add_varint(out, n);
}

static void put_strings(struct skep_buf *out, uint32_t n, uint32_t bytes)
{
	put(out, n);
	for (uint32_t i = 0; i < n; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%08x", i);
		put(out, bytes);
		skep_buf_add(out, text, 8);
		skep_buf_fill(out, 'x', bytes - 8);
	}
}

static void put_frames(struct skep_buf *out, uint32_t n)
{
	put(out, n);
	for (uint32_t i = 0; i < n; i++) {
		put(out, i ? 0 : 2); /* the same name, another address each */
		skep_buf_fill(out, 0, 3);
		put(out, 2);
		put(out, 0);
	}
}

static void put_nodes(struct skep_buf *out, uint32_t n)
{
	put(out, n);
	for (uint32_t i = 0; i < n; i++) {
		put(out, 1);
		put(out, i ? 0 : 2);
	}
}

static void put_head(struct skep_buf *out, uint32_t losses)
{
	put(out, 0); /* modules */
	put(out, 1); /* types */
	skep_buf_fill(out, 0, 2);
	skep_buf_fill(out, 0, 4); /* period and its type, title */
	put(out, losses);
	for (uint32_t i = 0; i < losses; i++) {
		put(out, 1);
		put(out, 1);
	}
}

static void put_samples(struct skep_buf *out, uint32_t n)
{
	put(out, n);
	for (uint32_t column = 0; column < 5; column++) {
		for (uint32_t i = 0; i < n; i++)
			put(out, column == 1 ? 2 : 0); /* a process each */
	}
	skep_buf_fill(out, 2, n);
}

struct much {
	uint32_t strings, bytes, frames, nodes, losses, samples;
};

static void put_block(struct skep_buf *file, z_stream *stream, const struct much *much)
{
	_cleanup_buf_ struct skep_buf plain = {0}, stored = {0};
	struct skep_block_head head = {.note = note_of(0), .kind = 1};

	put_strings(&plain, much->strings, much->bytes);
	put_frames(&plain, much->frames);
	put_nodes(&plain, much->nodes);
	put_head(&plain, much->losses);
	put_samples(&plain, much->samples);
	assert_true(plain.len <= SKEP_BLOCK_MOST_BYTES);
	size_t room = deflateBound(stream, plain.len) + 64;
	stream->next_in = (Bytef *)plain.data;
	stream->avail_in = (uInt)plain.len;
	stream->next_out = (Bytef *)skep_buf_reserve(&stored, room);
	stream->avail_out = (uInt)room;
	deflate(stream, Z_SYNC_FLUSH);
	head.plain_bytes = (uint32_t)plain.len;
	head.stored_bytes = (uint32_t)(room - stream->avail_out);
	head.payload_crc = skep_segment_crc(stored.data, head.stored_bytes);
	skep_block_head_seal(&head);
	skep_buf_add(file, &head, sizeof(head));
	skep_buf_add(file, stored.data, head.stored_bytes);
}

/* Each passes its checksums; each is let in up to the limit, and not beyond. */
static void test_too_much(void **state)
{
	const struct skep_segment_most *most = &skep_segment_most;
	static const struct much little = {.strings = 2, .bytes = 8, .frames = 1, .nodes = 1};
	const struct {
		struct much first, second; /* blocks */
		bool is_large;
	} cases[] = {
		{little, {.samples = 5}, false},
		{{.strings = most->strings - 1, .bytes = 8}, {0}, false},
		{{.strings = most->strings - 1, .bytes = 8}, {.strings = 1, .bytes = 9}, true},
		{{.strings = 1, .bytes = 8, .frames = most->frames}, {0}, true},
		{{.strings = 1, .bytes = 8, .frames = 1, .nodes = most->nodes}, {0}, true},
		{{.strings = 1, .bytes = 8, .frames = 1, .nodes = most->nodes - 1}, {0}, false},
		{little, {.samples = most->samples + 1}, true},
		{little, {.samples = most->samples}, false},
		{little, {.losses = most->losses + 1}, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct skep_buf file = {0};
		char *dir = folder_new(), path[128];
		struct skep_segment_head head;
		z_stream stream = {0};
		assert_int_equal(
			deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			Z_OK);
		head_of(SKEP_SEGMENT_VERSION, &head);
		skep_buf_add(&file, &head, sizeof(head));
		put_block(&file, &stream, &cases[i].first);
		put_block(&file, &stream, &cases[i].second);
		deflateEnd(&stream);
		path_of(dir, 1, path);
		put_file(path, file.data, file.len);
		assert_int_equal(lost_in(dir, "larger than any") > 0, cases[i].is_large);
		assert_int_equal(lost_in(dir, "broken"), 0);
		folder_free(dir);
	}
}

/* What the writer writes is what the reader reads: neither takes more samples than that. */
static void test_too_much_to_write(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	_cleanup_profile_ struct skep_profile large = {0};
	const struct skep_archive_note note = note_of(1);

	skep_profile_init(&large);
	assert_int_equal(skep_profile_add_type(&large, "samples", "count"), 0);
	for (uint32_t i = 0; i <= skep_segment_most.samples; i++)
		skep_profile_add(&large, &(struct skep_profile_sample){.pid = i, .values = {1}});
	assert_int_equal(append(writer, 0), 0);
	assert_int_equal(skep_archive_append(writer, &large, &note), -EFBIG);
	assert_int_equal(skep_archive_lost(writer), 1);
	assert_int_equal(append(writer, 2), 0);
	skep_archive_close(writer);
	assert_int_equal(lost_in(dir, "could not be written"), 1);
	assert_int_equal(lost_in(dir, "larger than any"), 0);
	folder_free(dir);
}

/* However little a block can be made smaller, its head may say so. */
static void test_stored_bytes(void **state)
{
	z_stream stream = {0};

	assert_int_equal(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
				      Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_true(deflateBound(&stream, SKEP_BLOCK_MOST_BYTES) <= SKEP_BLOCK_MOST_STORED);
	deflateEnd(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_files),       cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_lock_elsewhere),    cmocka_unit_test(test_cut_heads),
		cmocka_unit_test(test_limits_leave_them), cmocka_unit_test(test_names),
		cmocka_unit_test(test_last_number),       cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_too_much_to_write), cmocka_unit_test(test_stored_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
