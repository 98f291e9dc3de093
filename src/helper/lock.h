/* The lock word of struct bpf_spin_lock and struct bpf_res_spin_lock. */
#ifndef SKEP_HELPER_LOCK_H
#define SKEP_HELPER_LOCK_H

#include "helper/helpers.h"

/** 0 | -EDEADLK this thread has it | -ETIMEDOUT */
int lock_take(uint32_t *word);
void lock_release(uint32_t *word);

#endif
