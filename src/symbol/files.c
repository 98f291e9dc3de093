/*
 * Keeps the symbol tables of mapped files; see files.h.
 *
 * A file is opened when its process is first seen (a short-lived one may be
 * gone when its addresses are asked for) but read only when one of its
 * addresses is. Ways to the file, best first:
 *
 *	/proc/PID/map_files/A-B	  the very file, deleted or not; needs privilege
 *	PATH below /proc/PID/root  another mount namespace; must have the same inode
 *	/proc/PID/exe		  the program itself, deleted or not
 *	PATH			  for a process that has ended; must have the same inode
 */
#include "symbol/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/strmap.h"
#include "symbol/debugfile.h"
#include "linux/procroot.h"
#include "linux/vdso.h"

/* Slots whose mapping led to no file; tried once per set of mappings. */
#define NO_FILE UINT32_MAX
#define NO_FD   (UINT32_MAX - 1) /* or to one, but there was no descriptor for it */

void skep_files_init(struct skep_files *files)
{
	/* Not the slots: most scripts use none, and all of them are half a megabyte. */
	files->n_slots = 0;
	files->clock = files->n_open = files->memory = 0;
	files->wants_lines = files->are_lean = false;
	files->debuginfod = NULL;
	files->n_found = 0;
	files->next_gen = 1;
	skep_vdso_reading_init(&files->reading);
}

static void slot_init(struct skep_file *file)
{
	*file = (struct skep_file){.fd = -1};
	skep_line_source_init(&file->lines);
}

static void slot_clear(struct skep_files *files, struct skep_file *file)
{
	if (file->fd >= 0)
		files->n_open--;
	skep_close(&file->fd);
	if (file->built)
		files->memory -= skep_table_memory(&file->table);
	skep_table_done(&file->table);
	files->n_found -= file->found.entries.len;
	skep_found_done(&file->found);
	free(file->path);
	skep_line_source_done(&file->lines);
	slot_init(file);
}

void skep_files_done(struct skep_files *files)
{
	for (size_t i = 0; i < files->n_slots; i++)
		slot_clear(files, &files->slots[i]);
	skep_keeper_done(&files->reading);
}

static bool same_key(const struct skep_file_key *a, const struct skep_file_key *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

static struct skep_file *find_key(struct skep_files *files, const struct skep_file_key *key)
{
	for (size_t i = 0; i < files->n_slots; i++)
		if (files->tags[i] == (uint32_t)key->inode && files->slots[i].gen &&
		    same_key(&files->slots[i].key, key))
			return &files->slots[i];
	return NULL;
}

/* Least recently used; of those with a table only, if memory is what is short. Not @spare. */
static struct skep_file *oldest(struct skep_files *files, bool built, const struct skep_file *spare)
{
	struct skep_file *found = NULL;

	for (size_t i = 0; i < files->n_slots; i++) {
		struct skep_file *file = &files->slots[i];

		if (file != spare && (!built || file->built) &&
		    (!found || file->last_use < found->last_use))
			found = file;
	}
	return found;
}

static struct skep_file *free_slot(struct skep_files *files)
{
	struct skep_file *file;

	if (files->n_slots < SKEP_FILES_MAX) {
		file = &files->slots[files->n_slots++];
		slot_init(file);
		return file;
	}
	file = oldest(files, false, NULL); /* one that was emptied has last_use 0 */
	slot_clear(files, file);
	return file;
}

static struct skep_file *take_slot(struct skep_files *files, const struct skep_file_key *key)
{
	struct skep_file *file = free_slot(files);

	file->key = *key;
	files->tags[file - files->slots] = (uint32_t)key->inode;
	file->gen = files->next_gen++;
	file->last_use = ++files->clock;
	return file;
}

static void keep_within_memory(struct skep_files *files, const struct skep_file *spare)
{
	struct skep_file *file;

	while (files->memory > SKEP_FILES_MAX_MEMORY && (file = oldest(files, true, spare)))
		slot_clear(files, file);
}

/* What is stripped of one may have the other. */
static void build_elf(const struct skep_files *files, struct skep_file *file,
		      const struct skep_elf *elf)
{
	_cleanup_close_ int root_fd = skep_procroot_open(file->pid);
	_cleanup_elf_ struct skep_elf *debug = NULL;
	bool has_symtab = file->is_lean || skep_elf_has_symtab(elf);
	bool wants_lines = files->wants_lines;
	int err = 0;

	if (!has_symtab || (wants_lines && !skep_line_source_is_in(elf)))
		err = skep_debugfile_open(elf, file->path, root_fd, files->debuginfod, &debug);
	if (file->is_lean)
		skep_table_build_head(elf, &file->table);
	else
		skep_table_build(elf, has_symtab ? NULL : debug, &file->table);
	if (wants_lines)
		skep_line_source_take(&file->lines, debug ? debug : elf, root_fd, err);
}

static void account(struct skep_files *files, struct skep_file *file)
{
	file->built = true;
	files->memory += skep_table_memory(&file->table);
	keep_within_memory(files, file);
}

static void close_file(struct skep_files *files, struct skep_file *file)
{
	files->n_open -= file->fd >= 0;
	skep_close(&file->fd);
}

/* One that was deleted cannot be opened again. */
static bool has_name(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_nlink;
}

/* A file that is no ELF file, or a broken one, gets an empty table: it is not tried again. */
static void build(struct skep_files *files, struct skep_file *file)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;

	if (file->built)
		return;
	int fd = files->are_lean && has_name(file->fd) ? fcntl(file->fd, F_DUPFD_CLOEXEC, 0) : -1;
	file->is_lean = fd >= 0;
	if (fd < 0) {
		fd = TAKE_FD(file->fd);
		files->n_open--;
	}
	if (skep_elf_open_fd(fd, file->path, &elf, NULL) == 0)
		build_elf(files, file, elf);
	else
		close_file(files, file);
	file->is_lean &= elf != NULL;
	account(files, file);
}

/* Return it | -errno */
static int open_checked(int root_fd, const char *path, const struct skep_mapping *m)
{
	_cleanup_close_ int fd = skep_procroot_file(root_fd, path);
	struct stat st;

	/* Not the device: some file systems show another one in maps than in stat(). */
	if (fd < 0)
		return fd;
	return fstat(fd, &st) < 0 || st.st_ino != m->inode ? -ENOENT : TAKE_FD(fd);
}

static void map_link(pid_t pid, const struct skep_mapping *m, char *ret, size_t size)
{
	snprintf(ret, size, "/proc/%d/map_files/%llx-%llx", (int)pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
}

/* Return it | -errno */
int skep_files_open(pid_t pid, const char *path, const struct skep_mapping *m)
{
	_cleanup_close_ int root_fd = -1;
	char link[128];
	int fd;

	map_link(pid, m, link, sizeof(link));
	fd = open_checked(-1, link, m);
	if (fd >= 0 || skep_fd_is_short(fd))
		return fd;
	root_fd = skep_procroot_open(pid);
	if (root_fd >= 0 && path[0] == '/' && !m->deleted)
		fd = open_checked(root_fd, path, m);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	if (fd < 0)
		fd = open_checked(-1, link, m);
	if (fd < 0 && path[0] == '/' && !m->deleted)
		fd = open_checked(-1, path, m);
	return fd;
}

static struct skep_file_key key_from(const struct stat *st)
{
	return (struct skep_file_key){
		.dev = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec,
	};
}

bool skep_files_key(int fd, struct skep_file_key *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	*ret = key_from(&st);
	return true;
}

/* The very file, if it is known: looked at, not opened. Most that processes map are, and where the
 * file system has no generations each process that begins asks for all of its own. */
static struct skep_file *find_mapped(struct skep_files *files, pid_t pid,
				     const struct skep_mapping *m)
{
	char link[128];
	struct stat st;

	map_link(pid, m, link, sizeof(link));
	if (stat(link, &st) < 0 || st.st_ino != m->inode)
		return NULL;
	const struct skep_file_key key = key_from(&st);
	struct skep_file *file = find_key(files, &key);
	if (file)
		file->last_use = ++files->clock;
	return file;
}

static struct skep_file *add_file(struct skep_files *files, pid_t pid, const char *path, int fd)
{
	_cleanup_close_ int owned = fd;
	struct skep_file_key key;
	struct skep_file *file;

	if (!skep_files_key(fd, &key))
		return NULL;
	file = find_key(files, &key);
	if (file) {
		file->last_use = ++files->clock;
		return file;
	}
	file = take_slot(files, &key);
	file->path = skep_xstrdup(path);
	file->pid = pid;
	file->fd = TAKE_FD(owned);
	files->n_open++;
	if (files->n_open > SKEP_FILES_MAX_OPEN) {
		build(files, file);
		close_file(files, file);
	}
	return file;
}

/* The kernel's own code in the process: known by its bytes, it has no inode. */
static struct skep_file *add_vdso(struct skep_files *files, pid_t pid, const struct skep_mapping *m)
{
	_cleanup_buf_ struct skep_buf image = {0};
	struct skep_file_key key = {0};
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_file *file;

	if (skep_vdso_read(&files->reading, pid, m, &image) < 0)
		return NULL;
	key.size = image.len;
	key.inode = skep_hash_bytes(image.data, image.len);
	file = find_key(files, &key);
	if (file)
		return file;
	file = take_slot(files, &key);
	file->path = skep_xstrdup("[vdso]");
	if (skep_elf_parse(image.data, image.len, &elf, NULL) == 0)
		skep_table_build(elf, NULL, &file->table);
	account(files, file);
	return file;
}

/* NULL: *ret_none is how there is none. */
static struct skep_file *resolve(struct skep_files *files, pid_t pid, const struct skep_maps *maps,
				 const struct skep_mapping *m, uint32_t *ret_none)
{
	const char *path = maps->paths + m->path;
	int fd;

	*ret_none = NO_FILE;
	if (strcmp(path, "[vdso]") == 0)
		return add_vdso(files, pid, m);
	if (!m->inode)
		return NULL;
	struct skep_file *known = find_mapped(files, pid, m);
	if (known)
		return known;
	fd = skep_files_open(pid, path, m);
	if (skep_fd_is_short(fd))
		*ret_none = NO_FD;
	return fd < 0 ? NULL : add_file(files, pid, path, fd);
}

/* The parts of one file lie side by side; what one found is good for the others. */
static void share(const struct skep_maps *maps, struct skep_mapping *m)
{
	size_t i = (size_t)(m - maps->data);
	size_t from = i > 8 ? i - 8 : 0, to = i + 8 < maps->n ? i + 8 : maps->n;

	for (size_t k = from; k < to; k++) {
		struct skep_mapping *other = &maps->data[k];

		if (m->inode && other->inode == m->inode && other->dev == m->dev) {
			other->file_slot = m->file_slot;
			other->file_gen = m->file_gen;
		}
	}
}

static struct skep_file *get(struct skep_files *files, pid_t pid, const struct skep_maps *maps,
			     struct skep_mapping *m)
{
	struct skep_file *file;
	uint32_t none;

	if (m->file_slot >= NO_FD)
		return NULL;
	file = &files->slots[m->file_slot];
	if (m->file_gen && file->gen == m->file_gen)
		return file;
	file = resolve(files, pid, maps, m, &none);
	m->file_slot = file ? (uint32_t)(file - files->slots) : none;
	m->file_gen = file ? file->gen : 0;
	if (file && m->generation) {
		file->map_dev = m->dev;
		file->map_generation = m->generation;
	}
	share(maps, m);
	return file;
}

/* Where nobody who has it mapped is needed to find it, as who has may end. */
static bool is_reachable(const struct skep_file *file, const struct skep_mapping *m)
{
	_cleanup_close_ int fd = open_checked(-1, file->path, m);
	struct skep_file_key key;

	return fd >= 0 && skep_files_key(fd, &key) && same_key(&key, &file->key);
}

int skep_files_reopen(struct skep_files *files, struct skep_file *file, pid_t pid, const char *path,
		      const struct skep_mapping *m)
{
	_cleanup_close_ int fd = -1;
	struct skep_file_key key;

	if (file->fd < 0)
		fd = skep_files_open(pid, path, m);
	else
		fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || !skep_files_key(fd, &key) || !same_key(&key, &file->key))
		return -ENOENT;
	file->pid = pid;
	if (file->fd >= 0 && is_reachable(file, m))
		close_file(files, file);
	return TAKE_FD(fd);
}

void skep_files_note(struct skep_files *files, struct skep_file *file,
		     const struct skep_found_entry *entry)
{
	if (files->n_found == SKEP_FILES_MAX_FOUND) {
		for (size_t i = 0; i < files->n_slots; i++)
			skep_found_done(&files->slots[i].found);
		files->n_found = 0;
	}
	files->n_found += skep_found_put(&file->found, entry);
}

bool skep_files_lacks_fd(const struct skep_mapping *m)
{
	return m->file_slot == NO_FD;
}

bool skep_files_share(struct skep_files *files, struct skep_mapping *m)
{
	for (size_t i = 0; m->generation && i < files->n_slots; i++) {
		struct skep_file *file = &files->slots[i];

		if (files->tags[i] != (uint32_t)m->inode || !file->gen ||
		    file->map_generation != m->generation || file->map_dev != m->dev ||
		    file->key.inode != m->inode)
			continue;
		m->file_slot = (uint32_t)i;
		m->file_gen = file->gen;
		file->last_use = ++files->clock;
		return true;
	}
	return false;
}

bool skep_files_pin(struct skep_files *files, pid_t pid, const struct skep_maps *maps,
		    struct skep_mapping *m)
{
	return get(files, pid, maps, m);
}

struct skep_file *skep_files_get(struct skep_files *files, pid_t pid, const struct skep_maps *maps,
				 struct skep_mapping *m)
{
	struct skep_file *file = get(files, pid, maps, m);

	if (!file)
		return NULL;
	file->last_use = ++files->clock;
	build(files, file);
	return file;
}

const struct skep_table *skep_files_table(struct skep_files *files, pid_t pid,
					  const struct skep_maps *maps, struct skep_mapping *m)
{
	struct skep_file *file = skep_files_get(files, pid, maps, m);

	return file ? &file->table : NULL;
}
