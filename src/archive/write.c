/*
 * Writing an archive, see archive.h.
 *
 * An interval goes into the segment's table, whose numbers are those of the file; what it added is
 * written in one go. Where that fails the table has what the file has not, so the segment ends
 * there: the file is cut to what was whole, and the next interval begins another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <skep/diag.h>

#include "archive/segment.h"
#include "base/fd.h"

/* A segment ends before its table takes much memory, and when it is a small part of all. */
#define TABLE_NODES_MOST   (1u << 16)
#define TABLE_STRINGS_MOST (1u << 15)
#define SEGMENT_NS_MOST    (1800ull * 1000000000)
#define SEGMENTS_LEAST     8
#define TABLE_TEXT_MOST    (8u << 20) /* bytes */
#define DIR_MODE           0700       /* who runs what is not everybody's business */
#define LOCK_MODE          0600
#define TRIES              100
#define LOST_WORDS         "intervals that could not be written"

struct kept {
	uint32_t number;
	uint64_t bytes, end_ns; /* since 1970 */
};

/* The segment that is appended to. */
struct active {
	uint32_t number; /* 0: there is none */
	int fd;          /* -1: no file yet */
	uint64_t bytes, began_ns, text_bytes;
	struct skep_profile table;
	z_stream stream;
};

struct skep_archive_writer {
	char *dir;
	int lock_fd;
	bool made_dir, made_lock;
	struct skep_archive_limits limits;
	SKEP_VEC(struct kept) kept; /* the oldest first */
	uint64_t kept_bytes;
	struct active active;
	uint32_t next_number;
	uint64_t lost, untold; /* intervals */
	struct skep_buf plain, block;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- What is there --------------------------------------------------------------------------- */

static int remove_segment(const struct skep_archive_writer *writer, uint32_t number)
{
	_cleanup_buf_ struct skep_buf path = {0};

	skep_segment_path(writer->dir, number, &path);
	return unlink(path.data) && errno != ENOENT ? -errno : 0;
}

/* How many bytes of it are whole; 0: none, not even its head. -EBADF: it is not ours. */
static int whole_bytes(int fd, uint64_t bytes, uint64_t *ret)
{
	struct skep_segment_head first;
	struct skep_block_head head;
	_cleanup_buf_ struct skep_buf payload = {0};
	int kind = skep_segment_kind(fd, &first), err = 1;
	uint64_t at = kind == SKEP_SEGMENT_OURS ? sizeof(first) : 0;

	*ret = at;
	if (kind != SKEP_SEGMENT_OURS)
		return kind < 0 ? kind : kind == SKEP_SEGMENT_CUT ? 0 : -EBADF;
	while (err > 0 && (err = skep_block_next(fd, bytes, at, &head)) > 0) {
		skep_buf_clear(&payload);
		err = skep_block_payload(fd, &head, at, &payload);
		if (err)
			break;
		at += skep_block_bytes(&head);
		err = 1;
	}
	*ret = at;
	return err == -EINVAL ? 0 : err;
}

/* Only the last one can be torn: whoever began it cut the one before. */
static int mend_last(struct skep_archive_writer *writer, uint64_t *ret_cut_bytes)
{
	struct kept *last = skep_vec_last(&writer->kept);
	_cleanup_close_ int fd = skep_segment_open(writer->dir, last->number, O_RDWR);
	uint64_t whole = 0;

	if (fd < 0)
		return fd;
	int err = whole_bytes(fd, last->bytes, &whole);
	if (err)
		return err;
	*ret_cut_bytes = last->bytes - whole;
	if (whole < last->bytes && ftruncate(fd, (off_t)whole))
		return -errno;
	last->bytes = whole;
	return whole ? 0 : remove_segment(writer, skep_vec_pop(&writer->kept).number);
}

/* What is not ours is left alone. */
static int note_kept(struct skep_archive_writer *writer, uint32_t number)
{
	_cleanup_close_ int fd = skep_segment_open(writer->dir, number, O_RDONLY);
	struct skep_segment_head head;
	struct stat info;

	if (fd < 0 || fstat(fd, &info))
		return fd == -EINVAL ? 0 : fd < 0 ? fd : -errno;
	int kind = skep_segment_kind(fd, &head);
	if (kind != SKEP_SEGMENT_OURS && kind != SKEP_SEGMENT_CUT)
		return kind < 0 ? kind : 0;
	skep_vec_push(&writer->kept, ((struct kept){number, (uint64_t)info.st_size,
						    (uint64_t)info.st_mtim.tv_sec * 1000000000u}));
	return 0;
}

static int look(struct skep_archive_writer *writer, uint64_t *ret_cut_bytes)
{
	struct skep_segment_numbers numbers = {0};
	int err = skep_segment_list(writer->dir, &numbers);

	for (size_t i = 0; i < numbers.of.len && !err; i++)
		err = note_kept(writer, numbers.of.data[i]);
	/* 0: there is none behind the last. */
	writer->next_number = numbers.of.len ? *skep_vec_last(&numbers.of) + 1 : 1;
	skep_vec_done(&numbers.of);
	*ret_cut_bytes = 0;
	if (err || !writer->kept.len)
		return err;
	err = mend_last(writer, ret_cut_bytes);
	skep_vec_foreach (struct kept, kept, &writer->kept)
		writer->kept_bytes += kept->bytes;
	return err;
}

/* --- Room ------------------------------------------------------------------------------------ */

static int remove_oldest(struct skep_archive_writer *writer)
{
	int err = remove_segment(writer, writer->kept.data[0].number);

	if (err)
		return err;
	writer->kept_bytes -= writer->kept.data[0].bytes;
	writer->kept.len--;
	memmove(writer->kept.data, writer->kept.data + 1,
		writer->kept.len * sizeof(*writer->kept.data));
	return 0;
}

static bool has_old(const struct skep_archive_writer *writer, uint64_t now)
{
	return writer->limits.keep_ns && writer->kept.len && now > writer->limits.keep_ns &&
	       writer->kept.data[0].end_ns < now - writer->limits.keep_ns;
}

/* Have @bytes more within the limits. */
static int make_room(struct skep_archive_writer *writer, uint64_t bytes)
{
	uint64_t now = now_ns(CLOCK_REALTIME);
	int err = 0;

	while (!err && has_old(writer, now))
		err = remove_oldest(writer);
	while (!err && writer->kept.len &&
	       writer->kept_bytes + writer->active.bytes + bytes > writer->limits.keep_bytes)
		err = remove_oldest(writer);
	if (!err && writer->active.bytes + bytes > writer->limits.keep_bytes)
		err = -EFBIG;
	return err;
}

/* --- The segment that is appended to --------------------------------------------------------- */

/* Return 0 | -EOVERFLOW there is no number for it */
static int begin(struct skep_archive_writer *writer)
{
	struct active *active = &writer->active;

	if (!writer->next_number)
		return -EOVERFLOW;
	*active = (struct active){.number = writer->next_number++, .fd = -1};
	active->began_ns = now_ns(CLOCK_BOOTTIME);
	skep_profile_init(&active->table);
	if (deflateInit2(&active->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		skep_oom();
	return 0;
}

static void end(struct skep_archive_writer *writer)
{
	struct active *active = &writer->active;

	if (!active->number)
		return;
	if (active->bytes) {
		skep_vec_push(&writer->kept, ((struct kept){active->number, active->bytes,
							    now_ns(CLOCK_REALTIME)}));
		writer->kept_bytes += active->bytes;
		fdatasync(active->fd);
	}
	skep_close(&active->fd);
	deflateEnd(&active->stream);
	skep_profile_done(&active->table);
	*active = (struct active){.fd = -1};
}

static bool is_full(const struct skep_archive_writer *writer)
{
	const struct active *active = &writer->active;

	return active->table.n_nodes > TABLE_NODES_MOST ||
	       active->table.n_strings > TABLE_STRINGS_MOST ||
	       active->text_bytes > TABLE_TEXT_MOST ||
	       active->bytes > writer->limits.keep_bytes / SEGMENTS_LEAST ||
	       now_ns(CLOCK_BOOTTIME) - active->began_ns > SEGMENT_NS_MOST;
}

/* Can readers take it in? */
static bool is_small(const struct active *active)
{
	const struct skep_segment_most *most = &skep_segment_most;
	const struct skep_profile *table = &active->table;

	return table->n_strings <= most->strings && table->n_frames <= most->frames &&
	       table->n_nodes <= most->nodes && table->n_samples <= most->samples &&
	       table->n_losses <= most->losses && active->text_bytes <= most->text_bytes;
}

/* Return 0 | -EINVAL it counts other things than the segment | -EFBIG */
static int take_in(struct skep_archive_writer *writer, const struct skep_profile *interval)
{
	struct active *active = &writer->active;
	struct skep_profile *table = &active->table;
	struct skep_profile_merger merger;
	uint32_t before = table->n_strings;

	skep_profile_merger_init(&merger, interval, table);
	int err = skep_profile_merge_head(&merger);
	if (!err)
		skep_profile_merge(&merger, NULL);
	skep_profile_merger_done(&merger);
	if (!err && writer->untold)
		skep_profile_lose(table, LOST_WORDS, writer->untold);
	for (uint32_t i = before; i < table->n_strings; i++)
		active->text_bytes += strlen(table->strings[i]);
	return !err && !is_small(active) ? -EFBIG : err;
}

static void deflate_into(z_stream *stream, const struct skep_buf *plain, struct skep_buf *out)
{
	stream->next_in = (Bytef *)plain->data;
	stream->avail_in = (uInt)plain->len;
	do {
		size_t room = deflateBound(stream, stream->avail_in) + 64;
		stream->next_out = (Bytef *)skep_buf_reserve(out, room);
		stream->avail_out = (uInt)room;
		deflate(stream, Z_SYNC_FLUSH);
		out->len += room - stream->avail_out;
	} while (!stream->avail_out);
}

static void fill_head(const struct skep_profile *table, const struct skep_archive_note *note,
		      struct skep_block_head *ret)
{
	*ret = (struct skep_block_head){
		.samples = table->n_samples, .note = *note, .kind = skep_profile_kind(table)};
	for (uint32_t i = 0; i < table->n_types; i++)
		ret->totals[i] = skep_profile_total(table, i);
	for (uint32_t i = 0; i < table->n_losses; i++)
		ret->lost += table->losses[i].n;
}

/* Head and payload; before the first block the segment's. Return 0 | -EFBIG */
static int make_block(struct skep_archive_writer *writer, const struct skep_segment_mark *mark,
		      const struct skep_archive_note *note)
{
	struct active *active = &writer->active;
	struct skep_segment_head first;
	struct skep_block_head head;

	fill_head(&active->table, note, &head);
	skep_buf_clear(&writer->plain);
	skep_buf_clear(&writer->block);
	skep_segment_encode(&active->table, mark, &writer->plain);
	if (writer->plain.len > SKEP_BLOCK_MOST_BYTES)
		return -EFBIG;
	if (!active->bytes) {
		skep_segment_head_make(now_ns(CLOCK_REALTIME), &first);
		skep_buf_add(&writer->block, &first, sizeof(first));
	}
	size_t at = writer->block.len;
	skep_buf_fill(&writer->block, 0, sizeof(head));
	deflate_into(&active->stream, &writer->plain, &writer->block);
	const char *payload = writer->block.data + at + sizeof(head);
	head.plain_bytes = (uint32_t)writer->plain.len;
	if (writer->block.len - at - sizeof(head) > SKEP_BLOCK_MOST_STORED)
		return -EFBIG;
	head.stored_bytes = (uint32_t)(writer->block.len - at - sizeof(head));
	head.payload_crc = skep_segment_crc(payload, head.stored_bytes);
	skep_block_head_seal(&head);
	memcpy(writer->block.data + at, &head, sizeof(head));
	return 0;
}

static int write_block(struct skep_archive_writer *writer)
{
	struct active *active = &writer->active;
	const struct skep_buf *block = &writer->block;
	int err = make_room(writer, block->len);

	if (!err && active->fd < 0) {
		int fd = skep_segment_open(writer->dir, active->number,
					   O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
		active->fd = fd < 0 ? -1 : fd;
		err = fd < 0 ? fd : 0;
	}
	if (!err)
		err = skep_fd_write(active->fd, block->data, block->len);
	if (!err)
		active->bytes += block->len;
	return err;
}

/* Nothing stays of what was not written whole. */
static void give_up(struct skep_archive_writer *writer)
{
	struct active *active = &writer->active;

	if (active->fd >= 0 && !active->bytes)
		remove_segment(writer, active->number);
	else if (active->fd >= 0 && ftruncate(active->fd, (off_t)active->bytes))
		(void)!errno; /* the next writer finds it torn, readers as well */
	end(writer);
	writer->lost++;
	writer->untold++;
}

/* @ret_mark  what was there before */
static int take_marked(struct skep_archive_writer *writer, const struct skep_profile *interval,
		       struct skep_segment_mark *ret_mark)
{
	skep_segment_mark(&writer->active.table, ret_mark);
	return take_in(writer, interval);
}

int skep_archive_append(struct skep_archive_writer *writer, const struct skep_profile *interval,
			const struct skep_archive_note *note)
{
	struct skep_segment_mark mark;
	int err = 0;

	if (writer->active.number && is_full(writer))
		end(writer);
	bool is_first = !writer->active.number;
	if (is_first)
		err = begin(writer);
	if (!err)
		err = take_marked(writer, interval, &mark);
	if (err && !is_first) {
		end(writer);
		err = begin(writer);
		if (!err)
			err = take_marked(writer, interval, &mark);
	}
	if (!err)
		err = make_block(writer, &mark, note);
	if (!err)
		err = write_block(writer);
	if (err) {
		give_up(writer);
		return err;
	}
	writer->untold = 0;
	skep_profile_clear(&writer->active.table);
	return 0;
}

uint64_t skep_archive_lost(const struct skep_archive_writer *writer)
{
	return writer->lost;
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Return 0 | -ESTALE it was removed meanwhile | -EWOULDBLOCK another process has it | -errno */
static int lock(struct skep_archive_writer *writer, const char *path)
{
	/* Of the open file, not of the process; and readers can ask for it without taking it. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat ours, there;

	if (fcntl(writer->lock_fd, F_OFD_SETLK, &lock))
		return errno == EACCES || errno == EAGAIN ? -EWOULDBLOCK : -errno;
	if (fstat(writer->lock_fd, &ours))
		return -errno;
	if (!S_ISREG(ours.st_mode))
		return -EEXIST;
	return lstat(path, &there) || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev
		       ? -ESTALE
		       : 0;
}

static int open_lock(struct skep_archive_writer *writer, const char *path)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	skep_close(&writer->lock_fd);
	writer->lock_fd = open(path, flags | O_CREAT | O_EXCL, LOCK_MODE);
	writer->made_lock = writer->lock_fd >= 0;
	if (writer->lock_fd < 0 && errno == EEXIST)
		writer->lock_fd = open(path, flags);
	return writer->lock_fd < 0 ? -errno : 0;
}

/* Whoever gave up before it had anything removes it: then it is another file, or none. */
static int take_lock(struct skep_archive_writer *writer)
{
	_cleanup_buf_ struct skep_buf path = {0};
	int err = -ESTALE;

	writer->made_dir = !mkdir(writer->dir, DIR_MODE);
	if (!writer->made_dir && errno != EEXIST)
		return -errno;
	skep_buf_printf(&path, "%s/" SKEP_SEGMENT_LOCK, writer->dir);
	for (int i = 0; i < TRIES && (err == -ESTALE || err == -ENOENT); i++) {
		err = open_lock(writer, path.data);
		if (!err)
			err = lock(writer, path.data);
	}
	return err;
}

int skep_archive_create(const char *dir, const struct skep_archive_limits *limits,
			struct skep_archive_writer **ret, uint64_t *ret_cut_bytes,
			struct skep_diag *diag)
{
	struct skep_archive_writer *writer = skep_xcalloc(1, sizeof(*writer));

	writer->dir = skep_xstrdup(dir);
	writer->lock_fd = writer->active.fd = -1;
	writer->limits = *limits;
	int err = take_lock(writer);
	if (!err)
		err = look(writer, ret_cut_bytes);
	if (err) {
		skep_archive_undo(writer);
		return err == -EWOULDBLOCK ? skep_diag_fail(diag, err, SKEP_DIAG_ARCHIVE_LOCKED,
							    SKEP_NOWHERE, dir)
					   : skep_diag_fail(diag, err, SKEP_DIAG_ARCHIVE_DIR,
							    SKEP_NOWHERE, dir, strerror(-err));
	}
	*ret = writer;
	return 0;
}

/* While the lock is held: nobody else takes what is made for theirs. */
void skep_archive_undo(struct skep_archive_writer *writer)
{
	_cleanup_buf_ struct skep_buf path = {0};

	if (writer && writer->made_lock) {
		skep_buf_printf(&path, "%s/" SKEP_SEGMENT_LOCK, writer->dir);
		unlink(path.data);
	}
	/* Stays if anything is in it. */
	if (writer && writer->made_dir)
		rmdir(writer->dir);
	skep_archive_close(writer);
}

void skep_archive_close(struct skep_archive_writer *writer)
{
	if (!writer)
		return;
	end(writer);
	skep_close(&writer->lock_fd);
	skep_vec_done(&writer->kept);
	skep_buf_done(&writer->plain);
	skep_buf_done(&writer->block);
	free(writer->dir);
	free(writer);
}
