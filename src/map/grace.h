/*
 * When something that programs may still be looking at can go.
 *
 * A program gets to an object through a map and uses it for as long as it runs, without a
 * reference. So who takes an object out of a map must not let go of it before every program that
 * ran at that moment has ended: its grace period, as the kernel's RCU has it. A program's run is
 * a CPU's section, from skep_cpu_enter() to skep_cpu_leave().
 */
#ifndef SKEP_MAP_GRACE_H
#define SKEP_MAP_GRACE_H

#include <stdint.h>

/** @let_go(@map, @object) once no program that runs now does so any more: now, if none does, else
 *  by whoever ends last or comes by skep_grace_poll(). The caller holds no locks. */
void skep_grace_defer(void (*let_go)(void *map, void *object), void *map, void *object);

/** How many wait; read when a section ends. Atomic. */
extern uint32_t skep_grace_waiting;

/** For who looks at an object without being a CPU, for a moment and without any other lock: what
 *  is found in a map while this is held does not go before it is released. */
void skep_grace_hold(void);
void skep_grace_release(void);

#endif
