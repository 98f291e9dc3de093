/*
 * What the benchmark's files share: subjects, which are programs with what they
 * run on, and ways, which are engines that run them. Every way is measured on
 * every subject that it can run.
 */
#ifndef BENCH_MACHINE_BENCH_H
#define BENCH_MACHINE_BENCH_H

#include <skep/map.h> /* before <sys/mman.h>, which has a MAP_TYPE of its own */

#include <stdint.h>

#include <skep/image.h>

#define DATA_BYTES 1024

/* As far as the programs read it. */
struct context {
	uint32_t unused[19], data, data_end;
};

/* A ring buffer's two positions: what is in it is thrown away by making them one. */
struct ring {
	volatile uint64_t *consumer;
	const volatile uint64_t *producer;
};

struct subject {
	const char *name;
	uint64_t (*native)(const struct context *ctx); /* NULL: a program on a map */
	struct skep_insn *insns;                       /* maps are map[id:0] */
	uint32_t n_insns;
	unsigned ops; /* in one run: times are divided by this */
	struct skep_image *image;

	uint8_t *data; /* below 4 GiB, as the context's fields want it */
	struct context *ctx;

	struct skep_map *map; /* NULL: the program is on a packet */
	int kernel_map;       /* the same in the kernel; -1: none */
	struct ring ring, kernel_ring;
	unsigned long most_runs; /* between two throwings away; 0: any number */
};

struct way {
	const char *name;
	/** Make @subject ready; @ret is the way's own. Return 0 | -ENOTSUP not this | -errno */
	int (*open)(const struct subject *subject, void **ret);
	/** Run it @n times; nanoseconds for all. @ret_result  of the last run, 32 bits of it count
	 */
	double (*batch)(const struct subject *subject, void *state, unsigned long n,
			uint64_t *ret_result);
	void (*close)(void *state);
};

extern const struct way way_native, way_interp, way_jit, way_run, way_ubpf, way_kernel;

/** Processor time of this process. */
double bench_now_ns(void);
/** Packets of subjects as they were; programs write to them. */
void bench_fill(const struct subject *subject);

/** Subjects on maps, and the map of the kernel where it has one. Return how many | -errno */
int bench_map_subjects(struct subject *ret, unsigned room);
/** Throw away what is in @ring. */
void bench_drain(const struct ring *ring);

/* kernel.c; also used for the maps of the kernel, and by bench-maps */
int bench_kernel_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries);
int bench_kernel_update(int map, const void *key, const void *value);
/** Load @insns with @map in the place of the map that they name. Return the descriptor | -errno */
int bench_kernel_load(const struct skep_insn *insns, uint32_t n, int map);

#endif
