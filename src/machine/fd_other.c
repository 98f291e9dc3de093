/*
 * What is behind a descriptor where there is no Linux: a number in a table of the process, with the
 * identity of its object and the access it gives. skep_machine_close() takes it out; that is all
 * that such a descriptor can do.
 *
 * Identities are counted up and never come again, so a number that was closed and given out anew
 * is not taken for what it was.
 */
#include "machine/machine.h"
#include "machine/map.h"

#include <fcntl.h>

#define FIRST_FD 1024 /* no descriptor of the C library's is so large */
#define MODES    (O_RDONLY | O_WRONLY | O_RDWR)

struct open_fd {
	uint64_t inode; /* 0: free */
	int mode;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static SKEP_VEC(struct open_fd) table;
static size_t first_free; /* nothing below it is */
static uint64_t last_inode;

int machine_handle_new(int memory_fd, struct handle *ret)
{
	pthread_mutex_lock(&lock);
	*ret = (struct handle){.watch_fd = -1, .inode = ++last_inode};
	pthread_mutex_unlock(&lock);
	return 0;
}

void machine_handle_done(struct handle *handle)
{
}

static size_t take_place(void)
{
	while (first_free < table.len && table.data[first_free].inode)
		first_free++;
	if (first_free == table.len)
		skep_vec_push(&table, ((struct open_fd){0}));
	return first_free++;
}

int machine_handle_open(const struct handle *handle, int flags)
{
	size_t at;

	pthread_mutex_lock(&lock);
	at = take_place();
	table.data[at] = (struct open_fd){handle->inode, flags & MODES};
	pthread_mutex_unlock(&lock);
	return (int)at + FIRST_FD;
}

/* The row of @fd, NULL: none; the lock is held. */
static struct open_fd *row_of(int fd)
{
	size_t at = (size_t)fd - FIRST_FD;

	if (fd < FIRST_FD || at >= table.len || !table.data[at].inode)
		return NULL;
	return &table.data[at];
}

int machine_handle_close(int fd)
{
	struct open_fd *row;

	pthread_mutex_lock(&lock);
	row = row_of(fd);
	if (row) {
		*row = (struct open_fd){0};
		if ((size_t)fd - FIRST_FD < first_free)
			first_free = (size_t)fd - FIRST_FD;
	}
	pthread_mutex_unlock(&lock);
	return row ? 0 : -EBADF;
}

bool machine_handle_is_open(const struct handle *handle)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < table.len && !found; i++)
		found = table.data[i].inode == handle->inode;
	pthread_mutex_unlock(&lock);
	return found;
}

int machine_handle_identify(int fd, struct handle *ret, int *ret_mode)
{
	const struct open_fd *row;

	pthread_mutex_lock(&lock);
	row = row_of(fd);
	if (row) {
		*ret = (struct handle){.watch_fd = -1, .inode = row->inode};
		*ret_mode = row->mode;
	}
	pthread_mutex_unlock(&lock);
	return row ? 0 : -EBADF;
}

int machine_netns_open(void)
{
	return -ENOTSUP;
}

/* Numbers cannot be read from: no iterators. */
int machine_text_new(const void *data, size_t len)
{
	return -ENOTSUP;
}

int machine_handle_no_token(int fd)
{
	return -EBADF;
}

/* Processes are not asked for here. */
bool machine_handle_process_exists(uint32_t pid)
{
	return false;
}

/* --- Waiting for a ring buffer: nothing can ------------------------------------------------- */

int machine_event_new(void)
{
	return -ENOSYS;
}

void machine_event_wake(int fd)
{
}
