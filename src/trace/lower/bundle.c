/*
 * Bundles: the places of one program that one link attaches, where the kernel
 * has such links. A thousand events are as many descriptors and system calls,
 * and each waits for the kernel's readers when it is taken off; a link is one.
 *
 * Functions of the kernel are told by name. Places of programs are offsets in a
 * file, so there is a link for each file, and whether there shall be one is
 * decided here: until then they are ordinary uprobes.
 */
#include <string.h>

#include "linux/feature.h"
#include "linux/newer.h"
#include "trace/lower/lower.h"

void skep_lower_choose_multi(struct skep_lower *l, uint32_t first)
{
	struct skep_probe *probe = l->program->probes[first];

	if (probe->attach.type == SKEP_ATTACH_UPROBE && !probe->attach.uprobe.ref_ctr_off &&
	    skep_has_feature(SKEP_FEATURE_UPROBE_MULTI))
		probe->expected_attach_type = ATTACH_UPROBE_MULTI;
}

/* --- Functions of the kernel ----------------------------------------------------------------- */

static void bundle_kprobes(struct skep_lower *l, uint32_t first, uint32_t n)
{
	struct skep_bundle *bundle = skep_arena_new(l->arena, struct skep_bundle);
	const char **names = skep_arena_array(l->arena, const char *, n);
	uint64_t *cookies = skep_arena_array(l->arena, uint64_t, n);
	struct skep_attach *attach = &l->program->probes[first]->attach;

	bundle->first = l->program->probes[first];
	for (uint32_t i = first; bundle->n < n; i++) {
		struct skep_probe *probe = l->program->probes[i];
		if (!skep_lower_same_program(probe, bundle->first))
			continue;
		names[bundle->n] = probe->attach.kprobe_multi.names[0];
		cookies[bundle->n++] = probe->attach.cookie;
		probe->bundle = bundle;
	}
	attach->kprobe_multi.names = names;
	attach->kprobe_multi.cookies = attach->cookie ? cookies : NULL;
	attach->kprobe_multi.n = n;
}

/* --- Functions of a file --------------------------------------------------------------------- */

static bool is_of_file(const struct skep_probe *probe, const struct skep_probe *head)
{
	return !probe->bundle && skep_lower_same_program(probe, head) &&
	       !strcmp(probe->attach.uprobe.path, head->attach.uprobe.path);
}

/* The places of @head's file, in the order of the script. */
static struct skep_bundle *collect(struct skep_lower *l, uint32_t first, uint64_t *offs,
				   uint64_t *cookies)
{
	struct skep_bundle *bundle = skep_arena_new(l->arena, struct skep_bundle);
	struct skep_probe *head = l->program->probes[first];

	for (uint32_t i = first; i < l->program->n_probes; i++) {
		struct skep_probe *probe = l->program->probes[i];
		if (!is_of_file(probe, head))
			continue;
		offs[bundle->n] = probe->attach.uprobe.file_off;
		cookies[bundle->n++] = probe->attach.cookie;
		probe->bundle = bundle;
	}
	bundle->first = head;
	return bundle;
}

/* The kind of link is that of all, so that they still are of one kind; the first has the arrays. */
static void convert(struct skep_lower *l, const struct skep_bundle *bundle, const uint64_t *offs,
		    const uint64_t *cookies)
{
	const struct skep_attach one = bundle->first->attach;

	for (uint32_t i = 0; i < l->program->n_probes; i++) {
		struct skep_attach *attach = &l->program->probes[i]->attach;
		if (l->program->probes[i]->bundle != bundle)
			continue;
		attach->type = SKEP_ATTACH_UPROBE_MULTI;
		attach->uprobe_multi.path = one.uprobe.path;
		attach->uprobe_multi.file_offs = offs;
		attach->uprobe_multi.ref_ctr_offs = NULL;
		attach->uprobe_multi.cookies = one.cookie ? cookies : NULL;
		attach->uprobe_multi.n = bundle->n;
		attach->uprobe_multi.pid = one.uprobe.pid > 0 ? one.uprobe.pid : 0;
		attach->uprobe_multi.ret = one.uprobe.ret;
		attach->uprobe_multi.session = false;
	}
}

static void bundle_file(struct skep_lower *l, uint32_t first, uint32_t most)
{
	uint64_t *offs = skep_arena_array(l->arena, uint64_t, most);
	uint64_t *cookies = skep_arena_array(l->arena, uint64_t, most);
	const struct skep_bundle *bundle = collect(l, first, offs, cookies);

	convert(l, bundle, offs, cookies);
}

/* --- The whole ------------------------------------------------------------------------------- */

void skep_lower_bundle(struct skep_lower *l, uint32_t first, uint32_t n)
{
	const struct skep_probe *head = l->program->probes[first];
	uint32_t prog = head->attach.prog;

	if (head->attach.type == SKEP_ATTACH_KPROBE_MULTI)
		bundle_kprobes(l, first, n);
	if (head->expected_attach_type != ATTACH_UPROBE_MULTI)
		return;
	for (uint32_t i = first; i < l->program->n_probes; i++) {
		const struct skep_probe *probe = l->program->probes[i];
		bool is_alike = probe->def == head->def && probe->provider == head->provider;
		if (is_alike && !probe->bundle && probe->attach.prog == prog &&
		    probe->attach.type == SKEP_ATTACH_UPROBE)
			bundle_file(l, i, n);
	}
}
