/* Text for people, see report.h. */
#include "profile/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "sink/number.h"
#include "sink/units.h"

#define COLOR_PLAIN "\033[0m"

static const char *const colors[SKEP_FRAME_KIND_CNT] = {
	[SKEP_FRAME_KERNEL] = "\033[33m",      [SKEP_FRAME_JIT] = "\033[32m",
	[SKEP_FRAME_INTERPRETED] = "\033[36m", [SKEP_FRAME_PROCESS] = "\033[1m",
	[SKEP_FRAME_THREAD] = "\033[1m",       [SKEP_FRAME_BROKEN] = "\033[31m",
};

const char *skep_report_color(const struct skep_profile_job *job, uint8_t kind)
{
	return job->options->has_color && colors[kind] ? colors[kind] : "";
}

const char *skep_report_plain(const struct skep_profile_job *job, uint8_t kind)
{
	return job->options->has_color && colors[kind] ? COLOR_PLAIN : "";
}

void skep_report_value(struct skep_buf *buf, const char *unit, int64_t value)
{
	if (value >= 0 && !strcmp(unit, "nanoseconds")) {
		skep_sink_duration(buf, (uint64_t)value);
	} else if (value >= 0 && !strcmp(unit, "bytes")) {
		skep_sink_bytes(buf, (uint64_t)value);
	} else {
		skep_sink_s64(buf, value);
		if (*unit && strcmp(unit, "count") != 0) {
			skep_buf_addc(buf, ' ');
			skep_profile_add_name(buf, unit, '\0');
		}
	}
}

/* "3120 samples", "12.5 ms of cpu"; of a difference "12.5 ms before". */
static void add_total(const struct skep_profile *p, uint32_t type, struct skep_buf *buf)
{
	const char *unit = p->strings[p->types[type].unit];
	bool is_of = strcmp(unit, "count") && !p->is_diff;

	skep_report_value(buf, unit, skep_profile_total(p, type));
	skep_buf_puts(buf, is_of ? " of " : " ");
	skep_profile_add_name(buf, p->strings[p->types[type].name], '\0');
}

void skep_report_head(const struct skep_profile_job *job, struct skep_buf *buf)
{
	const struct skep_profile *p = job->profile;

	if (*job->title) {
		skep_profile_add_name(buf, job->title, '\0');
		skep_buf_puts(buf, ": ");
	}
	add_total(p, p->is_diff ? 0 : job->type, buf);
	if (p->is_diff) {
		skep_buf_puts(buf, ", ");
		add_total(p, 1, buf);
	}
	if (p->duration_ns) {
		skep_buf_puts(buf, " in ");
		skep_sink_duration(buf, p->duration_ns);
	}
}

void skep_report_losses(const struct skep_profile *profile, struct skep_buf *buf)
{
	for (uint32_t i = 0; i < profile->n_losses; i++) {
		skep_buf_printf(buf, "lost: %" PRIu64 " ", profile->losses[i].n);
		skep_profile_add_name(buf, profile->strings[profile->losses[i].what], '\0');
		skep_buf_addc(buf, '\n');
	}
}

void skep_report_share(struct skep_buf *buf, double share)
{
	skep_buf_printf(buf, "%5.1f%%", 100 * share);
}

void skep_report_change(struct skep_buf *buf, double change)
{
	/* No "-0.0". */
	skep_buf_printf(buf, "%+6.1f", fabs(change) < 0.0005 ? 0.0 : 100 * change);
}

/* Bytes of the character at @text: of one that is not valid, one. */
static size_t character(const char *text)
{
	size_t len = skep_utf8_len(text, strnlen(text, 4));

	return len ? len : 1;
}

size_t skep_report_width(const char *text)
{
	size_t n = 0;

	for (; *text; text += character(text))
		n++;
	return n;
}

void skep_report_name(struct skep_buf *buf, const char *name, size_t room)
{
	_cleanup_buf_ struct skep_buf clean = {0};
	size_t at = 0;

	skep_profile_add_name(&clean, name, '\0');
	if (!clean.len)
		return;
	bool is_cut = room && skep_report_width(clean.data) > room;
	for (size_t n = 0; is_cut && n + 1 < room; n++)
		at += character(clean.data + at);
	if (is_cut)
		clean.data[at] = '\0';
	skep_profile_add_valid(buf, clean.data);
	if (is_cut)
		skep_buf_puts(buf, "…");
}
