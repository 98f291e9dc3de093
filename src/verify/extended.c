/*
 * Extended mode: is a program safe, though Linux may find it too large?
 *
 *	1  as the kernel, but on past its limits, up to ten times as far. What is accepted so is
 *	   safe; how much of the limit it took is told. What is refused for any reason but size is
 *	   refused, in the kernel's words.
 *	2  if there was no end to it: again, with states that may be joined and numbers that are
 *	   widened (wide.h), so that loops come to an end after a few rounds. What is accepted so
 *	   touches nothing it may not, and each of its loops was proven to end (rounds.c).
 *	3  if that refuses: with more patience, as joined too early states may have lost what was
 *	   needed. Then what it could not be shown to keep to is what is said.
 *
 * Programs without privileges are not taken further than the first: what a guessing CPU may do
 * rests on exact states.
 *
 * Linux refuses some loops for another reason than size: two rounds that are exactly alike. That is
 * right for most, and wrong where what ends the loop is not seen in what is known of numbers. They
 * go the same way; but if nothing is found that ends them, they are refused as Linux does.
 */
#include "verify/wide.h"

#include <string.h>

static const struct patience patiences[] = {{2, 8}, {16, 64}};

/* --- The first walk -------------------------------------------------------------------------- */

/* Was the program refused for what it takes, not for what it does? */
static bool is_too_large(enum refusal refusal)
{
	return refusal == REFUSE_TOO_MANY_INSNS || refusal == REFUSE_TOO_MUCH_MEMORY ||
	       refusal == REFUSE_TOO_MANY_JUMPS || refusal == REFUSE_INFINITE_LOOP;
}

static uint32_t percent(uint64_t part, uint64_t of)
{
	uint64_t ret = (part * 100 + of - 1) / of;

	return ret < UINT32_MAX ? (uint32_t)ret : UINT32_MAX;
}

/* Linux counts instructions, and paths that wait. */
static uint32_t budget_of(const struct verifier *v)
{
	uint32_t insns = percent(v->n_processed, verify_most_insns(v));
	uint32_t jumps = percent(v->most_branches, MOST_PENDING);

	return insns > jumps ? insns : jumps;
}

/* --- The second ------------------------------------------------------------------------------ */

struct second {
	int err;
	enum refusal refusal;
	struct skep_verify_report report;
	struct skep_buf log; /* of the path that failed */
};

static int walk_wide(const struct verifier *first, struct patience patience, struct second *ret)
{
	struct skep_verify_opts opts = *first->opts;
	struct verifier v;

	opts.log_level = opts.log_level & VERIFY_LOG_STEPS ? 1 : 0;
	opts.most_insns = 0; /* what it takes is not what Linux would */
	skep_buf_done(&ret->log);
	verify_begin(&v, first->program, &opts, &ret->log);
	v.started_ns = first->started_ns;
	verify_wide_begin(&v, patience);
	ret->err = verify_passes(&v);
	ret->refusal = v.refusal;
	verify_report(&v, ret->err, &ret->report);
	verify_end(&v);
	return ret->err;
}

static void walk_again(const struct verifier *first, struct second *ret)
{
	for (size_t i = 0; i < sizeof(patiences) / sizeof(*patiences); i++)
		if (!walk_wide(first, patiences[i], ret) || ret->refusal == REFUSE_TIME_IS_UP)
			return;
}

/* What is refused as Linux does: no more is known of it than Linux says. */
static bool linux_is_right(const struct verifier *first, const struct second *second)
{
	return first->refusal == REFUSE_INFINITE_LOOP && second->refusal == REFUSE_LOOP_WITHOUT_END;
}

/* What was said up to the limit is of a path that did not fail: level 1 takes it back. */
static void log_second(struct verifier *first, const struct second *second)
{
	struct skep_buf *log = first->log;

	if (!log)
		return;
	if (!(first->opts->log_level & 2)) {
		log->len = first->log_start;
		first->log_most = log->len;
	}
	if (second->err)
		skep_buf_add(log, second->log.data, second->log.len);
	else
		skep_buf_printf(log,
				"safe, with rounds of loops taken together: %u insns, %u states\n",
				second->report.n_processed, second->report.n_states);
}

static int decide(struct verifier *first, int err, struct skep_verify_report *ret)
{
	struct second second = {0};

	walk_again(first, &second);
	if (!second.err || !linux_is_right(first, &second)) {
		log_second(first, &second);
		*ret = second.report;
		err = second.err;
	}
	if (!err)
		ret->linux_budget = UINT32_MAX;
	skep_buf_done(&second.log);
	return err;
}

/* Only where its limits are the kernel's may the first walk be asked again, quickly. */
bool verify_wide_decided(const struct skep_verify_program *program,
			 const struct skep_verify_opts *opts, const char *refusal)
{
	struct skep_verify_opts first = *opts;
	struct skep_verify_report report;

	if (opts->mode != SKEP_VERIFY_EXTENDED)
		return false;
	first.mode = SKEP_VERIFY_KERNEL;
	first.log_level = 0;
	skep_verify(program, &first, NULL, &report);
	return report.refusal && strcmp(report.refusal, refusal) != 0;
}

void verify_wide_patiently(struct verifier *v)
{
	verify_wide_begin(v, patiences[sizeof(patiences) / sizeof(*patiences) - 1]);
}

int verify_extended(const struct skep_verify_program *program, const struct skep_verify_opts *opts,
		    struct skep_buf *log, struct skep_verify_report *ret)
{
	struct skep_verify_report report;
	struct verifier v;
	int err;

	verify_begin(&v, program, opts, log);
	verify_log_functions(&v);
	err = verify_passes(&v);
	verify_report(&v, err, &report);
	report.linux_budget = err ? 0 : budget_of(&v);
	if (err && is_too_large(v.refusal) && v.privileged && !opts->no_pruning)
		err = decide(&v, err, &report);
	if (ret)
		*ret = report;
	verify_log_summary(&v);
	verify_end(&v);
	return err;
}
