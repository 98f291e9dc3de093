/*
 * The walk in the running kernel: what it answers where there is little to walk by, and that
 * garbage in its maps makes it neither crash nor go on. That it finds the right frames is
 * kernel.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/machine.h>

#include "kernelside.h"
#include "linux/bpf.h"
#include "linux/ringbuf.h"
#include "unwind/processes.h"

#define STACKS_CNT     4096
#define HOSTILE_ROUNDS 3000
#define ROOM_WORDS     (128 * 1024)

static const struct skep_unwind_sizes small = {
	.processes = 16, .mappings = 16, .files = 8, .pages = 16, .rows = 1024, .rules = 64};

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

static void open_or_skip(struct kernelside *k, uint32_t stacks_cnt)
{
	if (!skep_unwind_is_possible()) {
		print_message("not here: unwinding: no bpf_loop() and registers, or no rights\n");
		skip();
	}
	kernelside_open(k, &kernelside_at_switch, &small, stacks_cnt);
	kernelside_watch(k, getpid());
}

static struct skep_unwind_stack own_stack(struct kernelside *k)
{
	struct skep_unwind_stack stack;

	kernelside_run(k);
	assert_true(kernelside_stack(k, kernelside_number(k, getpid()), &stack));
	return stack;
}

/* All of our addresses are one mapping of this file. */
static void map_everything(struct kernelside *k, uint32_t file, uint32_t number)
{
	struct skep_unwind_process_entry entry = {.first = 0, .n = 2};

	k->arrays->mappings[0] = (struct skep_unwind_mapping){.file = file, .number = number};
	k->arrays->mappings[1] = (struct skep_unwind_mapping){.start = INT64_MAX};
	assert_int_equal(k->arrays->set_process(k->arrays->ctx, (uint32_t)getpid(), &entry), 0);
}

static uint64_t times_asked(const struct kernelside *k, uint32_t number)
{
	struct skep_unwind_asked key = {.tgid = (uint32_t)getpid(), .number = number};
	uint64_t n = 0;

	skep_bpf_map_lookup(skep_session_map_fd(k->session, k->maps.asked), &key, &n, 0);
	return n;
}

static int take_ask(void *ctx, const void *data, size_t size)
{
	assert_int_equal(size, sizeof(struct skep_unwind_asked));
	memcpy(ctx, data, size);
	return 0;
}

/* One ask is in the ring: of which mapping? */
static uint32_t told_of(const struct kernelside *k)
{
	uint32_t bytes = k->object.maps[k->maps.asks].max_entries;
	struct skep_unwind_asked asked = {0};
	struct skep_ringbuf *ring;

	assert_int_equal(
		skep_ringbuf_open(skep_session_map_fd(k->session, k->maps.asks), bytes, &ring), 0);
	assert_int_equal(skep_ringbuf_consume(ring, 0, take_ask, &asked), 1);
	skep_ringbuf_free(ring);
	assert_int_equal(asked.tgid, getpid());
	return asked.number;
}

static void unknown_process(void **state)
{
	struct kernelside k;
	struct skep_unwind_stack stack;

	open_or_skip(&k, STACKS_CNT);
	stack = own_stack(&k);
	assert_int_equal(stack.n, 1);
	assert_int_equal(stack.end, SKEP_UNWIND_ASKED);
	assert_int_equal(times_asked(&k, SKEP_UNWIND_ASK_PROCESS), 1);
	own_stack(&k);
	assert_int_equal(times_asked(&k, SKEP_UNWIND_ASK_PROCESS), 2);
	assert_int_equal(told_of(&k), SKEP_UNWIND_ASK_PROCESS);
	kernelside_close(&k);
}

static void table_not_loaded(void **state)
{
	struct kernelside k;

	open_or_skip(&k, STACKS_CNT);
	map_everything(&k, SKEP_UNWIND_FILE_ASK, 77);
	assert_int_equal(own_stack(&k).end, SKEP_UNWIND_ASKED);
	assert_int_equal(times_asked(&k, 77), 1);
	assert_int_equal(told_of(&k), 77);
	assert_int_equal(times_asked(&k, SKEP_UNWIND_ASK_PROCESS), 0);
	kernelside_close(&k);
}

static void nothing_mapped(void **state)
{
	struct kernelside k;
	struct skep_unwind_stack stack;

	open_or_skip(&k, STACKS_CNT);
	map_everything(&k, SKEP_UNWIND_FILE_NONE, 0);
	stack = own_stack(&k);
	assert_int_equal(stack.n, 1);
	assert_int_equal(stack.end, SKEP_UNWIND_UNMAPPED);
	kernelside_close(&k);
}

/* A table whose only rule is @rule. */
static void rule_everywhere(struct kernelside *k, struct skep_unwind_rule rule)
{
	map_everything(k, SKEP_UNWIND_FILE_FIRST, 0);
	k->arrays->files[SKEP_UNWIND_FILE_FIRST] = (struct skep_unwind_file){.rules = 5};
	k->arrays->rules[5] = rule;
}

static void check_rule(struct kernelside *k, struct skep_unwind_rule rule, uint32_t n,
		       enum skep_unwind_end end)
{
	rule_everywhere(k, rule);
	struct skep_unwind_stack stack = own_stack(k);
	assert_int_equal(stack.end, end);
	assert_int_equal(stack.n, n);
}

static void ends(void **state)
{
	struct kernelside k;

	open_or_skip(&k, STACKS_CNT);
	check_rule(&k, (struct skep_unwind_rule){0}, 1, SKEP_UNWIND_NO_RULE);
	check_rule(&k, (struct skep_unwind_rule){.cfa = SKEP_CFA_SP, .ra = SKEP_CFI_UNDEFINED}, 1,
		   SKEP_UNWIND_ROOT);
	check_rule(&k, (struct skep_unwind_rule){.cfa = SKEP_CFA_SP, .ra = SKEP_CFI_OTHER}, 1,
		   SKEP_UNWIND_EXPRESSION);
	check_rule(&k, (struct skep_unwind_rule){.cfa = SKEP_CFA_OTHER, .ra = SKEP_CFI_AT_CFA}, 1,
		   SKEP_UNWIND_EXPRESSION);
	check_rule(&k, (struct skep_unwind_rule){.cfa = SKEP_CFA_SP, .ra = SKEP_CFI_AT_CFA}, 1,
		   SKEP_UNWIND_STUCK);
	check_rule(&k,
		   (struct skep_unwind_rule){
			   .cfa = SKEP_CFA_SP, .ra = SKEP_CFI_AT_CFA, .cfa_off = INT32_MAX},
		   1, SKEP_UNWIND_UNREADABLE);
	check_rule(&k,
		   (struct skep_unwind_rule){
			   .cfa = SKEP_CFA_REG, .cfa_reg = 16, .ra = SKEP_CFI_AT_CFA},
		   1, SKEP_UNWIND_REGISTER);
	kernelside_close(&k);
}

/* Words above us on the stack that all could be addresses of code. */
static void fill(volatile uint64_t *room, size_t n)
{
	for (size_t i = 0; i < n; i++)
		room[i] = 0x10000 + any(1 << 30);
}

/* More frames than there is room for: one a page of what is above us. */
static void too_deep(void **state)
{
	struct kernelside k;
	volatile uint64_t room[(SKEP_UNWIND_FRAMES_MOST + 2) * 512];

	fill(room, sizeof(room) / sizeof(room[0]));
	open_or_skip(&k, STACKS_CNT);
	check_rule(&k,
		   (struct skep_unwind_rule){
			   .cfa = SKEP_CFA_SP, .ra = SKEP_CFI_AT_CFA, .cfa_off = 4096},
		   SKEP_UNWIND_FRAMES_MOST, SKEP_UNWIND_FULL);
	kernelside_close(&k);
}

static void no_room_for_stacks(void **state)
{
	struct kernelside k;

	open_or_skip(&k, 1);
	own_stack(&k);
	assert_int_equal(kernelside_loss(&k, KERNELSIDE_LOST), 0);
	map_everything(&k, SKEP_UNWIND_FILE_NONE, 0); /* the same frame, another end */
	kernelside_run(&k);
	assert_int_equal(kernelside_number(&k, getpid()), 0);
	assert_int_equal(kernelside_loss(&k, KERNELSIDE_LOST), 1);
	kernelside_close(&k);
}

/* Another stack has the number: the next one is taken, and then there is none. */
static void numbers_of_others(void **state)
{
	struct kernelside k;
	struct skep_unwind_stack stack;

	open_or_skip(&k, STACKS_CNT);
	stack = own_stack(&k);
	int fd = skep_session_map_fd(k.session, k.maps.stacks);
	uint32_t first = kernelside_number(&k, getpid()), second, check = stack.check;
	stack.check = ~check;
	assert_int_equal(skep_bpf_map_update(fd, &first, &stack, BPF_ANY), 0);
	assert_int_equal(own_stack(&k).check, check);
	second = kernelside_number(&k, getpid());
	assert_int_not_equal(second, first);
	assert_int_equal(skep_bpf_map_update(fd, &second, &stack, BPF_ANY), 0);
	kernelside_run(&k);
	assert_int_equal(kernelside_number(&k, getpid()), 0);
	assert_int_equal(kernelside_loss(&k, KERNELSIDE_LOST), 1);
	kernelside_close(&k);
}

/* --- Processes that user space has not heard of ----------------------------------------------- */

/* All that we have mapped, with its tables. */
static void load_own(struct skep_unwind_processes *p)
{
	uint32_t tgid = (uint32_t)getpid();

	assert_int_equal(skep_unwind_processes_answer(p, tgid, UINT32_MAX), 0);
	for (uint32_t number = 0; number < p->objects.numbers.len; number++)
		assert_int_equal(skep_unwind_processes_answer(p, tgid, number), 0);
}

/* Forget it; or know it, but nothing of what it has mapped. */
static void forget_own(struct kernelside *k, bool is_whole)
{
	if (is_whole)
		k->arrays->set_process(k->arrays->ctx, (uint32_t)getpid(), NULL);
	else
		map_everything(k, SKEP_UNWIND_FILE_NONE, 0);
}

/* But for where we called from. */
static bool is_alike(const struct skep_unwind_stack *a, const struct skep_unwind_stack *b)
{
	uint32_t n_others = 0;

	for (uint32_t i = 0; i < a->n && i < b->n; i++)
		n_others += a->pcs[i] != b->pcs[i];
	return a->n == b->n && a->end == b->end && n_others <= 1;
}

/* What is mapped is read in the kernel's own tree then: the stack is the same. Without tables it is
 * asked for, as ever. */
static void not_heard_of(void **state)
{
	struct skep_unwind_losses losses = {0};
	struct skep_unwind_stack stacks[3];
	struct skep_unwind_processes *p = skep_xcalloc(1, sizeof(*p));
	struct kernelside k;

	if (!skep_unwind_is_possible())
		skip();
	kernelside_open(&k, &kernelside_at_switch, &kernelside_sizes, STACKS_CNT);
	if (!k.maps.mm.is_known)
		skip();
	kernelside_watch(&k, getpid());
	skep_unwind_processes_init(p, k.arrays, &losses);
	load_own(p);
	for (int i = 0; i < 3; i++) {
		if (i)
			forget_own(&k, i == 1);
		stacks[i] = own_stack(&k);
	}
	assert_int_equal(stacks[0].end, SKEP_UNWIND_ROOT);
	assert_true(stacks[0].n > 3);
	assert_true(is_alike(&stacks[1], &stacks[0]));
	assert_true(is_alike(&stacks[2], &stacks[0]));
	const struct skep_unwind_code_key *none = NULL;
	struct skep_unwind_code_key key;
	int code_fd = k.mapped.fds[SKEP_UNWIND_MAP_CODE];
	while (!skep_bpf_map_next_key(code_fd, none, &key))
		assert_int_equal(skep_bpf_map_delete(code_fd, &key), 0);
	forget_own(&k, true);
	assert_int_equal(own_stack(&k).end, SKEP_UNWIND_ASKED);
	skep_unwind_processes_done(p);
	free(p);
	kernelside_close(&k);
}

/* --- Threads whose code is not there ---------------------------------------------------------- */

/* (number, a, b): a call to the kernel. */
static const unsigned char stub[] = {
	0x48, 0x89, 0xf8, /* mov %rdi,%rax */
	0x48, 0x89, 0xf7, /* mov %rsi,%rdi */
	0x48, 0x89, 0xd6, /* mov %rdx,%rsi */
	0x0f, 0x05,       /* syscall */
	0xc3,             /* ret */
};

static _Atomic pid_t in_stub;

static void *pause_in_stub(void *page)
{
	in_stub = (pid_t)syscall(SYS_gettid);
	((long (*)(long, long, long))page)(SYS_pause, 0, 0);
	return NULL;
}

/* Its second thread waits in code that the first one then unmaps. */
static void unmap_under_thread(int ready)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	memcpy(page, stub, sizeof(stub));
	pthread_create(&thread, NULL, pause_in_stub, page);
	for (char text[8] = ""; strncmp(text, "34 ", 3);) { /* SYS_pause */
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", in_stub);
		FILE *file = fopen(path, "r");
		if (file && !fgets(text, sizeof(text), file))
			text[0] = '\0';
		if (file)
			fclose(file);
	}
	munmap(page, 4096);
	if (write(ready, "", 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

/* The last stack of the process's only other thread. */
static struct skep_unwind_stack stack_of_other(struct kernelside *k, pid_t pid)
{
	struct skep_unwind_stack stack;
	char path[64];
	pid_t tid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	assert_non_null(tasks);
	for (struct dirent *entry; (entry = readdir(tasks));)
		tid = atoi(entry->d_name) && atoi(entry->d_name) != pid ? atoi(entry->d_name) : tid;
	closedir(tasks);
	/* The last thread to stop says so before it leaves the processor. */
	for (int i = 0; i < 1000 && !kernelside_number(k, tid); i++)
		usleep(1000);
	assert_true(kernelside_stack(k, kernelside_number(k, tid), &stack));
	return stack;
}

static void open_for_children(struct kernelside *k)
{
	open_or_skip(k, STACKS_CNT);
	if (!k->maps.mm.is_known) {
		kernelside_close(k);
		skip();
	}
	kernelside_attach(k);
}

/* It goes on, and where it is nothing is mapped. */
static void not_gone(void **state)
{
	struct skep_unwind_process_entry entry = {.first = 0, .n = 2};
	struct kernelside k;
	int ends[2];
	char byte;

	open_for_children(&k);
	map_everything(&k, SKEP_UNWIND_FILE_NONE, 0);
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (!pid)
		unmap_under_thread(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(k.arrays->set_process(k.arrays->ctx, (uint32_t)pid, &entry), 0);
	kernelside_watch(&k, pid);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	struct skep_unwind_stack stack = stack_of_other(&k, pid);
	assert_int_equal(stack.n, 1);
	assert_int_equal(stack.end, SKEP_UNWIND_UNMAPPED);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	kernelside_close(&k);
}

/* The last that a thread does is to leave the processor, without memory. */
static void gone(void **state)
{
	struct skep_unwind_stack stack;
	struct kernelside k;
	int ends[2];
	char byte;

	open_for_children(&k);
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (!pid)
		_exit(read(ends[0], &byte, 1) != 1);
	kernelside_watch(&k, pid);
	assert_int_equal(write(ends[1], "", 1), 1);
	waitpid(pid, NULL, 0);
	assert_true(kernelside_stack(&k, kernelside_number(&k, pid), &stack));
	assert_int_equal(stack.end, SKEP_UNWIND_GONE);
	assert_int_equal(stack.n, 1);
	close(ends[0]);
	close(ends[1]);
	kernelside_close(&k);
}

/* By PF_KTHREAD of the flags in /proc/PID/stat. */
static bool is_of_kernel(pid_t pid)
{
	char path[64];
	unsigned flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *stat = fopen(path, "r");
	if (!stat)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		flags = 0;
	fclose(stat);
	return flags & 0x200000;
}

static void watch_kernel_threads(struct kernelside *k)
{
	DIR *proc = opendir("/proc");
	pid_t pid;

	assert_non_null(proc);
	for (const struct dirent *entry; (entry = readdir(proc));) {
		if ((pid = atoi(entry->d_name)) > 0 && is_of_kernel(pid))
			kernelside_watch(k, pid);
	}
	closedir(proc);
}

static void kernel_threads(void **state)
{
	struct kernelside k;
	uint32_t tid, number = 1, n = 0;

	open_or_skip(&k, STACKS_CNT);
	watch_kernel_threads(&k);
	kernelside_attach(&k);
	sync();
	usleep(300 * 1000);
	skep_session_detach_all(k.session);
	int fd = skep_session_map_fd(k.session, k.latest);
	for (const void *key = NULL; !skep_bpf_map_next_key(fd, key, &tid); key = &tid) {
		if (!is_of_kernel((pid_t)tid))
			continue;
		assert_int_equal(skep_bpf_map_lookup(fd, &tid, &number, 0), 0);
		assert_int_equal(number, 0);
		n++;
	}
	assert_true(n > 0);
	assert_int_equal(kernelside_loss(&k, KERNELSIDE_LOST), 0);
	kernelside_close(&k);
}

/* --- Garbage ---------------------------------------------------------------------------------- */

static void scramble(void *at, size_t size)
{
	for (uint8_t *byte = at; size--; byte++)
		*byte = (uint8_t)any(256);
}

/* Rules that lead on more often than not, so that walks go deep into what else is wrong. */
static void scramble_rules(struct kernelside *k)
{
	for (uint32_t i = 0; i < small.rules; i++) {
		struct skep_unwind_rule *rule = &k->arrays->rules[i];
		if (any(16) == 0)
			continue;
		rule->cfa = (uint8_t)(any(8) ? SKEP_CFA_SP : any(SKEP_CFA_N_KINDS + 1));
		rule->ra = (uint8_t)(any(16) ? SKEP_CFI_AT_CFA : any(8));
		rule->fp = (uint8_t)any(SKEP_CFI_OTHER + 2);
		rule->cfa_reg = (uint8_t)any(20);
		rule->cfa_off = (int32_t)(8 * any(1024));
		rule->cfa_add = (int32_t)(8 * any(8));
		rule->fp_off = (int16_t)(any(32) * 8 - 128);
		rule->base = (uint8_t)any(256);
	}
}

static void scramble_all(struct kernelside *k)
{
	struct skep_unwind_process_entry entry = {.first = any(3) ? any(32) : any(UINT32_MAX),
						  .n = any(3) ? any(16) : any(UINT32_MAX)};

	scramble(k->arrays->mappings, small.mappings * sizeof(*k->arrays->mappings));
	scramble(k->arrays->files, small.files * sizeof(*k->arrays->files));
	scramble(k->arrays->pages, small.pages * sizeof(*k->arrays->pages));
	scramble(k->arrays->rows, small.rows * sizeof(*k->arrays->rows));
	scramble(k->arrays->rules, small.rules * sizeof(*k->arrays->rules));
	scramble_rules(k);
	for (uint32_t i = 0; i < small.mappings; i += 1 + any(3))
		k->arrays->mappings[i].start = any(2) ? 0 : INT64_MAX >> any(17);
	for (uint32_t i = 0; i < small.files; i++)
		k->arrays->files[i].n_pages |= any(4) ? UINT32_MAX : 0;
	if (any(2)) {
		map_everything(k, any(UINT32_MAX), any(UINT32_MAX));
		return;
	}
	assert_int_equal(k->arrays->set_process(k->arrays->ctx, (uint32_t)getpid(), &entry), 0);
}

static void garbage(void **state)
{
	struct kernelside k;
	struct skep_unwind_stack stack;
	volatile uint64_t room[ROOM_WORDS];
	uint32_t per_end[SKEP_UNWIND_END_CNT] = {0}, n_ends = 0, deepest = 0;

	fill(room, sizeof(room) / sizeof(room[0]));
	open_or_skip(&k, HOSTILE_ROUNDS);
	for (int round = 0; round < HOSTILE_ROUNDS; round++) {
		scramble_all(&k);
		stack = own_stack(&k);
		assert_in_range(stack.n, 1, SKEP_UNWIND_FRAMES_MOST);
		assert_in_range(stack.end, 0, SKEP_UNWIND_END_CNT - 1);
		per_end[stack.end]++;
		deepest = stack.n > deepest ? stack.n : deepest;
	}
	for (int i = 0; i < SKEP_UNWIND_END_CNT; i++)
		n_ends += per_end[i] > 0;
	print_message("%u frames at most, %u kinds of ends\n", deepest, n_ends);
	assert_true(deepest >= 20 && n_ends >= 7);
	assert_int_equal(kernelside_loss(&k, KERNELSIDE_LOST), 0);
	kernelside_close(&k);
}

/* --- Verifiers -------------------------------------------------------------------------------- */

static void machine_accepts(void **state)
{
	struct skep_machine *machine;
	struct kernelside k;

	if (!skep_unwind_is_possible())
		skip();
	assert_int_equal(skep_machine_new(NULL, &machine), 0);
	skep_machine_route(machine);
	kernelside_open(&k, &kernelside_at_switch, &kernelside_sizes,
			STACKS_CNT); /* fails the test if it is refused */
	skep_machine_route(NULL);
	kernelside_close(&k);
	skep_machine_free(machine);
}

static void is_soon_verified(void **state)
{
	struct bpf_prog_info info = {0};
	struct kernelside k;

	open_or_skip(&k, STACKS_CNT);
	assert_int_equal(skep_bpf_info(skep_session_prog_fd(k.session, 0), &info, sizeof(info)), 0);
	print_message("%u bytes, %u instructions verified\n", info.xlated_prog_len,
		      info.verified_insns);
	assert_true(info.verified_insns < 100000);
	kernelside_close(&k);
}

/* Memory is claimed at two places of the walk's beginning, and never for a frame: that would be a
 * look-up and an exchange each time. */
static void claims_memory_once(void **state)
{
	const uint8_t exchange = BPF_STX | BPF_ATOMIC | BPF_DW;
	struct kernelside k;
	uint32_t n = 0;

	open_or_skip(&k, STACKS_CNT);
	const struct skep_object_prog *prog = &k.object.progs[0];
	for (size_t i = 0; i < prog->n_insns; i++)
		n += prog->insns[i].code == exchange && prog->insns[i].imm == BPF_XCHG;
	assert_int_equal(n, 2);
	kernelside_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_process),    cmocka_unit_test(table_not_loaded),
		cmocka_unit_test(nothing_mapped),     cmocka_unit_test(ends),
		cmocka_unit_test(too_deep),           cmocka_unit_test(no_room_for_stacks),
		cmocka_unit_test(numbers_of_others),  cmocka_unit_test(kernel_threads),
		cmocka_unit_test(not_gone),           cmocka_unit_test(gone),
		cmocka_unit_test(not_heard_of),       cmocka_unit_test(garbage),
		cmocka_unit_test(machine_accepts),    cmocka_unit_test(is_soon_verified),
		cmocka_unit_test(claims_memory_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
