/* Reading an archive, see archive.h: first heads only, and of a window what it takes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/diag.h>

#include "archive/segment.h"
#include "base/fd.h"

#define LOST_TORN    "intervals whose writing was cut short"
#define LOST_BROKEN  "intervals that are broken on disk"
#define LOST_GONE    "intervals that were removed for lack of room meanwhile"
#define LOST_READING "intervals that could not be read from disk"
#define LOST_OTHERS  "intervals that count other things"

static int open_file(const struct skep_archive *archive, uint32_t number)
{
	_cleanup_buf_ struct skep_buf path = {0};

	skep_segment_path(archive->dir, number, &path);
	int fd = open(path.data, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* --- The index ------------------------------------------------------------------------------- */

static void add_interval(struct skep_archive *archive, const struct skep_archive_segment *segment,
			 const struct skep_block_head *head)
{
	struct skep_archive_interval *interval = skep_vec_add(&archive->intervals);

	interval->note = head->note;
	memcpy(interval->totals, head->totals, sizeof(interval->totals));
	interval->lost = head->lost;
	interval->segment = segment->number;
	interval->samples = head->samples;
}

/* Intervals of @segment, the last one of the archive's, from where it was read to. */
static int scan(struct skep_archive *archive, struct skep_archive_segment *segment, int fd,
		uint64_t bytes)
{
	struct skep_block_head head;
	int err = 1;

	if (!segment->bytes) {
		err = skep_segment_begins(fd);
		segment->bytes = err > 0 ? sizeof(struct skep_segment_head) : 0;
	}
	while (err > 0 && (err = skep_block_next(fd, bytes, segment->bytes, &head)) > 0) {
		add_interval(archive, segment, &head);
		segment->bytes += skep_block_bytes(&head);
		segment->n++;
	}
	segment->torn_bytes = bytes - segment->bytes;
	return err;
}

static const struct skep_archive_segment *find(const struct skep_archive *archive, uint32_t number)
{
	for (size_t i = archive->segments.len; i-- > 0;) {
		if (archive->segments.data[i].number == number)
			return &archive->segments.data[i];
	}
	return NULL;
}

/* What @before knows of segment @number, and what has come since. One that has gone is no error. */
static int add_segment(struct skep_archive *archive, const struct skep_archive *before,
		       uint32_t number)
{
	const struct skep_archive_segment *known = find(before, number);
	struct skep_archive_segment segment = {.number = number};
	_cleanup_close_ int fd = open_file(archive, number);
	struct stat info;

	if (fd < 0 || fstat(fd, &info))
		return fd == -ENOENT ? 0 : fd < 0 ? fd : -errno;
	segment.first = (uint32_t)archive->intervals.len;
	if (known && (uint64_t)info.st_size >= known->bytes) {
		segment.bytes = known->bytes;
		segment.n = known->n;
		for (uint32_t i = 0; i < known->n; i++)
			skep_vec_push(&archive->intervals,
				      before->intervals.data[known->first + i]);
	}
	int err = scan(archive, &segment, fd, (uint64_t)info.st_size);
	skep_vec_push(&archive->segments, segment);
	return err;
}

/* Asked for without taking it: a writer that begins now is not kept away. */
static bool is_locked(const char *dir)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	_cleanup_buf_ struct skep_buf path = {0};

	skep_buf_printf(&path, "%s/" SKEP_SEGMENT_LOCK, dir);
	_cleanup_close_ int fd = open(path.data, O_RDWR | O_CLOEXEC);
	return fd >= 0 && !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* Is it an archive? One that is new has no segment yet. */
static bool is_there(const char *dir, const struct skep_segment_numbers *numbers)
{
	_cleanup_buf_ struct skep_buf path = {0};

	skep_buf_printf(&path, "%s/" SKEP_SEGMENT_LOCK, dir);
	return numbers->of.len || !access(path.data, F_OK);
}

static int index_all(struct skep_archive *archive, const struct skep_archive *before)
{
	struct skep_segment_numbers numbers = {0};
	/* First: what it writes from now on is not torn. */
	archive->has_writer = is_locked(archive->dir);
	int err = skep_segment_list(archive->dir, &numbers);

	if (!err && !is_there(archive->dir, &numbers))
		err = -ENOENT;
	for (size_t i = 0; i < numbers.of.len && !err; i++)
		err = add_segment(archive, before, numbers.of.data[i]);
	skep_vec_done(&numbers.of);
	return err;
}

static void drop(struct skep_archive *archive)
{
	skep_vec_done(&archive->segments);
	skep_vec_done(&archive->intervals);
}

int skep_archive_refresh(struct skep_archive *archive, struct skep_diag *diag)
{
	struct skep_archive now = {.dir = archive->dir};
	int err = index_all(&now, archive);

	if (err) {
		drop(&now);
		return err == -ENOENT ? skep_diag_fail(diag, err, SKEP_DIAG_ARCHIVE_NONE,
						       SKEP_NOWHERE, archive->dir)
				      : skep_diag_fail(diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE,
						       archive->dir, strerror(-err));
	}
	drop(archive);
	*archive = now;
	return 0;
}

int skep_archive_open(const char *dir, struct skep_archive *ret, struct skep_diag *diag)
{
	struct skep_archive archive = {.dir = skep_xstrdup(dir)};
	int err = skep_archive_refresh(&archive, diag);

	if (err)
		skep_archive_done(&archive);
	else
		*ret = archive;
	return err;
}

void skep_archive_done(struct skep_archive *archive)
{
	drop(archive);
	free(archive->dir);
	*archive = (struct skep_archive){0};
}

/* --- A window -------------------------------------------------------------------------------- */

struct reading {
	const struct skep_archive *archive;
	const struct skep_archive_window *window;
	const struct skep_profile_filter *filter;
	struct skep_profile *to;
};

static bool is_in(const struct reading *reading, const struct skep_archive_interval *interval)
{
	return interval->note.begin_ns >= reading->window->from_ns &&
	       interval->note.begin_ns < reading->window->to_ns;
}

/* Its intervals up to the last one that is wanted; 0: none is. */
static uint32_t count_needed(const struct reading *reading,
			     const struct skep_archive_segment *segment)
{
	uint32_t n = segment->n;

	while (n && !is_in(reading, &reading->archive->intervals.data[segment->first + n - 1]))
		n--;
	return n;
}

static void lose(struct reading *reading, const struct skep_archive_segment *segment,
		 uint32_t first, const char *why)
{
	uint64_t n = 0;

	for (uint32_t i = first; i < segment->n; i++)
		n += is_in(reading, &reading->archive->intervals.data[segment->first + i]);
	if (n)
		skep_profile_lose(reading->to, why, n);
}

static void take(struct reading *reading, struct skep_profile_merger *merger,
		 const struct skep_archive_interval *interval)
{
	struct skep_profile *to = reading->to;

	if (skep_profile_merge_head(merger)) {
		skep_profile_lose(to, LOST_OTHERS, 1);
		return;
	}
	skep_profile_merge(merger, reading->filter);
	to->duration_ns += interval->note.duration_ns;
	if (!to->start_ns || interval->note.begin_ns < to->start_ns)
		to->start_ns = interval->note.begin_ns;
}

/* Return 0 | -EINVAL interval @i, and all behind it, is broken | -errno */
static int read_one(struct reading *reading, const struct skep_archive_segment *segment, int fd,
		    uint64_t *at, struct skep_segment_reader *reader, uint32_t i)
{
	const struct skep_archive_interval *interval =
		&reading->archive->intervals.data[segment->first + i];
	struct skep_block_head head;
	_cleanup_buf_ struct skep_buf stored = {0};
	int err = skep_block_next(fd, segment->bytes, *at, &head);

	if (err > 0)
		err = skep_block_payload(fd, &head, *at, &stored);
	else
		err = err ? err : -EINVAL;
	if (!err)
		err = skep_segment_read(reader, stored.data, &head, is_in(reading, interval));
	*at += skep_block_bytes(&head);
	return err;
}

static void read_segment(struct reading *reading, const struct skep_archive_segment *segment)
{
	uint32_t n = count_needed(reading, segment), i = 0;
	uint64_t at = sizeof(struct skep_segment_head);
	struct skep_segment_reader reader;
	struct skep_profile_merger merger;
	_cleanup_close_ int fd = n ? open_file(reading->archive, segment->number) : -1;
	int err = fd < 0 ? fd : 0;

	if (!n)
		return;
	skep_segment_reader_init(&reader);
	skep_profile_merger_init(&merger, &reader.table, reading->to);
	for (; i < n && !err; i++) {
		err = read_one(reading, segment, fd, &at, &reader, i);
		if (!err && is_in(reading, &reading->archive->intervals.data[segment->first + i]))
			take(reading, &merger,
			     &reading->archive->intervals.data[segment->first + i]);
	}
	if (err)
		lose(reading, segment, i ? i - 1 : 0,
		     err == -EINVAL   ? LOST_BROKEN
		     : err == -ENOENT ? LOST_GONE
				      : LOST_READING);
	skep_profile_merger_done(&merger);
	skep_segment_reader_done(&reader);
}

/* What is torn came behind the segment's last interval. */
static void tell_torn(struct reading *reading, const struct skep_archive_segment *segment)
{
	const struct skep_archive *archive = reading->archive;
	bool is_last = segment == skep_vec_last(&archive->segments);

	if (segment->torn_bytes && !(is_last && archive->has_writer) &&
	    (!segment->n ||
	     is_in(reading, &archive->intervals.data[segment->first + segment->n - 1])))
		skep_profile_lose(reading->to, LOST_TORN, 1);
}

void skep_archive_read(const struct skep_archive *archive, const struct skep_archive_window *window,
		       const struct skep_profile_filter *filter, struct skep_profile *ret)
{
	struct reading reading = {archive, window, filter, ret};

	skep_profile_init(ret);
	/* From the newest: what that counts is what is shown. */
	for (size_t i = archive->segments.len; i-- > 0;) {
		read_segment(&reading, &archive->segments.data[i]);
		tell_torn(&reading, &archive->segments.data[i]);
	}
}
