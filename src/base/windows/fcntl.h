/* Windows: a descriptor is binary, and not inherited, if it is close-on-exec elsewhere. */
#ifndef SKEP_BASE_WINDOWS_FCNTL_H
#define SKEP_BASE_WINDOWS_FCNTL_H

#include_next <fcntl.h>

#define O_CLOEXEC (_O_BINARY | _O_NOINHERIT)

#endif
