/* Programs from files: objects through libbpf, bare instructions by themselves. */
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/prog/prog.h"
#include "engine/test.h"
#include "linux/bpf.h"
#include "linux/privilege.h"

#define LOG_BYTES       (1u << 20)
#define MOST_COMPLAINTS 1

bool prog_is_id(const char *word, uint32_t *ret)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);

	if (!isdigit((unsigned char)word[0]) || *end || id > UINT32_MAX || !access(word, F_OK))
		return false;
	*ret = (uint32_t)id;
	return true;
}

/* --- Bare instructions ----------------------------------------------------------------------- */

static bool is_text(const struct skep_buf *bytes)
{
	for (size_t i = 0; i < bytes->len; i++) {
		unsigned char c = (unsigned char)bytes->data[i];
		if (c < ' ' && !isspace(c))
			return false;
	}
	return true;
}

/* All but the last, which tells why this was read so. */
static void drop_item(struct skep_diag *diag, size_t at)
{
	struct skep_diag_item *item = &diag->items[at];

	free(item->what);
	free(item->why);
	free(item->hint);
	memmove(item, item + 1, (diag->n_items - at - 1) * sizeof(*item));
	diag->n_items--;
}

static int assemble(struct prog_job *job, const char *path, const struct skep_buf *bytes,
		    struct skep_insn **ret, size_t *ret_n)
{
	const struct skep_source source = {path, bytes->data, bytes->len};
	struct skep_diag diag = {.source = &source};
	int err = skep_asm(source.text, source.len, ret, ret_n, &diag);

	if (err && strcmp(job->options.args[0], "asm"))
		skep_diag_why(&diag,
			      "%s is no ELF file, so it was read as instructions in text form",
			      path);
	while (diag.n_items > MOST_COMPLAINTS + 1) /* what is no such text fails in every line */
		drop_item(&diag, MOST_COMPLAINTS);
	skep_diag_show(&diag);
	return err;
}

static int copy_raw(struct prog_job *job, const char *path, const struct skep_buf *bytes,
		    struct skep_insn **ret, size_t *ret_n)
{
	size_t size = sizeof(struct skep_insn);

	if (bytes->len % size)
		return skep_diag_fail(&job->diag, -EINVAL, SKEP_DIAG_INSNS_RAW, SKEP_NOWHERE, path,
				      bytes->len);
	*ret = malloc(bytes->len);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, bytes->data, bytes->len);
	*ret_n = bytes->len / size;
	return 0;
}

int prog_read_insns(struct prog_job *job, const char *path, const struct skep_buf *bytes,
		    struct skep_insn **ret, size_t *ret_n)
{
	int err;

	if (!bytes->len)
		return skep_diag_fail(&job->diag, -EINVAL, SKEP_DIAG_FILE_EMPTY, SKEP_NOWHERE,
				      path);
	err = is_text(bytes) ? assemble(job, path, bytes, ret, ret_n)
			     : copy_raw(job, path, bytes, ret, ret_n);
	if (!err && !*ret_n)
		err = skep_diag_fail(&job->diag, -EINVAL, SKEP_DIAG_FILE_EMPTY, SKEP_NOWHERE, path);
	return err;
}

static int wanted_type(struct prog_job *job, uint32_t *ret)
{
	const char *name = prog_given(job, PROG_OPT_TYPE);
	int type = skep_prog_type_by_name(name ? name : "xdp");

	if (type < 0)
		return skep_diag_fail(
			&job->diag, -EINVAL, SKEP_DIAG_OPTION_VALUE, SKEP_NOWHERE, "--type",
			"a type of program like xdp, sched_cls or raw_tracepoint", name);
	*ret = (uint32_t)type;
	return 0;
}

/* Return a descriptor | -errno */
static int load_insns(struct prog_job *job, uint32_t type, const struct skep_insn *insns, size_t n)
{
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	union bpf_attr attr;
	int fd;

	if (!log)
		return -ENOMEM;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	attr.log_buf = (uint64_t)(uintptr_t)log;
	attr.log_size = LOG_BYTES;
	attr.log_level = 1;
	memcpy(attr.prog_name, "program", 8);
	fd = skep_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd == -EPERM && !log[0])
		return skep_privilege_fail(&job->diag, fd, SKEP_PRIVILEGE_NETWORK, SKEP_NOWHERE,
					   "load BPF programs");
	if (fd < 0)
		skep_engine_refused("program", log, strlen(log), fd, &job->diag);
	return fd;
}

static int load_bare(struct prog_job *job, const char *path, const struct skep_buf *bytes)
{
	_cleanup_free_ struct skep_insn *insns = NULL;
	uint32_t type = 0;
	size_t n = 0;
	int err = wanted_type(job, &type);

	if (!err)
		err = prog_read_insns(job, path, bytes, &insns, &n);
	return err ? err : load_insns(job, type, insns, n);
}

/* --- Objects --------------------------------------------------------------------------------- */

/* Return a descriptor of the caller's | -errno */
static int load_object(struct prog_job *job, const char *path, struct skep_buf *bytes)
{
	const char *name = job->n_words > 1 ? job->words[1] : NULL;
	int err = skep_elffile_open(path, bytes, &job->elf, &job->diag), fd;

	if (!err)
		err = skep_elffile_find(&job->elf, name, &job->program, &job->diag);
	if (!err)
		err = skep_elffile_load(&job->elf, job->program, &job->diag);
	if (err)
		return err;
	fd = dup(bpf_program__fd(job->program));
	return fd < 0 ? -errno : fd;
}

static int read_loaded(struct prog_job *job, const char *path, int fd, struct skep_prog *ret)
{
	int err = fd < 0 ? fd : skep_prog_read(fd, ret);

	if (fd >= 0 && err)
		skep_diag_add(&job->diag, SKEP_DIAG_PROG_RUN, SKEP_NOWHERE, path,
			      skep_engine_name(&job->engine), strerror(-err));
	return err;
}

int prog_load_bytes(struct prog_job *job, const char *path, const struct skep_buf *bytes,
		    struct skep_prog *ret)
{
	return read_loaded(job, path, load_bare(job, path, bytes), ret);
}

int prog_load(struct prog_job *job, struct skep_prog *ret)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	const char *path = job->words[0];
	int err = prog_read_file(job, path, SKEP_ELFFILE_MOST_BYTES, &bytes);

	if (err)
		return err;
	if (!bytes.len || !skep_elffile_is(bytes.data, bytes.len))
		return prog_load_bytes(job, path, &bytes, ret);
	return read_loaded(job, path, load_object(job, path, &bytes), ret);
}

int prog_open_id(struct prog_job *job, uint32_t id, struct skep_prog *ret)
{
	char action[64];
	int fd = skep_prog_open_id(id), err = fd < 0 ? fd : skep_prog_read(fd, ret);

	if (err == -ENOENT)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_ID_NONE, SKEP_NOWHERE, "program",
				      id);
	if (err == -EPERM || err == -EACCES) {
		snprintf(action, sizeof(action), "look at program %u", id);
		return skep_privilege_fail(&job->diag, err, SKEP_PRIVILEGE_ADMIN, SKEP_NOWHERE,
					   action);
	}
	return err ? skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE,
				    job->words[0], strerror(-err))
		   : 0;
}
