/*
 * Names some addresses at a time, again and again, in memory that does not grow; see skep/symbol.h.
 *
 * Where usyms.c keeps what it reads of processes and files, this asks anew and keeps answers only:
 *
 *	address ──► mapping          of the process that is there now (one call of the kernel), or
 *	            │                where it was when it was seen last
 *	            ▼
 *	file, offset ──► name        as it was answered before, or
 *	            │
 *	            ▼
 *	         pending ──► read    one pass over a file for all that is asked of it
 *
 * Reading a file may take a hundredth of a processor's time, reading all of them a twentieth: what
 * is asked of one before that has passed is named by its file, and counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "linux/procroot.h"
#include "linux/vdso.h"
#include "symbol/debugfile.h"
#include "symbol/files.h"
#include "symbol/pass.h"
#include "symbol/perfmap.h"
#include "symbol/process.h"
#include "symbol/spots.h"

#define PACE       100
#define PACE_ALL   20
#define AHEAD_NS   2000000000ull /* of reading: a tenth of a second */
#define READS      16            /* files that are read together, at most */
#define TEXT_BYTES (64 * 1024)

enum kind { KIND_ELF, KIND_VDSO, KIND_PERFMAP };

/* A file that is to be read. */
struct reading {
	enum kind kind;
	int fd; /* owned; -1: of the vdso */
	uint64_t file, bytes;
	uint64_t version; /* of the file: what its names are remembered under */
	pid_t pid;
	struct skep_mapping mapping; /* of the vdso */
	char path[SKEP_MAPS_PATH_BYTES];
};

struct asked {
	struct skep_spot *spot;
	uint64_t off; /* in the file; of code made at run time its address */
	uint32_t reading;
};

struct skep_spots {
	bool demangle;
	struct spots_memory memory;
	struct reading readings[READS];
	uint32_t n_readings;
	SKEP_VEC(struct asked) asked;
	SKEP_VEC(struct skep_spot *) order;
	SKEP_VEC(struct skep_pass_place) places;
	struct skep_keeper memory_reading; /* of a vdso that is not like ours */
	char text[TEXT_BYTES];
	uint64_t all_paid_ns, all_next_ns; /* see pay() */
	uint64_t n_unread;
};

/* The process whose addresses are being named. */
struct subject {
	pid_t pid;
	bool is_there;
	struct skep_maps_asker asker;
	char path[SKEP_MAPS_PATH_BYTES];
	bool looked_for_perfmap;
	int perfmap_fd; /* owned; -1 */
	uint64_t perfmap_file, perfmap_bytes;
};

struct skep_spots *skep_spots_new(bool demangle)
{
	struct skep_spots *spots = skep_xcalloc(1, sizeof(*spots));

	spots->demangle = demangle;
	skep_vdso_reading_init(&spots->memory_reading);
	return spots;
}

void skep_spots_free(struct skep_spots *spots)
{
	if (!spots)
		return;
	skep_vec_done(&spots->asked);
	skep_vec_done(&spots->order);
	skep_vec_done(&spots->places);
	skep_keeper_done(&spots->memory_reading);
	free(spots);
}

uint64_t skep_spots_unread(const struct skep_spots *spots)
{
	return spots->n_unread;
}

uint64_t skep_spots_evicted(const struct skep_spots *spots)
{
	return spots->memory.n_evicted;
}

/* Code made at run time may be asked for in two files: what one of them names is named. */
static void answer(struct skep_spot *spot, const char *name)
{
	if (!name[0])
		return;
	spot->is_named = true;
	memcpy(spot->name, name, sizeof(spot->name));
}

/* --- Reading files --------------------------------------------------------------------------- */

static void put_answer(struct skep_spots *spots, const struct reading *reading,
		       struct skep_spot *spot, const struct skep_pass_place *place)
{
	bool is_mangled = place->name && spots->demangle && reading->kind != KIND_PERFMAP;
	_cleanup_free_ char *demangled = is_mangled ? skep_demangle(place->name) : NULL;

	spots_put_name(&spots->memory, reading->version, place->off, place->from, place->to,
		       demangled ? demangled : place->name);
	answer(spot, spots_find_name(&spots->memory, reading->version, place->off));
}

static void put_answers(struct skep_spots *spots, const struct reading *reading)
{
	skep_vec_foreach (struct skep_pass_place, place, &spots->places)
		put_answer(spots, reading, spots->asked.data[place->tag].spot, place);
}

/* What is stripped of one may have the other. One that is no ELF file has no names. */
static void read_elf(struct skep_spots *spots, struct reading *reading)
{
	_cleanup_close_ int root_fd = -1;
	_cleanup_elf_ struct skep_elf *elf = NULL, *debug = NULL;
	struct skep_elf_entries entries;

	if (skep_elf_open_fd(TAKE_FD(reading->fd), reading->path, &elf, NULL) == 0) {
		root_fd = skep_procroot_open(reading->pid);
		skep_elf_entries_find(elf, &entries);
		if (!entries.tables[0].n) /* no .symtab */
			skep_debugfile_open(elf, reading->path, root_fd, NULL, &debug);
		skep_pass(elf, debug, spots->places.data, spots->places.len);
	}
	put_answers(spots, reading);
}

static void read_vdso(struct skep_spots *spots, struct reading *reading)
{
	_cleanup_buf_ struct skep_buf image = {0};
	_cleanup_elf_ struct skep_elf *elf = NULL;

	if (skep_vdso_read(&spots->memory_reading, reading->pid, &reading->mapping, &image) == 0 &&
	    skep_elf_parse(image.data, image.len, &elf, NULL) == 0)
		skep_pass(elf, NULL, spots->places.data, spots->places.len);
	put_answers(spots, reading);
}

/* Code that is made later replaces older code, or a part of it. */
static void take_line(struct skep_spots *spots, const char *at, const char *end)
{
	struct skep_perfmap_line line;

	if (!skep_perfmap_line(at, end, &line))
		return;
	uint64_t line_end = line.start + line.size;
	skep_vec_foreach (struct skep_pass_place, place, &spots->places) {
		char *name = spots->asked.data[place->tag].spot->name;
		if (place->off >= line.start && place->off < line_end) {
			spots_copy(name, SKEP_SPOT_BYTES, line.name, line.name_len);
			place->name = name;
			place->from = line.start;
			place->to = line_end;
		} else if (place->name && line.start > place->off && line.start < place->to) {
			place->to = line.start;
		} else if (place->name && line_end <= place->off && line_end > place->from) {
			place->from = line_end;
		}
	}
}

/* The last line may still be being written; one that fills the buffer is none. */
static size_t take_lines(struct skep_spots *spots, size_t len)
{
	const char *at = spots->text, *end = at + len, *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		take_line(spots, at, newline);
		at = newline + 1;
	}
	size_t rest = (size_t)(end - at);
	rest = rest == TEXT_BYTES ? 0 : rest;
	memmove(spots->text, at, rest);
	return rest;
}

static void read_perfmap(struct skep_spots *spots, struct reading *reading)
{
	size_t len = 0;
	uint64_t all = 0;
	ssize_t n;

	skep_vec_foreach (struct skep_pass_place, place, &spots->places) {
		place->name = NULL;
		place->from = place->off;
		place->to = place->off + 1;
	}
	while (all < SKEP_PERFMAP_MAX_BYTES &&
	       ((n = read(reading->fd, spots->text + len, TEXT_BYTES - len)) > 0 ||
		(n < 0 && errno == EINTR))) {
		all += n > 0 ? (uint64_t)n : 0;
		len = take_lines(spots, len + (n > 0 ? (size_t)n : 0));
	}
	put_answers(spots, reading);
}

static void take_places(struct skep_spots *spots, uint32_t number)
{
	spots->places.len = 0;
	for (size_t i = 0; i < spots->asked.len; i++) {
		const struct asked *asked = &spots->asked.data[i];
		struct skep_pass_place place = {
			.off = asked->off, .from = asked->off, .to = asked->off + 1, .tag = i};
		if (asked->reading == number)
			skep_vec_push(&spots->places, place);
	}
}

/* All of them together may take more for a while, but not for long: what was read is paid for with
 * PACE_ALL times its time, and no more is read while that is longer than AHEAD_NS from now. */
static void pay(struct skep_spots *spots, uint64_t now_ns, uint64_t took_ns)
{
	if (spots->all_paid_ns < now_ns)
		spots->all_paid_ns = now_ns;
	spots->all_paid_ns += took_ns * PACE_ALL;
	spots->all_next_ns = spots->all_paid_ns - AHEAD_NS;
}

/* Of this thread: on a busy machine most of the time goes by without it. */
static uint64_t processor_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void read_one(struct skep_spots *spots, uint32_t number)
{
	struct reading *reading = &spots->readings[number];
	uint64_t now_ns = skep_clock_ns(), began_ns = processor_ns();

	take_places(spots, number);
	switch (reading->kind) {
	case KIND_ELF: read_elf(spots, reading); break;
	case KIND_VDSO: read_vdso(spots, reading); break;
	case KIND_PERFMAP: read_perfmap(spots, reading); break;
	}
	skep_close(&reading->fd);
	uint64_t took_ns = processor_ns() - began_ns;
	spots_put_file(&spots->memory, reading->file, reading->bytes, now_ns + took_ns * PACE);
	pay(spots, now_ns, took_ns);
}

static void read_all(struct skep_spots *spots)
{
	for (uint32_t i = 0; i < spots->n_readings; i++)
		read_one(spots, i);
	spots->n_readings = 0;
	spots->asked.len = 0;
}

/* --- What is to be read ---------------------------------------------------------------------- */

static struct reading *find_reading(struct skep_spots *spots, uint64_t file)
{
	for (uint32_t i = 0; i < spots->n_readings; i++)
		if (spots->readings[i].file == file)
			return &spots->readings[i];
	return NULL;
}

static bool may_read(struct skep_spots *spots, uint64_t file)
{
	const struct spots_file *known = spots_find_file(&spots->memory, file);
	uint64_t now_ns = skep_clock_ns();

	return now_ns >= spots->all_next_ns && (!known || now_ns >= known->next_ns);
}

/* The reading of @file, begun if need be: then its kind and fd are the caller's to fill in. */
static struct reading *begin_reading(struct skep_spots *spots, const struct subject *subject,
				     uint64_t file)
{
	if (spots->n_readings == READS)
		read_all(spots);
	struct reading *reading = &spots->readings[spots->n_readings++];
	reading->file = reading->version = file;
	reading->bytes = 0;
	reading->fd = -1;
	reading->pid = subject->pid;
	memcpy(reading->path, subject->path, strlen(subject->path) + 1);
	return reading;
}

static void ask(struct skep_spots *spots, const struct reading *reading, uint64_t off,
		struct skep_spot *spot)
{
	uint32_t number = (uint32_t)(reading - spots->readings);

	skep_vec_push(&spots->asked, ((struct asked){.spot = spot, .off = off, .reading = number}));
}

/* True: it is answered, or cannot be for now. */
static bool is_known(struct skep_spots *spots, uint64_t file, uint64_t version, uint64_t off,
		     struct skep_spot *spot)
{
	const char *name = spots_find_name(&spots->memory, version, off);
	const struct reading *reading;

	if (name) {
		answer(spot, name);
		return true;
	}
	reading = find_reading(spots, file);
	if (reading)
		ask(spots, reading, off, spot);
	if (reading || may_read(spots, file))
		return reading;
	spots->n_unread++;
	return true;
}

/* --- Code made at run time ------------------------------------------------------------------- */

static void look_for_perfmap(struct subject *subject)
{
	struct stat st;
	uid_t owner;

	subject->looked_for_perfmap = true;
	subject->perfmap_fd = skep_process_open_perfmap(subject->pid, &owner);
	if (subject->perfmap_fd < 0)
		return;
	if (!skep_perfmap_is_of(subject->perfmap_fd, owner, &st)) {
		skep_close(&subject->perfmap_fd);
		return;
	}
	uint64_t key[] = {KIND_PERFMAP, st.st_dev, st.st_ino, (uint64_t)subject->pid};
	subject->perfmap_file = skep_hash_bytes(key, sizeof(key)) | 1;
	subject->perfmap_bytes = (uint64_t)st.st_size;
}

static uint64_t version_of(uint64_t file, uint64_t bytes)
{
	uint64_t key[] = {file, bytes};

	return skep_hash_bytes(key, sizeof(key)) | 1;
}

static void read_made(struct skep_spots *spots, struct subject *subject, struct skep_spot *spot)
{
	if (subject->perfmap_fd < 0) /* it was read a moment ago, to make room for others */
		return;
	struct reading *reading = begin_reading(spots, subject, subject->perfmap_file);
	reading->kind = KIND_PERFMAP;
	reading->bytes = subject->perfmap_bytes;
	reading->version = version_of(reading->file, reading->bytes);
	reading->fd = TAKE_FD(subject->perfmap_fd);
	ask(spots, reading, spot->addr, spot);
}

/* Once the file has grown, its older names may be wrong, but are better than none until then. */
static void name_made(struct skep_spots *spots, struct subject *subject, struct skep_spot *spot)
{
	if (!subject->looked_for_perfmap)
		look_for_perfmap(subject);
	if (!subject->perfmap_file)
		return;
	uint64_t file = subject->perfmap_file;
	const struct reading *reading = find_reading(spots, file);
	const struct spots_file *read = spots_find_file(&spots->memory, file);
	bool has_grown = read && read->bytes != subject->perfmap_bytes;
	uint64_t version = version_of(file, read ? read->bytes : 0);
	if (reading)
		ask(spots, reading, spot->addr, spot);
	else if (has_grown && may_read(spots, file))
		read_made(spots, subject, spot);
	else if (!is_known(spots, file, version, spot->addr, spot))
		read_made(spots, subject, spot);
}

/* --- Files ----------------------------------------------------------------------------------- */

static void put_module(struct skep_spot *spot, const char *path, const char *what)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char text[2 * SKEP_SPOT_BYTES];

	snprintf(text, sizeof(text), "%.*s%s", SKEP_SPOT_BYTES, base, what);
	spot->is_named = false;
	spots_copy(spot->name, sizeof(spot->name), text, strlen(text));
}

static uint64_t number_of_file(int fd)
{
	struct skep_file_key key;

	if (!skep_files_key(fd, &key))
		return 0;
	uint64_t words[] = {KIND_ELF, key.dev, key.inode, key.size, (uint64_t)key.mtime_ns};
	return skep_hash_bytes(words, sizeof(words)) | 1;
}

static void remember(struct skep_spots *spots, const struct subject *subject,
		     const struct skep_mapping *m, uint64_t file, const char *module)
{
	spots_put_mapping(spots_get_process(&spots->memory, subject->pid), m, file, module);
}

/* A mapping that was seen before has its file's number; its file is opened only to be read. */
static void name_in_file(struct skep_spots *spots, const struct subject *subject,
			 const struct skep_mapping *m, struct skep_spot *spot)
{
	const struct spots_mapping *known =
		spots_same_mapping(spots_find_process(&spots->memory, subject->pid), m);
	uint64_t off = spot->addr - m->start + m->off;

	if (known && is_known(spots, known->file, known->file, off, spot))
		return;
	_cleanup_close_ int fd = skep_files_open(subject->pid, subject->path, m);
	uint64_t file = fd < 0 ? 0 : number_of_file(fd);
	if (!file) {
		put_module(spot, subject->path, m->deleted ? " (deleted)" : " (deleted or moved)");
		return;
	}
	if (!known || known->file != file)
		remember(spots, subject, m, file, spot->name);
	if (is_known(spots, file, file, off, spot))
		return;
	struct reading *reading = begin_reading(spots, subject, file);
	reading->kind = KIND_ELF;
	reading->fd = TAKE_FD(fd);
	ask(spots, reading, off, spot);
}

/* There is one for all processes of one kind, and it tells them apart by its size. */
static void name_in_vdso(struct skep_spots *spots, const struct subject *subject,
			 const struct skep_mapping *m, struct skep_spot *spot)
{
	uint64_t words[] = {KIND_VDSO, m->end - m->start};
	uint64_t file = skep_hash_bytes(words, sizeof(words)) | 1, off = spot->addr - m->start;

	put_module(spot, subject->path, "");
	if (is_known(spots, file, file, off, spot))
		return;
	struct reading *reading = begin_reading(spots, subject, file);
	reading->kind = KIND_VDSO;
	reading->mapping = *m;
	ask(spots, reading, off, spot);
}

/* --- Processes ------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* No file that a linker made, as compilers at run time have it. */
static bool is_made(const struct skep_mapping *m, const char *path)
{
	return !m->inode || begins_with(path, "/memfd:") || begins_with(path, "/dev/zero");
}

/* It is gone, or is another program by now. */
static void name_as_seen(struct skep_spots *spots, const struct subject *subject,
			 struct skep_spot *spot)
{
	const struct spots_mapping *m =
		spots_mapping_at(spots_find_process(&spots->memory, subject->pid), spot->addr);

	if (!m)
		return;
	const char *name = spots_find_name(&spots->memory, m->file, spot->addr - m->start + m->off);
	put_module(spot, m->module, "");
	if (name)
		answer(spot, name);
}

static void name_spot(struct skep_spots *spots, struct subject *subject, struct skep_spot *spot)
{
	struct skep_mapping m;

	spot->is_named = false;
	spot->name[0] = '\0';
	if (!subject->is_there || skep_maps_ask(&subject->asker, spot->addr, &m, subject->path)) {
		name_as_seen(spots, subject, spot);
		return;
	}
	if (!strcmp(subject->path, "[vdso]")) {
		name_in_vdso(spots, subject, &m, spot);
		return;
	}
	put_module(spot, subject->path, "");
	if (m.inode)
		name_in_file(spots, subject, &m, spot);
	if (is_made(&m, subject->path))
		name_made(spots, subject, spot);
}

static void name_process(struct skep_spots *spots, struct skep_spot *const *order, size_t n)
{
	struct subject subject = {.pid = order[0]->pid, .perfmap_fd = -1};

	subject.is_there = skep_maps_asker_init(&subject.asker, subject.pid) == 0;
	for (size_t i = 0; i < n; i++)
		name_spot(spots, &subject, order[i]);
	if (subject.is_there)
		skep_maps_asker_done(&subject.asker);
	skep_close(&subject.perfmap_fd);
}

static int compare(const void *a, const void *b)
{
	const struct skep_spot *x = *(struct skep_spot *const *)a;
	const struct skep_spot *y = *(struct skep_spot *const *)b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

void skep_spots_name(struct skep_spots *spots, struct skep_spot *asked, size_t n)
{
	size_t end;

	spots->order.len = 0;
	for (size_t i = 0; i < n; i++)
		skep_vec_push(&spots->order, &asked[i]);
	struct skep_spot **order = spots->order.data;
	if (n)
		qsort(order, n, sizeof(struct skep_spot *), compare);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && order[end]->pid == order[i]->pid; end++)
			;
		name_process(spots, order + i, end - i);
	}
	read_all(spots);
}
