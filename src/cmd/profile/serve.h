/* What serve.c and served.c share: what is kept, by HTTP. */
#ifndef SKEP_CMD_PROFILE_SERVE_H
#define SKEP_CMD_PROFILE_SERVE_H

#include "cmd/profile/profile.h"

/** A time line: at most @n points from the window's begin to its end, and how many intervals count
 *  other things than they do. */
void skep_served_timeline(const struct skep_archive *archive,
			  const struct skep_archive_window *window, uint32_t n,
			  struct skep_buf *out);
/** Whose @profile is, how whole its stacks are, what is lost: JSON. */
void skep_served_summary(const struct skep_profile *profile, struct skep_buf *out);

#endif
