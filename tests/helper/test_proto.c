/*
 * The prototypes of helpers.def: against the functions in the running kernel's BTF
 * (how many arguments), against the signatures in <linux/bpf.h> (which are pointers,
 * what comes back), and against each other (a size follows its memory).
 */
#include "helper_test.h"

#include <ctype.h>

#include <skep/btf.h>
#include <skep/isa.h>

#define HEADER "/usr/include/linux/bpf.h"

static unsigned n_args(const struct skep_proto *proto)
{
	unsigned n = 0;

	while (n < 5 && proto->args[n] != SKEP_ARG_NONE)
		n++;
	return n;
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++) {
		if (!strcmp(name, *list))
			return true;
	}
	return false;
}

/* Functions with an argument more than a program passes: format arguments, what the verifier
 * adds (allocation flags, the program), flags that the prototype forgets. */
static const char *const other_in_btf[] = {
	"trace_printk",     "sk_storage_get",     "inode_storage_get",   "task_storage_get",
	"cgrp_storage_get", "timer_set_callback", "get_branch_snapshot", NULL};

static int kernel_args(struct skep_btf *btf, const char *name)
{
	char full[80];
	int n = 0;
	struct skep_btf_member param;

	snprintf(full, sizeof(full), "bpf_%s", name);
	uint32_t func = skep_btf_find(btf, full, strlen(full), SKEP_BTF_MASK(SKEP_BTF_FUNC));
	if (!func)
		return -1;
	uint32_t proto = skep_btf_target(btf, func);
	uint32_t params = skep_btf_n_members(btf, proto);
	for (uint32_t i = 0; i < params; i++) {
		assert_int_equal(skep_btf_member(btf, proto, i, &param), 0);
		n += strncmp(param.name, "__ur_", 5) != 0;
	}
	return params == 5 ? n : -1;
}

static void test_kernel_btf(void **state)
{
	struct skep_btf *btf = NULL;
	unsigned n_found = 0, n_wrong = 0;

	if (skep_btf_open_kernel(&btf, NULL)) {
		print_message("no BTF here\n");
		skip();
	}
	for (int32_t id = 1; skep_helper(id); id++) {
		const struct skep_callable *row = skep_helper(id);
		int n = kernel_args(btf, row->name);

		if (n < 0 || is_one_of(row->name, other_in_btf))
			continue;
		n_found++;
		if ((unsigned)n != n_args(row->proto)) {
			print_error("%s: %d arguments in BTF, %u here\n", row->name, n,
				    n_args(row->proto));
			n_wrong++;
		}
	}
	skep_btf_free(btf);
	print_message("%u functions\n", n_found);
	assert_true(n_found > 150);
	assert_int_equal(n_wrong, 0);
}

/* " * long bpf_loop(u32 nr_loops, …)" → which arguments are pointers, and is the result one? */
struct signature {
	unsigned n;
	bool ptr[5], variadic, ret_ptr, ret_void;
};

static bool read_signature(const char *text, const char *name, struct signature *ret)
{
	char key[80];
	struct signature sig = {0};

	snprintf(key, sizeof(key), "bpf_%s(", name);
	for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
		const char *line = at;
		while (line > text && line[-1] != '\n')
			line--;
		if (strncmp(line, " * ", 3) || !isalpha((unsigned char)line[3]) || line + 3 == at)
			continue;
		sig.ret_ptr = at[-1] == '*';
		sig.ret_void = !strncmp(line + 3, "void ", 5) && !sig.ret_ptr;
		at += strlen(key);
		const char *end = strchr(at, '\n');
		if (!end || end[-1] != ')')
			continue;
		for (; at < end && strncmp(at, "void)", 5); at++) {
			const char *stop = at + strcspn(at, ",)");
			if (!strncmp(at + strspn(at, " "), "...", 3))
				sig.variadic = true;
			else if (sig.n < 5)
				sig.ptr[sig.n++] = memchr(at, '*', (size_t)(stop - at)) != NULL;
			at = stop;
		}
		*ret = sig;
		return true;
	}
	return false;
}

/* An address that the call itself looks into, with care, is any number to the verifier. */
static bool may_be_pointer(uint32_t arg)
{
	return (arg & SKEP_ARG_KIND_MASK) != SKEP_ARG_SIZE &&
	       (arg & SKEP_ARG_KIND_MASK) != SKEP_ARG_SIZE_OR_ZERO;
}

static bool must_be_pointer(uint32_t arg)
{
	switch (arg & SKEP_ARG_KIND_MASK) {
	case SKEP_ARG_NONE:
	case SKEP_ARG_ANYTHING:
	case SKEP_ARG_SIZE:
	case SKEP_ARG_SIZE_OR_ZERO:
	case SKEP_ARG_CONST_ALLOC_SIZE: return false;
	default: return true;
	}
}

static bool fits(const struct signature *sig, const struct skep_proto *proto)
{
	uint32_t ret = proto->ret & SKEP_RET_KIND_MASK;

	if (sig->n != n_args(proto))
		return false;
	for (unsigned i = 0; i < sig->n; i++) {
		if (sig->ptr[i] ? !may_be_pointer(proto->args[i]) : must_be_pointer(proto->args[i]))
			return false;
	}
	if (sig->ret_void != (ret == SKEP_RET_VOID))
		return false;
	return sig->ret_ptr == (ret != SKEP_RET_VOID && ret != SKEP_RET_INTEGER);
}

/* The header says long, struct sock * or void where the kernel's prototype says otherwise. */
static const char *const other_in_header[] = {
	"tail_call", /* long; never returns a value to the program */
	"spin_lock",
	"spin_unlock",         /* long; return nothing */
	"set_hash_invalid",    /* void; returns a number */
	"get_branch_snapshot", /* flags, which the prototype has not */
	"task_pt_regs",        /* long; it is a pointer */
	NULL};

static void test_header(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	unsigned n_found = 0, n_wrong = 0;

	if (skep_file_read(HEADER, 4u << 20, &text)) {
		print_message("no %s here\n", HEADER);
		skip();
	}
	for (int32_t id = 1; skep_helper(id); id++) {
		const struct skep_callable *row = skep_helper(id);
		struct signature sig;

		if (!read_signature(text.data, row->name, &sig) ||
		    is_one_of(row->name, other_in_header))
			continue;
		n_found++;
		if (!fits(&sig, row->proto)) {
			print_error("%s: another signature\n", row->name);
			n_wrong++;
		}
	}
	print_message("%u signatures\n", n_found);
	assert_true(n_found > 190);
	assert_int_equal(n_wrong, 0);
}

static void check_sizes(const struct skep_callable *row)
{
	const struct skep_proto *proto = row->proto;

	for (unsigned i = 0; i < 5; i++) {
		uint32_t arg = proto->args[i], next = i < 4 ? proto->args[i + 1] : 0;

		if ((arg & SKEP_ARG_KIND_MASK) == SKEP_ARG_MEM) {
			bool sized = (next & SKEP_ARG_KIND_MASK) == SKEP_ARG_SIZE ||
				     (next & SKEP_ARG_KIND_MASK) == SKEP_ARG_SIZE_OR_ZERO;
			if (!!(arg & SKEP_ARG_FIXED_SIZE) != !!proto->sizes[i] ||
			    !(sized || proto->sizes[i]))
				fail_msg("%s: argument %u has no size", row->name, i + 1);
			assert_false(arg & SKEP_ARG_RDONLY && arg & SKEP_ARG_WRITES);
		}
		if ((arg & SKEP_ARG_KIND_MASK) == SKEP_ARG_MAP_KEY ||
		    (arg & SKEP_ARG_KIND_MASK) == SKEP_ARG_MAP_VALUE)
			assert_true(i > 0 && (proto->args[0] == SKEP_ARG_CONST_MAP_PTR ||
					      proto->args[1] == SKEP_ARG_CONST_MAP_PTR));
		if (arg == SKEP_ARG_NONE)
			assert_int_equal(next, SKEP_ARG_NONE);
	}
}

static void test_rows(void **state)
{
	int32_t id = 1;

	for (; skep_helper(id); id++) {
		assert_string_equal(skep_helper(id)->name, skep_helper_name(id));
		assert_non_null(skep_helper(id)->proto);
		check_sizes(skep_helper(id));
	}
	assert_int_equal(id, 212);
	assert_null(skep_helper(0));
	assert_null(skep_helper(-1));
	assert_null(skep_helper(INT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_kernel_btf),
		cmocka_unit_test(test_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
