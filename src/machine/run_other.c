/*
 * PROG_TEST_RUN of programs that see no packet: raw tracepoints, tracing, socket look-up, system
 * call programs, netfilter (which sees one, but only through the kernel's own structures).
 */
#include "machine/run.h"

#include <string.h>

#define MOST_ARGS_BYTES  (12 * sizeof(uint64_t))
#define MOST_SYSCALL_CTX 65535
#define TEST_F_ON_CPU    1u
#define PASS             1
#define INET             2
#define INET6            10

/* --- Raw tracepoints -------------------------------------------------------------------------- */

int machine_run_raw_tp(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	struct skep_world world = machine_run_world(prog->object.machine);
	uint64_t args[MOST_ARGS_BYTES / sizeof(uint64_t)] = {0};
	struct entry entry = {
		.ctx = attr->ctx_size_in ? args : NULL,
		.ctx_bytes = attr->ctx_size_in,
		.ctx_rights = SKEP_MAY_READ,
		.world = &world,
	};
	int err;

	if (attr->data_in || attr->data_out || attr->ctx_out || attr->duration || attr->repeat ||
	    attr->batch_size || attr->ctx_size_in < prog->ctx_bytes ||
	    attr->ctx_size_in > MOST_ARGS_BYTES)
		return -EINVAL;
	if (!(attr->flags & TEST_F_ON_CPU) && attr->cpu)
		return -EINVAL;
	if (attr->cpu >= skep_map_n_cpus())
		return -ENXIO;
	if (prog->type == PROG_RAW_TRACEPOINT_WRITABLE)
		entry.ctx_rights |= SKEP_MAY_WRITE;
	err = machine_user_read(args, attr->ctx_in, attr->ctx_size_in);
	return err ? err : request_put(req, test.retval, machine_run_once(prog, &entry));
}

/* --- Tracing ---------------------------------------------------------------------------------- */

/* The functions that the kernel calls for this, with what it gives them and they return. */
static const struct {
	const char *name;
	uint64_t args[6];
	uint32_t n_args;
	uint64_t result;
} traced[] = {
	{"bpf_fentry_test1", {1}, 1, 2},
	{"bpf_fentry_test2", {2, 3}, 2, 5},
	{"bpf_fentry_test3", {4, 5, 6}, 3, 15},
	{"bpf_fentry_test4", {7, 8, 9, 10}, 4, 34},
	{"bpf_fentry_test5", {11, 12, 13, 14, 15}, 5, 65},
	{"bpf_fentry_test6", {16, 17, 18, 19, 20, 21}, 6, 111},
	{"bpf_fentry_test7", {0}, 1, 0},
	{"bpf_fentry_test8", {0}, 1, 0},
	{"bpf_fentry_test9", {0}, 1, 0},
};

static void run_traced(struct skep_machine *machine)
{
	for (size_t i = 0; i < sizeof(traced) / sizeof(*traced); i++) {
		uint64_t args[7] = {0};

		memcpy(args, traced[i].args, sizeof(traced[i].args));
		skep_machine_hook(machine, SKEP_HOOK_ENTRY, traced[i].name, args,
				  traced[i].n_args * sizeof(*args), NULL);
		args[traced[i].n_args] = traced[i].result;
		skep_machine_hook(machine, SKEP_HOOK_EXIT, traced[i].name, args,
				  (traced[i].n_args + 1) * sizeof(*args), NULL);
	}
}

int machine_run_tracing(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;

	if (prog->expected_attach_type == ATTACH_TRACE_RAW_TP)
		return machine_run_raw_tp(prog, req);
	if (attr->flags || attr->cpu || attr->batch_size)
		return -EINVAL;
	if (prog->expected_attach_type == ATTACH_TRACE_ITER)
		return -SKEP_ENOTSUPP;
	if (prog->expected_attach_type != ATTACH_TRACE_FENTRY &&
	    prog->expected_attach_type != ATTACH_TRACE_FEXIT)
		return -EFAULT;
	run_traced(prog->object.machine);
	return request_put(req, test.retval, 0);
}

/* --- Socket look-up --------------------------------------------------------------------------- */

static int check_lookup(const struct wire_sk_lookup *given)
{
	if (given->cookie || given->ingress_ifindex)
		return -EINVAL;
	if (given->local_port > UINT16_MAX)
		return -ERANGE;
	return given->family == INET || given->family == INET6 ? 0 : -EAFNOSUPPORT;
}

int machine_run_sk_lookup(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	struct skep_world world = machine_run_world(prog->object.machine);
	struct wire_sk_lookup given, ctx;
	struct entry entry = {.ctx = &ctx,
			      .ctx_bytes = sizeof(ctx),
			      .ctx_rights = SKEP_MAY_READ,
			      .world = &world};
	uint32_t retval, duration;
	bool is_given;
	int err;

	if (attr->flags || attr->cpu || attr->batch_size || attr->data_in || attr->data_size_in ||
	    attr->data_out || attr->data_size_out)
		return -EINVAL;
	err = machine_run_ctx_in(attr, &given, sizeof(given), &is_given);
	if (!err && !is_given)
		err = -EINVAL;
	if (!err)
		err = check_lookup(&given);
	if (err)
		return err;
	ctx = given;
	err = machine_run_repeated(prog, &entry, attr->repeat, &retval, &duration);
	if (!err)
		err = machine_run_finish(req, NULL, 0, retval == PASS, duration);
	return err ? err : machine_run_ctx_out(req, &given, sizeof(given));
}

/* --- System call programs --------------------------------------------------------------------- */

int machine_run_syscall(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	struct skep_world world = machine_run_world(prog->object.machine);
	_cleanup_free_ void *ctx = NULL;
	struct entry entry = {.ctx_bytes = attr->ctx_size_in,
			      .ctx_rights = SKEP_MAY_READ | SKEP_MAY_WRITE,
			      .world = &world};
	uint32_t retval;
	int err;

	if (attr->data_in || attr->data_out || attr->ctx_out || attr->duration || attr->repeat ||
	    attr->flags || attr->batch_size || attr->ctx_size_in < prog->ctx_bytes ||
	    attr->ctx_size_in > MOST_SYSCALL_CTX)
		return -EINVAL;
	if (attr->ctx_size_in) {
		err = machine_user_dup(attr->ctx_in, attr->ctx_size_in, &ctx);
		if (err)
			return err;
	}
	entry.ctx = ctx;
	retval = machine_run_once(prog, &entry);
	if (request_put(req, test.retval, retval))
		return -EFAULT;
	return machine_user_write(attr->ctx_in, ctx, attr->ctx_size_in);
}

/* --- Netfilter -------------------------------------------------------------------------------- */

/* The beginning of the kernel's struct nf_hook_state; programs see no more of it that is set. */
struct hook_state {
	uint8_t hook, pf;
	uint64_t rest[5];
};

#define HOOK_LOCAL_OUT 3
#define PF_INET4       2
#define SKB_BYTES      256

static int check_hook_state(const struct hook_state *given)
{
	for (size_t i = 0; i < 5; i++)
		if (given->rest[i])
			return -EINVAL;
	if (given->pf != PF_INET4 && given->pf != INET6)
		return -EINVAL;
	return given->hook > 4 ? -EINVAL : 0;
}

int machine_run_netfilter(struct prog_object *prog, struct request *req)
{
	const struct attr_test *attr = &req->attr.test;
	struct skep_world world = machine_run_world(prog->object.machine);
	struct {
		struct hook_state state;
		uint8_t skb[SKB_BYTES];
	} seen = {.state = {.hook = HOOK_LOCAL_OUT, .pf = PF_INET4}};
	uintptr_t ctx[2] = {(uintptr_t)&seen.state, (uintptr_t)seen.skb};
	struct entry entry = {.ctx = ctx,
			      .ctx_bytes = sizeof(ctx),
			      .ctx_rights = SKEP_MAY_READ,
			      .extra = &seen,
			      .extra_bytes = sizeof(seen),
			      .world = &world};
	struct hook_state given;
	uint32_t retval, duration;
	bool is_given;
	int err;

	if (attr->flags || attr->cpu || attr->batch_size || attr->data_size_in < 20 ||
	    attr->data_size_in > 3712)
		return -EINVAL;
	err = machine_run_ctx_in(attr, &given, sizeof(given), &is_given);
	if (!err && is_given)
		err = check_hook_state(&given);
	if (err)
		return err;
	if (is_given)
		seen.state = given;
	err = machine_run_repeated(prog, &entry, attr->repeat, &retval, &duration);
	return err ? err : machine_run_finish(req, NULL, 0, retval, duration);
}
