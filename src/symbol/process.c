/*
 * Remembers processes; see process.h. A process may end, load libraries,
 * execute another program, or leave its pid to another one at any time, and its
 * addresses are asked for later. Therefore nothing that was read is given up
 * for something newer of the same process: older mappings are kept behind the
 * newer ones, as far as there is room.
 */
#include "symbol/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "linux/procroot.h"

#define CHECK_NS   50000000ULL
#define REFRESH_NS 100000000ULL
#define PERFMAP_NS 50000000ULL

/* True at most once in @every_ns. */
static bool due(uint64_t *last_ns, uint64_t every_ns)
{
	uint64_t now = skep_clock_ns();

	if (*last_ns && now - *last_ns < every_ns)
		return false;
	*last_ns = now;
	return true;
}

static int read_text(pid_t pid, const char *name, struct skep_buf *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return skep_file_read(path, 64 * 1024, ret);
}

/* Field 22 of stat; the command's name before it may hold blanks and ')'. */
static int read_start_time(pid_t pid, uint64_t *ret)
{
	_cleanup_buf_ struct skep_buf text = {0};
	int err = read_text(pid, "stat", &text);
	const char *at;

	if (err)
		return err;
	at = strrchr(text.data, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EINVAL;
	*ret = strtoull(at, NULL, 10);
	return 0;
}

static const char *find_line(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? at + strlen(key) : NULL;
}

/* "Uid: real effective …"; the last number of "NSpid: outer … inner". */
static void read_status(struct skep_process *process)
{
	_cleanup_buf_ struct skep_buf text = {0};
	const char *at;
	char *end;

	process->ns_pid = process->pid;
	process->uid = (uid_t)-1;
	if (read_text(process->pid, "status", &text) < 0)
		return;
	at = find_line(text.data, "\nUid:");
	if (at) {
		strtoul(at, &end, 10);
		process->uid = (uid_t)strtoul(end, NULL, 10);
	}
	at = find_line(text.data, "\nNSpid:");
	while (at && *at && *at != '\n') {
		process->ns_pid = (pid_t)strtol(at, &end, 10);
		at = end > at ? end : NULL;
	}
}

static bool read_exe(pid_t pid, uint64_t *ret_dev, uint64_t *ret_inode)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st) < 0)
		return false;
	*ret_dev = st.st_dev;
	*ret_inode = st.st_ino;
	return true;
}

void skep_process_push(struct skep_process *process, const struct skep_maps *maps)
{
	if (process->n_maps == SKEP_PROCESS_MAX_MAPS)
		skep_maps_done(&process->maps[--process->n_maps]);
	memmove(&process->maps[1], &process->maps[0], process->n_maps * sizeof(*maps));
	process->maps[0] = *maps;
	process->n_maps++;
}

/* A process that is ending has no mappings any more: keep those it had. */
static bool read_maps(struct skep_process *process)
{
	struct skep_maps maps;

	if (skep_maps_read(process->pid, &maps) < 0)
		return false;
	if (maps.n == 0 || (process->n_maps && maps.hash == process->maps[0].hash)) {
		skep_maps_done(&maps);
		return false;
	}
	skep_process_push(process, &maps);
	return true;
}

int skep_process_init(struct skep_process *ret, pid_t pid)
{
	struct skep_process process = {.pid = pid};
	int err = read_start_time(pid, &process.start_time);

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	read_status(&process);
	read_exe(pid, &process.exe_dev, &process.exe_inode);
	read_maps(&process);
	process.checked_ns = process.maps_read_ns = skep_clock_ns();
	*ret = process;
	return 0;
}

void skep_process_unread(struct skep_process *ret, pid_t pid)
{
	*ret = (struct skep_process){.pid = pid, .ns_pid = pid, .uid = (uid_t)-1};
}

void skep_process_renew(struct skep_process *process)
{
	process->start_time = 0;
	process->maps_read_ns = 0;
	skep_perfmap_done(&process->perfmap);
}

void skep_process_done(struct skep_process *process)
{
	for (size_t i = 0; i < process->n_maps; i++)
		skep_maps_done(&process->maps[i]);
	skep_perfmap_done(&process->perfmap);
	*process = (struct skep_process){0};
}

static bool reused(struct skep_process *process)
{
	struct skep_process fresh;

	if (skep_process_init(&fresh, process->pid) < 0)
		return false;
	fresh.last_use = process->last_use;
	skep_process_done(process);
	*process = fresh;
	return true;
}

bool skep_process_check(struct skep_process *process)
{
	uint64_t start_time, dev, inode;

	if (!due(&process->checked_ns, CHECK_NS) || read_start_time(process->pid, &start_time) < 0)
		return false;
	if (start_time != process->start_time)
		return reused(process);
	if (!read_exe(process->pid, &dev, &inode) ||
	    (dev == process->exe_dev && inode == process->exe_inode))
		return false;
	process->exe_dev = dev;
	process->exe_inode = inode;
	read_status(process); /* a set-user-ID program changes it */
	return read_maps(process);
}

bool skep_process_refresh(struct skep_process *process)
{
	uint64_t start_time;

	return due(&process->maps_read_ns, REFRESH_NS) &&
	       read_start_time(process->pid, &start_time) == 0 &&
	       (!process->start_time || start_time == process->start_time) && read_maps(process);
}

/* In its own root under the pid it knows; of an ended process, where we would find it. */
static int open_perfmap(const struct skep_process *process)
{
	_cleanup_close_ int root_fd = skep_procroot_open(process->pid);
	char path[64];
	int fd = -1;

	if (root_fd >= 0) {
		snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)process->ns_pid);
		fd = skep_procroot_file(root_fd, path);
	}
	if (fd < 0) {
		snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)process->pid);
		fd = skep_procroot_file(-1, path);
	}
	return fd;
}

int skep_process_open_perfmap(pid_t pid, uid_t *ret_owner)
{
	struct skep_process process;

	skep_process_unread(&process, pid);
	read_status(&process);
	*ret_owner = process.uid;
	return open_perfmap(&process);
}

bool skep_process_refresh_perfmap(struct skep_process *process)
{
	_cleanup_close_ int fd = -1;

	if (!due(&process->perfmap_read_ns, PERFMAP_NS))
		return false;
	if (!process->start_time)
		read_status(process);
	fd = open_perfmap(process);
	return fd >= 0 && skep_perfmap_update(&process->perfmap, fd, process->uid);
}
