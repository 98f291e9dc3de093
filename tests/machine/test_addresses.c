/*
 * Addresses where nothing is, or nothing may be written: bpf(2) answers EFAULT, and neither the
 * kernel nor the machine ends the caller. Keys, values and batches, at every kind of bad place.
 */
#include "both.h"

#include <sys/mman.h>

#include <skep/map.h>

#define PAGE       4096
#define N_KEYS     4
#define MOST_BYTES 64

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

/* --- places ----------------------------------------------------------------------------------- */

enum place { GOOD, STACK, NOTHING, HOLE, FORBIDDEN, READ_ONLY, EDGE, HIGH, BEYOND, N_PLACES };
static const char *const place_names[] = {"heap",    "stack",        "NULL",
					  "a hole",  "no access",    "read-only",
					  "an edge", "the kernel's", "no address"};
static uint8_t *pages; /* heap, read-only, no access, heap, no access */
static uint8_t *on_stack;

static uint64_t address(enum place place)
{
	switch (place) {
	case GOOD: return ptr(pages);
	case STACK: return ptr(on_stack);
	case READ_ONLY: return ptr(pages + PAGE);
	case FORBIDDEN: return ptr(pages + 2 * PAGE);
	case EDGE: return ptr(pages + 4 * PAGE - 2); /* two bytes are there */
	case HOLE: return (uint64_t)1 << 40;
	case HIGH: return 0xffff888000000000;
	case BEYOND: return 0x7fffffffff000000 - 8;
	default: return 0;
	}
}

/* Key 1, value 1, wherever something can be put. */
static void fill(void)
{
	uint64_t one = 1;

	mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
	memset(pages, 0, 2 * PAGE);
	memcpy(pages, &one, sizeof(one));
	memcpy(pages + PAGE, &one, sizeof(one));
	memcpy(on_stack, &one, sizeof(one));
	memset(pages + 3 * PAGE, 1, PAGE);
	mprotect(pages + PAGE, PAGE, PROT_READ);
}

static int setup(void **state)
{
	pages = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + 2 * PAGE, PAGE, PROT_NONE) ||
	    mprotect(pages + 4 * PAGE, PAGE, PROT_NONE))
		return -1;
	union attr attr = {.map_create = {SKEP_MAP_ARRAY, 4, 4, 1}};
	long fd = call_kernel(CMD_MAP_CREATE, &attr, sizeof(attr));
	has_kernel = fd >= 0;
	if (has_kernel)
		close((int)fd);
	return skep_machine_new(NULL, &machine);
}

static int teardown(void **state)
{
	skep_machine_free(machine);
	return munmap(pages, 5 * PAGE);
}

static struct both new_maps(uint32_t type, uint32_t flags)
{
	const struct attr_map_create create = {type, 4, 8, N_KEYS, .flags = flags};
	union attr attr[2] = {{.map_create = create}, {.map_create = create}};
	struct both maps = call_both(CMD_MAP_CREATE, attr, sizeof(*attr));
	uint64_t one[2] = {1, 1};

	assert_int_equal(maps.err[0] | maps.err[1], 0);
	for (int side = 0; side < 2; side++) {
		union attr elem = {.elem = {(uint32_t)maps.result[side], ptr(one), ptr(one), 0}};
		assert_int_equal(call_side(side, CMD_MAP_UPDATE_ELEM, &elem, sizeof(elem)), 0);
	}
	return maps;
}

/* --- elements --------------------------------------------------------------------------------- */

/* Returns the kernel's errno, which is ours, too, or differences were counted. */
static int try_elem(int cmd, struct both maps, enum place key, enum place value)
{
	struct both both;
	char what[120];

	for (int side = 0; side < 2; side++) {
		union attr attr = {
			.elem = {(uint32_t)maps.result[side], address(key), address(value), 0}};
		fill();
		errno = 0;
		both.result[side] = call_side(side, cmd, &attr, sizeof(attr));
		both.err[side] = both.result[side] < 0 ? errno : 0;
	}
	snprintf(what, sizeof(what), "command %d, key at %s, value at %s", cmd, place_names[key],
		 place_names[value]);
	check_same(both, false, what);
	return both.err[0];
}

static void try_all(uint32_t type, uint32_t flags)
{
	static const int commands[] = {CMD_MAP_LOOKUP_ELEM, CMD_MAP_UPDATE_ELEM,
				       CMD_MAP_GET_NEXT_KEY, CMD_MAP_LOOKUP_AND_DELETE_ELEM,
				       CMD_MAP_DELETE_ELEM};
	struct both maps = new_maps(type, flags);
	unsigned faults = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		for (int key = 0; key < N_PLACES; key++)
			for (int value = 0; value < N_PLACES; value++)
				faults += try_elem(commands[i], maps, key, value) == EFAULT;
	assert_true(faults > 100);
	close_both(maps);
	assert_int_equal(n_differences, 0);
}

static void test_elements(void **state)
{
	uint64_t room[MOST_BYTES / 8];

	if (!has_kernel)
		skip();
	on_stack = (uint8_t *)room;
	try_all(SKEP_MAP_HASH, 0);
	try_all(SKEP_MAP_ARRAY, 0);
	try_all(SKEP_MAP_PERCPU_ARRAY, 0);
	try_all(SKEP_MAP_LRU_HASH, 0);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void try_batch(int cmd, struct both maps, enum place keys, enum place values, enum place out)
{
	union attr attr[2];
	struct both both;
	char what[160];

	for (int side = 0; side < 2; side++) {
		attr[side] = (union attr){.batch = {.out_batch = address(out),
						    .keys = address(keys),
						    .values = address(values),
						    .count = N_KEYS,
						    .map_fd = (uint32_t)maps.result[side]}};
		fill();
		errno = 0;
		both.result[side] = call_side(side, cmd, &attr[side], sizeof(attr[side]));
		both.err[side] = both.result[side] < 0 ? errno : 0;
	}
	snprintf(what, sizeof(what), "command %d, keys at %s, values at %s, next at %s", cmd,
		 place_names[keys], place_names[values], place_names[out]);
	check_same(both, false, what);
	check_number(attr[0].batch.count, attr[1].batch.count, what, "count");
}

static void test_batches(void **state)
{
	static const int commands[] = {CMD_MAP_LOOKUP_BATCH, CMD_MAP_UPDATE_BATCH,
				       CMD_MAP_DELETE_BATCH};
	uint64_t room[MOST_BYTES / 8];

	if (!has_kernel)
		skip();
	on_stack = (uint8_t *)room;
	for (int hash = 0; hash < 2; hash++) {
		struct both maps = new_maps(hash ? SKEP_MAP_HASH : SKEP_MAP_ARRAY, 0);
		for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
			for (int bad = 0; bad < N_PLACES; bad++) {
				try_batch(commands[i], maps, bad, GOOD, STACK);
				try_batch(commands[i], maps, GOOD, bad, STACK);
				try_batch(commands[i], maps, GOOD, STACK, bad);
			}
		close_both(maps);
	}
	assert_int_equal(n_differences, 0);
}

/* --- attributes ------------------------------------------------------------------------------- */

static void test_attributes(void **state)
{
	for (int place = NOTHING; place <= BEYOND; place++) {
		if (place == READ_ONLY)
			continue;
		errno = 0;
		assert_int_equal(skep_machine_bpf(machine, CMD_MAP_LOOKUP_ELEM,
						  (void *)(uintptr_t)address(place), 32),
				 -1);
		assert_int_equal(errno, EFAULT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_attributes),
	};

	return cmocka_run_group_tests_name("machine/addresses", tests, setup, teardown);
}
