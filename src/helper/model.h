/*
 * Tasks and cgroups as programs see them: memory in the layout of the kernel that
 * the programs are written for (the host's BTF), with the members filled that
 * programs look at. Their addresses are who they are: storages hang on them.
 */
#ifndef SKEP_HELPER_MODEL_H
#define SKEP_HELPER_MODEL_H

#include <stddef.h>
#include <stdint.h>

/** The calling thread's; made when first asked for, never freed. NULL: no memory. */
void *model_task_current(void);
/** One of this process's threads (or 0) by its number; NULL: not one of ours. */
void *model_task_by_pid(uint32_t pid);
size_t model_task_bytes(void);

/** The process's cgroup, @level steps below the root (-1: its own). NULL: none. */
void *model_cgroup(int level);
void *model_cgroup_by_id(uint64_t id);
/** Steps below the root. */
int model_cgroup_level(const void *memory);
size_t model_cgroup_bytes(void);
/** Bytes of the task or cgroup that @memory is; 0: it is none. */
size_t model_bytes(const void *memory);

#endif
