/*
 * PROG_TEST_RUN: a program runs on data and a context that the caller gives, and they get back what
 * it made of them. Here is what all types have in common; those of the network are in run_net.c,
 * the others in run_other.c.
 *
 * Source  behaviour of Linux 6.18, net/bpf/test_run.c
 */
#include "machine/run.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <skep/check.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct skep_world machine_run_world(const struct skep_machine *machine)
{
	return (struct skep_world){.trace = machine->opts.trace,
				   .trace_ctx = machine->opts.trace_ctx};
}

/* --- Running -------------------------------------------------------------------------------- */

static bool stats_are_on(struct skep_machine *machine)
{
	if (!machine->ids[OBJECT_STATS].all.len)
		return false;
	machine_object_sweep(machine);
	return machine->ids[OBJECT_STATS].all.len;
}

/* Return whether the run was stopped, and why. */
static bool find_fault(const struct skep_machine *machine, const struct skep_run *run,
		       struct skep_fault *ret)
{
	const char *why;

	if (run->check && skep_check_fault(run->check, &ret->insn, &why)) {
		snprintf(ret->why, sizeof(ret->why), "%s", why);
		snprintf(ret->registers, sizeof(ret->registers), "%s",
			 skep_check_registers(run->check));
		return true;
	}
	if (run->stop != SKEP_STOP_BUDGET)
		return false;
	ret->insn = SKEP_FAULT_ANYWHERE;
	ret->registers[0] = '\0';
	snprintf(ret->why, sizeof(ret->why), "it did not end within %llu instructions",
		 (unsigned long long)machine->opts.budget);
	return true;
}

static void keep_fault(struct prog_object *prog, const struct skep_run *run)
{
	struct skep_machine *machine = prog->object.machine;

	pthread_mutex_lock(&machine->lock);
	prog->faulted = find_fault(machine, run, &prog->fault);
	pthread_mutex_unlock(&machine->lock);
}

static void grant(struct skep_run *run, const struct entry *entry)
{
	run->check = skep_check_new();
	if (entry->ctx_bytes)
		skep_run_grant(run, entry->ctx, entry->ctx_bytes, entry->ctx_rights);
	if (entry->extra)
		skep_run_grant(run, entry->extra, entry->extra_bytes,
			       SKEP_MAY_READ | SKEP_MAY_WRITE);
	if (entry->value)
		skep_run_grant(run, entry->value, entry->value_bytes,
			       SKEP_MAY_READ | SKEP_MAY_WRITE);
}

/* A program's own types, unless whoever drives the machine knows better. */
static const struct skep_btf *types_for(const struct prog_object *prog,
					const struct skep_world *world)
{
	return world->types || !prog->btf ? world->types : prog->btf->btf;
}

/* Whatever runs it, it may go on as a program that the checked interpreter runs. */
static bool is_checked(const struct prog_object *prog)
{
	return prog->checked || (prog->image->has_tail_call &&
				 __atomic_load_n(&prog->object.machine->mixed, __ATOMIC_RELAXED));
}

static uint32_t run_on_cpu(struct prog_object *prog, const struct entry *entry)
{
	const struct skep_machine *machine = prog->object.machine;
	struct skep_run run = {
		.budget = machine->opts.budget ? machine->opts.budget : UINT64_MAX,
		.world = entry->world,
	};
	const struct skep_btf *types = entry->world->types;
	uint64_t r0;

	if (is_checked(prog))
		grant(&run, entry);
	entry->world->types = types_for(prog, entry->world);
	r0 = skep_program_run(&prog->program, entry->ctx, &run);
	entry->world->types = types;
	if (run.check || machine->opts.budget)
		keep_fault(prog, &run);
	skep_check_free(run.check);
	return (uint32_t)r0;
}

uint32_t machine_run_once(struct prog_object *prog, const struct entry *entry)
{
	bool counted = stats_are_on(prog->object.machine);
	uint64_t start = counted ? now_ns() : 0;
	uint32_t retval;

	/* Who passes a hook may have less of a context than there could be. */
	if (entry->ctx_bytes < prog->ctx_bytes)
		return 0;
	skep_cpu_enter();
	retval = run_on_cpu(prog, entry);
	skep_cpu_leave();
	if (counted) {
		__atomic_fetch_add(&prog->run_time_ns, now_ns() - start, __ATOMIC_RELAXED);
		__atomic_fetch_add(&prog->run_cnt, 1, __ATOMIC_RELAXED);
	}
	return retval;
}

int machine_run_repeated(struct prog_object *prog, const struct entry *entry, uint32_t repeat,
			 uint32_t *ret_retval, uint32_t *ret_duration_ns)
{
	uint32_t n = repeat ? repeat : 1;
	uint64_t start, mean;

	skep_cpu_enter();
	start = now_ns();
	for (uint32_t i = 0; i < n && !(i && prog->faulted); i++)
		*ret_retval = machine_run_once(prog, entry);
	mean = (now_ns() - start) / n;
	skep_cpu_leave();
	*ret_duration_ns = mean < UINT32_MAX ? (uint32_t)mean : UINT32_MAX;
	return 0;
}

/* --- In and out ----------------------------------------------------------------------------- */

int machine_run_ctx_in(const struct attr_test *attr, void *ret, size_t size, bool *ret_given)
{
	uint32_t n = attr->ctx_size_in < size ? attr->ctx_size_in : (uint32_t)size;
	int err;

	memset(ret, 0, size);
	*ret_given = attr->ctx_in || attr->ctx_out;
	if (!attr->ctx_in)
		return 0;
	err = machine_user_check_tail(attr->ctx_in, (uint32_t)size, attr->ctx_size_in);
	return err ? err : machine_user_read(ret, attr->ctx_in, n);
}

int machine_run_ctx_out(struct request *req, const void *ctx, size_t size)
{
	const struct attr_test *attr = &req->attr.test;
	uint32_t n = attr->ctx_size_out < size ? attr->ctx_size_out : (uint32_t)size;

	if (!attr->ctx_out)
		return 0;
	if (machine_user_write(attr->ctx_out, ctx, n) ||
	    request_put(req, test.ctx_size_out, (uint32_t)size))
		return -EFAULT;
	return n < size ? -ENOSPC : 0;
}

int machine_run_finish(struct request *req, const void *data, uint32_t size, uint32_t retval,
		       uint32_t duration)
{
	const struct attr_test *attr = &req->attr.test;
	bool cut = attr->data_size_out && size > attr->data_size_out;

	if (attr->data_out &&
	    machine_user_write(attr->data_out, data, cut ? attr->data_size_out : size))
		return -EFAULT;
	if (request_put(req, test.data_size_out, size) || request_put(req, test.retval, retval) ||
	    request_put(req, test.duration, duration))
		return -EFAULT;
	return cut ? -ENOSPC : 0;
}

int machine_cmd_prog_test_run(struct skep_machine *machine, struct request *req)
{
	static run_function *const runs[PROG_TYPE_CNT] = {
#define PROG_TYPE(number, NAME, name, run) [number] = run,
#include "machine/prog_types.def"
#undef PROG_TYPE
	};
	const struct attr_test *attr = &req->attr.test;
	struct prog_object *prog;
	int err;

	if (!attr->ctx_size_in != !attr->ctx_in || !attr->ctx_size_out != !attr->ctx_out)
		return -EINVAL;
	err = machine_prog_object_get(machine, (int)attr->prog_fd, &prog);
	if (err)
		return err;
	err = runs[prog->type] ? runs[prog->type](prog, req) : -SKEP_ENOTSUPP;
	machine_object_put(&prog->object);
	return err;
}
