/*
 * What this process may do, and saying so when it may not: capabilities,
 * sysctls and the kernel's lockdown, with their current values.
 */
#ifndef SKEP_LINUX_PRIVILEGE_H
#define SKEP_LINUX_PRIVILEGE_H

#include <skep/diag.h>
#include <stdbool.h>
#include <stdint.h>

/** Rows of src/linux/privilege.def: SKEP_PRIVILEGE_BPF, … */
enum skep_privilege {
#define PRIVILEGE(name, ...) SKEP_PRIVILEGE_##name,
#include "linux/privilege.def"
#undef PRIVILEGE
	SKEP_PRIVILEGE_CNT
};

/** The effective capabilities as bits (1 << CAP_BPF); 0 if they cannot be read. */
uint64_t skep_caps_effective(void);
/** CAP_SYS_ADMIN stands in for CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN's use in bpf(2). */
bool skep_has_cap(int cap);
/** "CAP_BPF"; "CAP_?" for a number that is not named here. */
const char *skep_cap_name(int cap);

enum skep_lockdown { SKEP_LOCKDOWN_NONE, SKEP_LOCKDOWN_INTEGRITY, SKEP_LOCKDOWN_CONFIDENTIALITY };
/** Where the kernel has no lockdown, or does not show it: none. */
enum skep_lockdown skep_lockdown(void);
/** The same from the text of /sys/kernel/security/lockdown ("none [integrity] confidentiality"). */
enum skep_lockdown skep_lockdown_parse(const char *text);

/**
 * Report that @action ("attach to sched:sched_switch") was refused with EPERM or EACCES, with the
 * capabilities and sysctls that decide it and what they are now.
 *
 * Return @err
 */
int skep_privilege_fail(struct skep_diag *diag, int err, enum skep_privilege needed,
			struct skep_span span, const char *action);

#endif
