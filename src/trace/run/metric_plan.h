/*
 * What each map of a script is to Prometheus: the name of its family, the type,
 * the unit, the labels that its key becomes. Made once, before the script runs.
 */
#ifndef SKEP_TRACE_RUN_METRIC_PLAN_H
#define SKEP_TRACE_RUN_METRIC_PLAN_H

#include <skep/arena.h>

#include "export/identity.h"
#include "sink/metrics.h"
#include "trace/program.h"

struct skep_metric_plan_map {
	const struct skep_trace_map *map;
	struct skep_family family;
	unsigned scale;      /* values are divided by 10^scale */
	const char **labels; /* names, one for each part of the key */
	uint32_t n_labels;
	uint64_t dropped; /* series that were left out so far */
};

struct skep_metric_plan {
	struct skep_arena arena; /* all of the below */
	const char *script;      /* its name: a label of skep's own families */
	struct skep_metric_plan_map *maps;
	uint32_t n_maps;
};

/**
 * @identity  prefix, name and common labels; NULL: none given; borrowed
 * @file      what the script was read from: where no name is given it is made of this
 * Return     0 | -EINVAL the setting metrics names what is not there (see @diag); @ret is to be
 *            freed in any case
 */
int skep_metric_plan_make(const struct skep_trace_program *program,
			  const struct skep_export_identity *identity, const char *file,
			  struct skep_metric_plan *ret, struct skep_diag *diag);
void skep_metric_plan_done(struct skep_metric_plan *plan);

/** Does the script write @map ("@x"), the options that it was given being what they are? */
bool skep_metric_is_written(const struct skep_script *script, const char *map);
/** Names for the @n parts of the key of @map, made of what the script writes as its first key:
 *  comm, args.path and str(args.path) are comm and path; others are NULL. */
void skep_metric_key_names(const struct skep_script *script, const char *map, const char **names,
			   uint32_t n);

#endif
