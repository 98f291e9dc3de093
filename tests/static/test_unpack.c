/* What static/pack.py packed comes back byte for byte; anything else is refused, within bounds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../static/unpack.h"
#include "unpack_samples.h"

#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))
#define ROUNDS    3000

/* Of exactly the bytes that are asked for, so that sanitizers see one too many. */
static int unpack(const uint8_t *packed, size_t packed_len, size_t len, uint8_t **ret)
{
	uint8_t *copy = malloc(packed_len);

	*ret = malloc(len);
	memcpy(copy, packed, packed_len);
	int err = skep_unpack(copy, packed_len, *ret, len);
	free(copy);
	return err;
}

static void samples_come_back(void **state)
{
	for (size_t i = 0; i < N_SAMPLES; i++) {
		uint8_t *data;
		assert_int_equal(
			unpack(samples[i].packed, samples[i].packed_len, samples[i].len, &data), 0);
		assert_memory_equal(data, samples[i].data, samples[i].len);
		free(data);
	}
}

/* All but the last bytes, which say that it ends, are needed. */
static void what_is_cut_is_refused(void **state)
{
	for (size_t i = 0; i < N_SAMPLES; i++) {
		for (size_t len = 0; len + 16 < samples[i].packed_len; len += 1 + len / 8) {
			uint8_t *data;
			assert_int_equal(unpack(samples[i].packed, len, samples[i].len, &data),
					 -EILSEQ);
			free(data);
		}
	}
}

static void what_is_broken_stays_in_bounds(void **state)
{
	size_t n_refused = 0;

	for (int round = 0; round < ROUNDS; round++) {
		size_t i = (size_t)round % N_SAMPLES, len = samples[i].packed_len;
		uint8_t *data, *broken = malloc(len);
		memcpy(broken, samples[i].packed, len);
		for (int n = 0; n < 3; n++)
			broken[(size_t)rand() % len] ^= (uint8_t)(1 + rand() % 255);
		int err = unpack(broken, len, samples[i].len % 20000, &data);
		assert_true(!err || err == -EILSEQ);
		n_refused += err != 0;
		free(data);
		free(broken);
	}
	assert_true(n_refused > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_come_back),
		cmocka_unit_test(what_is_cut_is_refused),
		cmocka_unit_test(what_is_broken_stays_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
