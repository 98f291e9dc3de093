/*
 * The ring buffer: the same steps here and in the kernel leave the same bytes
 * and positions; threads lose nothing; what may be mapped is what the kernel
 * lets be mapped.
 */
#include "kernel_map.h"

#include "map/ringbuf.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE        4096
#define MOST_SOURCE 16384
#define BUSY        (1u << 31)
#define DISCARD     (1u << 30)

/* --- A ring as user space has it ------------------------------------------------------------- */

struct view {
	volatile uint64_t *consumer, *producer;
	uint8_t *data; /* twice */
	uint64_t bytes;
};

typedef intptr_t map_function(void *map, void *addr, size_t len, int prot, uint64_t off);

static intptr_t map_ours(void *map, void *addr, size_t len, int prot, uint64_t off)
{
	return skep_map_mmap(map, addr, len, prot, MAP_SHARED, off);
}

static intptr_t map_kernel(void *map, void *addr, size_t len, int prot, uint64_t off)
{
	void *at = mmap(addr, len, prot, MAP_SHARED, *(int *)map, (off_t)off);

	return at == MAP_FAILED ? -errno : (intptr_t)at;
}

static struct view view_of(map_function *mapper, void *map, uint64_t bytes)
{
	intptr_t consumer = mapper(map, NULL, PAGE, PROT_READ | PROT_WRITE, 0);
	intptr_t rest = mapper(map, NULL, PAGE + 2 * bytes, PROT_READ, PAGE);

	assert_true(consumer > 0);
	assert_true(rest > 0);
	return (struct view){(uint64_t *)consumer, (uint64_t *)rest, (uint8_t *)rest + PAGE, bytes};
}

static void view_done(struct view *view)
{
	munmap((void *)view->consumer, PAGE);
	munmap((void *)view->producer, PAGE + 2 * view->bytes);
}

static struct skep_map *ring_new(uint32_t type, uint32_t bytes, const struct skep_map_env *env)
{
	struct skep_map_attr attr = {.type = type, .max_entries = bytes, .env = env};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

/* --- The same steps on both ------------------------------------------------------------------ */

enum step_kind { OUTPUT, SUBMIT, DISCARDED, NESTED, N_KINDS };

static const uint32_t sizes[] = {0, 1, 7, 8, 9, 24, 32, 100, 1000, 2032, 2040, 4080, 4088, 8000};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint8_t source[MOST_SOURCE];

static void text_reserve(struct kernel_text *text, int ring, uint32_t size)
{
	kernel_add_imm64(text, SKEP_R1, SKEP_PSEUDO_MAP_FD, (uint32_t)ring);
	kernel_add_mov(text, SKEP_R2, (int32_t)size);
	kernel_add_mov(text, SKEP_R3, 0);
	kernel_add(text, skep_call(BPF_FUNC_ringbuf_reserve));
}

static void text_end(struct kernel_text *text, int sample, int helper)
{
	kernel_add(text, skep_alu64_reg(SKEP_MOV, SKEP_R1, sample));
	kernel_add_mov(text, SKEP_R2, 0);
	kernel_add(text, skep_call(helper));
}

static void text_output(struct kernel_text *text, int ring, int array, uint32_t size)
{
	kernel_add_imm64(text, SKEP_R1, SKEP_PSEUDO_MAP_FD, (uint32_t)ring);
	kernel_add_imm64(text, SKEP_R2, SKEP_PSEUDO_MAP_VALUE, (uint32_t)array);
	kernel_add_mov(text, SKEP_R3, (int32_t)size);
	kernel_add_mov(text, SKEP_R4, 0);
	kernel_add(text, skep_call(BPF_FUNC_ringbuf_output));
	kernel_add(text, skep_exit());
}

static void text_one(struct kernel_text *text, int ring, uint32_t size, int helper)
{
	text_reserve(text, ring, size);
	kernel_add(text, skep_jmp_imm(SKEP_JNE, SKEP_R0, 0, 2));
	kernel_add_mov(text, SKEP_R0, 1);
	kernel_add(text, skep_exit());
	if (size)
		kernel_add(text, skep_st_mem(SKEP_B, SKEP_R0, 0, 0x5a));
	text_end(text, SKEP_R0, helper);
	kernel_add_mov(text, SKEP_R0, 0);
	kernel_add(text, skep_exit());
}

/* Two samples, the second ended first; a third while the first is busy. */
static void text_nested(struct kernel_text *text, int ring, uint32_t size)
{
	text_reserve(text, ring, size);
	kernel_add(text, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R0));
	kernel_add(text, skep_jmp_imm(SKEP_JNE, SKEP_R6, 0, 2));
	kernel_add_mov(text, SKEP_R0, 1);
	kernel_add(text, skep_exit());
	text_reserve(text, ring, size + 8);
	kernel_add(text, skep_alu64_reg(SKEP_MOV, SKEP_R7, SKEP_R0));
	kernel_add(text, skep_jmp_imm(SKEP_JNE, SKEP_R7, 0, 5));
	text_end(text, SKEP_R6, BPF_FUNC_ringbuf_discard);
	kernel_add_mov(text, SKEP_R0, 2);
	kernel_add(text, skep_exit());
	text_end(text, SKEP_R7, BPF_FUNC_ringbuf_submit);
	text_reserve(text, ring, size);
	kernel_add(text, skep_alu64_reg(SKEP_MOV, SKEP_R8, SKEP_R0));
	kernel_add_mov(text, SKEP_R9, 3);
	kernel_add(text, skep_jmp_imm(SKEP_JEQ, SKEP_R8, 0, 4));
	text_end(text, SKEP_R8, BPF_FUNC_ringbuf_discard);
	kernel_add_mov(text, SKEP_R9, 4);
	text_end(text, SKEP_R6, BPF_FUNC_ringbuf_submit);
	kernel_add(text, skep_alu64_reg(SKEP_MOV, SKEP_R0, SKEP_R9));
	kernel_add(text, skep_exit());
}

static int program_of(enum step_kind kind, int ring, int array, uint32_t size)
{
	struct kernel_text text = {.n = 0};

	if (kind == OUTPUT)
		text_output(&text, ring, array, size);
	else if (kind == NESTED)
		text_nested(&text, ring, size);
	else
		text_one(&text, ring, size,
			 kind == SUBMIT ? BPF_FUNC_ringbuf_submit : BPF_FUNC_ringbuf_discard);
	return kernel_prog(BPF_PROG_TYPE_SOCKET_FILTER, 0, text.insns, text.n);
}

static uint32_t nested_here(struct skep_map *map, uint32_t size)
{
	void *first = skep_ringbuf_reserve(map, size), *second, *third;

	if (!first)
		return 1;
	second = skep_ringbuf_reserve(map, size + 8);
	if (!second) {
		skep_ringbuf_discard(first, 0);
		return 2;
	}
	skep_ringbuf_submit(second, 0);
	third = skep_ringbuf_reserve(map, size);
	if (third)
		skep_ringbuf_discard(third, 0);
	skep_ringbuf_submit(first, 0);
	return third ? 4 : 3;
}

static uint32_t step_here(enum step_kind kind, struct skep_map *map, uint32_t size)
{
	uint8_t *sample;

	if (kind == OUTPUT)
		return (uint32_t)skep_ringbuf_output(map, source, size, 0);
	if (kind == NESTED)
		return nested_here(map, size);
	sample = skep_ringbuf_reserve(map, size);
	if (!sample)
		return 1;
	if (size)
		sample[0] = 0x5a;
	if (kind == SUBMIT)
		skep_ringbuf_submit(sample, 0);
	else
		skep_ringbuf_discard(sample, 0);
	return 0;
}

/* Read as far as is committed, or one record. */
static void consume(struct view *view, bool all)
{
	uint64_t at = *view->consumer;

	while (at < *view->producer) {
		uint32_t len = *(uint32_t *)(view->data + at % view->bytes);

		if (len & BUSY)
			break;
		at += ((len & ~DISCARD) + 8 + 7) & ~7u;
		if (!all)
			break;
	}
	*view->consumer = at;
}

static void compare(const struct view *kernel, const struct view *ours, struct skep_map *map)
{
	assert_int_equal(*kernel->consumer, *ours->consumer);
	assert_int_equal(kernel->producer[0], ours->producer[0]);
	assert_int_equal(kernel->producer[1], ours->producer[1]); /* pending */
	assert_memory_equal(kernel->data, ours->data, 2 * ours->bytes);
	assert_int_equal(skep_ringbuf_query(map, 0), *kernel->producer - *kernel->consumer);
	assert_int_equal(skep_ringbuf_query(map, 1), kernel->bytes);
	assert_int_equal(skep_ringbuf_query(map, 2), *kernel->consumer);
	assert_int_equal(skep_ringbuf_query(map, 3), *kernel->producer);
	assert_int_equal(skep_ringbuf_query(map, 4), 0);
}

static int array_with_source(void)
{
	int array = kernel_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(source), 1, 0);
	uint32_t zero = 0;

	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 7 + 1);
	assert_true(array >= 0);
	assert_int_equal(kernel_elem(BPF_MAP_UPDATE_ELEM, array, &zero, source, 0), 0);
	return array;
}

static void compare_steps(uint32_t bytes, unsigned n_steps)
{
	int ring = kernel_map(BPF_MAP_TYPE_RINGBUF, 0, 0, bytes, 0), array = array_with_source();
	struct skep_map *map = ring_new(SKEP_MAP_RINGBUF, bytes, NULL);
	struct view kernel = view_of(map_kernel, &ring, bytes);
	struct view ours = view_of(map_ours, map, bytes);
	int programs[N_KINDS][N_SIZES];

	for (unsigned k = 0; k < N_KINDS; k++)
		for (unsigned s = 0; s < N_SIZES; s++) {
			programs[k][s] = program_of(k, ring, array, sizes[s]);
			assert_true(programs[k][s] >= 0);
		}
	srandom(bytes);
	for (unsigned i = 0; i < n_steps; i++) {
		unsigned k = (unsigned)random() % N_KINDS, s = (unsigned)random() % N_SIZES;

		assert_int_equal(kernel_run(programs[k][s]), step_here(k, map, sizes[s]));
		compare(&kernel, &ours, map);
		if (random() % 3)
			continue;
		bool all = random() % 2;
		consume(&kernel, all);
		consume(&ours, all);
	}
	/* Full, and empty again. */
	for (unsigned i = 0; i < bytes / 32 + 2; i++)
		assert_int_equal(kernel_run(programs[OUTPUT][5]), step_here(OUTPUT, map, 24));
	assert_int_equal(step_here(OUTPUT, map, 24), (uint32_t)-EAGAIN);
	compare(&kernel, &ours, map);
	consume(&kernel, true);
	consume(&ours, true);
	assert_int_equal(*ours.consumer, *ours.producer);
	for (unsigned k = 0; k < N_KINDS; k++)
		for (unsigned s = 0; s < N_SIZES; s++)
			close(programs[k][s]);
	view_done(&kernel);
	view_done(&ours);
	skep_map_unref(map);
	close(ring);
	close(array);
}

static void same_bytes_as_the_kernel(void **state)
{
	compare_steps(4096, 4000);
	compare_steps(8192, 4000);
	compare_steps(65536, 4000);
}

/* --- Rights to map --------------------------------------------------------------------------- */

static void compare_mapping(uint32_t type, size_t len, int prot, uint64_t off)
{
	int ring = kernel_map(type, 0, 0, 8192, 0);
	struct skep_map *map = ring_new(type, 8192, NULL);
	intptr_t kernel = map_kernel(&ring, NULL, len, prot, off);
	intptr_t ours = map_ours(map, NULL, len, prot, off);

	assert_true(ring >= 0);
	if (kernel < 0 || ours < 0)
		assert_int_equal(kernel, ours);
	if (kernel > 0)
		munmap((void *)kernel, len);
	if (ours > 0)
		munmap((void *)ours, len);
	close(ring);
	skep_map_unref(map);
}

static void maps_what_the_kernel_maps(void **state)
{
	const size_t lengths[] = {1,        PAGE,     2 * PAGE, 3 * PAGE,
				  4 * PAGE, 5 * PAGE, 6 * PAGE, 7 * PAGE};
	const int types[] = {BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_USER_RINGBUF};

	for (unsigned t = 0; t < 2; t++)
		for (unsigned l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
			for (uint64_t page = 0; page < 8; page++)
				for (unsigned w = 0; w < 2; w++)
					compare_mapping((uint32_t)types[t], lengths[l],
							PROT_READ | (w ? PROT_WRITE : 0),
							page * PAGE);
}

/* --- Wake-ups -------------------------------------------------------------------------------- */

static unsigned n_woken, n_forced;

static void count_wake(struct skep_map *map, bool force)
{
	n_woken++;
	n_forced += force;
}

static const struct skep_map_env counting = {.wake = count_wake};

static void wakes_a_reader_that_caught_up(void **state)
{
	struct skep_map *map = ring_new(SKEP_MAP_RINGBUF, 4096, &counting);
	struct view view = view_of(map_ours, map, 4096);
	void *first, *second;

	n_woken = n_forced = 0;
	assert_int_equal(skep_ringbuf_output(map, source, 8, 0), 0);
	assert_int_equal(n_woken, 1);
	assert_int_equal(skep_ringbuf_output(map, source, 8, 0), 0); /* it has not caught up */
	assert_int_equal(n_woken, 1);
	assert_int_equal(skep_ringbuf_output(map, source, 8, BPF_RB_FORCE_WAKEUP), 0);
	assert_int_equal(n_forced, 1);
	consume(&view, true);
	assert_int_equal(skep_ringbuf_output(map, source, 8, BPF_RB_NO_WAKEUP), 0);
	assert_int_equal(n_woken, 2);
	consume(&view, true);
	first = skep_ringbuf_reserve(map, 16);
	second = skep_ringbuf_reserve(map, 16);
	skep_ringbuf_submit(second, 0);
	assert_int_equal(n_woken, 2); /* it waits for the first */
	skep_ringbuf_discard(first, 0);
	assert_int_equal(n_woken, 3);
	assert_int_equal(skep_ringbuf_output(map, source, 8, 4), -EINVAL);
	assert_null(skep_ringbuf_reserve(map, UINT64_C(1) << 40));
	view_done(&view);
	skep_map_unref(map);
}

/* --- Threads --------------------------------------------------------------------------------- */

#define PRODUCERS 3
#define EACH      40000

struct record {
	uint32_t who, n;
	uint64_t check[3];
};

struct producer {
	struct skep_map *map;
	uint32_t who;
};

static void *produce(void *arg)
{
	const struct producer *producer = arg;

	for (uint32_t i = 0; i < EACH;) {
		struct record record = {producer->who, i, {i * 3, i * 5, i * 7}}, *sample;

		if (i % 4) {
			i += !skep_ringbuf_output(producer->map, &record, sizeof(record), 0);
			continue;
		}
		sample = skep_ringbuf_reserve(producer->map, sizeof(record));
		if (!sample) {
			sched_yield();
			continue;
		}
		*sample = record;
		if (i % 8) {
			skep_ringbuf_submit(sample, 0);
			i++;
		} else {
			skep_ringbuf_discard(sample, 0);
			i += !skep_ringbuf_output(producer->map, &record, sizeof(record), 0);
		}
	}
	return NULL;
}

/* As libbpf does: acquire positions and lengths, release the consumer's. */
static void read_all(struct view *view, uint32_t seen[PRODUCERS])
{
	uint64_t at = *view->consumer;

	for (uint32_t left = PRODUCERS * EACH; left;) {
		uint64_t end = __atomic_load_n(view->producer, __ATOMIC_ACQUIRE);

		while (at < end) {
			uint8_t *header = view->data + at % view->bytes;
			uint32_t len = __atomic_load_n((uint32_t *)header, __ATOMIC_ACQUIRE);
			const struct record *record = (const struct record *)(header + 8);

			if (len & BUSY)
				break;
			at += 8 + sizeof(*record);
			if (!(len & DISCARD)) {
				assert_int_equal(len, sizeof(*record));
				assert_int_equal(record->n, seen[record->who]);
				assert_int_equal(record->check[2], record->n * 7);
				seen[record->who]++;
				left--;
			}
			__atomic_store_n(view->consumer, at, __ATOMIC_RELEASE);
		}
		sched_yield();
	}
}

/* The thread sanitizer does not know that two addresses are one place: it gets the map's own. */
static struct view view_for_threads(struct skep_map *map)
{
#ifdef __SANITIZE_THREAD__
	const struct skep_ring *ring = (const struct skep_ring *)map;

	return (struct view){ring->consumer, &ring->producer->pos, ring->data, 8192};
#else
	return view_of(map_ours, map, 8192);
#endif
}

static void threads_lose_nothing(void **state)
{
	struct skep_map *map = ring_new(SKEP_MAP_RINGBUF, 8192, NULL);
	struct view view = view_for_threads(map);
	struct producer producers[PRODUCERS];
	uint32_t seen[PRODUCERS] = {0};
	pthread_t threads[PRODUCERS];

	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){map, i};
		pthread_create(&threads[i], NULL, produce, &producers[i]);
	}
	read_all(&view, seen);
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(seen[i], EACH);
	}
#ifndef __SANITIZE_THREAD__
	view_done(&view);
#endif
	skep_map_unref(map);
}

/* --- user_ringbuf ---------------------------------------------------------------------------- */

struct drained {
	unsigned n;
	uint64_t sum;
	unsigned stop_at;
};

static long count_sample(void *sample, uint32_t size, void *ctx)
{
	struct drained *drained = ctx;

	drained->n++;
	if (size >= 8)
		drained->sum += *(uint64_t *)sample;
	return drained->n == drained->stop_at;
}

static struct view user_view(struct skep_map *map, uint64_t bytes)
{
	intptr_t consumer = map_ours(map, NULL, PAGE, PROT_READ, 0);
	intptr_t rest = map_ours(map, NULL, PAGE + 2 * bytes, PROT_READ | PROT_WRITE, PAGE);

	assert_true(consumer > 0 && rest > 0);
	return (struct view){(uint64_t *)consumer, (uint64_t *)rest, (uint8_t *)rest + PAGE, bytes};
}

static void write_sample(struct view *view, uint32_t header, uint64_t value)
{
	uint64_t at = *view->producer;
	uint32_t len = header & ~(BUSY | DISCARD);

	*(uint32_t *)(view->data + at % view->bytes) = header;
	*(uint64_t *)(view->data + at % view->bytes + 8) = value;
	*view->producer = at + ((len + 8 + 7) & ~7u);
}

static void drains_what_user_space_wrote(void **state)
{
	struct skep_map *map = ring_new(SKEP_MAP_USER_RINGBUF, 4096, &counting);
	struct view view = user_view(map, 4096);
	struct drained drained = {0};

	n_woken = n_forced = 0;
	assert_int_equal(skep_user_ringbuf_drain(map, count_sample, &drained, 4), -EINVAL);
	assert_int_equal(skep_user_ringbuf_drain(map, count_sample, &drained, 0), 0);
	assert_int_equal(n_woken, 0);
	for (uint64_t round = 0; round < 500; round++) { /* round and round the ring */
		drained = (struct drained){0};
		write_sample(&view, 8, round);
		write_sample(&view, 24 | DISCARD, 1000000);
		write_sample(&view, 13, round * 2);
		assert_int_equal(skep_user_ringbuf_drain(map, count_sample, &drained, 0), 2);
		assert_int_equal(drained.n, 2);
		assert_int_equal(drained.sum, round * 3);
		assert_int_equal(*view.consumer, *view.producer);
	}
	assert_int_equal(n_woken, 500);
	write_sample(&view, 8, 1);
	write_sample(&view, 8, 2);
	drained = (struct drained){.stop_at = 1};
	assert_int_equal(skep_user_ringbuf_drain(map, count_sample, &drained, BPF_RB_NO_WAKEUP), 1);
	assert_int_equal(n_woken, 500);
	assert_int_equal(skep_user_ringbuf_drain(map, count_sample, &drained, 2), 1);
	assert_int_equal(n_forced, 1);
	view_done(&view);
	skep_map_unref(map);
}

/* What is wrong in the ring is user space's fault, and harms nobody. */
static void refuses_what_user_space_got_wrong(void **state)
{
	static const struct {
		uint32_t header;
		uint64_t produced;
		long result;
	} wrong[] = {
		{8, 7, -EINVAL},                   /* a position that is no multiple of 8 */
		{64, 16, -EINVAL},                 /* longer than what was produced */
		{8 | BUSY, 16, 0},                 /* not ready */
		{5000, 8192, -E2BIG},              /* longer than the ring */
		{(1u << 24) + 8, 1 << 25, -E2BIG}, /* longer than a sample may be */
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct skep_map *map = ring_new(SKEP_MAP_USER_RINGBUF, 4096, NULL);
		struct view view = user_view(map, 4096);
		struct drained drained = {0};

		*(uint32_t *)view.data = wrong[i].header;
		*view.producer = wrong[i].produced;
		assert_int_equal(skep_user_ringbuf_drain(map, count_sample, &drained, 0),
				 wrong[i].result);
		assert_int_equal(drained.n, 0);
		assert_int_equal(*view.consumer, 0);
		view_done(&view);
		skep_map_unref(map);
	}
}

static struct skep_map *draining;

static long drain_again(void *sample, uint32_t size, void *ctx)
{
	return skep_user_ringbuf_drain(draining, count_sample, ctx, 0) == -EBUSY;
}

static void one_drains_at_a_time(void **state)
{
	struct view view;
	struct drained drained = {0};

	draining = ring_new(SKEP_MAP_USER_RINGBUF, 4096, NULL);
	view = user_view(draining, 4096);
	write_sample(&view, 8, 1);
	write_sample(&view, 8, 1);
	assert_int_equal(skep_user_ringbuf_drain(draining, drain_again, &drained, 0), 1);
	view_done(&view);
	skep_map_unref(draining);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes_as_the_kernel),
		cmocka_unit_test(maps_what_the_kernel_maps),
		cmocka_unit_test(wakes_a_reader_that_caught_up),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(drains_what_user_space_wrote),
		cmocka_unit_test(refuses_what_user_space_got_wrong),
		cmocka_unit_test(one_drains_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
