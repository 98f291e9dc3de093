/*
 * The lines of /proc/kallsyms, as a stream:
 *
 *	ffffffff81000000 T _text
 *	ffffffffc0201000 t ftrace_trampoline	[__builtin__ftrace]
 *
 * Private to src/symbol, its tests and fuzzers.
 */
#ifndef SKEP_SYMBOL_KALLSYMS_H
#define SKEP_SYMBOL_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct skep_ksyms;

struct skep_kallsyms_line {
	uint64_t addr;
	char type; /* as nm's letters: t T w W are code */
	/* Borrowed until the next line; not terminated. module_len 0: the kernel itself. */
	const char *name, *module;
	size_t name_len, module_len;
};

/** Parse one line [line, end) without its newline. Return 0 | -EINVAL not of the form above */
int skep_kallsyms_parse(const char *line, const char *end, struct skep_kallsyms_line *ret);

/**
 * Read @fd to its end, giving each well-formed line to @fn; what @fn returns
 * != 0 stops and is returned. Lines over 4 KiB are skipped. Else 0 | -errno of read()
 */
int skep_kallsyms_read(int fd, int (*fn)(void *ctx, const struct skep_kallsyms_line *line),
		       void *ctx);

/** skep_ksyms_new() for another file than /proc/kallsyms (tests). @path is borrowed. */
struct skep_ksyms *skep_ksyms_new_from(const char *path);

#endif
