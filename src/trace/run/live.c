/* A script without a loop of its own, see live.h. */
#include "trace/run/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/load.h>

#include "base/arena.h"
#include "linux/bpf.h"
#include "linux/choice.h"
#include "trace/run/attach.h"
#include "trace/run/iter.h"
#include "trace/run/unwinding.h"
#include "trace/target.h"

struct skep_live {
	struct skep_arena arena;
	struct skep_source source;
	struct skep_trace_program program;
	struct skep_session *session;
	struct skep_map_reader maps;
	struct skep_unwinding *unwinding; /* NULL: no such stacks */
	struct skep_attached attached;
};

static int compile(struct skep_live *live, const struct skep_live_opts *given,
		   struct skep_diag *diag)
{
	/* Whoever reads its maps counts on all of it. */
	static char strict[] = "SKEP_MISSING_PROBES=error", *const env[] = {strict, NULL};
	struct skep_ir_target target = skep_trace_target();
	struct skep_compile_opts opts = {
		.params = given->params,
		.n_params = given->n_params,
		.pid = given->pid,
		.pid_is_place = true,
		.cpid = given->cpid,
		.cmd_path = given->cmd_path,
		.is_frugal = given->is_lasting,
		.env = env,
		.target = &target,
		.btf = given->btf,
		.has_best_way = skep_has_best_way,
	};

	return skep_trace_compile(&live->arena, &live->source, &opts, &live->program, diag);
}

static int attach(struct skep_live *live, struct skep_diag *diag)
{
	live->attached = skep_attach_all(live->session, &live->program, diag);
	return skep_attached_check(&live->program, &live->attached, diag);
}

static int start(struct skep_live *live, const struct skep_live_opts *opts, struct skep_diag *diag)
{
	int err = compile(live, opts, diag);

	if (!err)
		err = skep_session_open(&live->program.object, NULL, &live->session, diag);
	if (err)
		return err;
	err = skep_map_reader_init(&live->maps, &live->program, live->session);
	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_RUN_MAPS, SKEP_NOWHERE, strerror(-err));
	err = skep_unwinding_open(&live->program, live->session, &live->unwinding, diag);
	if (err)
		return err;
	if (opts->is_lasting)
		skep_unwinding_relax(live->unwinding);
	for (size_t i = 0; i < opts->n_prepared; i++)
		skep_unwinding_prepare(live->unwinding, opts->prepared[i]);
	return attach(live, diag);
}

int skep_live_open_with(const char *name, const char *text, const struct skep_live_opts *opts,
			struct skep_live **ret, struct skep_diag *diag)
{
	struct skep_live *live = skep_xcalloc(1, sizeof(*live));
	const struct skep_source *before = diag->source;

	skep_arena_init(&live->arena);
	live->source = (struct skep_source){.name = name, .text = text, .len = strlen(text)};
	diag->source = &live->source;
	int err = start(live, opts, diag);
	diag->source = before;
	if (err)
		skep_live_close(live);
	else
		*ret = live;
	return err;
}

int skep_live_open(const char *name, const char *text, const char *const *params, uint32_t n_params,
		   struct skep_live **ret, struct skep_diag *diag)
{
	const struct skep_live_opts opts = {.params = params, .n_params = n_params};

	return skep_live_open_with(name, text, &opts, ret, diag);
}

void skep_live_detach(struct skep_live *live)
{
	skep_session_detach_all(live->session);
}

void skep_live_close(struct skep_live *live)
{
	if (!live)
		return;
	skep_unwinding_free(live->unwinding);
	skep_map_reader_done(&live->maps);
	skep_session_close(live->session);
	skep_trace_program_done(&live->program);
	skep_arena_done(&live->arena);
	free(live);
}

const struct skep_trace_map *skep_live_map(const struct skep_live *live, const char *name)
{
	for (uint32_t i = 0; i < live->program.n_maps; i++) {
		if (!strcmp(live->program.maps[i].name, name))
			return &live->program.maps[i];
	}
	return NULL;
}

const struct skep_map_reader *skep_live_maps(const struct skep_live *live)
{
	return &live->maps;
}

static bool go_on(void *ctx)
{
	return true;
}

int skep_live_iterate(const struct skep_live *live)
{
	return skep_iters_read(live->session, go_on, NULL);
}

struct skep_live_losses skep_live_losses(const struct skep_live *live)
{
	struct skep_live_losses losses = {
		.missed = skep_session_missed(live->session),
		.unattached = live->attached.wanted - live->attached.attached,
		.unwinding = skep_unwinding_losses(live->unwinding),
	};
	uint32_t off = live->program.loss_off;

	for (uint32_t i = 0; i < SKEP_LOSS_CNT; i++)
		losses.by_cause[i] = skep_map_loss(&live->maps, off + 8 * i);
	for (uint32_t i = 0; i < live->program.n_maps; i++)
		losses.map_full += skep_map_loss(&live->maps, off + 8 * (SKEP_LOSS_CNT + i));
	return losses;
}

int skep_live_fd(const struct skep_live *live)
{
	return skep_unwinding_fd(live->unwinding);
}

void skep_live_step(struct skep_live *live)
{
	skep_unwinding_step(live->unwinding);
}

bool skep_live_listen(struct skep_live *live, skep_perf_record_fn fn, void *ctx)
{
	return skep_unwinding_listen(live->unwinding, fn, ctx);
}

void skep_live_catch_up(struct skep_live *live)
{
	skep_unwinding_catch_up(live->unwinding);
}

struct skep_interp_names *skep_live_names(const struct skep_live *live)
{
	return skep_unwinding_names(live->unwinding);
}

struct skep_live_cost skep_live_cost(const struct skep_live *live)
{
	struct skep_live_cost cost = {0};

	for (uint32_t i = 0; i < live->program.object.n_progs; i++) {
		struct bpf_prog_info info;

		memset(&info, 0, sizeof(info));
		if (skep_bpf_info(skep_session_prog_fd(live->session, i), &info, sizeof(info)))
			continue;
		cost.runs += info.run_cnt;
		cost.ns += info.run_time_ns;
	}
	return cost;
}
