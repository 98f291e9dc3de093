/* See compiled.h. */
#include "compiled.h"

#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <skep/machine.h>

#include "linux/bpf.h"
#include "linux/feature.h"

uint64_t compiled_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const struct skep_ir_target *compiled_target(void)
{
	static struct skep_ir_target target;

	if (!target.loop_limit)
		target = (struct skep_ir_target){
			.may_goto = skep_has_feature(SKEP_FEATURE_MAY_GOTO),
			.isa_v4 = skep_has_feature(SKEP_FEATURE_ISA_V4),
			.loop_limit = 100000,
		};
	return &target;
}

int compiled_open(struct compiled *c, const char *text)
{
	static const char *const params[] = {"7", "text"};
	struct skep_compile_opts opts = {
		.params = params, .n_params = 2, .allow_unsafe = true, .target = compiled_target()};

	*c = (struct compiled){.source = {"script", text, strlen(text)}};
	c->diag.source = &c->source;
	skep_arena_init(&c->arena);
	uint64_t start = compiled_now_ns();
	c->compile_err = skep_trace_compile(&c->arena, &c->source, &opts, &c->program, &c->diag);
	c->compile_ns = compiled_now_ns() - start;
	return c->compile_err;
}

int compiled_load(struct compiled *c)
{
	uint64_t start = compiled_now_ns();

	c->load_err = skep_session_open(&c->program.object, NULL, &c->session, &c->diag);
	c->load_ns = compiled_now_ns() - start;
	return c->load_err;
}

/* One for all scripts of a process: it is empty again when their sessions are closed. */
static struct skep_machine *verifying_machine(void)
{
	static struct skep_machine *machine;

	if (!machine)
		assert_int_equal(skep_machine_new(NULL, &machine), 0);
	return machine;
}

int compiled_verify(struct compiled *c)
{
	struct skep_session *session = NULL;
	uint64_t start = compiled_now_ns();

	skep_machine_route(verifying_machine());
	c->verify_err = skep_session_open(&c->program.object, NULL, &session, &c->diag);
	skep_session_close(session);
	skep_machine_route(NULL);
	c->verify_ns = compiled_now_ns() - start;
	return c->verify_err;
}

void compiled_done(struct compiled *c)
{
	skep_output_done(&c->out);
	skep_map_reader_done(&c->maps);
	skep_session_close(c->session);
	skep_trace_program_done(&c->program);
	skep_diag_done(&c->diag);
	skep_arena_done(&c->arena);
}

uint32_t compiled_stack_bytes(const struct compiled *c)
{
	uint32_t most = 0;

	for (size_t i = 0; i < c->program.object.n_progs; i++) {
		if (c->program.object.progs[i].stack_bytes > most)
			most = c->program.object.progs[i].stack_bytes;
	}
	return most;
}

uint32_t compiled_verified_insns(const struct compiled *c)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < c->program.object.n_progs; i++) {
		struct bpf_prog_info info;

		memset(&info, 0, sizeof(info));
		if (skep_bpf_info(skep_session_prog_fd(c->session, i), &info, sizeof(info)) == 0 &&
		    info.verified_insns > most)
			most = info.verified_insns;
	}
	return most;
}

void compiled_report(const struct compiled *c, struct skep_buf *out)
{
	skep_diag_render(&c->diag, false, out);
}

/* --- Running ---------------------------------------------------------------------------- */

static void fail_with_report(const struct compiled *c, const char *what)
{
	_cleanup_buf_ struct skep_buf text = {0};

	compiled_report(c, &text);
	fail_msg("%s: %s\n%s", what, c->source.text, text.data ? text.data : "");
}

static void run_begins(struct compiled *c)
{
	uint64_t no_args[12] = {0};

	for (uint32_t i = 0; i < c->program.n_probes; i++) {
		const struct skep_probe *probe = c->program.probes[i];
		if (probe->special == SKEP_PROBE_BEGIN)
			assert_int_equal(skep_session_run(c->session, probe->attach.prog, no_args,
							  sizeof(no_args), NULL),
					 0);
	}
}

void compiled_run(struct compiled *c, const char *text)
{
	if (compiled_open(c, text))
		fail_with_report(c, "does not compile");
	if (compiled_load(c))
		fail_with_report(c, "does not load");
	assert_int_equal(skep_map_reader_init(&c->maps, &c->program, c->session), 0);
	c->out.program = &c->program;
	run_begins(c);
}

const struct skep_trace_map *compiled_find(const struct compiled *c, const char *name)
{
	for (uint32_t i = 0; i < c->program.n_maps; i++) {
		if (!strcmp(c->program.maps[i].name, name))
			return &c->program.maps[i];
	}
	fail_msg("no map %s in: %s", name, c->source.text);
	return NULL;
}

const char *compiled_map(struct compiled *c, const char *name)
{
	const struct skep_trace_map *map = compiled_find(c, name);
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_map_entries entries;

	assert_int_equal(skep_map_read(&c->maps, map, true, &entries), 0);
	skep_output_map(&c->out, map, entries.entries, entries.n, 0, 0, &text);
	skep_map_entries_done(&entries);
	return skep_arena_strdup(&c->arena, text.data ? text.data : "");
}

uint64_t compiled_loss(const struct compiled *c, enum skep_loss loss)
{
	return skep_map_loss(&c->maps, c->program.loss_off + 8 * (uint32_t)loss);
}
