/*
 * Programs of object files, loaded by libbpf on either side.
 */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_BYTES      65536
#define LONG_LOG_BYTES (64u << 20)
#define LOG_ALL        2
#define LOG_STATS      4
#define TAIL_BYTES     4096 /* of a log: the statistics are in them */

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

static int load(struct bpf_object *object, struct bpf_program *prog, bool logs,
		struct bench_finding *ret)
{
	size_t cap = logs ? LONG_LOG_BYTES : LOG_BYTES, len;
	char *log = calloc(1, cap);
	int err;

	bpf_program__set_log_buf(prog, log, cap);
	bpf_program__set_log_level(prog, logs ? LOG_ALL | LOG_STATS : LOG_STATS);
	err = bpf_object__load(object);
	len = strlen(log);
	bench_read_log(len > TAIL_BYTES ? log + len - TAIL_BYTES : log, ret);
	free(log);
	return -err;
}

void bench_load_object(const char *where, enum bench_side side, struct bench_finding *ret)
{
	char *path = strdup(where), *level = strstr(path, "@2"), *name;
	struct bpf_object *object;
	struct bpf_program *prog;

	if (level)
		*level = 0;
	name = strchr(path, ':');
	if (name)
		*name++ = 0;
	libbpf_set_print(silent);
	if (side == BENCH_SKEP)
		bench_to_machine(ret);
	object = bpf_object__open_file(path, NULL);
	ret->err = object ? ENOENT : errno;
	if (object) {
		size_maps(object);
		prog = choose(object, name);
		if (prog)
			ret->err = load(object, prog, level, ret);
		bpf_object__close(object);
	}
	free(path);
}
