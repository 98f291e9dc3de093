/*
 * Arenas: the addresses that programs get are the kernel's, whatever was
 * allocated, freed, reserved and touched before; both sides see the same bytes
 * at them; fresh pages are zero.
 */
#include "kernel_map.h"

#include <skep/btf.h>
#include <skep/map.h>

#include <stdlib.h>
#include <sys/mman.h>

#define PAGE  4096
#define PAGES 64
#define START 0x7c0000000000

/* What the kernel's program is asked, and its answer. */
struct request {
	uint64_t addr, n, answer;
};

static uint32_t kfunc(const char *name)
{
	static struct skep_btf *btf;

	if (!btf)
		assert_int_equal(skep_btf_open_kernel(&btf, NULL), 0);
	return skep_btf_find(btf, name, strlen(name), 1u << SKEP_BTF_FUNC);
}

/* @kfunc(arena, addr, n, -1, 0); its result into the request. */
static int program(int arena, uint32_t func, bool has_result)
{
	struct kernel_text text = {.n = 0};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SYSCALL,
			       .insns = (uintptr_t)text.insns,
			       .license = (uintptr_t) "GPL",
			       .prog_flags = BPF_F_SLEEPABLE};

	kernel_add(&text, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	kernel_add_imm64(&text, SKEP_R1, SKEP_PSEUDO_MAP_FD, (uint32_t)arena);
	kernel_add(&text, skep_ldx_mem(SKEP_DW, SKEP_R2, SKEP_R6, 0));
	kernel_add(&text, skep_ldx_mem(SKEP_W, SKEP_R3, SKEP_R6, 8));
	kernel_add_mov(&text, SKEP_R4, -1);
	kernel_add_mov(&text, SKEP_R5, 0);
	kernel_add(&text, skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, SKEP_CALL_KFUNC, 0, (int)func));
	if (has_result)
		kernel_add(&text, skep_stx_mem(SKEP_DW, SKEP_R6, SKEP_R0, 16));
	kernel_add_mov(&text, SKEP_R0, 0);
	kernel_add(&text, skep_exit());
	attr.insn_cnt = text.n;
	return kernel_bpf(BPF_PROG_LOAD, &attr);
}

static uint64_t ask(int prog, uint64_t addr, uint32_t n)
{
	struct request request = {addr, n, 0};
	union bpf_attr attr = {.test.prog_fd = (uint32_t)prog,
			       .test.ctx_in = (uintptr_t)&request,
			       .test.ctx_size_in = sizeof(request)};

	assert_int_equal(kernel_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return request.answer;
}

struct both {
	int fd, alloc, free, reserve;
	struct skep_map *map;
	uint8_t *kernel, *ours; /* as user space sees it */
};

static struct skep_map *arena_new(uint64_t start)
{
	struct skep_map_attr attr = {.type = SKEP_MAP_ARENA,
				     .max_entries = PAGES,
				     .flags = BPF_F_MMAPABLE,
				     .extra = start};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static bool both_new(struct both *both)
{
	union bpf_attr attr = {.map_type = SKEP_MAP_ARENA,
			       .max_entries = PAGES,
			       .map_flags = BPF_F_MMAPABLE,
			       .map_extra = START};

	both->fd = kernel_bpf(BPF_MAP_CREATE, &attr);
	if (both->fd < 0)
		return false;
	both->alloc = program(both->fd, kfunc("bpf_arena_alloc_pages"), true);
	both->free = program(both->fd, kfunc("bpf_arena_free_pages"), false);
	both->reserve = program(both->fd, kfunc("bpf_arena_reserve_pages"), true);
	both->map = arena_new(START);
	return both->alloc >= 0 && both->free >= 0;
}

static void both_done(struct both *both)
{
	skep_map_unref(both->map);
	close(both->alloc);
	close(both->free);
	close(both->reserve);
	close(both->fd);
}

static uint64_t some_address(void)
{
	uint64_t addr = START + (uint64_t)(random() % (PAGES + 4)) * PAGE;

	return random() % 20 ? addr : addr + 8;
}

static void step(struct both *both)
{
	uint32_t n = 1 + (uint32_t)random() % (random() % 4 ? 3 : PAGES);
	uint64_t addr = random() % 3 ? 0 : some_address();

	switch (random() % 6) {
	case 0:
	case 1:
	case 2:
		assert_int_equal(ask(both->alloc, addr, n),
				 skep_arena_alloc_pages(both->map, addr, n, -1, 0));
		break;
	case 3:
		if (both->reserve < 0)
			break;
		addr = some_address();
		assert_int_equal((int)ask(both->reserve, addr, n % 4),
				 skep_arena_reserve_pages(both->map, addr, n % 4));
		break;
	default:
		addr = some_address();
		ask(both->free, addr, n);
		skep_arena_free_pages(both->map, addr, n);
	}
}

static void addresses_as_the_kernel(void **state)
{
	struct both both = {.fd = -1};

	if (!both_new(&both))
		skip();
	for (unsigned seed = 0; seed < 40; seed++) {
		srandom(seed);
		for (unsigned i = 0; i < 300; i++)
			step(&both);
		ask(both.free, START, PAGES);
		skep_arena_free_pages(both.map, START, PAGES);
	}
	both_done(&both);
}

static uint8_t *program_view(const struct skep_map *map, uint64_t addr)
{
	return (uint8_t *)(skep_arena_base(map) + (uint32_t)addr);
}

static void user_space_and_programs_share_pages(void **state)
{
	struct skep_map *map = arena_new(0);
	uint64_t first, second;
	intptr_t at;

	assert_int_equal(skep_arena_alloc_pages(map, 0, 1, -1, 0), 0); /* nobody mapped it yet */
	at = skep_map_mmap(map, NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	assert_true(at > 0);
	assert_int_equal(skep_arena_user_start(map), at);
	((uint8_t *)at)[0] = 17; /* user space's own: it touched page 0 first */
	first = skep_arena_alloc_pages(map, 0, 1, -1, 0);
	assert_int_equal(first, at + PAGE);
	assert_int_equal(*program_view(map, (uint64_t)at), 17);
	*program_view(map, first) = 42;
	assert_int_equal(*(uint8_t *)first, 42);
	second = skep_arena_alloc_pages(map, 0, PAGES - 2, -1, 0);
	assert_int_equal(second, at + 2 * PAGE);
	assert_int_equal(skep_arena_alloc_pages(map, 0, 1, -1, 0), 0);
	skep_arena_free_pages(map, first, 1);
	assert_int_equal(skep_arena_alloc_pages(map, 0, 1, -1, 0), first);
	assert_int_equal(*program_view(map, first), 0);
	assert_int_equal(skep_arena_alloc_pages(map, first, 1, -1, 1), 0);
	assert_int_equal(skep_arena_alloc_pages(map, 0, 1, 12345, 0), 0);
	/* Astray: zeros, and no harm. */
	assert_int_equal(*program_view(map, (uint64_t)at + (UINT64_C(1) << 31)), 0);
	assert_int_equal(program_view(map, 0)[-0x8000], 0);
	munmap((void *)at, PAGES * PAGE);
	skep_map_unref(map);
}

static void maps_only_where_it_said(void **state)
{
	struct skep_map *map = arena_new(START);
	const int rw = PROT_READ | PROT_WRITE;
	void *at = (void *)START;

	assert_int_equal(skep_map_mmap(map, at, PAGES * PAGE, rw, MAP_PRIVATE, 0), -EINVAL);
	assert_int_equal(skep_map_mmap(map, NULL, PAGES * PAGE, rw, MAP_SHARED, 0), -EINVAL);
	assert_int_equal(skep_map_mmap(map, at, PAGE, rw, MAP_SHARED, 0), -EINVAL);
	assert_int_equal(skep_map_mmap(map, at, 2 * PAGES * PAGE, rw, MAP_SHARED, 0), -E2BIG);
	assert_int_equal(skep_map_mmap(map, at, PAGES * PAGE, rw, MAP_SHARED, PAGE), -EINVAL);
	assert_int_equal(skep_map_mmap(map, at, PAGES * PAGE, rw, MAP_SHARED, 0), START);
	assert_int_equal(skep_map_mmap(map, at, PAGES * PAGE, rw, MAP_SHARED, 0), -EBUSY);
	munmap(at, PAGES * PAGE);
	skep_map_unref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_as_the_kernel),
		cmocka_unit_test(user_space_and_programs_share_pages),
		cmocka_unit_test(maps_only_where_it_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
