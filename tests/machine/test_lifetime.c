/*
 * What maps hold goes while others run on it: programs out of a prog_array, maps out of a map of
 * maps. Threads run programs that tail-call and look up, one replaces what they run on and gives
 * up its own descriptor. Meant to run under ASan and TSan as well.
 */
#include "both.h"
#include "insns.h"

#include <pthread.h>

#include <skep/map.h>

#include "machine/prog.h"

#define RUNNERS    3
#define CHANGES    400
#define ELEMENTS   4
#define VALUE      42
#define LOOKUP     1 /* helpers */
#define TAIL_CALL  12
#define BUSY_LOOPS 2000

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static int new_machine(void **state)
{
	const struct skep_machine_opts opts = {.exec = *state};

	return skep_machine_new(&opts, &machine);
}

/* Everything is let go of, without anybody's having asked for it. */
static int end_machine(void **state)
{
	struct skep_machine_counts counts;

	skep_machine_count(machine, &counts);
	skep_machine_free(machine);
	return counts.maps || counts.programs || counts.memory_bytes;
}

static long call(int cmd, union attr *attr)
{
	return skep_machine_bpf(machine, cmd, (void *)attr, sizeof(*attr));
}

static int new_map(uint32_t type, uint32_t entries, int inner)
{
	union attr attr = {.map_create = {type, 4, 4, entries, .inner_map_fd = (uint32_t)inner}};
	int fd = (int)call(CMD_MAP_CREATE, &attr);

	assert_true(fd >= 0);
	return fd;
}

static void update(int map, uint32_t key, uint32_t value)
{
	union attr attr = {.elem = {(uint32_t)map, ptr(&key), ptr(&value)}};

	assert_int_equal(call(CMD_MAP_UPDATE_ELEM, &attr), 0);
}

static void delete (int map, uint32_t key)
{
	union attr attr = {.elem = {(uint32_t)map, ptr(&key)}};

	assert_true(!call(CMD_MAP_DELETE_ELEM, &attr) || errno == ENOENT);
}

/* Give up the descriptor; what nobody else has is freed then and there. */
static void let_go(int fd)
{
	struct skep_machine_counts counts;

	close(fd);
	skep_machine_count(machine, &counts);
}

/* 0: there is none. */
static uint32_t id_in(int map, uint32_t key)
{
	uint32_t id = 0;
	union attr attr = {.elem = {(uint32_t)map, ptr(&key), ptr(&id)}};

	return call(CMD_MAP_LOOKUP_ELEM, &attr) ? 0 : id;
}

static int load(const struct skep_insn *insns, uint32_t n)
{
	union attr attr = {.prog_load = {.type = PROG_RAW_TRACEPOINT,
					 .insn_cnt = n,
					 .insns = ptr(insns),
					 .license = ptr("GPL")}};
	int fd = (int)call(CMD_PROG_LOAD, &attr);

	assert_true(fd >= 0);
	return fd;
}
#define LOAD(insns) load(insns, sizeof(insns) / sizeof(*(insns)))

static uint32_t test_run(int prog)
{
	union attr attr = {.test = {.prog_fd = (uint32_t)prog}};

	return call(CMD_PROG_TEST_RUN, &attr) ? UINT32_MAX : attr.test.retval;
}

/* --- Programs --------------------------------------------------------------------------------- */

#define MAP_FD(dst, fd)                                                                            \
	{SKEP_LD | SKEP_DW, dst, 1, 0, fd},                                                        \
	{                                                                                          \
		0                                                                                  \
	}

/* Something to do, in code that may be gone by then; returns VALUE. */
static int load_busy(void)
{
	const struct skep_insn insns[] = {
		MOV_IMM(1, BUSY_LOOPS), ADD_IMM(1, -1), {SKEP_JMP | SKEP_JNE | SKEP_K, 1, 0, -2, 0},
		MOV_IMM(0, VALUE),      EXIT,
	};

	return LOAD(insns);
}

static int load_tail_caller(int programs)
{
	const struct skep_insn insns[] = {
		MAP_FD(2, programs), MOV_IMM(3, 0), CALL(TAIL_CALL), MOV_IMM(0, 0), EXIT,
	};

	return LOAD(insns);
}

/* Looks a value up in the map in @outer, again and again. VALUE if it always was that. */
static int load_reader(int outer)
{
	const struct skep_insn insns[] = {
		/* key: 0 */
		{SKEP_ST | SKEP_MEM | SKEP_W, 10, 0, -4, 0},
		MAP_FD(1, outer),
		MOV(2, 10),
		ADD_IMM(2, -4),
		CALL(LOOKUP),
		{SKEP_JMP | SKEP_JNE | SKEP_K, 0, 0, 1, 0},
		EXIT,
		MOV(6, 0),
		MOV_IMM(7, BUSY_LOOPS / 20),
		/* again: */
		MOV(1, 6),
		MOV(2, 10),
		ADD_IMM(2, -4),
		CALL(LOOKUP),
		{SKEP_JMP | SKEP_JEQ | SKEP_K, 0, 0, 4, 0},
		{SKEP_LDX | SKEP_MEM | SKEP_W, 8, 0, 0, 0},
		ADD_IMM(7, -1),
		{SKEP_JMP | SKEP_JNE | SKEP_K, 7, 0, -8, 0},
		MOV(0, 8),
		EXIT,
	};

	return LOAD(insns);
}

/* --- Runners ---------------------------------------------------------------------------------- */

struct runners {
	pthread_t threads[RUNNERS];
	int prog, map;
	uint32_t end, wrong, done; /* atomic */
};

static void *run_on(void *at)
{
	struct runners *runners = at;

	while (!__atomic_load_n(&runners->end, __ATOMIC_RELAXED)) {
		uint32_t result = test_run(runners->prog);

		/* 0: there was nothing just then. */
		if (result && result != VALUE)
			__atomic_fetch_add(&runners->wrong, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&runners->done, 1, __ATOMIC_RELAXED);
		id_in(runners->map, 0);
	}
	return NULL;
}

static void start(struct runners *runners, int prog, int map)
{
	*runners = (struct runners){.prog = prog, .map = map};
	for (int i = 0; i < RUNNERS; i++)
		assert_int_equal(pthread_create(&runners->threads[i], NULL, run_on, runners), 0);
	while (!__atomic_load_n(&runners->done, __ATOMIC_RELAXED))
		usleep(100);
}

static void stop(struct runners *runners)
{
	__atomic_store_n(&runners->end, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < RUNNERS; i++)
		pthread_join(runners->threads[i], NULL);
	assert_int_equal(runners->wrong, 0);
	close(runners->prog);
	close(runners->map);
}

static void test_tail_calls(void **state)
{
	int programs = new_map(SKEP_MAP_PROG_ARRAY, 1, 0);
	struct runners runners;

	start(&runners, load_tail_caller(programs), programs);
	for (int i = 0; i < CHANGES; i++) {
		int fd = load_busy();

		update(programs, 0, (uint32_t)fd);
		let_go(fd);
		if (i % 3 == 0)
			delete (programs, 0);
	}
	stop(&runners);
}

static int new_inner(uint32_t type)
{
	int fd = new_map(type, ELEMENTS, 0);

	for (uint32_t i = 0; i < ELEMENTS; i++)
		update(fd, i, VALUE);
	return fd;
}

static void change_inner(uint32_t outer_type, uint32_t inner_type)
{
	int inner = new_inner(inner_type), outer = new_map(outer_type, 1, inner);
	struct runners runners;

	start(&runners, load_reader(outer), outer);
	for (int i = 0; i < CHANGES; i++) {
		update(outer, 0, (uint32_t)inner);
		let_go(inner);
		inner = new_inner(inner_type);
		if (i % 3 == 0)
			delete (outer, 0);
	}
	close(inner);
	stop(&runners);
}

static void test_array_of_maps(void **state)
{
	change_inner(SKEP_MAP_ARRAY_OF_MAPS, SKEP_MAP_HASH);
	change_inner(SKEP_MAP_ARRAY_OF_MAPS, SKEP_MAP_ARRAY);
}

static void test_hash_of_maps(void **state)
{
	change_inner(SKEP_MAP_HASH_OF_MAPS, SKEP_MAP_HASH);
	change_inner(SKEP_MAP_HASH_OF_MAPS, SKEP_MAP_ARRAY);
}

/* What is let go while nobody runs goes at once, and nobody has to come by for it. */
static void test_at_once(void **state)
{
	int programs = new_map(SKEP_MAP_PROG_ARRAY, 1, 0), fd = load_busy();
	struct skep_machine_counts counts;

	update(programs, 0, (uint32_t)fd);
	close(fd);
	skep_machine_count(machine, &counts);
	assert_int_equal(counts.programs, 1);
	delete (programs, 0);
	skep_machine_count(machine, &counts);
	assert_int_equal(counts.programs, 0);
	close(programs);
}

#define WITH(test, engine)                                                                         \
	cmocka_unit_test_prestate_setup_teardown(test, new_machine, end_machine,                   \
						 (void *)&skep_exec_##engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_at_once, interp),    WITH(test_tail_calls, interp),
		WITH(test_tail_calls, jit),    WITH(test_array_of_maps, interp),
		WITH(test_array_of_maps, jit), WITH(test_hash_of_maps, interp),
		WITH(test_hash_of_maps, jit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
