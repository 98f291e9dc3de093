/* Windows: what is used of C11's threads, from the pthreads that mingw-w64 brings. */
#ifndef SKEP_BASE_WINDOWS_THREADS_H
#define SKEP_BASE_WINDOWS_THREADS_H

#include <pthread.h>

typedef pthread_once_t once_flag;
#define ONCE_FLAG_INIT PTHREAD_ONCE_INIT

static inline void call_once(once_flag *flag, void (*function)(void))
{
	pthread_once(flag, function);
}

#endif
