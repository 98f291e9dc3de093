/* Kernel functions: their rows against the running kernel's BTF, and what they do. */
#include "helper_test.h"

#include <errno.h>

#include <skep/btf.h>

#include "helper/object.h"

static struct skep_world world;
static struct skep_run run = {.world = &world, .budget = UINT64_MAX};

static uint64_t call(const char *name, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
		     uint64_t r5)
{
	char full[80];

	snprintf(full, sizeof(full), "bpf_%s", name);
	const struct skep_callable *row = skep_kfunc(full);
	if (!row)
		fail_msg("there is no %s", full);
	return row->call(r1, r2, r3, r4, r5, &run);
}

#define CALL0(name)          call(name, 0, 0, 0, 0, 0)
#define CALL1(name, a)       call(name, (uint64_t)(a), 0, 0, 0, 0)
#define CALL2(name, a, b)    call(name, (uint64_t)(a), (uint64_t)(b), 0, 0, 0)
#define CALL3(name, a, b, c) call(name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0)
#define CALL4(name, a, b, c, d)                                                                    \
	call(name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0)
#define CALL5(name, a, b, c, d, e)                                                                 \
	call(name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))

static const char *const names[] = {
#define KFUNC(name, ...) "bpf_" #name,
#include <skep/kfuncs.def>
#undef KFUNC
};

static unsigned n_args(const struct skep_proto *proto)
{
	unsigned n = 0;

	while (n < 5 && proto->args[n] != SKEP_ARG_NONE)
		n++;
	return n;
}

static void test_kernel_btf(void **state)
{
	struct skep_btf *btf = NULL;
	unsigned n_found = 0, n_wrong = 0;

	if (skep_btf_open_kernel(&btf, NULL))
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = names[i];
		uint32_t func =
			skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
		assert_non_null(skep_kfunc(name));
		unsigned here = n_args(skep_kfunc(name)->proto);
		if (!func) {
			print_error("%s: the kernel has it not\n", name);
			n_wrong++;
			continue;
		}
		n_found++;
		unsigned there = skep_btf_n_members(btf, skep_btf_target(btf, func));
		if (there != here) {
			print_error("%s: %u arguments there, %u here\n", name, there, here);
			n_wrong++;
		}
	}
	skep_btf_free(btf);
	print_message("%u functions\n", n_found);
	assert_int_equal(n_wrong, 0);
	assert_null(skep_kfunc("bpf_no_such_function"));
}

/* --- Objects (trees are in test_calls.c, as their order is a program's callback) ---------- */

struct thing {
	uint64_t list[3], tree[4], number;
};

static uint64_t new_thing(uint64_t number)
{
	struct thing *thing = object_new(sizeof(*thing), 1);

	assert_non_null(thing);
	thing->number = number;
	return (uintptr_t)thing;
}

static uint64_t number_of(uint64_t node, size_t off)
{
	return ((struct thing *)(uintptr_t)(node - off))->number;
}

static void drop(uint64_t node, size_t off)
{
	CALL2("obj_drop_impl", node - off, 0);
}

static void test_lists(void **state)
{
	uint64_t head[2] = {0}, node;

	assert_int_equal(CALL1("list_pop_front", (uintptr_t)head), 0);
	assert_int_equal(CALL1("list_front", (uintptr_t)head), 0);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(CALL2(i % 2 ? "list_push_front_impl" : "list_push_back_impl",
				       (uintptr_t)head, new_thing(i)),
				 0);
	/* 3 1 0 2 4 */
	assert_int_equal(number_of(CALL1("list_front", (uintptr_t)head), 0), 3);
	assert_int_equal(number_of(CALL1("list_back", (uintptr_t)head), 0), 4);
	assert_int_equal(object_count(), 5);
	static const uint64_t order[] = {3, 4, 1, 2, 0};
	for (int i = 0; i < 5; i++) {
		node = CALL1(i % 2 ? "list_pop_back" : "list_pop_front", (uintptr_t)head);
		assert_int_equal(number_of(node, 0), order[i]);
		drop(node, 0);
	}
	assert_int_equal(CALL1("list_pop_back", (uintptr_t)head), 0);
	assert_int_equal(object_count(), 0);
}

/* What hangs in a list does not go into another; the reference that was to be given is dropped. */
static void test_double_add(void **state)
{
	uint64_t head[2] = {0}, other[2] = {0}, thing = new_thing(1);

	assert_int_equal(CALL2("refcount_acquire_impl", thing, 0), thing);
	assert_int_equal(CALL2("list_push_back_impl", (uintptr_t)head, thing), 0);
	assert_int_equal((int64_t)CALL2("list_push_back_impl", (uintptr_t)other, thing), -EINVAL);
	assert_int_equal(other[0], 0);
	drop(CALL1("list_pop_front", (uintptr_t)head), 0);
	assert_int_equal(object_count(), 0);
}

static void test_masks(void **state)
{
	uint64_t a = CALL0("cpumask_create"), b = CALL0("cpumask_create");
	uint64_t c = CALL0("cpumask_create");
	uint32_t n = skep_map_n_cpus();

	assert_int_equal(CALL1("cpumask_first", a), n);
	assert_int_equal(CALL1("cpumask_first_zero", a), 0);
	assert_int_equal(CALL1("cpumask_empty", a), 1);
	CALL2("cpumask_set_cpu", 0, a);
	CALL2("cpumask_set_cpu", n, a);
	CALL2("cpumask_set_cpu", 100000, a);
	assert_int_equal(CALL1("cpumask_weight", a), 1);
	assert_int_equal(CALL2("cpumask_test_cpu", 0, a), 1);
	assert_int_equal(CALL2("cpumask_test_cpu", n, a), 0);
	assert_int_equal(CALL2("cpumask_test_and_set_cpu", 0, a), 1);
	CALL1("cpumask_setall", b);
	assert_int_equal(CALL1("cpumask_weight", b), n);
	assert_int_equal(CALL1("cpumask_full", b), 1);
	assert_int_equal(CALL2("cpumask_subset", a, b), 1);
	assert_int_equal(CALL2("cpumask_subset", b, a), n == 1);
	assert_int_equal(CALL3("cpumask_and", c, a, b), 1);
	assert_int_equal(CALL2("cpumask_equal", c, a), 1);
	CALL3("cpumask_xor", c, a, a);
	assert_int_equal(CALL1("cpumask_empty", c), 1);
	assert_int_equal(CALL2("cpumask_intersects", a, c), 0);
	CALL3("cpumask_or", c, a, b);
	assert_int_equal(CALL2("cpumask_equal", c, b), 1);
	assert_int_equal(CALL2("cpumask_test_and_clear_cpu", 0, c), 1);
	assert_int_equal(CALL2("cpumask_first_and", a, c), n);
	CALL2("cpumask_copy", c, a);
	assert_int_equal(CALL2("cpumask_equal", c, a), 1);
	uint64_t bits[16] = {UINT64_MAX};
	assert_int_equal(CALL3("cpumask_populate", c, (uintptr_t)bits, sizeof(bits)), 0);
	assert_int_equal(CALL1("cpumask_weight", c), n < 64 ? n : 64);
	assert_int_equal(CALL1("cpumask_acquire", a), a);
	CALL1("cpumask_release", a);
	CALL1("cpumask_release", a);
	CALL1("cpumask_release", b);
	CALL1("cpumask_release", c);
	assert_int_equal(object_count(), 0);
}

static int64_t sum_numbers(int32_t from, int32_t to, int64_t *ret_n)
{
	uint64_t it = 0, at;
	int64_t sum = 0;

	*ret_n = 0;
	int64_t ret = (int64_t)CALL3("iter_num_new", &it, (uint32_t)from, (uint32_t)to);
	while ((at = CALL1("iter_num_next", &it))) {
		sum += *(int32_t *)(uintptr_t)at;
		++*ret_n;
	}
	CALL1("iter_num_destroy", &it);
	return ret ? ret : sum;
}

static void test_numbers(void **state)
{
	int64_t n;

	assert_int_equal(sum_numbers(0, 10, &n), 45);
	assert_int_equal(n, 10);
	assert_int_equal(sum_numbers(-3, 2, &n), -5);
	assert_int_equal(sum_numbers(5, 5, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sum_numbers(6, 5, &n), -EINVAL);
	assert_int_equal(n, 0);
	assert_int_equal(sum_numbers(0, 8388609, &n), -E2BIG);
	sum_numbers(0, 8388608, &n);
	assert_int_equal(n, 8388608);
	sum_numbers(INT32_MIN, INT32_MIN + 3, &n);
	assert_int_equal(n, 3);
	sum_numbers(INT32_MAX - 3, INT32_MAX, &n);
	assert_int_equal(n, 3);
}

static int count_bits(const uint64_t *words, uint32_t n_words, int *last)
{
	uint64_t it[2], at;
	int n = 0;

	int ret = (int)CALL3("iter_bits_new", it, words, n_words);
	while ((at = CALL1("iter_bits_next", it))) {
		*last = *(int *)(uintptr_t)at;
		n++;
	}
	assert_int_equal(CALL1("iter_bits_next", it), 0);
	CALL1("iter_bits_destroy", it);
	return ret ? ret : n;
}

static void test_bits(void **state)
{
	static uint64_t words[600];
	int last = -1;

	words[0] = 1ull << 63 | 1;
	words[510] = 2;
	assert_int_equal(count_bits(words, 1, &last), 2);
	assert_int_equal(last, 63);
	assert_int_equal(count_bits(words, 511, &last), 3);
	assert_int_equal(last, 510 * 64 + 1);
	assert_int_equal(count_bits(words + 1, 3, &last), 0);
	assert_int_equal(count_bits(words, 512, &last), -E2BIG);
	assert_int_equal(count_bits(words, 0, &last), -EINVAL);
	assert_int_equal(count_bits((void *)16, 2, &last), -EFAULT);
	assert_int_equal(count_bits((void *)16, 1, &last), -EFAULT);
}

static void test_texts(void **state)
{
	static char large[70000];

	memset(large, 'a', sizeof(large) - 1);
	assert_int_equal(CALL2("strcmp", "abc", "abc"), 0);
	assert_int_equal((int64_t)CALL2("strcmp", "abc", "abd"), -1);
	assert_int_equal(CALL2("strcmp", "abd", "abc"), 1);
	assert_int_equal(CALL2("strcasecmp", "aBc", "AbC"), 0);
	assert_int_equal(CALL2("strchr", "hello", 'l'), 2);
	assert_int_equal((int64_t)CALL2("strchr", "hello", 'x'), -ENOENT);
	assert_int_equal(CALL2("strchr", "hello", 0), 5);
	assert_int_equal(CALL2("strrchr", "hello", 'l'), 3);
	assert_int_equal(CALL2("strchrnul", "hello", 'x'), 5);
	assert_int_equal(CALL2("strchrnul", "hello", 'e'), 1);
	assert_int_equal(CALL3("strnchr", "hello", 5, 'o'), 4);
	assert_int_equal((int64_t)CALL3("strnchr", "hello", 4, 'o'), -ENOENT);
	assert_int_equal(CALL1("strlen", "hello"), 5);
	assert_int_equal(CALL2("strnlen", "hello", 3), 3);
	assert_int_equal(CALL2("strnlen", "hello", 30), 5);
	assert_int_equal(CALL2("strspn", "aabbc", "ab"), 4);
	assert_int_equal(CALL2("strcspn", "aabbc", "cx"), 4);
	assert_int_equal(CALL2("strstr", "hello world", "o w"), 4);
	assert_int_equal(CALL2("strstr", "hello", ""), 0);
	assert_int_equal((int64_t)CALL2("strstr", "hello", "lx"), -ENOENT);
	assert_int_equal(CALL3("strnstr", "hello", "lo", 5), 3);
	assert_int_equal((int64_t)CALL3("strnstr", "hello", "lo", 4), -ENOENT);
	assert_int_equal((int64_t)CALL1("strlen", large), -E2BIG);
	assert_int_equal((int64_t)CALL1("strlen", 16), -EFAULT);
	assert_int_equal((int64_t)CALL2("strcmp", "a", 16), -EFAULT);
}

static void test_tasks(void **state)
{
	uint64_t task = skep_helper(158)->call(0, 0, 0, 0, 0, &run), it[3], n = 0;

	assert_int_not_equal(task, 0);
	assert_int_equal(CALL1("task_from_pid", getpid()), task);
	assert_int_equal(CALL1("task_acquire", task), task);
	assert_int_equal(CALL1("task_from_pid", 999999999), 0);
	assert_int_equal(CALL3("iter_task_new", it, 0, 0), 0);
	while (CALL1("iter_task_next", it))
		n++;
	assert_int_equal(n, 1);
	assert_int_equal((int64_t)CALL3("iter_task_new", it, 0, 9), -EINVAL);
	assert_ptr_equal(skep_task_current(), (void *)(uintptr_t)task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_btf), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_double_add), cmocka_unit_test(test_masks),
		cmocka_unit_test(test_numbers),    cmocka_unit_test(test_bits),
		cmocka_unit_test(test_texts),      cmocka_unit_test(test_tasks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
