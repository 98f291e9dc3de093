/* What is said of a profile beside it, see profile.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/profile/profile.h"
#include "profiler/health.h"
#include "sink/columns.h"
#include "sink/units.h"

#define NAMED_MOST 3

/* Names are a stranger's. */
static void put_name(const struct skep_profile *profile, skep_profile_str name,
		     struct skep_buf *out)
{
	const char *text = profile->strings[name];

	skep_buf_add_printable(out, text, strlen(text));
}

/* "3,120" */
static void put_count(uint64_t n, struct skep_buf *out)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			skep_buf_addc(out, ',');
		skep_buf_addc(out, digits[i]);
	}
}

/* "3,120 samples", "31.5 s of cpu", "1.5 MiB of alloc_space" */
static void put_total(const struct skep_profile *profile, uint32_t type, struct skep_buf *out)
{
	const char *unit = profile->strings[profile->types[type].unit];
	int64_t total = skep_profile_total(profile, type);
	uint64_t n = total > 0 ? (uint64_t)total : 0;

	if (!strcmp(unit, "nanoseconds"))
		skep_sink_duration(out, n);
	else if (!strcmp(unit, "bytes"))
		skep_sink_bytes(out, n);
	else
		put_count(n, out);
	skep_buf_puts(out, strcmp(unit, "count") ? " of " : " ");
	put_name(profile, profile->types[type].name, out);
}

/* --- Health ---------------------------------------------------------------------------------- */

static void put_share(uint64_t part, uint64_t whole, struct skep_buf *out)
{
	if (part == whole)
		skep_buf_puts(out, "all");
	else
		skep_sink_percent(out, part, whole);
}

/* "[broken: why]" without what is around it. */
static void put_reason(const char *frame, struct skep_buf *out)
{
	const char *colon = strstr(frame, ": ");
	const char *reason = colon ? colon + 2 : frame;

	skep_buf_add_printable(out, reason, strcspn(reason, "]"));
}

/* "cc1 (12 processes: why)" */
static void put_row(const struct skep_profile *profile, const struct skep_health_row *row,
		    struct skep_buf *out)
{
	put_name(profile, row->comm, out);
	skep_buf_puts(out, " (");
	if (row->processes > 1)
		skep_buf_printf(out, "%u processes: ", row->processes);
	put_reason(profile->strings[row->reason], out);
	skep_buf_addc(out, ')');
}

static void put_broken(const struct skep_profile *profile, const struct skep_health *health,
		       struct skep_buf *out)
{
	uint32_t n = health->rows_broken;

	skep_buf_puts(out, "broken stacks: ");
	for (uint32_t i = 0; i < n && i < NAMED_MOST; i++) {
		skep_buf_puts(out, i ? ", " : "");
		put_row(profile, &health->rows.data[i], out);
	}
	skep_buf_puts(out, n > NAMED_MOST ? ", …; --health shows all\n" : "\n");
}

/* Folded stacks do not tell whose they are, nor of what kind a frame is. */
static bool is_nobodys(const struct skep_health *health)
{
	return health->rows.len == 1 && !health->rows.data[0].comm;
}

static void put_health(const struct skep_profile *profile, struct skep_buf *out)
{
	struct skep_health health;

	skep_health_of(profile, true, &health);
	if (health.stacks && !is_nobodys(&health)) {
		skep_buf_puts(out, "; ");
		put_share(health.whole, health.stacks, out);
		skep_buf_puts(out, " of ");
		put_name(profile, profile->types[profile->n_types - 1].name, out);
		skep_buf_puts(out, " with whole stacks");
	}
	skep_buf_addc(out, '\n');
	if (health.rows_broken && !is_nobodys(&health))
		put_broken(profile, &health, out);
	skep_health_done(&health);
}

void skep_profile_say(const struct skep_profile *profile, bool with_losses, struct skep_buf *out)
{
	for (uint32_t i = 0; i < profile->n_types; i++) {
		skep_buf_puts(out, i ? ", " : "");
		put_total(profile, i, out);
	}
	if (profile->duration_ns) {
		skep_buf_puts(out, " in ");
		skep_sink_duration(out, profile->duration_ns);
	}
	put_health(profile, out);
	for (uint32_t i = 0; with_losses && i < profile->n_losses; i++) {
		skep_buf_puts(out, "lost: ");
		put_count(profile->losses[i].n, out);
		skep_buf_addc(out, ' ');
		put_name(profile, profile->losses[i].what, out);
		skep_buf_addc(out, '\n');
	}
}

static void add_row(const struct skep_profile *profile, const struct skep_health_row *row,
		    struct skep_columns *table)
{
	_cleanup_buf_ struct skep_buf share = {0}, reason = {0}, name = {0};

	skep_sink_percent(&share, row->whole, row->stacks);
	put_reason(profile->strings[row->reason], &reason);
	put_name(profile, row->comm, &name);
	skep_columns_add(table, name.data ? name.data : "", (ssize_t)name.len);
	skep_columns_u64(table, row->pid);
	skep_columns_u64(table, row->stacks);
	skep_columns_add(table, share.data, (ssize_t)share.len);
	skep_columns_add(table, reason.data ? reason.data : "", (ssize_t)reason.len);
}

void skep_profile_say_health(const struct skep_profile *profile, struct skep_buf *out)
{
	static const char *const titles[] = {"PROCESS", "PID", "STACKS", "WHOLE", "IF NOT, MOSTLY"};
	struct skep_columns table;
	struct skep_health health;

	skep_health_of(profile, false, &health);
	skep_columns_init(&table, 5, "lrrrl");
	for (int i = 0; i < 5; i++)
		skep_columns_add(&table, titles[i], -1);
	skep_vec_foreach (struct skep_health_row, row, &health.rows)
		add_row(profile, row, &table);
	skep_columns_render(&table, out);
	skep_columns_done(&table);
	skep_health_done(&health);
}
