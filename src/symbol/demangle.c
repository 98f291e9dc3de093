/*
 * C++ and Rust names as people write them, by libiberty.
 *
 * A mangled name may refer back to its own parts, so that a short one unfolds
 * without bound. libiberty limits how deep it goes but not how much comes out;
 * we take its output through a callback and leave by longjmp() when that is
 * enough. Its C++ part keeps its state on the stack only, so nothing is lost;
 * its Rust part may hold one small allocation, which such a name is worth.
 */
#include <skep/symbol.h>

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

#include "base/buf.h"
#include "base/overlay.h"

#define INPUT_MAX_BYTES  4096
#define OUTPUT_MAX_BYTES (64 * 1024)

struct output {
	struct skep_buf text;
	jmp_buf enough;
};

static void add(const char *text, size_t len, void *ctx)
{
	struct output *output = ctx;

	if (output->text.len + len > OUTPUT_MAX_BYTES)
		longjmp(output->enough, 1);
	skep_buf_add(&output->text, text, len);
}

/* Rust's older names look like C++ ones, so Rust is asked first. */
static bool demangle(const char *name, struct output *output)
{
	if (setjmp(output->enough))
		return false;
	if (rust_demangle_callback(name, DMGL_PARAMS | DMGL_ANSI, add, output))
		return true;
	skep_buf_clear(&output->text);
	return strncmp(name, "_Z", 2) == 0 &&
	       cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, add, output);
}

char *skep_demangle(const char *name)
{
	struct output output = {0};

	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') ||
	    strnlen(name, INPUT_MAX_BYTES + 1) > INPUT_MAX_BYTES || skep_overlay_load())
		return NULL;
	if (demangle(name, &output) && output.text.len)
		return output.text.data;
	skep_buf_done(&output.text);
	return NULL;
}
