/*
 * Open-coded iterators: numbers, bits of memory, tasks. An iterator lies on the program's
 * stack in Linux's size; new() leaves one that next() can be asked in every case.
 */
#include <stdlib.h>
#include <string.h>

#include "helper/kfuncs.h"
#include "helper/model.h"
#include "helper/os.h"

#define MOST_ROUNDS 8388608

struct numbers {
	int32_t now, end; /* the one before the next, and the first too far */
};
_Static_assert(sizeof(struct numbers) == 8, "as Linux's struct bpf_iter_num");

DEFINE_KFUNC(iter_num_new)
{
	struct numbers *it = ptr_of(r1);
	int32_t start = (int32_t)r2, end = (int32_t)r3;

	*it = (struct numbers){0};
	if (start > end)
		return as_r0(-EINVAL);
	if ((int64_t)end - start > MOST_ROUNDS)
		return as_r0(-E2BIG);
	it->now = (int32_t)((uint32_t)start - 1);
	it->end = end;
	return 0;
}

DEFINE_KFUNC(iter_num_next)
{
	struct numbers *it = ptr_of(r1);

	/* unsigned, as the one before INT_MIN is INT_MAX */
	if ((int32_t)((uint32_t)it->now + 1) >= it->end) {
		*it = (struct numbers){0};
		return 0;
	}
	it->now = (int32_t)((uint32_t)it->now + 1);
	grant(run, &it->now, sizeof(it->now), SKEP_MAY_READ);
	return (uintptr_t)&it->now;
}

DEFINE_KFUNC(iter_num_destroy)
{
	memset(ptr_of(r1), 0, sizeof(struct numbers));
	return 0;
}

enum { MOST_WORDS = 511 };

struct bits {
	uint64_t words; /* their address on the heap; the bits themselves, if it is one word */
	uint32_t n_bits;
	int32_t bit; /* last given */
};
_Static_assert(sizeof(struct bits) == 16, "as Linux's struct bpf_iter_bits");

static int read_words(struct bits *it, uint64_t from, uint32_t n_words)
{
	if (n_words == 1)
		return skep_os_read(&it->words, from, 8);
	uint64_t *words = malloc(n_words * 8ull);
	if (!words)
		return -ENOMEM;
	int err = skep_os_read(words, from, n_words * 8ull);
	if (err)
		free(words);
	else
		it->words = (uintptr_t)words;
	return err;
}

DEFINE_KFUNC(iter_bits_new)
{
	struct bits *it = ptr_of(r1);
	uint32_t n_words = (uint32_t)r3;

	*it = (struct bits){.bit = -1};
	if (!r2 || !n_words)
		return as_r0(-EINVAL);
	if (n_words > MOST_WORDS)
		return as_r0(-E2BIG);
	int err = read_words(it, r2, n_words);
	if (!err)
		it->n_bits = n_words * 64;
	else
		it->words = 0;
	return as_r0(err);
}

DEFINE_KFUNC(iter_bits_next)
{
	struct bits *it = ptr_of(r1);
	const uint64_t *words = it->n_bits == 64 ? &it->words : ptr_of(it->words);

	for (uint32_t bit = (uint32_t)(it->bit + 1); bit < it->n_bits; bit++) {
		uint64_t rest = words[bit / 64] >> bit % 64;
		if (!rest) {
			bit |= 63;
			continue;
		}
		it->bit = (int32_t)(bit + (uint32_t)__builtin_ctzll(rest));
		grant(run, &it->bit, sizeof(it->bit), SKEP_MAY_READ);
		return (uintptr_t)&it->bit;
	}
	it->bit = (int32_t)it->n_bits;
	return 0;
}

DEFINE_KFUNC(iter_bits_destroy)
{
	struct bits *it = ptr_of(r1);

	if (it->n_bits > 64)
		free(ptr_of(it->words));
	*it = (struct bits){0};
	return 0;
}

/* All that can be seen of the host is the task at hand: each kind of walk has it, once. */
struct walk {
	void *next;
	uint64_t unused[2];
};
enum { WALK_KINDS = 3, WALK_THREADS_OF = 2 };

DEFINE_KFUNC(iter_task_new)
{
	struct walk *it = ptr_of(r1);

	*it = (struct walk){0};
	if ((uint32_t)r3 >= WALK_KINDS || ((uint32_t)r3 == WALK_THREADS_OF && !r2))
		return as_r0(-EINVAL);
	it->next = (uint32_t)r3 == WALK_THREADS_OF ? ptr_of(r2) : model_task_current();
	return 0;
}

DEFINE_KFUNC(iter_task_next)
{
	struct walk *it = ptr_of(r1);
	void *task = it->next;

	it->next = NULL;
	grant(run, task, model_task_bytes(), SKEP_MAY_READ);
	return (uintptr_t)task;
}

DEFINE_KFUNC(iter_task_destroy)
{
	memset(ptr_of(r1), 0, sizeof(struct walk));
	return 0;
}
