/*
 * The table of formats, and the way to each: what a path, a name or the bytes themselves say
 * leads to the writer or reader in the format's own file.
 */
#include "profile/format.h"

#include <errno.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "profile/format_impl.h"
#include "profile/gzip.h"

#define CANNOT   false
#define CAN(how) true
static const struct skep_profile_format_info infos[] = {
#define FORMAT(NAME, name, suffixes, is_text, write, read, words)                                  \
	{name, suffixes, words, write, read, is_text},
#include "profile/formats.def"
#undef FORMAT
};
#undef CANNOT
#undef CAN

#define CANNOT   NULL
#define CAN(how) how
static skep_profile_writer *const writers[] = {
#define FORMAT(NAME, name, suffixes, is_text, write, read, words) write,
#include "profile/formats.def"
#undef FORMAT
};

static skep_profile_reader *const readers[] = {
#define FORMAT(NAME, name, suffixes, is_text, write, read, words) read,
#include "profile/formats.def"
#undef FORMAT
};

const struct skep_profile_format_info *skep_profile_format_info(enum skep_profile_format format)
{
	return &infos[format];
}

/* The longest of @suffixes that @path ends in, and has something before; 0: none. */
static size_t suffix_of(const char *path, const char *suffixes)
{
	size_t len = strlen(path), longest = 0;

	while (*suffixes) {
		size_t n = strcspn(suffixes, " ");
		if (n > longest && n < len && !strncmp(path + len - n, suffixes, n))
			longest = n;
		suffixes += n;
		suffixes += strspn(suffixes, " ");
	}
	return longest;
}

int skep_profile_format_by_path(const char *path, enum skep_profile_format *ret)
{
	size_t longest = 0;

	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++) {
		size_t n = suffix_of(path, infos[i].suffixes);
		if (n > longest) {
			longest = n;
			*ret = (enum skep_profile_format)i;
		}
	}
	return longest ? 0 : -ENOENT;
}

int skep_profile_format_by_name(const char *name, enum skep_profile_format *ret)
{
	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++) {
		if (!strcmp(name, infos[i].name)) {
			*ret = (enum skep_profile_format)i;
			return 0;
		}
	}
	return -ENOENT;
}

/* --- Writing -------------------------------------------------------------------------------- */

int skep_profile_write(const struct skep_profile *profile, enum skep_profile_format format,
		       const struct skep_profile_options *options, struct skep_buf *buf,
		       struct skep_diag *diag)
{
	static const struct skep_profile_options none;
	struct skep_profile_job job = {.profile = profile, .diag = diag};
	size_t before = buf->len;

	if (!writers[format])
		return skep_diag_fail(diag, -EOPNOTSUPP, SKEP_DIAG_PROFILE_FORMAT, SKEP_NOWHERE,
				      infos[format].name);
	job.options = options ? options : &none;
	job.title = job.options->title ? job.options->title : profile->strings[profile->title];
	int err = skep_profile_find_type(profile, job.options->value, &job.type, diag);
	if (!err)
		err = writers[format](&job, buf);
	if (err)
		buf->len = before;
	return err;
}

void skep_profile_shown(const struct skep_profile_job *job, struct skep_profile *ret)
{
	struct skep_profile_shape shape = {.root = job->options->root,
					   .is_inverted = job->options->is_inverted,
					   .has_addresses = job->options->has_addresses,
					   .by_line = job->options->by_line,
					   .by_function = true};

	skep_profile_shaped(job->profile, &shape, ret);
}

/* Do sample's values, as far as they are shown, have one below zero? */
static bool is_negative(const struct skep_profile *p, const struct skep_profile_sample *sample,
			uint32_t type)
{
	return p->is_diff ? sample->values[0] < 0 || sample->values[1] < 0
			  : sample->values[type] < 0;
}

void skep_profile_weighed(const struct skep_profile_job *job, struct skep_profile *ret)
{
	uint64_t n = 0;

	skep_profile_shown(job, ret);
	for (uint32_t i = 0; i < ret->n_samples; i++)
		n += is_negative(ret, &ret->samples[i], job->type);
	if (n)
		skep_profile_lose(ret, "stacks with values below zero, shown as nothing", n);
}

void skep_profile_add_name(struct skep_buf *buf, const char *name, char but)
{
	size_t from = buf->len;

	skep_buf_add_printable(buf, name, strlen(name));
	for (; from < buf->len; from++) {
		if (buf->data[from] == '\t')
			buf->data[from] = '?';
		else if (but && buf->data[from] == but)
			buf->data[from] = ':';
	}
}

void skep_profile_add_valid(struct skep_buf *buf, const char *text)
{
	const char *end = text + strlen(text);

	while (text < end) {
		size_t n = skep_utf8_len(text, (size_t)(end - text));
		if (n)
			skep_buf_add(buf, text, n);
		else
			skep_buf_puts(buf, SKEP_UTF8_REPLACEMENT);
		text += n ? n : 1;
	}
}

/* --- Reading -------------------------------------------------------------------------------- */

/* Text has few control characters but blanks (one in a process's name, say), and no NUL. Numbers
 * of profile.proto are full of them; its table of strings begins with one that is empty. */
static bool is_text(const struct skep_profile_bytes *bytes)
{
	size_t n = bytes->len < 4096 ? bytes->len : 4096, n_strange = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes->data[i];
		if (!c)
			return false;
		n_strange += c < ' ' && c != '\t' && c != '\n' && c != '\r';
	}
	return n_strange <= 1 + n / 16;
}

static enum skep_profile_format sniff(const struct skep_profile_bytes *bytes)
{
	if (!is_text(bytes))
		return SKEP_PROFILE_PPROF;
	return skep_profile_is_perf(bytes) ? SKEP_PROFILE_PERF : SKEP_PROFILE_FOLDED;
}

int skep_profile_check_size(const struct skep_profile *profile, size_t more, const char *name,
			    struct skep_diag *diag)
{
	if (profile->n_nodes + more <= SKEP_PROFILE_FILE_MOST_NODES)
		return 0;
	skep_diag_add(diag, SKEP_DIAG_PROFILE_LARGE, SKEP_NOWHERE, name);
	skep_diag_why(diag, "its stacks have over %u frames", SKEP_PROFILE_FILE_MOST_NODES);
	return -EFBIG;
}

static int too_large(const char *name, struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_PROFILE_LARGE, SKEP_NOWHERE, name);
	skep_diag_why(diag, "it has over %lu bytes when unpacked", SKEP_PROFILE_FILE_MOST_BYTES);
	return -EFBIG;
}

static int read_unpacked(const struct skep_profile_bytes *bytes, struct skep_profile *ret,
			 struct skep_diag *diag)
{
	struct skep_profile profile;

	if (bytes->len > SKEP_PROFILE_FILE_MOST_BYTES)
		return too_large(bytes->name, diag);
	skep_profile_init(&profile);
	int err = readers[sniff(bytes)](bytes, &profile, diag);
	if (err)
		skep_profile_done(&profile);
	else
		*ret = profile;
	return err;
}

int skep_profile_read(const void *data, size_t bytes, const char *name, struct skep_profile *ret,
		      struct skep_diag *diag)
{
	struct skep_profile_bytes plain = {data, bytes, name};
	_cleanup_buf_ struct skep_buf unpacked = {0};

	if (skep_gzip_is(data, bytes)) {
		int err = skep_gunzip(data, bytes, SKEP_PROFILE_FILE_MOST_BYTES, &unpacked);
		if (err == -EFBIG)
			return too_large(name, diag);
		if (err)
			return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_PROFILE_BROKEN, SKEP_NOWHERE,
					      name,
					      err == -ENODATA ? "it is cut: gzip's data go on"
							      : "it cannot be unpacked");
		plain.data = unpacked.data ? unpacked.data : "";
		plain.len = unpacked.len;
	}
	return read_unpacked(&plain, ret, diag);
}
