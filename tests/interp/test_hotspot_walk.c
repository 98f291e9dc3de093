/*
 * The walk in the running kernel through code of HotSpot's that is made here, in our own memory: a
 * heap of code with its map, blocks with blobs, a compiled method that enters the kernel with any
 * value in its frame pointer, and who calls it; whole, broken and hostile. That it finds the frames
 * of real ones is tests/scripts/test_interpreters.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unwind/kernelside.h"
#include "interp/hotspot_layout.h"
#include "linux/bpf.h"

#define STACKS_CNT     1024
#define HOSTILE_ROUNDS 3000
#define HEAP_BYTES     65536
#define SEGMENTS       HEAP_BYTES
#define HEADER_BYTES   16
#define CODE_OFF       128 /* in a blob */
#define INNER          512 /* bytes into the heap, where the blocks are */
#define OUTER          5120
#define BLOCK_BYTES    256

static const struct skep_unwind_sizes small = {
	.processes = 16, .mappings = 16, .files = 8, .pages = 16, .rows = 1024, .rules = 64};

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

/* --- Code ------------------------------------------------------------------------------------- */

struct code {
	const uint8_t *bytes;
	size_t n;
	const char *name;
	int32_t words, complete; /* of its frame; from where on it has it */
};
#define CODE(Name, Words, Complete, ...)                                                           \
	{                                                                                          \
		.bytes = (const uint8_t[]){__VA_ARGS__}, .n = sizeof((uint8_t[]){__VA_ARGS__}),    \
		.name = (Name), .words = (Words), .complete = (Complete)                           \
	}

/* syscall of (number, three arguments), where rbp is 1 */
#define ENTER_KERNEL                                                                               \
	0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x0f, 0x05

static const struct code compiled =
	CODE("nmethod", 6, 5,                                /* */
	     0x55, 0x48, 0x83, 0xec, 0x20,                   /* push rbp; sub rsp, 32 */
	     0xbd, 1, 0, 0, 0, ENTER_KERNEL,                 /* mov ebp, 1 */
	     0x48, 0x83, 0xc4, 0x20, 0x5d, 0xc3);            /* add rsp, 32; pop rbp; ret */
static const struct code pushing =                           /* three words for a moment */
	CODE("nmethod", 6, 5,                                /* */
	     0x55, 0x48, 0x83, 0xec, 0x20, 0xbd, 1, 0, 0, 0, /* as above */
	     0x6a, 1, 0x6a, 2, 0x6a, 3, ENTER_KERNEL,        /* push 1; push 2; push 3 */
	     0x48, 0x83, 0xc4, 0x18, 0x48, 0x83, 0xc4, 0x20, 0x5d, 0xc3);
static const struct code frameless = /* a stub, which has nothing */
	CODE("vtable chunks", 0, -1, ENTER_KERNEL, 0x90, 0xc3);
/* The kernel is entered right before a pop of rbp, or right behind one. */
static const struct code popping =
	CODE("nmethod", 6, 5,                                   /* */
	     0x55, 0x48, 0x83, 0xec, 0x20,                      /* push rbp; sub rsp, 32 */
	     0x48, 0x83, 0xc4, 0x20, ENTER_KERNEL, 0x5d, 0xc3); /* …; syscall; pop rbp; ret */
static const struct code returning =
	CODE("nmethod", 6, 5, /* */
	     0x55, 0x48, 0x83, 0xec, 0x20, 0x48, 0x83, 0xc4, 0x20, 0x5d, ENTER_KERNEL, 0xc3);
static const struct code beginning = /* before there is a frame: syscall; push rbp; … */
	CODE("nmethod", 6, 64, ENTER_KERNEL, 0x90, 0xc3);

/* Calls r8. */
static const struct code caller = CODE("nmethod", 8, 5,              /* */
				       0x55, 0x48, 0x83, 0xec, 0x30, /* push rbp; sub rsp, 48 */
				       0xbd, 1, 0, 0, 0, 0x41, 0xff, 0xd0, /* mov ebp, 1; call r8 */
				       0x48, 0x83, 0xc4, 0x30, 0x5d, 0xc3);
/* With r9 as its method: an interpreted frame. */
static const struct code interpreted =
	CODE("Interpreter", 0, -1,                     /* */
	     0x55, 0x48, 0x89, 0xe5,                   /* push rbp; mov rbp, rsp */
	     0x48, 0x8d, 0x45, 0x10, 0x50,             /* lea rax, [rbp+16]; push rax */
	     0x6a, 0, 0x41, 0x51, 0x48, 0x83, 0xec, 8, /* push 0; push r9; sub rsp, 8 */
	     0x41, 0xff, 0xd0, 0xc9, 0xc3);            /* call r8; leave; ret */

/* --- A machine -------------------------------------------------------------------------------- */

struct blob {
	uint64_t name;
	int32_t frame_size, complete;
	uint64_t code, end, method;
	uint8_t room[CODE_OFF - 40];
};
_Static_assert(sizeof(struct blob) == CODE_OFF, "code is behind it");

struct method {
	uint64_t first, part;
};
static uint64_t parts[2][1 + SKEP_INTERP_CHECK_WORDS] = {{0, 1, 2, 3, 4}, {0, 5, 6, 7, 8}};
static const struct method methods[2] = {{0, (uintptr_t)parts[0]}, {0, (uintptr_t)parts[1]}};

static uint8_t *heap, map[SEGMENTS], step_most;
static uint32_t shift;

static uint64_t address(const volatile void *at)
{
	return (uint64_t)(uintptr_t)at;
}

/* A block at byte @at, whose method is number @method. Returns its code. */
static uint64_t put_block(uint32_t at, const struct code *code, int method)
{
	uint8_t *to = heap + at + HEADER_BYTES;
	const struct blob blob = {
		.name = address(code->name),
		.frame_size = code->words,
		.complete = code->complete,
		.code = address(to + CODE_OFF),
		.end = address(to + CODE_OFF + code->n),
		.method = address(&methods[method]),
	};

	memcpy(to, &blob, sizeof(blob));
	memcpy(to + CODE_OFF, code->bytes, code->n);
	for (uint32_t i = 0; i < BLOCK_BYTES >> shift; i++)
		map[(at >> shift) + i] = (uint8_t)(i < step_most ? i : step_most);
	return blob.code;
}

static struct skep_hotspot machine(void)
{
	return (struct skep_hotspot){
		.version = SKEP_INTERP_HOTSPOT,
		.header_bytes = HEADER_BYTES,
		.name = offsetof(struct blob, name),
		.frame_size = offsetof(struct blob, frame_size),
		.complete = offsetof(struct blob, complete),
		.code = offsetof(struct blob, code),
		.end = offsetof(struct blob, end),
		.method = offsetof(struct blob, method),
		.names = {.const_method = offsetof(struct method, part), .constants = 8},
		.heaps[1] = {.low = address(heap),
			     .n_bytes = HEAP_BYTES,
			     .map = address(map),
			     .shift = shift},
	};
}

/* --- The program ------------------------------------------------------------------------------ */

static void tell(struct kernelside *k, const struct skep_hotspot *hotspot)
{
	uint32_t tgid = (uint32_t)getpid();
	int fd = k->mapped.fds[SKEP_UNWIND_MAP_HOTSPOTS];

	assert_int_equal(skep_bpf_map_update(fd, &tgid, hotspot, BPF_ANY), 0);
}

static void open_here(struct kernelside *k)
{
	struct skep_unwind_process_entry entry = {.first = 0, .n = 2};

	if (!skep_unwind_is_possible()) {
		print_message("not here: unwinding: no bpf_loop() and registers, or no rights\n");
		skip();
	}
	kernelside_open(k, &kernelside_with_interpreters, &small, STACKS_CNT);
	kernelside_watch(k, getpid());
	k->arrays->mappings[0] = (struct skep_unwind_mapping){.file = SKEP_UNWIND_FILE_FRAMES};
	k->arrays->mappings[1] = (struct skep_unwind_mapping){.start = INT64_MAX};
	assert_int_equal(k->arrays->set_process(k->arrays->ctx, (uint32_t)getpid(), &entry), 0);
	heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(heap != MAP_FAILED);
	memset(map, 0xff, sizeof(map));
	shift = 7;
	step_most = 254;
}

static void close_here(struct kernelside *k)
{
	munmap(heap, HEAP_BYTES);
	kernelside_close(k);
}

typedef long entry_fn(long number, long a, long b, long c, uint64_t callee, const void *method);

/* A return address that an earlier call left where the next one has its variables is one like any
 * other: whether it lies in the way depends on how deep compilers let the stack be here. */
static void __attribute__((noinline, no_sanitize_address)) forget_calls(void)
{
	volatile uint8_t below[1024];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

/* The stack that the program sees where @outer has called @inner. */
static struct skep_unwind_stack walk(struct kernelside *k, uint64_t outer, uint64_t inner)
{
	uint64_t context[3] = {0};
	union bpf_attr attr;
	struct skep_unwind_stack stack;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)skep_session_prog_fd(k->session, 0);
	attr.test.ctx_in = address(context);
	attr.test.ctx_size_in = sizeof(context);
	forget_calls();
	long err = ((entry_fn *)(uintptr_t)outer)(SYS_bpf, BPF_PROG_TEST_RUN, (long)address(&attr),
						  sizeof(attr), inner, &methods[1]);
	assert_int_equal(err, 0);
	assert_true(kernelside_stack(k, kernelside_number(k, getpid()), &stack));
	return stack;
}

static bool methods_of(const struct kernelside *k, const struct skep_unwind_stack *stack,
		       struct skep_interp_stack *ret)
{
	return stack->interp &&
	       !skep_bpf_map_lookup(skep_session_map_fd(k->session, k->maps.interp.stacks),
				    &stack->interp, ret, 0);
}

static bool is_in(uint64_t addr, uint64_t code, const struct code *of)
{
	return addr > code && addr < code + of->n;
}

static bool is_method(const struct skep_interp_frame *frame, int method, uint32_t at)
{
	return frame->code == address(&methods[method]) && frame->at == at &&
	       frame->check == skep_interp_check(&parts[method][1]);
}

/* --- Frames ----------------------------------------------------------------------------------- */

/* Both blocks, and behind them code of ours, which nobody knows. */
static void check(struct kernelside *k, const struct code *outer, const struct code *inner)
{
	struct skep_interp_stack names;
	uint64_t inner_at = put_block(INNER, inner, 0), outer_at = put_block(OUTER, outer, 1);
	struct skep_unwind_stack stack = walk(k, outer_at, inner_at);
	uint32_t at = 1, flag = outer->words ? SKEP_HOTSPOT_COMPILED : 0;

	assert_true(stack.n >= 3);
	assert_true(is_in(stack.pcs[0], inner_at, inner));
	assert_true(is_in(stack.pcs[1], outer_at, outer));
	assert_true(!is_in(stack.pcs[2], outer_at, outer) &&
		    stack.pcs[2] - address(heap) > HEAP_BYTES);
	assert_true(methods_of(k, &stack, &names));
	assert_int_equal(names.version, SKEP_INTERP_HOTSPOT);
	assert_int_equal(names.n, 2 + (inner->words > 0));
	if (inner->words)
		assert_true(is_method(&names.frames[at++], 0, SKEP_HOTSPOT_COMPILED));
	assert_true(is_method(&names.frames[at], 1, 1 | flag));
}

static void test_frames(void **state)
{
	static const struct code *const inner[] = {&compiled, &pushing,   &frameless,
						   &popping,  &returning, &beginning};
	struct skep_hotspot hotspot;
	struct kernelside k;

	open_here(&k);
	hotspot = machine();
	tell(&k, &hotspot);
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		check(&k, &caller, inner[i]);
		check(&k, &interpreted, inner[i]);
	}
	assert_int_equal(kernelside_loss(&k, KERNELSIDE_LOST), 0);
	close_here(&k);
}

/* Blocks of many segments, whose map goes back to where they begin in many steps, or too many. */
static void test_large_blocks(void **state)
{
	struct skep_hotspot hotspot;
	struct kernelside k;

	open_here(&k);
	shift = 2;
	for (step_most = 254; step_most; step_most /= 2) {
		hotspot = machine();
		tell(&k, &hotspot);
		check(&k, &caller, &compiled);
	}
	shift = 1; /* code is more than 64 segments from where its block begins */
	step_most = 1;
	hotspot = machine();
	tell(&k, &hotspot);
	uint64_t inner = put_block(INNER, &compiled, 0);
	assert_int_equal(walk(&k, put_block(OUTER, &caller, 1), inner).n, 1);
	close_here(&k);
}

/* --- Nothing known, and garbage --------------------------------------------------------------- */

static void test_asked_for_once(void **state)
{
	const struct skep_hotspot none = {.version = SKEP_INTERP_NONE};
	struct skep_unwind_asked asked = {(uint32_t)getpid(), SKEP_UNWIND_ASK_MACHINE};
	struct skep_unwind_stack stack;
	struct kernelside k;
	uint64_t n = 0;

	open_here(&k);
	uint64_t inner = put_block(INNER, &compiled, 0), outer = put_block(OUTER, &caller, 1);
	stack = walk(&k, outer, inner);
	assert_int_equal(stack.n, 1);
	assert_int_equal(stack.end, SKEP_UNWIND_ASKED);
	assert_int_equal(stack.interp, 0);
	walk(&k, outer, inner);
	int fd = skep_session_map_fd(k.session, k.maps.asked);
	assert_int_equal(skep_bpf_map_lookup(fd, &asked, &n, 0), 0);
	assert_int_equal(n, 2);
	tell(&k, &none);
	stack = walk(&k, outer, inner);
	assert_int_equal(stack.end, SKEP_UNWIND_UNREADABLE);
	assert_int_equal(skep_bpf_map_lookup(fd, &asked, &n, 0), 0);
	assert_int_equal(n, 2);
	close_here(&k);
}

/* Any byte of what user space was told, of the map, and of the blobs. */
static void disturb(struct skep_hotspot *hotspot)
{
	uint8_t *blob = heap + INNER + HEADER_BYTES;

	for (uint32_t n = 1 + any(6); n; n--) {
		switch (any(3)) {
		case 0:
			((uint8_t *)hotspot)[4 + any(sizeof(*hotspot) - 4)] = (uint8_t)any(256);
			break;
		case 1: map[any(SEGMENTS)] = (uint8_t)any(256); break;
		default: blob[any(CODE_OFF)] = (uint8_t)any(256); break;
		}
	}
}

static void test_hostile(void **state)
{
	struct kernelside k;

	open_here(&k);
	for (int i = 0; i < HOSTILE_ROUNDS; i++) {
		struct skep_hotspot hotspot = machine();
		uint64_t inner = put_block(INNER, &compiled, 0);
		uint64_t outer = put_block(OUTER, &caller, 1);
		disturb(&hotspot);
		tell(&k, &hotspot);
		struct skep_unwind_stack stack = walk(&k, outer, inner);
		assert_in_range(stack.n, 1, SKEP_UNWIND_FRAMES_MOST);
		assert_true(is_in(stack.pcs[0], inner, &compiled));
		struct skep_interp_stack names;
		if (methods_of(&k, &stack, &names))
			assert_in_range(names.n, 2, stack.n + 1u);
	}
	close_here(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_asked_for_once),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
