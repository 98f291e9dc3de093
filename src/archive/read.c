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
#define LOST_OTHERS                                                                                \
	"intervals that count other things (--cpu, --off-cpu, --event, -F, … choose what is "    \
	"shown)"
#define LOST_LARGE   "intervals that are larger than any that is written"
#define LOST_FULL    "intervals beyond what a profile holds (of a shorter window it holds all)"
#define LOST_VERSION "files of another version of skep"
#define LOST_NONE    "files that are no segments, or are broken at their beginning"

/* --- The index ------------------------------------------------------------------------------- */

static void add_interval(struct skep_archive *archive, const struct skep_archive_segment *segment,
			 const struct skep_block_head *head)
{
	struct skep_archive_interval *interval = skep_vec_add(&archive->intervals);

	interval->note = head->note;
	memcpy(interval->totals, head->totals, sizeof(interval->totals));
	interval->lost = head->lost;
	interval->kind = head->kind;
	interval->segment = segment->number;
	interval->at = segment->n;
	interval->samples = head->samples;
}

/* What is behind the intervals that are known of @segment, the last one of the archive's. */
static int scan(struct skep_archive *archive, struct skep_archive_segment *segment, int fd,
		uint64_t bytes)
{
	struct skep_block_head head;
	int err;

	while ((err = skep_block_next(fd, bytes, segment->bytes, &head)) > 0) {
		add_interval(archive, segment, &head);
		segment->bytes += skep_block_bytes(&head);
		segment->n++;
	}
	segment->torn_bytes = bytes - segment->bytes;
	return err;
}

/* Nothing is known of it. */
static void begin_anew(struct skep_archive *archive, struct skep_archive_segment *segment)
{
	archive->intervals.len = segment->first;
	*segment =
		(struct skep_archive_segment){.number = segment->number, .first = segment->first};
}

static int scan_ours(struct skep_archive *archive, struct skep_archive_segment *segment, int fd,
		     const struct skep_segment_head *head, uint64_t bytes)
{
	/* Shorter than it was, or another one. */
	if (bytes < segment->bytes || segment->created_ns != head->created_ns)
		begin_anew(archive, segment);
	segment->created_ns = head->created_ns;
	if (!segment->bytes)
		segment->bytes = sizeof(*head);
	return scan(archive, segment, fd, bytes);
}

/* @segment is the last one of the archive's. Return 0 | -ENOENT it has gone | -errno */
static int scan_file(struct skep_archive *archive, struct skep_archive_segment *segment)
{
	_cleanup_close_ int fd = skep_segment_open(archive->dir, segment->number, O_RDONLY);
	struct skep_segment_head head;
	struct stat info;

	if (fd == -EINVAL) {
		begin_anew(archive, segment);
		segment->is_none = true;
		return 0;
	}
	if (fd < 0 || fstat(fd, &info))
		return fd < 0 ? fd : -errno;
	int kind = skep_segment_kind(fd, &head);
	if (kind == SKEP_SEGMENT_OURS)
		return scan_ours(archive, segment, fd, &head, (uint64_t)info.st_size);
	begin_anew(archive, segment);
	segment->is_other = kind == SKEP_SEGMENT_OTHER;
	segment->is_none = kind == SKEP_SEGMENT_NONE;
	segment->torn_bytes = kind == SKEP_SEGMENT_CUT ? (uint64_t)info.st_size : 0;
	return kind < 0 ? kind : 0;
}

/* What has come in segment @number, the last one that is known or one behind it. */
static int look_at(struct skep_archive *archive, uint32_t number)
{
	if (!archive->segments.len || skep_vec_last(&archive->segments)->number != number)
		skep_vec_push(
			&archive->segments,
			((struct skep_archive_segment){.number = number,
						       .first = (uint32_t)archive->intervals.len}));
	struct skep_archive_segment *segment = skep_vec_last(&archive->segments);
	int err = scan_file(archive, segment);

	if (err == -ENOENT) {
		begin_anew(archive, segment);
		archive->segments.len--;
		return 0;
	}
	return err;
}

/* Of what is known that which is there still, up to the first segment that is not known. Only the
 * last of them may have changed. Return how many segments that are. */
static size_t keep_known(struct skep_archive *archive, const struct skep_segment_numbers *numbers)
{
	uint32_t n = 0;
	size_t kept = 0;

	for (size_t i = 0; i < archive->segments.len && kept < numbers->of.len; i++) {
		struct skep_archive_segment segment = archive->segments.data[i];
		if (segment.number < numbers->of.data[kept])
			continue;
		if (segment.number > numbers->of.data[kept])
			break;
		if (segment.n && segment.first != n)
			memmove(archive->intervals.data + n,
				archive->intervals.data + segment.first,
				segment.n * sizeof(*archive->intervals.data));
		segment.first = n;
		n += segment.n;
		archive->segments.data[kept++] = segment;
	}
	archive->segments.len = kept;
	archive->intervals.len = n;
	return kept;
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

static int index_all(struct skep_archive *archive)
{
	struct skep_segment_numbers numbers = {0};
	/* First: what it writes from now on is not torn. */
	archive->has_writer = is_locked(archive->dir);
	int err = skep_segment_list(archive->dir, &numbers);

	if (!err && !is_there(archive->dir, &numbers))
		err = -ENOENT;
	size_t known = err ? 0 : keep_known(archive, &numbers);
	for (size_t i = known ? known - 1 : 0; i < numbers.of.len && !err; i++)
		err = look_at(archive, numbers.of.data[i]);
	skep_vec_done(&numbers.of);
	return err;
}

int skep_archive_refresh(struct skep_archive *archive, struct skep_diag *diag)
{
	int err = index_all(archive);

	if (err == -ENOENT)
		return skep_diag_fail(diag, err, SKEP_DIAG_ARCHIVE_NONE, SKEP_NOWHERE,
				      archive->dir);
	return err ? skep_diag_fail(diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, archive->dir,
				    strerror(-err))
		   : 0;
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
	skep_vec_done(&archive->segments);
	skep_vec_done(&archive->intervals);
	free(archive->dir);
	*archive = (struct skep_archive){0};
}

/* --- A window -------------------------------------------------------------------------------- */

struct reading {
	const struct skep_archive *archive;
	struct skep_archive_window window; /* of one kind */
	const struct skep_profile_filter *filter;
	struct skep_profile *to;
};

static bool is_before(const struct skep_archive_interval *interval, struct skep_archive_place place)
{
	return interval->segment < place.segment ||
	       (interval->segment == place.segment && interval->at < place.n);
}

struct skep_archive_place skep_archive_end(const struct skep_archive *archive)
{
	const struct skep_archive_segment *last =
		archive->segments.len ? skep_vec_last(&archive->segments) : NULL;

	return last ? (struct skep_archive_place){last->number, last->n}
		    : (struct skep_archive_place){0};
}

bool skep_archive_is_in(const struct skep_archive_interval *interval,
			const struct skep_archive_window *window)
{
	return interval->note.begin_ns >= window->from_ns &&
	       interval->note.begin_ns < window->to_ns && !is_before(interval, window->first) &&
	       (!window->end.segment || is_before(interval, window->end));
}

uint64_t skep_archive_kind(const struct skep_archive *archive,
			   const struct skep_archive_window *window)
{
	if (window->kind)
		return window->kind;
	for (size_t i = archive->intervals.len; i-- > 0;) {
		if (skep_archive_is_in(&archive->intervals.data[i], window))
			return archive->intervals.data[i].kind;
	}
	return 0;
}

static const struct skep_archive_interval *interval_of(const struct reading *reading,
						       const struct skep_archive_segment *segment,
						       uint32_t i)
{
	return &reading->archive->intervals.data[segment->first + i];
}

static bool is_wanted(const struct reading *reading, const struct skep_archive_interval *interval)
{
	return skep_archive_is_in(interval, &reading->window) &&
	       interval->kind == reading->window.kind;
}

/* Its intervals up to the last one that is wanted; 0: none is. */
static uint32_t count_needed(const struct reading *reading,
			     const struct skep_archive_segment *segment)
{
	uint32_t n = segment->n;

	while (n && !is_wanted(reading, interval_of(reading, segment, n - 1)))
		n--;
	return n;
}

static void lose(struct reading *reading, const struct skep_archive_segment *segment,
		 uint32_t first, const char *why)
{
	uint64_t n = 0;

	for (uint32_t i = first; i < segment->n; i++)
		n += is_wanted(reading, interval_of(reading, segment, i));
	if (n)
		skep_profile_lose(reading->to, why, n);
}

/* Whatever is in @from, @to is no larger than a profile may be with it. */
static bool has_room(const struct skep_profile *to, const struct skep_profile *from)
{
	return (uint64_t)to->n_samples + from->n_samples <= SKEP_ARCHIVE_WINDOW_MOST &&
	       (uint64_t)to->n_nodes + from->n_nodes <= 2 * SKEP_ARCHIVE_WINDOW_MOST &&
	       (uint64_t)to->n_strings + from->n_strings <= SKEP_ARCHIVE_WINDOW_MOST;
}

static void take(struct reading *reading, struct skep_profile_merger *merger,
		 const struct skep_archive_interval *interval)
{
	struct skep_profile *to = reading->to;

	if (!has_room(to, merger->from)) {
		skep_profile_lose(to, LOST_FULL, 1);
		return;
	}
	if (skep_profile_merge_head(merger)) {
		skep_profile_lose(to, LOST_OTHERS, 1);
		return;
	}
	skep_profile_merge(merger, reading->filter);
	to->duration_ns += interval->note.duration_ns;
	if (!to->start_ns || interval->note.begin_ns < to->start_ns)
		to->start_ns = interval->note.begin_ns;
}

/* Return 0 | -EINVAL, -E2BIG interval @i, and all behind it, is broken | -errno */
static int read_one(struct reading *reading, const struct skep_archive_segment *segment, int fd,
		    uint64_t *at, struct skep_segment_reader *reader, uint32_t i)
{
	struct skep_block_head head;
	_cleanup_buf_ struct skep_buf stored = {0};
	int err = skep_block_next(fd, segment->bytes, *at, &head);

	if (err <= 0)
		return err ? err : -EINVAL;
	err = skep_block_payload(fd, &head, *at, &stored);
	if (!err)
		err = skep_segment_read(reader, stored.data, &head,
					is_wanted(reading, interval_of(reading, segment, i)));
	*at += skep_block_bytes(&head);
	return err;
}

/* The file that the index is of: another one may have its name now. */
static int open_same(const struct skep_archive *archive, const struct skep_archive_segment *segment)
{
	_cleanup_close_ int fd = skep_segment_open(archive->dir, segment->number, O_RDONLY);
	struct skep_segment_head head;

	if (fd < 0)
		return fd;
	int kind = skep_segment_kind(fd, &head);
	if (kind < 0)
		return kind;
	return kind == SKEP_SEGMENT_OURS && head.created_ns == segment->created_ns ? TAKE_FD(fd)
										   : -ENOENT;
}

static const char *words_of(int err)
{
	switch (err) {
	case -EINVAL: return LOST_BROKEN;
	case -E2BIG: return LOST_LARGE;
	case -ENOENT: return LOST_GONE;
	default: return LOST_READING;
	}
}

static void read_segment(struct reading *reading, const struct skep_archive_segment *segment)
{
	uint32_t n = count_needed(reading, segment), i = 0;
	uint64_t at = sizeof(struct skep_segment_head);
	struct skep_segment_reader reader;
	struct skep_profile_merger merger;

	if (!n)
		return;
	_cleanup_close_ int fd = open_same(reading->archive, segment);
	int err = fd < 0 ? fd : 0;
	skep_segment_reader_init(&reader);
	skep_profile_merger_init(&merger, &reader.table, reading->to);
	for (; i < n && !err; i++) {
		const struct skep_archive_interval *interval = interval_of(reading, segment, i);
		err = read_one(reading, segment, fd, &at, &reader, i);
		if (!err && is_wanted(reading, interval))
			take(reading, &merger, interval);
	}
	if (err)
		lose(reading, segment, i ? i - 1 : 0, words_of(err));
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
	     skep_archive_is_in(interval_of(reading, segment, segment->n - 1), &reading->window)))
		skep_profile_lose(reading->to, LOST_TORN, 1);
}

static void tell_others(struct reading *reading)
{
	uint64_t others = 0;

	skep_vec_foreach (struct skep_archive_interval, interval, &reading->archive->intervals)
		others += skep_archive_is_in(interval, &reading->window) &&
			  interval->kind != reading->window.kind;
	if (others)
		skep_profile_lose(reading->to, LOST_OTHERS, others);
}

void skep_archive_read(const struct skep_archive *archive, const struct skep_archive_window *window,
		       const struct skep_profile_filter *filter, struct skep_profile *ret)
{
	struct reading reading = {archive, *window, filter, ret};

	/* They are of no time; but not between two intervals either. */
	bool is_open = !window->first.segment && !window->end.segment;

	reading.window.kind = skep_archive_kind(archive, window);
	skep_profile_init(ret);
	/* From the newest: where there are more than a profile holds these are shown. */
	for (size_t i = archive->segments.len; i-- > 0;) {
		const struct skep_archive_segment *segment = &archive->segments.data[i];
		read_segment(&reading, segment);
		tell_torn(&reading, segment);
		if (segment->is_other && is_open)
			skep_profile_lose(ret, LOST_VERSION, 1);
		if (segment->is_none && is_open)
			skep_profile_lose(ret, LOST_NONE, 1);
	}
	tell_others(&reading);
}
