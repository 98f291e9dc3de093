/*
 * For the static program (./dev dist) only: what libraries refer to and nothing here comes to call.
 * The linker takes these for it, and leaves out 60 kB that would lie there dead.
 *
 * libelf can compress sections, for which it wants zlib's deflate(): BPF objects are only read
 * here, and what cannot be compressed is said so. The C library unwinds the stack of a thread that
 * is cancelled: no thread is, and the tables for it are left out too (program.ld).
 */
#include <stdlib.h>
#include <zlib.h>

int deflateInit_(z_streamp stream, int level, const char *version, int size)
{
	return Z_VERSION_ERROR;
}

int deflateInit2_(z_streamp stream, int level, int method, int window_bits, int mem_level,
		  int strategy, const char *version, int size)
{
	return Z_VERSION_ERROR;
}

int deflate(z_streamp stream, int flush)
{
	return Z_STREAM_ERROR;
}

int deflateReset(z_streamp stream)
{
	return Z_STREAM_ERROR;
}

int deflateParams(z_streamp stream, int level, int strategy)
{
	return Z_STREAM_ERROR;
}

int deflateEnd(z_streamp stream)
{
	return Z_STREAM_ERROR;
}

#define NEVER_CALLED(name)                                                                         \
	_Noreturn void name(void);                                                                 \
	_Noreturn void name(void)                                                                  \
	{                                                                                          \
		abort();                                                                           \
	}

NEVER_CALLED(_Unwind_Resume)
NEVER_CALLED(_Unwind_ForcedUnwind)
NEVER_CALLED(_Unwind_GetCFA)
NEVER_CALLED(_Unwind_Backtrace)
NEVER_CALLED(_Unwind_GetIP)
NEVER_CALLED(__gcc_personality_v0)
