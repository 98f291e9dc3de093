/* Ends what <skep/begin.h> began. */
#ifdef __ELF__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
