/* Findings: what in a snapshot is worth a sentence, in plain words. */
#ifndef SKEP_WATCH_FINDINGS_H
#define SKEP_WATCH_FINDINGS_H

#include "watch/panels.h"

enum skep_finding_id {
#define FINDING(name, ...) SKEP_FINDING_##name,
#include "watch/findings.def"
#undef FINDING
	SKEP_FINDING_CNT
};

struct skep_finding {
	enum skep_finding_id id;
	const char *text; /* a sentence without full stop; of the arena */
};

struct skep_findings {
	struct skep_arena *arena; /* borrowed */
	SKEP_VEC(struct skep_finding) found;
};

struct skep_finding_rule {
	const char *name, *when;
	enum skep_panel_id panel;
	double threshold;
};
extern const struct skep_finding_rule skep_finding_rules[SKEP_FINDING_CNT];

void skep_findings_done(struct skep_findings *findings);
/** Add what rules find, the weightiest first; at most a few of each. */
void skep_findings_find(const struct skep_snapshot *snapshot, struct skep_findings *ret);

#endif
