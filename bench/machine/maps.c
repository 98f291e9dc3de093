/*
 * Programs that do one thing to a map, 1000 times a run: what a call of the
 * helper takes. "loop" is the loop alone, for who prints to subtract. The
 * kernel runs the same instructions on a map of its own that holds the same.
 */
#include "bench.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_OPS     1000
#define VALUE     8
#define RING_SIZE 65536

#define LOOP(body)                                                                                 \
	"*(u64 *)(r10 -16) = 7\n"                                                                  \
	"*(u64 *)(r10 -24) = 7\n"                                                                  \
	"*(u64 *)(r10 -32) = 7\n"                                                                  \
	"r6 = 0\n"                                                                                 \
	"loop: *(u64 *)(r10 -8) = r6\n" body "next: r6 += 1\n"                                     \
	"if r6 != 0x3e8 goto loop\n"                                                               \
	"r0 = 0\n"                                                                                 \
	"exit\n"
#define KEY                                                                                        \
	"r1 = map[id:0]\n"                                                                         \
	"r2 = r10\n"                                                                               \
	"r2 += -8\n"
#define LOOKUP                                                                                     \
	LOOP(KEY "call bpf_map_lookup_elem#1\n"                                                    \
		 "if r0 == 0x0 goto next\n"                                                        \
		 "r1 = *(u64 *)(r0 +0)\n")
#define UPDATE                                                                                     \
	LOOP(KEY "r3 = r10\n"                                                                      \
		 "r3 += -16\n"                                                                     \
		 "r4 = 0\n"                                                                        \
		 "call bpf_map_update_elem#2\n")
#define OUTPUT                                                                                     \
	LOOP("r1 = map[id:0]\n"                                                                    \
	     "r2 = r10\n"                                                                          \
	     "r2 += -32\n"                                                                         \
	     "r3 = 32\n"                                                                           \
	     "r4 = 0\n"                                                                            \
	     "call bpf_ringbuf_output#130\n")

static const struct kind {
	const char *name, *text;
	uint32_t type, key_size, entries;
} kinds[] = {
	{"loop", LOOP(""), BPF_MAP_TYPE_ARRAY, 4, N_OPS},
	{"array-lookup", LOOKUP, BPF_MAP_TYPE_ARRAY, 4, N_OPS},
	{"hash-lookup", LOOKUP, BPF_MAP_TYPE_HASH, 8, 2 * N_OPS},
	{"hash-update", UPDATE, BPF_MAP_TYPE_HASH, 8, 2 * N_OPS},
	{"lru-lookup", LOOKUP, BPF_MAP_TYPE_LRU_HASH, 8, 2 * N_OPS},
	{"lru-update", UPDATE, BPF_MAP_TYPE_LRU_HASH, 8, 2 * N_OPS},
	{"ringbuf-32", OUTPUT, BPF_MAP_TYPE_RINGBUF, 0, RING_SIZE},
};

void bench_drain(const struct ring *ring)
{
	if (ring->consumer)
		*ring->consumer = *ring->producer;
}

static int fill_map(struct subject *subject)
{
	const uint64_t value = 7;
	int err = 0;

	for (uint64_t key = 0; !err && key < N_OPS; key++) {
		err = skep_map_update(subject->map, &key, &value, 0);
		if (!err && subject->kernel_map >= 0)
			err = bench_kernel_update(subject->kernel_map, &key, &value);
	}
	return err;
}

static int map_rings(struct subject *subject)
{
	long page = sysconf(_SC_PAGESIZE);
	void *at = (void *)skep_map_mmap(subject->map, NULL, (size_t)page, PROT_READ | PROT_WRITE,
					 MAP_SHARED, 0);

	subject->most_runs = 1; /* 1000 records of 40 bytes in 64 KiB */
	subject->ring.consumer = at;
	subject->ring.producer = (void *)skep_map_mmap(subject->map, NULL, (size_t)page, PROT_READ,
						       MAP_SHARED, (uint64_t)page);
	if (subject->kernel_map < 0)
		return 0;
	at = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, subject->kernel_map, 0);
	subject->kernel_ring.consumer = at;
	subject->kernel_ring.producer =
		mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, subject->kernel_map, page);
	return at == MAP_FAILED || subject->kernel_ring.producer == MAP_FAILED ? -errno : 0;
}

static int make(const struct kind *kind, struct subject *ret)
{
	bool ring = kind->type == BPF_MAP_TYPE_RINGBUF;
	const struct skep_map_attr attr = {.type = kind->type,
					   .key_size = kind->key_size,
					   .value_size = ring ? 0 : VALUE,
					   .max_entries = kind->entries};
	size_t n = 0;
	int err = skep_asm(kind->text, strlen(kind->text), &ret->insns, &n, NULL);

	if (!err)
		err = skep_map_create(&attr, &ret->map);
	if (err)
		return err;
	ret->name = kind->name;
	ret->n_insns = (uint32_t)n;
	ret->ops = N_OPS;
	ret->kernel_map =
		bench_kernel_map(kind->type, kind->key_size, attr.value_size, kind->entries);
	return ring ? map_rings(ret) : fill_map(ret);
}

int bench_map_subjects(struct subject *ret, unsigned room)
{
	unsigned n = sizeof(kinds) / sizeof(kinds[0]);
	int err = n > room ? -E2BIG : 0;

	for (unsigned i = 0; !err && i < n; i++)
		err = make(&kinds[i], &ret[i]);
	return err ? err : (int)n;
}
