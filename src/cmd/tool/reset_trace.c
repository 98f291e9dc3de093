/*
 * reset-trace: what is not at rest in tracefs, and putting it to rest.
 *
 * tracefs belongs to everybody who traces, and nothing in it says who is still there. So of its own
 * accord the tool takes away only what is certain to be nobody's: probes that are named after a
 * process which is gone. All else is told, and reset where that is asked for (--force). Each
 * setting that is looked at makes a row: its file, what became of it, what it said.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cmd/tool/tool.h"
#include "linux/bpf.h"

#define FILE_MOST (16u << 20)
/* The kernel switches it on by itself with the first program that prints so, and never off. */
#define KERNELS_OWN_EVENT "bpf_trace:bpf_trace_printk"

struct reset {
	struct tool_job *job;
	const char *root; /* of tracefs, or of an instance */
	bool force, quiet, verbose, is_instance;
	size_t n_rows, n_left;
	int err; /* the first that something failed with */
};

/* --- Rows ------------------------------------------------------------------------------------ */

static void show_json(const char *file, const char *done, const char *said)
{
	_cleanup_buf_ struct skep_buf line = {0};
	struct skep_jsonw w;
	const char *const members[][2] = {{"file", file}, {"done", done}, {"said", said}};

	tool_row_open(&w, &line);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		skep_jsonw_key(&w, members[i][0]);
		skep_jsonw_string(&w, members[i][1]);
	}
	tool_row_print(&w);
}

static void row(struct reset *r, const char *file, const char *done, const char *said)
{
	_cleanup_buf_ struct skep_buf plain = {0};

	if (r->quiet)
		return;
	said += strspn(said, " ");
	skep_buf_add_printable(&plain, said, strlen(said));
	if (tool_given(r->job, TOOL_OPT_JSON)) {
		show_json(file, done, plain.len ? plain.data : "");
		return;
	}
	if (!r->n_rows++)
		printf("%-20s %-8s %s\n", "FILE", "DONE", "SAID");
	printf("%-20s %-8s %s\n", file, done, plain.len ? plain.data : "");
}

/* Something that stays, because it may be somebody's. */
static void leave(struct reset *r, const char *file, const char *said)
{
	r->n_left++;
	row(r, file, "left", said);
}

static void failed(struct reset *r, const char *file, const char *said, int err)
{
	row(r, file, err == -EBUSY ? "in use" : "failed", said);
	if (err != -EBUSY && !r->err)
		r->err = skep_diag_fail(&r->job->script.diag, err, SKEP_DIAG_FILE_WRITE,
					SKEP_NOWHERE, file, strerror(-err));
}

/* --- Files ----------------------------------------------------------------------------------- */

static const char *path_of(struct reset *r, const char *file)
{
	return skep_arena_printf(&r->job->script.arena, "%s/%s", r->root, file);
}

/* @flags  O_TRUNC: the file is emptied first; O_APPEND: the text is one more command */
static int put(struct reset *r, const char *file, int flags, const char *text)
{
	_cleanup_close_ int fd = open(path_of(r, file), O_WRONLY | O_CLOEXEC | flags);
	ssize_t len = (ssize_t)strlen(text);

	if (fd < 0)
		return -errno;
	return len && write(fd, text, (size_t)len) != len ? -errno : 0;
}

/* Lines without those that begin with #. Return 0 | -errno, which is told if it is there at all */
static int get(struct reset *r, const char *file, struct skep_buf *ret)
{
	_cleanup_buf_ struct skep_buf all = {0};
	char *save;
	int err = skep_file_read(path_of(r, file), FILE_MOST, &all);

	if (err && err != -EFBIG) {
		if (err != -ENOENT)
			row(r, file, "unread", strerror(-err));
		return err;
	}
	for (char *line = all.data ? strtok_r(all.data, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (line[0] != '#')
			skep_buf_printf(ret, "%s%s", ret->len ? "\n" : "", line);
	}
	return 0;
}

/* --- Settings -------------------------------------------------------------------------------- */

/* The first line, and how many more there are. */
static const char *in_short(struct reset *r, const char *text)
{
	size_t len = strcspn(text, "\n"), n = 0;

	for (const char *at = text + len; *at; at++)
		n += *at == '\n';
	return n ? skep_arena_printf(&r->job->script.arena, "%.*s (and %zu more)", (int)len, text,
				     n)
		 : text;
}

static void settle(struct reset *r, const char *file, const char *at_rest, const char *written)
{
	_cleanup_buf_ struct skep_buf now = {0};
	const char *said;

	if (get(r, file, &now))
		return;
	said = in_short(r, now.len ? now.data : "");
	if (!strcmp(said, at_rest)) {
		if (r->verbose)
			row(r, file, "at rest", said);
	} else if (!r->force) {
		leave(r, file, said);
	} else {
		int err = put(r, file, O_TRUNC, written);
		if (err)
			failed(r, file, said, err);
		else
			row(r, file, "reset", said);
	}
}

static void settle_all(struct reset *r)
{
#define STATE(file, at_rest, written) settle(r, file, at_rest, written);
#include "cmd/tool/tracefs.def"
#undef STATE
}

/* --- Events that are enabled ----------------------------------------------------------------- */

static void disable(struct reset *r, const char *event)
{
	const char *colon = strchr(event, ':');
	const char *file =
		skep_arena_printf(&r->job->script.arena, "events/%.*s/%s/enable",
				  (int)strcspn(event, ":"), event, colon ? colon + 1 : "");
	int err = put(r, file, O_TRUNC, "0");

	if (err)
		failed(r, "set_event", event, err);
	else
		row(r, "set_event", "reset", event);
}

static void settle_events(struct reset *r)
{
	_cleanup_buf_ struct skep_buf now = {0};
	char *save;

	if (get(r, "set_event", &now) || !now.len)
		return;
	for (char *event = strtok_r(now.data, "\n", &save); event;
	     event = strtok_r(NULL, "\n", &save)) {
		if (!strcmp(event, KERNELS_OWN_EVENT)) {
			if (r->verbose)
				row(r, "set_event", "at rest", event);
		} else if (r->force) {
			disable(r, event);
		} else {
			leave(r, "set_event", event);
		}
	}
}

/* --- Probes ---------------------------------------------------------------------------------- */

/* The process that a probe is named after: "…_bcc_123", "libbpf_123_…"; 0: none is told. */
static pid_t maker_of(const char *name)
{
	static const char bcc[] = "_bcc_", libbpf[] = "libbpf_";
	const char *number = NULL, *at = name;
	char *end;

	while ((at = strstr(at, bcc)))
		number = at += strlen(bcc);
	if (!strncmp(name, libbpf, strlen(libbpf)))
		number = name + strlen(libbpf);
	if (!number || !isdigit((unsigned char)*number))
		return 0;
	long pid = strtol(number, &end, 10);
	bool is_end = !*end || (*end == '_' && name + strlen(libbpf) == number);
	return is_end && pid > 0 && pid < 1L << 30 ? (pid_t)pid : 0;
}

static bool is_gone(pid_t pid)
{
	return pid && kill(pid, 0) && errno == ESRCH;
}

/* "p:kprobes/name function", "r16:uprobes/name /bin/sh:0x1000" */
static void settle_probe(struct reset *r, const char *file, const char *probe)
{
	size_t to_colon = strcspn(probe, ": ");
	const char *name = probe + to_colon + (probe[to_colon] == ':');
	const char *event =
		skep_arena_printf(&r->job->script.arena, "%.*s", (int)strcspn(name, " "), name);
	const char *slash = strchr(event, '/');

	if (!r->force && !is_gone(maker_of(slash ? slash + 1 : event))) {
		leave(r, file, probe);
		return;
	}
	int err = put(r, file, O_APPEND, skep_arena_printf(&r->job->script.arena, "-:%s\n", event));
	if (err)
		failed(r, file, probe, err);
	else
		row(r, file, "removed", probe);
}

static void settle_probes(struct reset *r, const char *file)
{
	_cleanup_buf_ struct skep_buf now = {0};
	char *save;

	if (get(r, file, &now))
		return;
	if (!now.len && r->verbose)
		row(r, file, "at rest", "");
	for (char *probe = now.len ? strtok_r(now.data, "\n", &save) : NULL; probe;
	     probe = strtok_r(NULL, "\n", &save))
		settle_probe(r, file, probe);
}

/* --- Instances ------------------------------------------------------------------------------- */

static void name_instances(struct reset *r)
{
	DIR *dir = opendir(path_of(r, "instances"));
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			row(r, "instances", "left", entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static int find_root(struct reset *r)
{
	const char *instance = tool_given_own(r->job, "instance"), *root = skep_tracefs();
	struct skep_diag *diag = &r->job->script.diag;

	if (!root)
		return skep_diag_fail(diag, -errno, SKEP_DIAG_PROBE_TRACEFS, SKEP_NOWHERE,
				      strerror(errno));
	r->root = root;
	if (!instance)
		return 0;
	r->is_instance = true;
	r->root = skep_arena_printf(&r->job->script.arena, "%s/instances/%s", root, instance);
	if (!instance[0] || instance[0] == '.' || strchr(instance, '/') || access(r->root, F_OK))
		return skep_diag_fail(diag, -ENOENT, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, r->root,
				      "there is no such instance");
	return 0;
}

/* --------------------------------------------------------------------------------------------- */

/* Events first: a probe whose event is enabled is in use, and a tracer may be held by them. */
int tool_program_reset_trace(struct tool_job *job)
{
	struct reset r = {
		.job = job,
		.force = tool_given_own(job, "force"),
		.quiet = tool_given_own(job, "quiet"),
		.verbose = tool_given_own(job, "verbosity"),
	};

	if (find_root(&r))
		return 1;
	settle_events(&r);
	if (!r.is_instance) {
		settle_probes(&r, "kprobe_events");
		settle_probes(&r, "uprobe_events");
		name_instances(&r);
	}
	settle_all(&r);
	if (r.n_left && !r.quiet) {
		skep_diag_add(&job->script.diag, SKEP_DIAG_TRACE_LEFT, SKEP_NOWHERE, r.n_left);
		skep_script_show(&job->script);
	}
	return r.err ? 1 : 0;
}
