/*
 * Kernel functions: the rules of kfunc_rules.def beside the running kernel's BTF, and programs that
 * call kernel functions, as the kernel's verifier and as ours see them: the same verdict and errno,
 * and the same words.
 *
 * In a program's text "kfunc NAME" is a call of that function.
 * Needs CAP_BPF and the kernel's BTF; skips with a message where there are none.
 */
#include "sides.h"

#include <skep/btf.h>
#include <skep/buf.h>

static struct skep_btf *kernel_btf;

/* --- Rules ----------------------------------------------------------------------------------- */

static const char *const rules[] = {
#define KFUNC_RULE(name, ...) #name,
#include "verify/kfunc_rules.def"
#undef KFUNC_RULE
};
#define N_RULES (sizeof(rules) / sizeof(*rules))

static bool has_rule(const char *name)
{
	for (size_t i = 0; i < N_RULES; i++)
		if (!strcmp(rules[i], name))
			return true;
	return false;
}

/* Marked as kernel functions, but only to be attached to. */
static bool is_for_attaching(const char *name)
{
	static const char *const names[] = {"bpf_fentry_test1", "bpf_modify_return_test",
					    "bpf_modify_return_test2"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* Every function that the kernel marks as one for programs has its row. */
static void test_rules(void **state)
{
	uint32_t n = kernel_btf ? skep_btf_n_types(kernel_btf) : 0, found = 0;

	if (!kernel_btf)
		skip();
	for (uint32_t id = 1; id <= n; id++) {
		const char *name;

		if (skep_btf_kind(kernel_btf, id) != SKEP_BTF_DECL_TAG ||
		    strcmp(skep_btf_name(kernel_btf, id), "bpf_kfunc"))
			continue;
		name = skep_btf_name(kernel_btf, skep_btf_target(kernel_btf, id));
		found++;
		if (!has_rule(name) && !is_for_attaching(name))
			print_message("no row for %s\n", name);
	}
	/* older kernels have fewer, newer ones more: those of 6.18 must be there */
	assert_true(found > 100);
	assert_true(has_rule("bpf_obj_new_impl") && has_rule("bpf_iter_num_next"));
}

/* --- Programs -------------------------------------------------------------------------------- */

#define TC     BPF_PROG_TYPE_SCHED_CLS
#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define CALL   BPF_PROG_TYPE_SYSCALL
#define END    "r0 = 0\nexit\n"
#define FP(n)                                                                                      \
	"r1 = r10\n"                                                                               \
	"r1 += " #n "\n"
#define ITER_NEW FP(-8) "r2 = 0\nr3 = 10\nkfunc bpf_iter_num_new\n"
#define SKB_DYNPTR                                                                                 \
	"r6 = r1\n"                                                                                \
	"r2 = 0\n"                                                                                 \
	"r3 = r10\n"                                                                               \
	"r3 += -24\n"                                                                              \
	"kfunc bpf_dynptr_from_skb\n"

static const struct program programs[] = {
	{"not for filters", FILTER, "r1 = 1\nkfunc bpf_task_from_pid\n" END},
	{"rcu", TC, "kfunc bpf_rcu_read_lock\nkfunc bpf_rcu_read_unlock\n" END},
	{"rcu held", TC, "kfunc bpf_rcu_read_lock\n" END},
	{"rcu twice", TC, "kfunc bpf_rcu_read_lock\nkfunc bpf_rcu_read_lock\n" END},
	{"rcu unmatched", TC, "kfunc bpf_rcu_read_unlock\n" END},
	{"preemption", TC, "kfunc bpf_preempt_disable\nkfunc bpf_preempt_enable\n" END},
	{"preemption off", TC, "kfunc bpf_preempt_disable\n" END},
	{"preemption unmatched", TC, "kfunc bpf_preempt_enable\n" END},
	{"irqs", TC,
	 FP(-8) "kfunc bpf_local_irq_save\n" FP(-8) "kfunc bpf_local_irq_restore\n" END},
	{"irqs off", TC, FP(-8) "kfunc bpf_local_irq_save\n" END},
	{"irqs not saved", TC, FP(-8) "kfunc bpf_local_irq_restore\n" END},
	{"irqs out of order", TC,
	 FP(-8) "kfunc bpf_local_irq_save\n" FP(-16) "kfunc bpf_local_irq_save\n" FP(
		 -8) "kfunc bpf_local_irq_restore\n" END},
	{"sleeps", TC, "r1 = 0\nr2 = 0\nkfunc bpf_lookup_user_key\n" END},
	{"sleeps with irqs off", CALL,
	 FP(-8) "kfunc bpf_local_irq_save\nr1 = 0\nr2 = 0\nkfunc bpf_lookup_user_key\n" END},
	{"trap", TC, "kfunc __bpf_trap\n" END},
	{"leak", TC, "r1 = 1\nkfunc bpf_task_from_pid\n" END},
	{"may be null", TC,
	 "r1 = 1\nkfunc bpf_task_from_pid\nr1 = r0\nkfunc bpf_task_release\n" END},
	{"released", TC,
	 "r1 = 1\nkfunc bpf_task_from_pid\nif r0 == 0 goto +2\nr1 = r0\nkfunc "
	 "bpf_task_release\n" END},
	{"released twice", TC,
	 "r1 = 1\nkfunc bpf_task_from_pid\nif r0 == 0 goto +5\nr6 = r0\nr1 = r0\n"
	 "kfunc bpf_task_release\nr1 = r6\nkfunc bpf_task_release\n" END},
	{"number for pointer", TC, "r1 = 5\nkfunc bpf_task_release\n" END},
	{"null", TC, "r1 = 0\nkfunc bpf_task_release\n" END},
	{"null dynptr", TC, "r1 = 0\nkfunc bpf_dynptr_size\n" END},
	{"no number", TC, FP(-8) "kfunc bpf_task_from_pid\n" END},
	{"loop", TC,
	 ITER_NEW FP(-8) "kfunc bpf_iter_num_next\nif r0 == 0 goto +1\ngoto -5\n" FP(
		 -8) "kfunc bpf_iter_num_destroy\n" END},
	{"iterator leaked", TC, ITER_NEW END},
	{"iterator not there", TC, FP(-8) "kfunc bpf_iter_num_next\n" END},
	{"iterator twice", TC, ITER_NEW ITER_NEW END},
	{"iterator off", TC, FP(-12) "r2 = 0\nr3 = 10\nkfunc bpf_iter_num_new\n" END},
	{"iterator not on stack", TC, "r2 = 0\nr3 = 10\nkfunc bpf_iter_num_new\n" END},
	{"iterator read", TC, ITER_NEW "r0 = *(u64 *)(r10 -8)\n" END},
	{"task iterator without rcu", CALL,
	 FP(-24) "r2 = 0\nr3 = 1\nkfunc bpf_iter_task_new\n" FP(
		 -24) "kfunc bpf_iter_task_destroy\n" END},
	{"dynptr", TC, SKB_DYNPTR FP(-24) "kfunc bpf_dynptr_size\n" END},
	{"dynptr slice", TC,
	 SKB_DYNPTR FP(-24) "r2 = 0\nr3 = 0\nr4 = 8\nkfunc bpf_dynptr_slice\n"
			    "if r0 == 0 goto +1\nr1 = *(u64 *)(r0 +0)\n" END},
	{"dynptr slice beyond", TC,
	 SKB_DYNPTR FP(-24) "r2 = 0\nr3 = 0\nr4 = 8\nkfunc bpf_dynptr_slice\n"
			    "if r0 == 0 goto +1\nr1 = *(u64 *)(r0 +1)\n" END},
	{"dynptr slice unknown", TC,
	 SKB_DYNPTR
	 "r1 = 1\nr4 = *(u32 *)(r6 +0)\n" FP(-24) "r2 = 0\nr3 = 0\nkfunc bpf_dynptr_slice\n" END},
	{"dynptr not there", TC, FP(-24) "kfunc bpf_dynptr_size\n" END},
	{"dynptr overwritten", TC,
	 SKB_DYNPTR "r1 = 0\n*(u64 *)(r10 -24) = r1\n" FP(-24) "kfunc bpf_dynptr_size\n" END},
	{"cast", TC, "r1 = 0\nr2 = 0\nkfunc bpf_rdonly_cast\nr1 = *(u64 *)(r0 +0)\n" END},
	{"cast to what is not", TC, "r1 = 0\nr2 = 99999999\nkfunc bpf_rdonly_cast\n" END},
	{"kernel's context", TC, "kfunc bpf_cast_to_kern_ctx\nr1 = *(u32 *)(r0 +112)\n" END},
	{"object without types", TC, "r1 = 1\nr2 = 0\nkfunc bpf_obj_new_impl\n" END},
	{"object's id unknown", TC, "r1 = *(u32 *)(r1 +0)\nr2 = 0\nkfunc bpf_obj_new_impl\n" END},
	{"no list", TC, FP(-16) "kfunc bpf_list_pop_front\n" END},
	{"no lock", TC, FP(-8) "kfunc bpf_res_spin_lock\n" END},
	{"no work queue", TC, FP(-16) "r2 = 0\nr3 = 0\nkfunc bpf_wq_init\n" END},
	{"metadata", BPF_PROG_TYPE_XDP,
	 "r2 = r10\nr2 += -8\nkfunc bpf_xdp_metadata_rx_timestamp\n" END},
	{"memory not set", TC, FP(-8) "r2 = 8\nr3 = 0\nr4 = 0\nkfunc bpf_copy_from_user_str\n" END},
};

/* The text with the calls' numbers; NULL: the kernel lacks one of the functions. */
static char *with_numbers(const struct program *program)
{
	const char *text = program->text;
	struct skep_buf out = {0};

	while (*text) {
		size_t len = strcspn(text, "\n");

		if (!strncmp(text, "kfunc ", 6)) {
			uint32_t id = skep_btf_find(kernel_btf, text + 6, len - 6,
						    SKEP_BTF_MASK(SKEP_BTF_FUNC));

			if (!id) {
				skep_buf_done(&out);
				return NULL;
			}
			skep_buf_printf(&out, "call kernel-function#%u\n", id);
		} else {
			skep_buf_printf(&out, "%.*s\n", (int)len, text);
		}
		text += len + (text[len] == '\n');
	}
	return out.data;
}

/* Such programs sleep, all of them. */
static void add(int side, const struct program *program, const struct skep_insn *insns, size_t n,
		union bpf_attr *attr)
{
	if (program->type == CALL)
		attr->prog_flags = BPF_F_SLEEPABLE;
}

static const struct sides sides = {
	.programs = programs,
	.n_programs = sizeof(programs) / sizeof(*programs),
	.text = with_numbers,
	.add = add,
};

static void test_programs(void **state)
{
	if (kernel_btf)
		sides_compare(&sides);
	else
		skip();
}

static int begin(void **state)
{
	skep_btf_open_kernel(&kernel_btf, NULL);
	return sides_begin(&sides);
}

static int end(void **state)
{
	skep_btf_free(kernel_btf);
	sides_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules),
					   cmocka_unit_test(test_programs)};

	return cmocka_run_group_tests(tests, begin, end);
}
