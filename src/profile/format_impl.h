/* What format.c shares with the file of each format. Private to src/profile. */
#ifndef SKEP_PROFILE_FORMAT_IMPL_H
#define SKEP_PROFILE_FORMAT_IMPL_H

#include "profile/format.h"

/** What is to be written. */
struct skep_profile_job {
	const struct skep_profile *profile;
	const struct skep_profile_options *options; /* never NULL */
	const char *title;
	uint32_t type; /* the value type that is shown */
	struct skep_diag *diag;
};

/** Return 0 | -errno, see skep_profile_write() */
typedef int skep_profile_writer(const struct skep_profile_job *job, struct skep_buf *buf);

/** Foreign bytes, unpacked. */
struct skep_profile_bytes {
	const char *data;
	size_t len;
	const char *name; /* for messages */
};

/** @ret is initialised, and done with by the caller if it fails. */
typedef int skep_profile_reader(const struct skep_profile_bytes *bytes, struct skep_profile *ret,
				struct skep_diag *diag);

/* clang-format off */
skep_profile_writer skep_profile_write_folded, skep_profile_write_pprof,
	skep_profile_write_speedscope, skep_profile_write_firefox, skep_profile_write_otlp,
	skep_profile_write_json, skep_profile_write_tree, skep_profile_write_top,
	skep_profile_write_svg, skep_profile_write_html;
skep_profile_reader skep_profile_read_folded, skep_profile_read_pprof, skep_profile_read_perf;
/* clang-format on */

/** Does it look like what perf script prints? */
bool skep_profile_is_perf(const struct skep_profile_bytes *bytes);
/** With @more to come. Return 0 | -EFBIG over SKEP_PROFILE_FILE_MOST_NODES; see @diag */
int skep_profile_check_size(const struct skep_profile *profile, size_t more, const char *name,
			    struct skep_diag *diag);
/** The job's profile as its options want it shown: with roots, inverted, by function. */
void skep_profile_shown(const struct skep_profile_job *job, struct skep_profile *ret);
/** The same, for what cannot show values below zero: they are counted as lost. */
void skep_profile_weighed(const struct skep_profile_job *job, struct skep_profile *ret);
/** @name without what would end a line or act on a terminal; @but becomes ':'. */
void skep_profile_add_name(struct skep_buf *buf, const char *name, char but);

/** @text as UTF-8: what is not becomes U+FFFD. */
void skep_profile_add_valid(struct skep_buf *buf, const char *text);

#endif
