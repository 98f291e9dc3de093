/*
 * Timers of map values. One thread, started with the first timer, sleeps until
 * the next is due and runs its callback on a CPU of its own, as a run without
 * packet or context.
 *
 * A value holds the address of a struct timer, which lives until the value is
 * released (timer_release()), or its program goes (skep_timers_forget()).
 */
#include "helper/timer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "helper/os.h"

enum { CLOCK_WALL, CLOCK_SINCE_BOOT_AWAKE, CLOCK_SINCE_BOOT = 7, CLOCKS = 16 };
enum { START_ABSOLUTE = 1, START_PINNED = 2 };

struct timer {
	struct timer *next; /* of all */
	struct skep_map *map;
	uint8_t *field;
	const struct skep_program *program;
	uint64_t callback;
	uint64_t due_ns;
	bool armed, running, gone;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* armed, or a callback has ended */
static struct timer *timers;
static bool thread_runs;
static _Thread_local struct timer *running_here;

static uint64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static struct timer *timer_at(const void *field)
{
	struct timer *timer;

	memcpy(&timer, field, sizeof(timer));
	return timer;
}

static struct timer *next_due(void)
{
	struct timer *first = NULL;

	for (struct timer *at = timers; at; at = at->next) {
		if (at->armed && (!first || at->due_ns < first->due_ns))
			first = at;
	}
	return first;
}

/* The key of the value that the timer is in. */
struct search {
	const uint8_t *field;
	uint8_t *key;
};

static long compare_value(struct skep_map *map, void *key, void *value, void *ctx)
{
	struct search *search = ctx;
	uintptr_t off = (uintptr_t)search->field - (uintptr_t)value;

	if (off >= map->value_size)
		return 0;
	memcpy(search->key, key, map->key_size);
	return 1;
}

static uint8_t *value_of(const struct timer *timer)
{
	const struct skep_map *map = timer->map;

	for (uint32_t i = 0; i < map->n_fields; i++) {
		if (map->fields[i].kind == SKEP_FIELD_TIMER ||
		    map->fields[i].kind == SKEP_FIELD_WORKQUEUE)
			return timer->field - map->fields[i].off;
	}
	return timer->field;
}

static void call_back(struct skep_map *map, uint8_t *field, uint8_t *value,
		      const struct skep_program *program, uint64_t callback)
{
	struct skep_world world = {0};
	struct skep_run run = {.program = program, .budget = UINT64_MAX, .world = &world};
	uint64_t key[64] = {0};
	struct search search = {field, (uint8_t *)key};

	if (map->key_size <= sizeof(key))
		skep_map_for_each(map, compare_value, &search, 0);
	const uint64_t args[5] = {(uintptr_t)map, (uintptr_t)key, (uintptr_t)value};
	run.cpu = skep_cpu_enter();
	skep_run_callback(&run, callback, args);
	skep_cpu_leave();
}

/* With the lock held; it is let go while the callback runs. */
static void fire(struct timer *timer)
{
	struct skep_map *map = timer->map;
	uint8_t *field = timer->field, *value = value_of(timer);
	const struct skep_program *program = timer->program;
	uint64_t callback = timer->callback;

	timer->armed = false;
	timer->running = true;
	pthread_mutex_unlock(&lock);
	running_here = timer;
	if (program && callback)
		call_back(map, field, value, program, callback);
	running_here = NULL;
	pthread_mutex_lock(&lock);
	timer->running = false;
	if (timer->gone)
		free(timer);
	pthread_cond_broadcast(&changed);
}

static void *run_timers(void *unused)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct timer *timer = next_due();
		uint64_t now = now_ns();

		if (!timer) {
			pthread_cond_wait(&changed, &lock);
		} else if (timer->due_ns > now) {
			struct timespec until = {(time_t)(timer->due_ns / 1000000000u),
						 (long)(timer->due_ns % 1000000000u)};
			pthread_cond_timedwait(&changed, &lock, &until);
		} else {
			fire(timer);
		}
	}
	return NULL;
}

static void start_thread(void)
{
	pthread_t thread;

	if (thread_runs || pthread_create(&thread, NULL, run_timers, NULL))
		return;
	pthread_detach(thread);
	thread_runs = true;
}

int timer_init(void *field, struct skep_map *map, uint64_t flags)
{
	struct timer *timer = calloc(1, sizeof(*timer));
	int err = 0;

	if (!timer)
		return -ENOMEM;
	pthread_mutex_lock(&lock);
	if (timer_at(field)) {
		err = -EBUSY;
	} else {
		*timer = (struct timer){.next = timers, .map = map, .field = field};
		timers = timer;
		memcpy(field, &timer, sizeof(timer));
	}
	pthread_mutex_unlock(&lock);
	if (err)
		free(timer);
	return err;
}

int timer_set_callback(void *field, const struct skep_program *program, uint64_t callback)
{
	pthread_mutex_lock(&lock);
	struct timer *timer = timer_at(field);
	if (timer) {
		timer->program = program;
		timer->callback = callback;
	}
	pthread_mutex_unlock(&lock);
	return timer ? 0 : -EINVAL;
}

int timer_start(void *field, uint64_t ns, bool absolute)
{
	int err = 0;

	pthread_mutex_lock(&lock);
	struct timer *timer = timer_at(field);
	if (!timer || !timer->callback) {
		err = -EINVAL;
	} else {
		uint64_t base = skep_os_clock_ns(SKEP_OS_MONOTONIC);
		uint64_t in = absolute ? (ns > base ? ns - base : 0) : ns;
		uint64_t now = now_ns();
		timer->due_ns = in < UINT64_MAX / 2 ? now + in : UINT64_MAX / 2;
		timer->armed = true;
		start_thread();
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* With the lock held: not armed any more, and its callback over. */
static void quiet(struct timer *timer)
{
	timer->armed = false;
	while (timer->running && running_here != timer)
		pthread_cond_wait(&changed, &lock);
}

int timer_cancel(void *field)
{
	int ret = 0;

	pthread_mutex_lock(&lock);
	struct timer *timer = timer_at(field);
	if (!timer) {
		ret = -EINVAL;
	} else if (running_here == timer) {
		ret = -EDEADLK;
	} else {
		ret = timer->armed;
		timer->program = NULL;
		timer->callback = 0;
		quiet(timer);
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

void timer_release(void *field)
{
	struct timer *none = NULL;

	pthread_mutex_lock(&lock);
	struct timer *timer = timer_at(field);
	memcpy(field, &none, sizeof(none));
	if (timer) {
		quiet(timer);
		struct timer **at = &timers;
		while (*at != timer)
			at = &(*at)->next;
		*at = timer->next;
		timer->gone = timer->running;
		if (!timer->running)
			free(timer);
	}
	pthread_mutex_unlock(&lock);
}

void skep_timers_forget(const struct skep_program *program)
{
	pthread_mutex_lock(&lock);
	for (struct timer *at = timers; at; at = at->next) {
		if (at->program != program)
			continue;
		quiet(at);
		at->program = NULL;
		at->callback = 0;
	}
	pthread_mutex_unlock(&lock);
}

DEFINE_HELPER(timer_init)
{
	uint64_t clock = r3 & (CLOCKS - 1);

	if (r3 >= CLOCKS ||
	    (clock != CLOCK_WALL && clock != CLOCK_SINCE_BOOT_AWAKE && clock != CLOCK_SINCE_BOOT))
		return as_r0(-EINVAL);
	return as_r0(timer_init(ptr_of(r1), map_of(r2), r3));
}

DEFINE_HELPER(timer_set_callback)
{
	return as_r0(timer_set_callback(ptr_of(r1), run->program, r2));
}

DEFINE_HELPER(timer_start)
{
	if (r3 & ~(uint64_t)(START_ABSOLUTE | START_PINNED))
		return as_r0(-EINVAL);
	return as_r0(timer_start(ptr_of(r1), r2, r3 & START_ABSOLUTE));
}

DEFINE_HELPER(timer_cancel)
{
	return as_r0(timer_cancel(ptr_of(r1)));
}
