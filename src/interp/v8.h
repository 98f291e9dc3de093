/*
 * Names of functions as V8 writes them for perf (node --perf-basic-prof):
 *
 *	JS:*work /srv/app.js:12:7
 *
 * a mark of how the function was compiled at that moment, its name, where it begins.
 */
#ifndef SKEP_INTERP_V8_H
#define SKEP_INTERP_V8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Stretches of the name that was given. */
struct skep_v8_name {
	const char *function, *file;
	size_t function_len, file_len; /* 0: it has none */
	uint32_t line;                 /* where the function begins; 0: not known */
};

/** False: @name is none of a function of JavaScript. */
bool skep_v8_parse(const char *name, struct skep_v8_name *ret);

#endif
