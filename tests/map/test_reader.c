/* skep_ringbuf_read(): what programs submit is read in order, on every system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include <skep/map.h>

#define RING_BYTES 4096

struct reader {
	uint32_t n, last, bytes;
	int answer;
};

static struct skep_map *new_map(uint32_t type)
{
	struct skep_map_attr attr = {.type = type, .max_entries = RING_BYTES};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static int read_one(void *ctx, void *sample, uint32_t size)
{
	struct reader *reader = ctx;

	reader->n++;
	reader->bytes += size;
	memcpy(&reader->last, sample, sizeof(reader->last));
	for (uint32_t i = 4; i < size; i++)
		assert_int_equal(((uint8_t *)sample)[i], (uint8_t)(reader->last + i));
	return reader->answer;
}

static void *reserve(struct skep_map *map, uint32_t number, uint32_t size)
{
	uint8_t *sample = skep_ringbuf_reserve(map, size);

	assert_non_null(sample);
	memcpy(sample, &number, sizeof(number));
	for (uint32_t i = 4; i < size; i++)
		sample[i] = (uint8_t)(number + i);
	return sample;
}

/* Over the end of the ring again and again, in sizes that fit it nowhere. */
static void test_wraps(void **state)
{
	struct skep_map *map = new_map(SKEP_MAP_RINGBUF);
	struct reader reader = {0};
	uint32_t bytes = 0;

	for (uint32_t i = 1; i <= 5000; i++) {
		uint32_t size = 4 + i * 37 % 1000;

		skep_ringbuf_submit(reserve(map, i, size), 0);
		bytes += size;
		assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 1);
		assert_int_equal(reader.last, i);
	}
	assert_int_equal(reader.bytes, bytes);
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 0);
	skep_map_unref(map);
}

static void test_busy_and_discarded(void **state)
{
	struct skep_map *map = new_map(SKEP_MAP_RINGBUF);
	struct reader reader = {0};
	void *first = reserve(map, 1, 8), *second = reserve(map, 2, 8), *third = reserve(map, 3, 8);

	skep_ringbuf_submit(third, 0);
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 0);
	skep_ringbuf_submit(first, 0);
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 1);
	skep_ringbuf_discard(second, 0);
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 1);
	assert_int_equal(reader.last, 3);
	assert_int_equal(reader.n, 2);
	skep_map_unref(map);
}

/* Who has enough stops; the next reader goes on behind. */
static void test_stops(void **state)
{
	struct skep_map *map = new_map(SKEP_MAP_RINGBUF);
	struct reader reader = {.answer = 1};

	for (uint32_t i = 1; i <= 3; i++)
		skep_ringbuf_submit(reserve(map, i, 8), 0);
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 1);
	reader.answer = -ECANCELED;
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), -ECANCELED);
	reader.answer = 0;
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 1);
	assert_int_equal(reader.last, 3);
	skep_map_unref(map);
}

static void test_fills(void **state)
{
	struct skep_map *map = new_map(SKEP_MAP_RINGBUF), *other = new_map(SKEP_MAP_USER_RINGBUF);
	struct reader reader = {0};
	uint32_t n = 0;

	for (void *at; (at = skep_ringbuf_reserve(map, 56)); n++) {
		memset(at, 0, 56);
		skep_ringbuf_discard(at, 0);
	}
	/* Full is never quite full: as in the kernel, 8 bytes stay free. */
	assert_int_equal(n, RING_BYTES / 64 - 1);
	assert_int_equal(skep_ringbuf_read(map, read_one, &reader), 0);
	assert_non_null(skep_ringbuf_reserve(map, 56));
	assert_int_equal(skep_ringbuf_read(other, read_one, &reader), -EINVAL);
	skep_map_unref(other);
	skep_map_unref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_busy_and_discarded),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
