/*
 * uBPF, where there is one: a shared library that the environment's BENCH_UBPF
 * names (machine.py builds it). It has no maps.
 */
#include "bench.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct ubpf_vm;
typedef uint64_t ubpf_function(void *memory, size_t bytes);

/* What is used of its interface. */
static struct {
	struct ubpf_vm *(*create)(void);
	void (*destroy)(struct ubpf_vm *vm);
	bool (*check_bounds)(struct ubpf_vm *vm, bool enable);
	int (*load)(struct ubpf_vm *vm, const void *code, uint32_t bytes, char **ret_words);
	ubpf_function *(*compile)(struct ubpf_vm *vm, char **ret_words);
} ubpf;

struct state {
	struct ubpf_vm *vm;
	ubpf_function *code;
};

static void *find(void *library, const char *name)
{
	void *at = dlsym(library, name);

	if (!at) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return at;
}

static bool is_there(void)
{
	const char *path = getenv("BENCH_UBPF");
	void *library;

	if (ubpf.create || !path)
		return ubpf.create;
	library = dlopen(path, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	ubpf.destroy = find(library, "ubpf_destroy");
	ubpf.check_bounds = find(library, "ubpf_toggle_bounds_check");
	ubpf.load = find(library, "ubpf_load");
	ubpf.compile = find(library, "ubpf_compile");
	ubpf.create = find(library, "ubpf_create");
	return true;
}

static int open_ubpf(const struct subject *subject, void **ret)
{
	struct state *state;
	char *words = NULL;

	if (!is_there() || subject->map)
		return -ENOTSUP;
	state = calloc(1, sizeof(*state));
	*ret = state;
	state->vm = ubpf.create();
	ubpf.check_bounds(state->vm, false);
	if (ubpf.load(state->vm, subject->insns, subject->n_insns * 8, &words) ||
	    !(state->code = ubpf.compile(state->vm, &words))) {
		fprintf(stderr, "ubpf: %s: %s\n", subject->name, words);
		return -EINVAL;
	}
	return 0;
}

static double batch_ubpf(const struct subject *subject, void *state, unsigned long n,
			 uint64_t *ret_result)
{
	ubpf_function *code = ((struct state *)state)->code;
	double start = bench_now_ns();
	volatile uint64_t result = 0;

	for (unsigned long i = 0; i < n; i++)
		result = code(subject->ctx, sizeof(*subject->ctx));
	*ret_result = result;
	return bench_now_ns() - start;
}

static void close_ubpf(void *state)
{
	ubpf.destroy(((struct state *)state)->vm);
	free(state);
}

const struct way way_ubpf = {"ubpf", open_ubpf, batch_ubpf, close_ubpf};
