/* Windows: getrandom() by the system's generator. */
#ifndef SKEP_BASE_WINDOWS_RANDOM_H
#define SKEP_BASE_WINDOWS_RANDOM_H

#include <sys/types.h>

ssize_t getrandom(void *data, size_t bytes, unsigned flags);

#endif
