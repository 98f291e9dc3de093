/* The table of features, and words for what their probes find. See probe.h. */
#include "linux/feature.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "linux/privilege.h"
#include "linux/feature_try.h"

/* The kernel's headers name these in newer versions only. */
#define BPF_MAP_TYPE_CGRP_STORAGE MAP_TYPE_CGRP_STORAGE
#define BPF_MAP_TYPE_ARENA        MAP_TYPE_ARENA

static const struct skep_feature features[SKEP_FEATURE_CNT] = {
#define FEATURE(id, group, name, gives, since, option, probe, arg, arg2)                           \
	[SKEP_FEATURE_##                                                                           \
		id] = {SKEP_GROUP_##group, name, gives, since, option, probe_##probe, arg, arg2},
#include "linux/features.def"
#undef FEATURE
};

static const char *const group_names[SKEP_GROUP_CNT] = {
	"kernel", "privileges", "tracing", "maps", "programs", "networking",
};

const struct skep_feature *skep_feature(enum skep_feature_id id)
{
	return &features[id];
}

const char *skep_feature_group_name(enum skep_feature_group group)
{
	return group_names[group];
}

/* Of "6.12.3-generic", in the order of versions; 0: it is none. */
static unsigned long version(const char *release)
{
	char *end;
	unsigned long major = strtoul(release, &end, 10);

	return *end == '.' ? major << 16 | strtoul(end + 1, NULL, 10) : 0;
}

static bool older_than(const char *release, const char *since)
{
	unsigned long have = version(release), need = version(since);

	return have && need && have < need;
}

static void explain_absent(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	struct utsname name;

	uname(&name);
	if (older_than(name.release, feature->since)) {
		snprintf(ret->why, sizeof(ret->why), "it came with Linux %s; this is %s",
			 feature->since, name.release);
		snprintf(ret->hint, sizeof(ret->hint), "Linux %s or later", feature->since);
		return;
	}
	snprintf(ret->why, sizeof(ret->why), "this kernel does not have it (%s)",
		 strerror(-ret->err));
	if (feature->option[0])
		snprintf(ret->hint, sizeof(ret->hint), "a kernel built with %s", feature->option);
}

/* The privileges are there: a kernel without the option may say EPERM too (fentry without ftrace).
 */
static void explain_odd(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	snprintf(ret->why, sizeof(ret->why),
		 "the kernel refuses it (%s) though the capabilities are there",
		 strerror(-ret->err));
	if (feature->option[0] && skep_lockdown() == SKEP_LOCKDOWN_NONE)
		snprintf(ret->hint, sizeof(ret->hint), "a kernel built with %s", feature->option);
	else
		snprintf(
			ret->hint, sizeof(ret->hint),
			"look at lockdown, security modules, seccomp and the container's settings");
}

static void explain_refused(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	bool tracing = skep_has_cap(CAP_BPF) && skep_has_cap(CAP_PERFMON);
	bool network = feature->group == SKEP_GROUP_NETWORKING && !skep_has_cap(CAP_NET_ADMIN);

	if (tracing && !network) {
		explain_odd(feature, ret);
		return;
	}
	snprintf(ret->why, sizeof(ret->why), "user %u lacks %s", geteuid(),
		 tracing ? "CAP_NET_ADMIN" : "CAP_BPF or CAP_PERFMON");
	snprintf(ret->hint, sizeof(ret->hint), "run it as root (sudo), or with %s",
		 tracing ? "CAP_NET_ADMIN" : "CAP_BPF and CAP_PERFMON");
}

static void explain(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	switch (ret->err) {
	case -EPERM:
	case -EACCES: explain_refused(feature, ret); break;
	case -EBUSY:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		snprintf(ret->why, sizeof(ret->why), "could not be tried: %s", strerror(-ret->err));
		break;
	default: explain_absent(feature, ret);
	}
}

/* --- SKEP_WITHOUT ---------------------------------------------------------------------------- */

/*
 * What is done on a kernel that lacks something can be tried on one that has
 * it: the environment variable SKEP_WITHOUT names features that are to count as
 * absent. It is read anew each time, so that there is no state to keep right.
 */
#define WITHOUT "SKEP_WITHOUT"

/* In a shell a name with spaces is inconvenient: '_' stands for them too. */
static bool is_called(const char *name, const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool space = word[i] == '_' && (name[i] == ' ' || name[i] == '-');
		if (!name[i] ||
		    (tolower((unsigned char)name[i]) != tolower((unsigned char)word[i]) && !space))
			return false;
	}
	return !name[len];
}

/* The next word of a list with commas between; NULL: there is none. */
static const char *next_word(const char **list, size_t *ret_len)
{
	const char *word;

	while (**list == ',')
		(*list)++;
	word = *list;
	*ret_len = strcspn(word, ",");
	*list += *ret_len;
	return *ret_len ? word : NULL;
}

static bool is_withheld(enum skep_feature_id id)
{
	const char *list = getenv(WITHOUT), *word;
	size_t len;

	while (list && (word = next_word(&list, &len)))
		if (is_called(features[id].name, word, len))
			return true;
	return false;
}

static bool is_feature(const char *word, size_t len)
{
	for (int id = 0; id < SKEP_FEATURE_CNT; id++)
		if (is_called(features[id].name, word, len))
			return true;
	return false;
}

int skep_features_check(struct skep_diag *diag)
{
	const char *list = getenv(WITHOUT), *word;
	size_t len;

	while (list && (word = next_word(&list, &len)))
		if (!is_feature(word, len))
			return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_FEATURE_UNKNOWN,
					      SKEP_NOWHERE, (int)len, word);
	return 0;
}

/* --- Asking ---------------------------------------------------------------------------------- */

static atomic_schar known[SKEP_FEATURE_CNT]; /* 0: not asked, 1: no, 2: yes */

static void try_it(enum skep_feature_id id, struct skep_feature_result *ret)
{
	const struct skep_feature *feature = &features[id];
	int got;

	*ret = (struct skep_feature_result){0};
	if (is_withheld(id)) {
		ret->err = -EOPNOTSUPP;
		snprintf(ret->why, sizeof(ret->why), WITHOUT " says so");
		return;
	}
	got = feature->probe(feature, ret);
	/* Descriptors 0 to 2 cannot be told from plain success, and are never what a probe makes.
	 */
	if (got > 2)
		close(got);
	ret->yes = got >= 0;
	ret->err = got < 0 ? got : 0;
	if (!ret->yes && !ret->why[0])
		explain(feature, ret);
}

void skep_feature_try(enum skep_feature_id id, struct skep_feature_result *ret)
{
	try_it(id, ret);
	atomic_store_explicit(&known[id], ret->yes ? 2 : 1, memory_order_relaxed);
}

/* Loading a program only to see whether it loads takes up to a millisecond, a tenth of what a
 * one-liner has. A kernel that is known to have the newer has the older. */
static const struct {
	enum skep_feature_id newer, older;
} implied[] = {
	{SKEP_FEATURE_MAY_GOTO, SKEP_FEATURE_ISA_V4},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_NO_PREALLOC},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_MAP_RINGBUF},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_MAP_TASK_STORAGE},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_HELPER_task_storage_get_KPROBE},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_BATCH},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_COOKIE},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_TP_BTF},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_TEST_RUN},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_ATOMICS},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_HELPER_ktime_get_boot_ns_KPROBE},
	{SKEP_FEATURE_ISA_V4, SKEP_FEATURE_HELPER_map_lookup_percpu_elem_KPROBE},
};

static signed char recall(enum skep_feature_id id)
{
	return atomic_load_explicit(&known[id], memory_order_relaxed);
}

static bool is_implied(enum skep_feature_id id)
{
	for (size_t i = 0; i < sizeof(implied) / sizeof(*implied); i++)
		if (implied[i].older == id &&
		    (recall(implied[i].newer) == 2 || is_implied(implied[i].newer)))
			return true;
	return false;
}

bool skep_has_feature(enum skep_feature_id id)
{
	signed char answer = recall(id);
	struct skep_feature_result probe;

	if (!answer && is_implied(id) && !is_withheld(id))
		return true;
	if (!answer) {
		skep_feature_try(id, &probe);
		answer = probe.yes ? 2 : 1;
	}
	return answer == 2;
}
