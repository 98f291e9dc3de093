/* See debuginfod.h. */
#include "symbol/debuginfod.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"
#include "base/worker.h"
#include "http/get.h"
#include "linux/ending.h"

#define ID_MOST       64
#define FILE_MOST     (512u << 20) /* as much as is read of one (dwarf/worker.h) */
#define TIMEOUT_S     90           /* where nothing else is said */
#define TIMEOUT_MOST  3600
#define NS_IN_S       1000000000ull
#define BETWEEN       " \t\n"
#define FILES         2 /* that may take all their time */
#define TROUBLES_MOST 16

struct id {
	uint8_t bytes[ID_MOST];
	size_t n;
};

struct trouble {
	char *words; /* owned */
	uint32_t n;
};

struct skep_debuginfod {
	char *urls, *folder; /* owned; the first with blanks between them */
	SKEP_VEC(struct id) asked;
	SKEP_VEC(struct trouble) troubles;
	uint64_t timeout_ns, left_ns;
	int ending_fd; /* owned; -1: none */
};

/* One file that is asked for. */
struct wanted {
	struct skep_debuginfod *debuginfod;
	const uint8_t *id;
	size_t id_len;
	char hex[2 * ID_MOST + 1];
};

/* --- Beginning and end ------------------------------------------------------------------------ */

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* NULL: it is nowhere said where. */
static char *find_folder(void)
{
	static const struct {
		const char *variable, *behind;
	} places[] = {{"DEBUGINFOD_CACHE_PATH", ""},
		      {"XDG_CACHE_HOME", "/debuginfod_client"},
		      {"HOME", "/.cache/debuginfod_client"}};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *value = variable(places[i].variable);
		if (value[0] == '/' && snprintf(path, sizeof(path), "%s%s", value,
						places[i].behind) < (int)sizeof(path))
			return skep_xstrdup(path);
	}
	return NULL;
}

struct skep_debuginfod *skep_debuginfod_new(void)
{
	const char *urls = variable("DEBUGINFOD_URLS");
	long timeout = strtol(variable("DEBUGINFOD_TIMEOUT"), NULL, 10);
	struct skep_debuginfod *ret;

	if (!urls[strspn(urls, BETWEEN)])
		return NULL;
	ret = skep_xcalloc(1, sizeof(*ret));
	ret->urls = skep_xstrdup(urls);
	ret->folder = find_folder();
	ret->timeout_ns =
		NS_IN_S * (uint64_t)(timeout > 0 && timeout <= TIMEOUT_MOST ? timeout : TIMEOUT_S);
	ret->left_ns = FILES * ret->timeout_ns;
	ret->ending_fd = skep_ending_peek_fd();
	return ret;
}

void skep_debuginfod_free(struct skep_debuginfod *debuginfod)
{
	if (!debuginfod)
		return;
	skep_vec_foreach (struct trouble, trouble, &debuginfod->troubles)
		free(trouble->words);
	skep_vec_done(&debuginfod->troubles);
	skep_vec_done(&debuginfod->asked);
	skep_close(&debuginfod->ending_fd);
	free(debuginfod->urls);
	free(debuginfod->folder);
	free(debuginfod);
}

/* --- What went wrong -------------------------------------------------------------------------- */

bool skep_debuginfod_trouble(const struct skep_debuginfod *debuginfod, size_t i,
			     const char **ret_words, uint32_t *ret_n)
{
	if (!debuginfod || i >= debuginfod->troubles.len)
		return false;
	*ret_words = debuginfod->troubles.data[i].words;
	*ret_n = debuginfod->troubles.data[i].n;
	return true;
}

/* A password is shown to nobody. What there is no room for counts with the last. */
static void lose(struct skep_debuginfod *debuginfod, const char *whom, const char *why)
{
	const char *at = strchr(whom, '@');
	struct skep_buf words = {0};
	size_t i = 0;

	skep_buf_printf(&words, "debug files that %s did not give: %s", at ? at + 1 : whom, why);
	while (i < debuginfod->troubles.len && i + 1 < TROUBLES_MOST &&
	       strcmp(debuginfod->troubles.data[i].words, words.data) != 0)
		i++;
	if (i == debuginfod->troubles.len)
		skep_vec_push(&debuginfod->troubles, ((struct trouble){.words = words.data}));
	else
		skep_buf_done(&words);
	debuginfod->troubles.data[i].n++;
}

/* What skep_http_get() and the waiting for it return. 404 is an answer like others: it has none. */
static void lose_status(struct skep_debuginfod *debuginfod, const char *url, int status)
{
	char words[64];

	switch (status) {
	case 404: return;
	case 0: lose(debuginfod, url, "nobody answered, or not in full"); return;
	case -EINVAL:
		lose(debuginfod, url, "no http://HOST[:PORT][/PATH] without user and password");
		return;
	case -EPIPE: lose(debuginfod, url, "who was to fetch them has ended"); return;
	case -ETIMEDOUT: lose(debuginfod, url, "there was no more time"); return;
	case -ECANCELED: lose(debuginfod, url, "it was not waited for any more"); return;
	case -EBADMSG: lose(debuginfod, url, "what it gave are other files"); return;
	default: break;
	}
	if (status < 0)
		snprintf(words, sizeof(words), "%s", strerror(-status));
	else
		snprintf(words, sizeof(words), "it answered %d", status);
	lose(debuginfod, url, words);
}

/* --- The folder ------------------------------------------------------------------------------- */

static int open_right(const struct wanted *wanted, int fd, struct skep_elf **ret)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	const uint8_t *id;

	if (skep_elf_open_fd(fd, wanted->hex, &elf, NULL) ||
	    skep_elf_build_id(elf, &id) != wanted->id_len ||
	    memcmp(id, wanted->id, wanted->id_len) != 0)
		return -EBADMSG;
	*ret = TAKE_PTR(elf);
	return 0;
}

static void path_of(const struct wanted *wanted, const char *name, struct skep_buf *ret)
{
	skep_buf_printf(ret, "%s/%s%s", wanted->debuginfod->folder, wanted->hex, name);
}

static int open_kept(const struct wanted *wanted, struct skep_elf **ret)
{
	_cleanup_buf_ struct skep_buf path = {0};

	path_of(wanted, "/debuginfo", &path);
	int fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : open_right(wanted, fd, ret);
}

/* With all that it is in. */
static int make_folder(char *path)
{
	for (char *at = path; at && (at = strchr(at + 1, '/'));) {
		*at = '\0';
		int err = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		*at = '/';
		if (err)
			return err;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Another one may have fetched it meanwhile. */
static void keep(const struct wanted *wanted, int fd)
{
	_cleanup_buf_ struct skep_buf path = {0};
	char own[64];

	path_of(wanted, "/debuginfo", &path);
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, own, AT_FDCWD, path.data, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		lose(wanted->debuginfod, wanted->debuginfod->folder, strerror(errno));
}

/* --- Fetching --------------------------------------------------------------------------------- */

/* In the process that does so. */
static void be_fetcher(void *ctx)
{
	const struct skep_http_get *get = ctx;
	char question;

	if (!skep_work_take(&question, sizeof(question)))
		return;
	int status = skep_http_get(get);
	skep_work_give(&status, sizeof(status));
}

static int ask(struct skep_debuginfod *debuginfod, struct skep_http_get *get, int fd)
{
	uint64_t began_ns = skep_clock_ns(), most_ns = debuginfod->timeout_ns;
	struct skep_worker *worker = NULL;

	if (most_ns > debuginfod->left_ns)
		most_ns = debuginfod->left_ns;
	get->timeout_s = (int)(most_ns / NS_IN_S) + 1;
	const struct skep_worker_job job = {.run = be_fetcher,
					    .ctx = get,
					    .fds = {fd},
					    .n_fds = 1,
					    .ending_fd = debuginfod->ending_fd,
					    .answer_ms = (uint32_t)(most_ns / 1000000)};
	int status = 0, err = skep_worker_start(&job, &worker);
	if (!err)
		err = skep_worker_ask(worker, "", 1);
	if (!err)
		err = skep_worker_receive(worker, &status, sizeof(status));
	skep_worker_free(worker);
	uint64_t took_ns = skep_clock_ns() - began_ns;
	debuginfod->left_ns -= took_ns < debuginfod->left_ns ? took_ns : debuginfod->left_ns;
	return err ? err : status;
}

/* Return  0 | -errno, or the status of the answer: there is none */
static int fetch_to(const struct wanted *wanted, const char *url, int fd, struct skep_elf **ret)
{
	_cleanup_buf_ struct skep_buf path = {0};
	struct skep_http_get get = {.url = url, .fd = SKEP_WORKER_FD_FIRST, .most = FILE_MOST};

	skep_buf_printf(&path, "buildid/%s/debuginfo", wanted->hex);
	get.path = path.data;
	int status = ask(wanted->debuginfod, &get, fd);
	if (status != 200)
		return status ? status : -ENODATA;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int err = own < 0 ? -errno : open_right(wanted, own, ret);
	if (!err)
		keep(wanted, fd);
	return err;
}

static int fetch(const struct wanted *wanted, const char *url, struct skep_elf **ret)
{
	struct skep_debuginfod *debuginfod = wanted->debuginfod;
	_cleanup_buf_ struct skep_buf folder = {0};
	_cleanup_close_ int fd = -1;

	if (!strncmp(url, "https:", 6)) {
		lose(debuginfod, url, "HTTPS is not spoken here, only http://");
		return -ENOENT;
	}
	path_of(wanted, "", &folder);
	int err = debuginfod->left_ns ? make_folder(folder.data) : -ETIMEDOUT;
	if (!err) {
		fd = open(folder.data, O_TMPFILE | O_RDWR | O_CLOEXEC, 0400);
		err = fd < 0 ? -errno : fetch_to(wanted, url, fd, ret);
	}
	if (err) {
		lose_status(debuginfod, url, err == -ENODATA ? 0 : err);
		rmdir(folder.data); /* unless there is something in it */
	}
	return err;
}

static bool was_asked(struct skep_debuginfod *debuginfod, const struct wanted *wanted)
{
	struct id *id;

	skep_vec_foreach (struct id, it, &debuginfod->asked) {
		if (it->n == wanted->id_len && !memcmp(it->bytes, wanted->id, it->n))
			return true;
	}
	id = skep_vec_add(&debuginfod->asked);
	id->n = wanted->id_len;
	memcpy(id->bytes, wanted->id, id->n);
	return false;
}

static int ask_all(const struct wanted *wanted, struct skep_elf **ret)
{
	_cleanup_free_ char *urls = skep_xstrdup(wanted->debuginfod->urls);
	char *rest = urls, *url;

	while ((url = strtok_r(rest, BETWEEN, &rest))) {
		if (!fetch(wanted, url, ret))
			return 0;
	}
	return -ENOENT;
}

int skep_debuginfod_open(struct skep_debuginfod *debuginfod, const uint8_t *id, size_t id_len,
			 struct skep_elf **ret)
{
	struct wanted wanted = {.debuginfod = debuginfod, .id = id, .id_len = id_len};

	if (id_len < 2 || id_len > ID_MOST)
		return -ENOENT;
	for (size_t i = 0; i < id_len; i++)
		snprintf(wanted.hex + 2 * i, 3, "%02x", id[i]);
	if (!debuginfod->folder) {
		lose(debuginfod, "the folder of fetched files",
		     "neither DEBUGINFOD_CACHE_PATH nor HOME is set");
		return -ENOENT;
	}
	if (!open_kept(&wanted, ret))
		return 0;
	return was_asked(debuginfod, &wanted) ? -ENOENT : ask_all(&wanted, ret);
}
