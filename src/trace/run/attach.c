/*
 * One probe of a script is attached for one place, or for many: by a raw tracepoint
 * that stands for them (gather), or by a link that has them all (bundle).
 *
 * A link takes all of its places or none, and does not say which one is in the way.
 * So it is tried by halves, until what cannot be attached stands alone: of a thousand
 * functions one is found in twenty tries.
 */
#include "trace/run/attach.h"

#include <errno.h>
#include <string.h>

/* No such function, or no place for a probe: instructions that cannot be emulated give several
 * errors, of which one (524) has no name here. */
static bool is_missing(int err)
{
	return err == -ESRCH || err == -ENOENT || err == -EINVAL || err == -EIO ||
	       err == -ENOEXEC || err == -EOPNOTSUPP || err == -524;
}

static void narrow_kprobes(struct skep_attach *part, uint32_t first, uint32_t n)
{
	part->kprobe_multi.names += first;
	if (part->kprobe_multi.cookies)
		part->kprobe_multi.cookies += first;
	part->kprobe_multi.n = n;
}

static void narrow_uprobes(struct skep_attach *part, uint32_t first, uint32_t n)
{
	part->uprobe_multi.file_offs += first;
	if (part->uprobe_multi.cookies)
		part->uprobe_multi.cookies += first;
	part->uprobe_multi.n = n;
}

static int attach_part(struct skep_session *session, const struct skep_attach *all, uint32_t first,
		       uint32_t n)
{
	struct skep_attach part = *all;

	if (part.type == SKEP_ATTACH_UPROBE_MULTI)
		narrow_uprobes(&part, first, n);
	else
		narrow_kprobes(&part, first, n);
	return skep_session_attach(session, &part, NULL);
}

/* Of the places from @first on, @n; returns how many are attached. */
static uint32_t attach_halves(struct skep_session *session, const struct skep_attach *all,
			      uint32_t first, uint32_t n)
{
	int err = attach_part(session, all, first, n);

	if (!err)
		return n;
	if (n == 1 || !is_missing(err))
		return 0;
	return attach_halves(session, all, first, n / 2) +
	       attach_halves(session, all, first + n / 2, n - n / 2);
}

uint32_t skep_places_of(const struct skep_probe *probe)
{
	if (probe->special != SKEP_PROBE_ATTACHED)
		return 0;
	if (probe->bundle)
		return probe->bundle->first == probe ? probe->bundle->n : 0;
	return !probe->gather ? 1 : probe->gather->first == probe ? probe->gather->n : 0;
}

/* Nothing else is worth a report of its own where one of many functions cannot be probed. */
static bool is_one_of_many(const struct skep_probe *probe)
{
	return probe->attach.type == SKEP_ATTACH_KPROBE && skep_has_wildcard(probe->spec->text);
}

static uint32_t attach_places(struct skep_session *session, const struct skep_probe *probe,
			      struct skep_diag *diag)
{
	uint32_t places = skep_places_of(probe), attached = 0;

	if (!places)
		return 0;
	if (probe->bundle)
		attached = attach_halves(session, &probe->attach, 0, places);
	if (attached)
		return attached;
	bool is_quiet = is_one_of_many(probe) && skep_session_n_links(session);
	return skep_session_attach(session, &probe->attach, is_quiet ? NULL : diag) ? 0 : places;
}

/*
 * Probes at one place are to run in the order of the script. The kernel runs
 * what is attached to an event in that order, but the latest uprobe first.
 */
struct skep_attached skep_attach_all(struct skep_session *session,
				     const struct skep_trace_program *program,
				     struct skep_diag *diag)
{
	struct skep_attached all = {0};
	uint32_t n = program->n_probes;

	for (uint32_t i = 0; i < 2 * n; i++) {
		const struct skep_probe *probe = program->probes[i < n ? i : 2 * n - 1 - i];
		bool is_uprobe = probe->attach.type == SKEP_ATTACH_UPROBE ||
				 probe->attach.type == SKEP_ATTACH_UPROBE_MULTI;
		if (is_uprobe != (i >= n))
			continue;
		all.wanted += skep_places_of(probe);
		all.attached += attach_places(session, probe, diag);
	}
	return all;
}

int skep_attached_check(const struct skep_trace_program *program,
			const struct skep_attached *attached, struct skep_diag *diag)
{
	if (attached->attached == attached->wanted)
		return 0;
	if (attached->attached && strcmp(program->config.missing_probes, "error") != 0)
		return 0;
	if (!attached->attached && diag->n_errors)
		return -ENOENT; /* of each it was said why */
	return skep_diag_fail(diag, -ENOENT, SKEP_DIAG_ATTACH_SOME, SKEP_NOWHERE,
			      attached->wanted - attached->attached, attached->wanted);
}
