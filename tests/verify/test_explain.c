/*
 * Explanations of refusals: every rule has plain words, and small programs are told of as a reader
 * would want: where, what, the way of the value, a number that breaks it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>

#include <skep/arena.h>
#include <skep/btf.h>
#include <skep/explain.h>

#include "verify/explain_source.h"
#include "verify/explain_tell.h"

enum { SOCKET_FILTER = 1, XDP = 6, CGROUP_SOCK = 9 };

/* --- Words ------------------------------------------------------------------------------------ */

/* What stands in braces is something that is filled in, or C. */
static bool braces_are_known(const char *text)
{
	static const char *const words[] = {"reg}", "it}", "to}", "call}", "does}", "verb}"};

	for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
		bool known = !isalnum((unsigned char)at[1]) ||
			     (isdigit((unsigned char)at[1]) && at[1] <= '8' && at[2] == '}');

		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			known |= !strncmp(at + 1, words[i], strlen(words[i]));
		if (!known)
			return false;
	}
	return true;
}

static void is_sentence(const char *name, const char *text)
{
	if (strlen(text) < 10 || text[strlen(text) - 1] == '.' || isupper((unsigned char)*text) ||
	    strstr(text, "  ") || strchr(text, '!') || !braces_are_known(text))
		fail_msg("the words of %s are no sentence: %s", name, text);
}

static void test_words(void **state)
{
	static const char *const names[] = {
#define REFUSAL(NAME, name, err, fmt) [REFUSE_##NAME] = name,
#include "verify/refusals.def"
#undef REFUSAL
	};

	for (enum refusal r = REFUSE_NONE + 1; r < REFUSAL_CNT; r++) {
		const struct explain_row *row = explain_row_of(r);

		if (!row)
			fail_msg("the refusal %s has no row in explain.def", names[r]);
		/* constants, sections and the context may begin with a capital */
		is_sentence(names[r], row->what);
		if (row->hint)
			assert_true(braces_are_known(row->hint));
		if (row->code)
			assert_true(braces_are_known(row->code));
	}
}

/* A variable of a section, whichever place the section has among the types. */
static void test_variable(void **state)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	uint32_t number = skep_btf_add_int(writer, "int", 4, true);
	uint32_t array = skep_btf_add_array(writer, number, 4);
	uint32_t table = skep_btf_add_var(writer, "table", array, 1);
	struct skep_verify_program program = {0};
	struct verifier v = {.program = &program};
	struct skep_map map = {.name = "object.bss"};
	struct reg reg = {.kind = REG_MAP_VALUE, .map = &map};
	struct skep_arena a;
	struct telling t = {.v = &v, .arena = &a};
	struct skep_btf *btf;
	void *data;
	size_t size;

	skep_btf_add_datasec(writer, ".bss", 16);
	skep_btf_add_secinfo(writer, table, 0, 16);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	assert_int_equal(skep_btf_parse(data, size, NULL, &btf, NULL), 0);
	free(data);
	program.btf = btf;
	skep_arena_init(&a);
	assert_string_equal(explain_pointee(&t, &reg), "the variable table");
	skep_arena_done(&a);
	skep_btf_free(btf);
}

static void test_names(void **state)
{
	struct skep_arena a;

	skep_arena_init(&a);
	assert_string_equal(explain_name_assigned(&a, "\tint *value = f(&map, &key);"), "value");
	assert_string_equal(explain_name_assigned(&a, "sk = g();"), "sk");
	assert_null(explain_name_assigned(&a, "if (a == b)"));
	assert_null(explain_name_assigned(&a, "n += f();"));
	assert_null(explain_name_assigned(&a, "return f();"));
	assert_string_equal(explain_name_followed(&a, "if (eth->proto == 8)"), "eth");
	assert_string_equal(explain_name_followed(&a, "ip->a + ip->b"), "ip");
	assert_null(explain_name_followed(&a, "ip->a + udp->b"));
	assert_string_equal(explain_name_of_index(&a, "x = t[i];"), "i");
	assert_null(explain_name_of_index(&a, "x = t[i & 3];"));
	assert_null(explain_name_of_index(&a, "x = t[i] + u[j];"));
	assert_string_equal(explain_name_of_array(&a, "x += p->t[i];"), "p->t");
	assert_string_equal(explain_argument_of(&a, "lock(&v->l);", "lock"), "&v->l");
	assert_null(explain_argument_of(&a, "lock(f(x));", "lock"));
	assert_null(explain_name_of_index(&a, NULL));
	skep_arena_done(&a);
}

/* --- Programs --------------------------------------------------------------------------------- */

struct told {
	struct skep_arena arena;
	struct skep_explanation e;
	int err, refused; /* of the explanation, of the verification */
};

static void tell(const char *text, uint32_t type, const struct skep_verify_opts *opts,
		 struct told *ret)
{
	static const struct skep_link_env env;
	struct skep_verify_program program = {.gpl = true};
	struct skep_verify_report report;
	struct skep_image *image = NULL;
	struct skep_insn *insns = NULL;
	size_t n = 0;

	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	assert_int_equal(skep_image_link(insns, (uint32_t)n, type, &env, NULL, &image), 0);
	program.image = image;
	program.insns = insns;
	ret->refused = skep_verify(&program, opts, NULL, &report);
	memset(&ret->e, 0, sizeof(ret->e));
	skep_arena_init(&ret->arena);
	ret->err = skep_verify_explain(&program, opts, &report, &ret->arena, &ret->e);
	skep_image_free(image);
	free(insns);
}

/* Links as "slot says", of which the beginning is compared. */
static void expect_chain(const struct skep_explanation *e, const char *const *chain)
{
	uint32_t n = 0;

	while (chain[n])
		n++;
	for (uint32_t i = 0; i < e->n_links && i < n; i++) {
		char link[256];

		snprintf(link, sizeof(link), "%u %s", (unsigned)e->chain[i].place.slot,
			 e->chain[i].says);
		if (strncmp(link, chain[i], strlen(chain[i])))
			fail_msg("link %u is \"%s\", not \"%s\"", (unsigned)i, link, chain[i]);
	}
	assert_int_equal(e->n_links, n);
}

static const struct {
	const char *name, *text;
	uint32_t type, slot;
	const char *rule, *what, *counterexample;
	const char *chain[8];
} programs[] = {
	{"a register that was not set",
	 "r0 = r3\nexit\n",
	 SOCKET_FILTER,
	 0,
	 "uninit_register",
	 "r3 is read here, and nothing was put there on this path",
	 NULL,
	 {NULL}},
	{"no result",
	 "exit\n",
	 SOCKET_FILTER,
	 0,
	 "uninit_register",
	 "this returns without a result: r0 was not set on this path",
	 NULL,
	 {NULL}},
	{"a packet that is too short",
	 "r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 14\nr0 = 0\n"
	 "if r4 > r3 goto out\nr0 = *(u8 *)(r2 +20)\nout:\nexit\n",
	 XDP,
	 6,
	 "packet_offset",
	 "the packet may end before what this reads",
	 "a packet of 14 bytes, which the verifier cannot rule out, has no byte 20",
	 {"0 r2 comes from the context: the packet", "5 it is not so: here r4 is the packet"}},
	{"through the stack",
	 "r2 = *(u32 *)(r1 +8)\n*(u64 *)(r10 -8) = r2\nr2 = 0\nr3 = *(u64 *)(r10 -8)\n"
	 "r0 = *(u64 *)(r3 +0)\nexit\n",
	 SOCKET_FILTER,
	 4,
	 "invalid_mem_access",
	 "this uses a number as if it were an address",
	 NULL,
	 {"0 r2 comes from the context: 0..4294967295", "1 r2 is stored on the stack at fp-8",
	  "3 r3 comes from the stack at fp-8"}},
	{"into a function",
	 "r1 = 7\nr6 = r1\ncall f\nexit\nf:\nr0 = *(u8 *)(r1 +0)\nexit\n",
	 SOCKET_FILTER,
	 4,
	 "invalid_mem_access",
	 "this uses a number as if it were an address",
	 NULL,
	 {"0 r1 is 7", "2 a function of the program is called with it"}},
	{"out of a function",
	 "call f\nr0 = *(u8 *)(r0 +0)\nexit\nf:\nr0 = 7\nexit\n",
	 SOCKET_FILTER,
	 1,
	 "invalid_mem_access",
	 "this uses a number as if it were an address",
	 NULL,
	 {"3 r0 is 7"}},
	{"what a call leaves",
	 "r2 = 1\ncall f\nr0 = r2\nexit\nf:\nr0 = 0\nexit\n",
	 SOCKET_FILTER,
	 2,
	 "uninit_register",
	 "r2 is read after a function of the program, and a call leaves nothing in r1 to r5",
	 NULL,
	 {"5 the function returns, and leaves nothing in r1 to r5"}},
	{"an index without bounds",
	 "r2 = *(u32 *)(r1 +8)\nr2 &= 1023\nr3 = r10\nr3 += -64\nr3 += r2\n*(u8 *)(r3 +0) = 1\n"
	 "r0 = 0\nexit\n",
	 SOCKET_FILTER,
	 5,
	 "outside_stack_variable",
	 "this may be outside of the stack",
	 NULL,
	 {"0 r2 comes from the context", "1 r2 is now 0..1023", "2 r3 is what r10 is",
	  "3 r3 is now the stack at fp-64", "4 r3 is now the stack at fp-64 and 0..1023 bytes on"}},
	{"a loop without an end",
	 "r0 = 0\nagain:\nif r0 == 0 goto again\nexit\n",
	 SOCKET_FILTER,
	 1,
	 "infinite_loop",
	 "this loop may never end",
	 NULL,
	 {"1 it is so, in each round: r0 is 0"}},
	{"a result out of range",
	 "r0 = 5\nexit\n",
	 CGROUP_SOCK,
	 1,
	 "return_range",
	 "the program may return only 0 to 1 here",
	 NULL,
	 {"0 r0 is 5"}},
	{"division by zero",
	 "r0 = 1\nr0 /= 0\nexit\n",
	 SOCKET_FILTER,
	 1,
	 "division_by_zero",
	 "this divides by the constant 0",
	 NULL,
	 {NULL}},
};

static void test_programs(void **state)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		struct told told;

		print_message("%s\n", programs[i].name);
		tell(programs[i].text, programs[i].type, &(struct skep_verify_opts){0}, &told);
		assert_int_equal(told.err, 0);
		assert_string_equal(told.e.rule, programs[i].rule);
		assert_memory_equal(told.e.what, programs[i].what, strlen(programs[i].what));
		assert_int_equal(told.e.place.slot, programs[i].slot);
		expect_chain(&told.e, programs[i].chain);
		if (programs[i].counterexample)
			assert_string_equal(told.e.counterexample, programs[i].counterexample);
		else
			assert_null(told.e.counterexample);
		skep_arena_done(&told.arena);
	}
}

static void test_accepted(void **state)
{
	struct told told;

	tell("r0 = 0\nexit\n", SOCKET_FILTER, &(struct skep_verify_opts){0}, &told);
	assert_int_equal(told.refused, 0);
	assert_int_equal(told.err, -EINVAL);
	skep_arena_done(&told.arena);
}

/* Of a path that is longer than what is kept of it the end is known. */
static void test_long_path(void **state)
{
	struct told told;

	tell("r6 = 1\nr0 = 0\nagain:\nr0 += 1\nif r0 < 100000 goto again\nr2 = r0\n"
	     "r0 = *(u8 *)(r2 +0)\nexit\n",
	     SOCKET_FILTER, &(struct skep_verify_opts){0}, &told);
	assert_int_equal(told.err, 0);
	assert_int_equal(told.e.place.slot, 5);
	expect_chain(&told.e, (const char *const[]){"2 r0 is now 100000", "3 it is not so, which",
						    "4 r2 is what r0 is: 100000", NULL});
	skep_arena_done(&told.arena);
	tell("r6 = 1\nr0 = 0\nagain:\nr0 += 1\nif r0 < 100000 goto again\nr0 = 0\nr0 = *(u8 *)(r6 "
	     "+0)\n"
	     "exit\n",
	     SOCKET_FILTER, &(struct skep_verify_opts){0}, &told);
	assert_int_equal(told.err, 0);
	assert_int_equal(told.e.n_links, 0); /* r6 was set too long ago */
	skep_arena_done(&told.arena);
}

/* Where the time goes is told, at the line that takes most of it. */
static void test_limit(void **state)
{
	struct told told;

	tell("r6 = 1\nr0 = 0\nagain:\nr0 += 1\nif r0 < 100000 goto again\nexit\n", SOCKET_FILTER,
	     &(struct skep_verify_opts){.most_insns = 1000}, &told);
	assert_int_equal(told.refused, -E2BIG);
	assert_string_equal(told.e.rule, "too_many_insns");
	assert_int_equal(told.e.place.slot, 2);
	assert_string_equal(told.e.chain[0].says, "looked at 499 times");
	skep_arena_done(&told.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),    cmocka_unit_test(test_variable),
		cmocka_unit_test(test_names),    cmocka_unit_test(test_programs),
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
