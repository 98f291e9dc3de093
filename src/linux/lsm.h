/* The kernel's security modules that are at work. */
#ifndef SKEP_LINUX_LSM_H
#define SKEP_LINUX_LSM_H

#include <stdbool.h>

/** Whether the security module @name ("bpf") is among those that the kernel asks; true also
 *  where the list is not to be had. Without it a program on an LSM hook is loaded, attached,
 *  and never run. */
bool skep_lsm_is_active(const char *name);

#endif
