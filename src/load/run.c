/*
 * Running a program by hand: through BPF_PROG_TEST_RUN, which kernels before
 * 5.10 cannot do for tracing programs. There it is a uprobe's program, attached
 * to a function of our own for as long as it takes to call that once.
 */
#include "load/session.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "linux/own_code.h"

#define MOST_WORDS 3

/* --- By a test run --------------------------------------------------------------------------- */

static int test_run(const struct skep_session *session, uint32_t prog, union bpf_attr *attr)
{
	attr->test.prog_fd = (uint32_t)session->prog_fds[prog];
	return skep_bpf(BPF_PROG_TEST_RUN, attr, sizeof(*attr));
}

static union bpf_attr run_attr(const void *ctx, size_t ctx_size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.ctx_in = (uint64_t)(uintptr_t)ctx;
	attr.test.ctx_size_in = (uint32_t)ctx_size;
	return attr;
}

/* --- By a uprobe ----------------------------------------------------------------------------- */

/* The program finds what is in the context as the arguments of this call. */
void load_called_by_hand(uint64_t a, uint64_t b, uint64_t c);
__attribute__((noinline)) void load_called_by_hand(uint64_t a, uint64_t b, uint64_t c)
{
	__asm__ volatile("" : : "r"(a), "r"(b), "r"(c) : "memory");
}

static void detach_last(struct skep_session *session, size_t n_links, size_t n_events)
{
	while (session->links.len > n_links)
		skep_close(&session->links.data[--session->links.len]);
	while (session->events.len > n_events)
		skep_close(&session->events.data[--session->events.len]);
}

static int call_run(struct skep_session *session, uint32_t prog, const void *ctx, size_t ctx_size)
{
	struct skep_attach at = {.type = SKEP_ATTACH_UPROBE, .prog = prog, .target = "skep itself"};
	size_t n_links = session->links.len, n_events = session->events.len;
	uint64_t words[MOST_WORDS] = {0};

	memcpy(words, ctx, ctx_size < sizeof(words) ? ctx_size : sizeof(words));
	at.uprobe.path = "/proc/self/exe";
	at.uprobe.file_off = skep_own_file_off((uintptr_t)load_called_by_hand);
	at.uprobe.pid = gettid();
	int err = at.uprobe.file_off ? skep_session_attach(session, &at, NULL) : -ENOENT;
	if (err)
		return err;
	load_called_by_hand(words[0], words[1], words[2]);
	detach_last(session, n_links, n_events);
	return 0;
}

/* Where this thread may not go, there is nobody who could run the program. */
static int call_run_on(struct skep_session *session, uint32_t prog, uint32_t cpu, const void *ctx,
		       size_t ctx_size)
{
	cpu_set_t before, there;

	CPU_ZERO(&there);
	CPU_SET(cpu, &there);
	if (sched_getaffinity(0, sizeof(before), &before) ||
	    sched_setaffinity(0, sizeof(there), &there))
		return -ENXIO;
	int err = call_run(session, prog, ctx, ctx_size);
	sched_setaffinity(0, sizeof(before), &before);
	return err;
}

/* --- Either ---------------------------------------------------------------------------------- */

static bool is_of_uprobe(const struct skep_session *session, uint32_t prog)
{
	return session->object->progs[prog].type == BPF_PROG_TYPE_KPROBE;
}

int skep_session_run(struct skep_session *session, uint32_t prog, const void *ctx, size_t ctx_size,
		     uint32_t *ret_value)
{
	union bpf_attr attr = run_attr(ctx, ctx_size);

	if (prog >= session->object->n_progs)
		return -EINVAL;
	if (is_of_uprobe(session, prog))
		return ret_value ? -EOPNOTSUPP : call_run(session, prog, ctx, ctx_size);
	int err = test_run(session, prog, &attr);
	if (!err && ret_value)
		*ret_value = attr.test.retval;
	return err;
}

int skep_session_run_on(struct skep_session *session, uint32_t prog, uint32_t cpu, const void *ctx,
			size_t ctx_size)
{
	union bpf_attr attr = run_attr(ctx, ctx_size);

	if (prog >= session->object->n_progs)
		return -EINVAL;
	if (is_of_uprobe(session, prog))
		return call_run_on(session, prog, cpu, ctx, ctx_size);
	attr.test.flags = BPF_F_TEST_RUN_ON_CPU;
	attr.test.cpu = cpu;
	return test_run(session, prog, &attr);
}
