/*
 * Every public header of libskep includes this before its first declaration and <skep/end.h>
 * behind its last: what stands between has C's linkage in C++ too, and is what the shared
 * library exports. Nothing else is: libraries are built with -fvisibility=hidden.
 */
#ifdef __cplusplus
extern "C" {
#endif
#ifdef __ELF__
#pragma GCC visibility push(default)
#endif
