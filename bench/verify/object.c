/*
 * Programs of object files, loaded by libbpf on either side.
 */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_BYTES 65536
#define LOG_STATS 4

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* What tools give their maps before they load. */
static void size_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__type(map) == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
			bpf_map__set_value_size(map, 127 * sizeof(uint64_t));
		if (!bpf_map__max_entries(map) &&
		    bpf_map__type(map) != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			bpf_map__set_max_entries(map, 10240);
	}
}

/* The one named, or the first; no other is loaded. */
static struct bpf_program *choose(struct bpf_object *object, const char *name)
{
	struct bpf_program *prog, *chosen = NULL;

	bpf_object__for_each_program(prog, object)
	{
		if (!chosen && (!name || !strcmp(bpf_program__name(prog), name)))
			chosen = prog;
		bpf_program__set_autoload(prog, prog == chosen);
	}
	return chosen;
}

static int load(struct bpf_object *object, struct bpf_program *prog, struct bench_finding *ret)
{
	char *log = calloc(1, LOG_BYTES);
	int err;

	bpf_program__set_log_buf(prog, log, LOG_BYTES);
	bpf_program__set_log_level(prog, LOG_STATS);
	err = bpf_object__load(object);
	bench_read_log(log, ret);
	free(log);
	return -err;
}

void bench_load_object(const char *where, enum bench_side side, struct bench_finding *ret)
{
	char *path = strdup(where), *name = strchr(path, ':');
	struct bpf_object *object;
	struct bpf_program *prog;

	if (name)
		*name++ = 0;
	libbpf_set_print(silent);
	if (side == BENCH_SKEP)
		bench_to_machine(ret);
	object = bpf_object__open_file(path, NULL);
	free(path);
	ret->err = object ? ENOENT : errno;
	if (!object)
		return;
	size_maps(object);
	prog = choose(object, name);
	if (prog)
		ret->err = load(object, prog, ret);
	bpf_object__close(object);
}
