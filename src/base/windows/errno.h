/* Windows: error numbers of Linux's that it does not have, out of the way of its own. */
#ifndef SKEP_BASE_WINDOWS_ERRNO_H
#define SKEP_BASE_WINDOWS_ERRNO_H

#include_next <errno.h>

#define EBADFD 1077
#define ENOKEY 1126

#endif
