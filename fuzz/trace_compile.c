/*
 * Any bytes as a script, through the whole compiler: parsed, typed, lowered and
 * emitted, each stage printed, so that all it made is walked. Only scripts of a
 * few fixed places go past the parser: which symbols or tracepoints the machine
 * has is not what is asked here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/parse.h"
#include "trace/program.h"

#define MOST_BYTES  8192
#define STACK_BYTES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const params[] = {"7", "text"};

static const char *const places[] = {"BEGIN",
				     "END",
				     "begin",
				     "end",
				     "interval:s:1",
				     "interval:ms:10",
				     "profile:hz:99",
				     "software:page-faults:100",
				     "self:signal:SIGUSR1",
				     "rawtracepoint:sched_switch",
				     "rawtracepoint:sys_enter",
				     "tracepoint:raw_syscalls:sys_enter",
				     "tracepoint:sched:sched_switch",
				     "tracepoint:sched:sched_process_exec",
				     "tracepoint:sched:sched_process_fork",
				     "tracepoint:block:block_rq_issue",
				     "tracepoint:kmem:kmalloc",
				     "tracepoint:syscalls:sys_enter_openat",
				     "tracepoint:syscalls:sys_enter_read",
				     "tracepoint:syscalls:sys_enter_write",
				     "tracepoint:syscalls:sys_enter_execve",
				     "tracepoint:syscalls:sys_exit_*at"};

static bool is_known_place(const char *text)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!strcmp(places[i], text))
			return true;
	}
	return false;
}

/* kaddr() reads all of the kernel's symbols: too slow to be asked often. */
static bool is_wanted(const struct skep_source *source)
{
	struct skep_params given = {.values = params, .n = 2};
	struct skep_diag diag = {.source = source};
	struct skep_script *script = NULL;
	struct skep_arena arena;

	skep_arena_init(&arena);
	bool wanted = !memmem(source->text, source->len, "kaddr", 5) &&
		      skep_parse(&arena, source, &given, &script, &diag) == 0;
	for (const struct skep_probe_def *def = wanted ? script->probes : NULL; def;
	     def = def->next) {
		for (const struct skep_probe_spec *spec = def->specs; spec; spec = spec->next)
			wanted = wanted && is_known_place(spec->text);
	}
	skep_diag_done(&diag);
	skep_arena_done(&arena);
	return wanted;
}

static void check_result(const struct skep_trace_program *program, int err,
			 const struct skep_diag *diag, size_t size)
{
	if (err && !diag->n_errors)
		abort(); /* refused without a word */
	for (size_t i = 0; i < diag->n_items; i++) {
		if (diag->items[i].span.off > size ||
		    diag->items[i].span.len > size - diag->items[i].span.off)
			abort();
	}
	for (size_t i = 0; !err && i < program->object.n_progs; i++) {
		if (program->object.progs[i].stack_bytes > STACK_BYTES)
			abort();
	}
}

static void compile(const struct skep_source *source, bool newest)
{
	const struct skep_ir_target target = {
		.may_goto = newest, .isa_v4 = newest, .loop_limit = 1000};
	_cleanup_buf_ struct skep_buf out = {0};
	struct skep_compile_opts opts = {.params = params,
					 .n_params = 2,
					 .allow_unsafe = true,
					 .target = &target,
					 .dump_ast = &out,
					 .dump_ir = &out,
					 .dump_bytecode = &out};
	struct skep_trace_program program = {0};
	struct skep_diag diag = {.source = source};
	struct skep_arena arena;

	skep_arena_init(&arena);
	int err = skep_trace_compile(&arena, source, &opts, &program, &diag);
	check_result(&program, err, &diag, source->len);
	skep_diag_render(&diag, false, &out);
	skep_trace_program_done(&program);
	skep_diag_done(&diag);
	skep_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct skep_source source = {"fuzz", (const char *)data, size};

	if (size > MOST_BYTES || !is_wanted(&source))
		return 0;
	compile(&source, true);
	compile(&source, false);
	return 0;
}
