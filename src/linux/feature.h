/*
 * What this kernel and these privileges allow: one row of features.def each,
 * found out by trying it in a small way and taking it back at once. Nothing
 * that runs is disturbed: network probes work in a network namespace of their
 * own, cgroup probes in an empty cgroup. What is done where one is absent:
 * choice.h.
 */
#ifndef SKEP_LINUX_FEATURE_H
#define SKEP_LINUX_FEATURE_H

#include <stdbool.h>

#include <skep/diag.h>

enum skep_feature_id {
#define FEATURE(id, ...) SKEP_FEATURE_##id,
#include "linux/features.def"
#undef FEATURE
	SKEP_FEATURE_CNT
};

enum skep_feature_group {
	SKEP_GROUP_KERNEL,
	SKEP_GROUP_PRIVILEGES,
	SKEP_GROUP_TRACING,
	SKEP_GROUP_MAPS,
	SKEP_GROUP_PROGRAMS,
	SKEP_GROUP_NETWORKING,
	SKEP_GROUP_CNT
};

struct skep_feature_result;

struct skep_feature {
	enum skep_feature_group group;
	const char *name;   /* "uprobe.multi" */
	const char *gives;  /* what people get from it */
	const char *since;  /* Linux version, "" if that does not decide */
	const char *option; /* kernel option, "" if none decides */
	int (*probe)(const struct skep_feature *feature, struct skep_feature_result *ret);
	long arg, arg2; /* of the probe */
};

struct skep_feature_result {
	bool yes;
	int err;        /* -errno of the refusal; 0 if yes, or if it is no refusal */
	char why[256];  /* in plain words; "" if there is nothing to say */
	char hint[256]; /* what to change; "" if nothing */
};

const struct skep_feature *skep_feature(enum skep_feature_id id);
const char *skep_feature_group_name(enum skep_feature_group group);
/** Try it. Cost: up to some tens of milliseconds, where something is attached and detached. */
void skep_feature_try(enum skep_feature_id id, struct skep_feature_result *ret);
/** The same, asked once a process (or known from skep_feature_try()). */
bool skep_has_feature(enum skep_feature_id id);

/**
 * The environment variable SKEP_WITHOUT names features, with commas between, that are to count as
 * absent: what is done without them can then be tried where they are there. Names are those of
 * skep_feature(), in any case; '_' stands for a space or a '-' too.
 *
 * Return 0 | -EINVAL one of them is no feature's (see @diag)
 */
int skep_features_check(struct skep_diag *diag);

#endif
