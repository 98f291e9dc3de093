/* What scripts' maps become, of scripts that run: who woke a thread, or that nobody did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/impl.h"
#include "unwind/program.h"

#define WOKEN                                                                                      \
	"tracepoint:syscalls:sys_enter_getppid /pid == $1/ {"                                      \
	"  @woken[1] = (true, comm, kstack(0), ustack(0));"                                        \
	"  $by = @woken[(int64)$2];"                                                               \
	"  @stacks[pid, tid, comm, kstack(0), ustack(0), $by.0, $by.1, $by.2, $by.3] = stats(7);"  \
	"}"

#define ENDING                                                                                     \
	"config = { unwind = \"cfi\" }"                                                            \
	"tracepoint:sched:sched_switch /pid == $1 + $2/ {"                                         \
	"  @stacks[pid, tid, comm, kstack(0), ustack] = stats(7);"                                 \
	"}"

static struct skep_live *open_live(const char *script, const char *a, const char *b)
{
	struct skep_diag diag = {0};
	struct skep_live *live;
	const char *const params[] = {a, b};

	if (skep_live_open("test", script, params, 2, &live, &diag)) {
		_cleanup_buf_ struct skep_buf text = {0};
		skep_diag_render(&diag, false, &text);
		fail_msg("%s", text.data);
	}
	skep_diag_done(&diag);
	return live;
}

/* What it has seen; it is closed. */
static void collect_from(struct skep_live *live, const struct skep_profiler_wish *wish,
			 struct skep_profile *ret)
{
	struct skep_namer namer;

	skep_live_detach(live);
	skep_profile_init(ret);
	skep_profile_add_type(ret, "off_cpu", "nanoseconds");
	skep_profile_add_type(ret, "waits", "count");
	skep_namer_init(&namer, false);
	skep_namer_begin(&namer, ret);
	namer.maps = skep_live_maps(live);
	const struct skep_collect what = {
		.namer = &namer,
		.wish = wish,
		.source = &skep_profiler_sources[SKEP_PROFILER_OFF_CPU],
	};
	assert_int_equal(skep_collect_all(&what, live), 0);
	skep_namer_done(&namer);
	skep_live_close(live);
}

/* The profile of what a call of ours made of the script. @woken_by  the key of who woke it */
static void collect(const char *woken_by, struct skep_profile *ret)
{
	const struct skep_profiler_wish wish = {
		.source = SKEP_PROFILER_OFF_CPU,
		.with_wakers = true,
		.no_user = true,
		.no_kernel = true,
	};
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	struct skep_live *live = open_live(WOKEN, pid, woken_by);
	syscall(SYS_getppid);
	collect_from(live, &wish, ret);
}

static void test_who_woke_it_is_a_frame(void **state)
{
	_cleanup_profile_ struct skep_profile profile;

	collect("1", &profile);
	assert_int_equal(profile.n_samples, 1);
	assert_int_equal(profile.samples[0].values[0], 7);
	assert_int_equal(profile.samples[0].values[1], 1);
	const struct skep_profile_node *node = &profile.nodes[profile.samples[0].node];
	const struct skep_profile_frame *frame = &profile.frames[node->frame];
	assert_int_equal(frame->kind, SKEP_FRAME_THREAD);
	assert_non_null(strstr(profile.strings[frame->name], "[woken by test_profiler_"));
}

static void test_where_nobody_was_seen_to_there_is_none(void **state)
{
	_cleanup_profile_ struct skep_profile profile;

	collect("2", &profile);
	assert_int_equal(profile.n_samples, 1);
	assert_int_equal(profile.samples[0].node, 0);
	assert_int_equal(profile.samples[0].values[1], 1);
}

/* A process without memory has no user stack. Where the kernel's was lost, too, it is broken. */
static void test_nothing_is_broken(void **state)
{
	const struct skep_profiler_wish wish = {.source = SKEP_PROFILER_OFF_CPU};
	_cleanup_profile_ struct skep_profile profile;
	char byte, child[32];
	int ends[2];

	if (!skep_unwind_is_possible())
		skip();
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (!pid)
		_exit(read(ends[0], &byte, 1) != 1);
	snprintf(child, sizeof(child), "%d", (int)pid);
	struct skep_live *live = open_live(ENDING, child, "0");
	assert_int_equal(write(ends[1], "", 1), 1);
	waitpid(pid, NULL, 0);
	collect_from(live, &wish, &profile);
	uint32_t n = 0;
	for (uint32_t i = 0; i < profile.n_samples; i++) {
		assert_int_not_equal(profile.samples[i].node, 0);
		const struct skep_profile_frame *frame =
			&profile.frames[profile.nodes[profile.samples[i].node].frame];
		n += !strcmp(profile.strings[frame->name], "[broken: its stack was not taken]");
	}
	assert_int_equal(n, 1);
	close(ends[0]);
	close(ends[1]);
}

/* When names are begun anew what was lost before is still known. */
static void test_losses_stay(void **state)
{
	struct skep_namer namer;

	skep_namer_init(&namer, false);
	namer.lost = (struct skep_namer_losses){3, 4, 5};
	skep_namer_renew(&namer);
	assert_int_equal(namer.lost.n_unread, 3);
	assert_int_equal(namer.lost.n_displaced, 4);
	assert_int_equal(namer.lost.n_chainless, 5);
	skep_namer_done(&namer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_losses_stay),
		cmocka_unit_test(test_nothing_is_broken),
		cmocka_unit_test(test_who_woke_it_is_a_frame),
		cmocka_unit_test(test_where_nobody_was_seen_to_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
