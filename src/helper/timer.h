/* Things that call a program back later: timers, work queues. */
#ifndef SKEP_HELPER_TIMER_H
#define SKEP_HELPER_TIMER_H

#include "helper/helpers.h"

/* @field: the 16 bytes of struct bpf_timer or struct bpf_wq in a value of @map. All return what
 * the kernel's helpers do. */
int timer_init(void *field, struct skep_map *map, uint64_t flags);
int timer_set_callback(void *field, const struct skep_program *program, uint64_t callback);
int timer_start(void *field, uint64_t ns, bool absolute);
/** 1: it was armed | 0: not | -EINVAL never set up | -EDEADLK asked by its own callback */
int timer_cancel(void *field);
/** The value goes away: cancel, and forget. */
void timer_release(void *field);

#endif
