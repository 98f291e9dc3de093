/* What text for people has in common: heads, shares, names cut to a width, losses. Private to
 * src/profile. */
#ifndef SKEP_PROFILE_REPORT_H
#define SKEP_PROFILE_REPORT_H

#include "profile/format_impl.h"
#include "profile/tree.h"

/** "12.5 ms", "1.5 KiB", "3120": @value in the words of @unit ("nanoseconds", "bytes", …). */
void skep_report_value(struct skep_buf *buf, const char *unit, int64_t value);
/** "on-CPU: 3120 samples, 10.0 s", without the end of a line. */
void skep_report_head(const struct skep_profile_job *job, struct skep_buf *buf);
/** A line for each loss; nothing if there are none. */
void skep_report_losses(const struct skep_profile *profile, struct skep_buf *buf);
/** " 12.5%", six wide; @share of 1. */
void skep_report_share(struct skep_buf *buf, double share);
/** "  +3.1", six wide, in points; @change of 1. */
void skep_report_change(struct skep_buf *buf, double change);
/** What stands before a name of that kind, in colour: "" if the job has none. */
const char *skep_report_color(const struct skep_profile_job *job, uint8_t kind);
/** What ends skep_report_color(). */
const char *skep_report_plain(const struct skep_profile_job *job, uint8_t kind);
/** @name, of at most @room characters (0: any), "…" behind what is cut off. */
void skep_report_name(struct skep_buf *buf, const char *name, size_t room);
/** Characters of @text; each is taken to be one column wide. */
size_t skep_report_width(const char *text);

#endif
