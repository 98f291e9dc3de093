/*
 * What a program asks of a kernel. Its instructions, maps and types name what older kernels lack;
 * versions.def says since when there is each. The latest of these is the first kernel that has all.
 *
 * Read next: requirements_insns.c, requirements_objects.c.
 */
#include "verify/requirements.h"

#include <stdlib.h>
#include <string.h>

#include <skep/arena.h>
#include <skep/image.h>

#define MOST_INSNS     1000000
#define MOST_PROCESSED 1000000
#define MOST_BRANCHES  8192
#define MOST_FUNCTIONS 256
#define MOST_MAPS      64

/* --- Collecting ------------------------------------------------------------------------------- */

void requirements_add(struct asking *asking, const struct version_row *row, uint32_t slot)
{
	if (!row)
		return;
	skep_vec_foreach (struct skep_requirement, need, &asking->needs)
		if (!strcmp(need->name, row->name) && !strcmp(need->kind, row->kind))
			return;
	skep_vec_push(&asking->needs,
		      ((struct skep_requirement){row->since, row->kind, row->name, slot}));
}

static void add_limits(struct asking *asking)
{
	const struct skep_verify_report *report = asking->report;
	const uint64_t used[] = {
		[LIMIT_INSNS] = asking->program->image->n_insns,
		[LIMIT_PROCESSED] = report->n_processed,
		[LIMIT_BRANCHES] = report->most_branches,
	};

	for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++)
		requirements_add(asking, version_of_limit((enum version_limit)i, used[i]),
				 UINT32_MAX);
	if (report->chain_bytes > SKEP_STACK_BYTES)
		requirements_add(asking, version_of_feature(FEATURE_PRIVATE_STACK), UINT32_MAX);
}

/* --- The report ------------------------------------------------------------------------------- */

/* The latest first; of one version as the program names them, what has no place behind. */
static int compare(const void *a, const void *b)
{
	const struct skep_requirement *one = a, *other = b;

	if (one->since != other->since)
		return one->since < other->since ? 1 : -1;
	if (one->slot != other->slot)
		return one->slot < other->slot ? -1 : 1;
	return strcmp(one->name, other->name);
}

static void list_uses(const struct asking *asking, struct skep_requirements *ret)
{
	const struct skep_verify_report *report = asking->report;
	const struct skep_image *image = asking->program->image;
	const struct skep_use uses[] = {
		{"instructions", image->n_insns, MOST_INSNS},
		{"instructions processed", report->n_processed, MOST_PROCESSED},
		{"branches waiting", report->most_branches, MOST_BRANCHES},
		{"bytes of stack", report->stack_bytes, SKEP_STACK_BYTES},
		{"functions in a chain of calls", report->most_frames, SKEP_MOST_FRAMES},
		{"functions", image->n_funcs, MOST_FUNCTIONS},
		{"maps", image->n_maps, MOST_MAPS},
	};

	ret->n_uses = sizeof(uses) / sizeof(*uses);
	ret->uses = skep_arena_dup(asking->arena, uses, sizeof(uses));
}

int skep_verify_requirements(const struct skep_verify_program *program,
			     const struct skep_verify_report *report, struct skep_arena *arena,
			     struct skep_requirements *ret)
{
	struct asking asking = {.program = program, .report = report, .arena = arena};

	requirements_of_insns(&asking);
	requirements_of_objects(&asking);
	add_limits(&asking);
	memset(ret, 0, sizeof(*ret));
	list_uses(&asking, ret);
	if (asking.needs.len) {
		size_t bytes = asking.needs.len * sizeof(*asking.needs.data);

		qsort(asking.needs.data, asking.needs.len, sizeof(*asking.needs.data), compare);
		ret->since = asking.needs.data[0].since;
		ret->n_needs = (uint32_t)asking.needs.len;
		ret->needs = skep_arena_dup(arena, asking.needs.data, bytes);
	}
	skep_vec_done(&asking.needs);
	return 0;
}
