/* A session from open to close: maps, BTF, runs, refusals in words, and nothing left behind. */
#include "fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <skep/btf.h>

static void maps_are_filled_and_frozen(void **state)
{
	const uint64_t first[2] = {11, 22};
	const uint32_t key = 0, one = 1;
	uint64_t got[2] = {0}, *copies = calloc(skep_possible_cpus(), 16);
	struct skep_object object;
	struct skep_object_map map = {.name = "rodata",
				      .type = BPF_MAP_TYPE_ARRAY,
				      .key_size = 4,
				      .value_size = 16,
				      .max_entries = 1,
				      .init = first,
				      .freeze = true};

	skep_object_init(&object);
	strcpy(object.license, "GPL");
	skep_object_add_map(&object, &map);
	map.freeze = false;
	map.type = BPF_MAP_TYPE_PERCPU_ARRAY;
	skep_object_add_map(&object, &map);
	struct skep_session *session = open_session(&object);
	assert_int_equal(skep_bpf_map_lookup(skep_session_map_fd(session, 0), &key, got, 0), 0);
	assert_memory_equal(got, first, 16);
	assert_int_equal(skep_bpf_map_update(skep_session_map_fd(session, 0), &key, got, 0),
			 -EPERM);
	assert_int_equal(skep_bpf_map_lookup(skep_session_map_fd(session, 1), &key, copies, 0), 0);
	for (unsigned cpu = 0; cpu < skep_possible_cpus(); cpu++)
		assert_memory_equal(copies + cpu * 2, first, 16);
	assert_int_equal(skep_bpf_map_lookup(skep_session_map_fd(session, 1), &one, copies, 0),
			 -ENOENT);
	assert_int_equal(skep_session_map_fd(session, 2), -1);
	assert_int_equal(skep_session_prog_fd(session, 0), -1);
	skep_session_close(session);
	skep_object_done(&object);
	free(copies);
}

static void hashes_grow_as_they_fill(void **state)
{
	struct skep_object object;
	struct bpf_map_info info = {0};
	const struct skep_object_map map = {.name = "at",
					    .type = BPF_MAP_TYPE_HASH,
					    .key_size = 8,
					    .value_size = 8,
					    .max_entries = 1000,
					    .prefer_no_prealloc = true};

	skep_object_init(&object);
	skep_object_add_map(&object, &map);
	struct skep_session *session = open_session(&object);
	assert_int_equal(skep_bpf_info(skep_session_map_fd(session, 0), &info, sizeof(info)), 0);
	/* since 6.1; this test asks for a kernel as new */
	assert_int_equal(info.map_flags, BPF_F_NO_PREALLOC);
	assert_string_equal(info.name, "at");
	skep_session_close(session);
	skep_object_done(&object);
}

static void a_map_the_kernel_lacks_is_named(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = (void *)1;
	struct skep_object object;
	const struct skep_object_map map = {
		.name = "odd", .type = 999, .key_size = 4, .value_size = 4, .max_entries = 1};

	skep_object_init(&object);
	skep_object_add_map(&object, &map);
	assert_int_equal(skep_session_open(&object, NULL, &session, &diag), -EINVAL);
	assert_ptr_equal(session, (void *)1);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_MAP_CREATE);
	assert_non_null(strstr(diag.items[0].why, "map type 999"));
	skep_object_done(&object);
}

static void an_array_that_cannot_be_filled_is_named(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;
	const struct skep_object_map map = {
		.name = "ring", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096, .init = "x"};

	skep_object_init(&object);
	skep_object_add_map(&object, &map);
	assert_true(skep_session_open(&object, NULL, &session, &diag) < 0);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_MAP_INIT);
	skep_object_done(&object);
}

static void test_runs_give_values(void **state)
{
	struct skep_object object;
	struct code code = {0};
	uint64_t args[2] = {5, 37};
	uint32_t value = 0;

	object_with_counters(&object);
	emit(&code, skep_ldx_mem(SKEP_DW, SKEP_R2, SKEP_R1, 0));
	emit(&code, skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R1, 8));
	emit(&code, skep_alu64_reg(SKEP_ADD, SKEP_R0, SKEP_R2));
	emit(&code, skep_exit());
	add_prog(&object, BPF_PROG_TYPE_RAW_TRACEPOINT, &code);
	struct skep_session *session = open_session(&object);
	assert_int_equal(skep_session_run(session, 0, args, sizeof(args), &value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(skep_session_run(session, 0, args, sizeof(args), NULL), 0);
	assert_int_equal(skep_session_run(session, 1, NULL, 0, NULL), -EINVAL);
	assert_int_equal(skep_session_missed(session), 0);
	skep_session_close(session);
	skep_object_done(&object);
}

/* --- refusals ------------------------------------------------------------------------------ */

static const char script[] = "BEGIN {\n\t$p = 0;\n\tprint(*$p);\n}\n";
static const struct skep_source source = {"script.bt", script, sizeof(script) - 1};

static void set_lines(struct skep_object_prog *prog, const struct skep_object_line *lines, size_t n)
{
	prog->lines = calloc(n, sizeof(*lines));
	memcpy(prog->lines, lines, n * sizeof(*lines));
	prog->n_lines = n;
}

static void a_refused_program_is_reported_at_its_line(void **state)
{
	const struct skep_object_line lines[] = {{0, {9, 6}}, {1, {18, 10}}, {2, {0, 5}}};
	struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_session *session = NULL;
	struct skep_object object;
	struct code code = {0};

	object_with_counters(&object);
	object.source = &source;
	emit(&code, skep_alu64_imm(SKEP_MOV, SKEP_R1, 0));
	emit(&code, skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R1, 0));
	emit(&code, skep_exit());
	add_prog(&object, BPF_PROG_TYPE_RAW_TRACEPOINT, &code);
	set_lines(&object.progs[0], lines, 3);
	assert_int_equal(skep_session_open(&object, NULL, &session, &diag), -EACCES);
	assert_null(session);
	assert_int_equal(diag.n_items, 1);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_REJECTED);
	assert_int_equal(diag.items[0].span.off, 18);
	assert_non_null(
		strstr(diag.items[0].why, "at instruction 1: R1 invalid mem access 'scalar'"));
	skep_diag_render(&diag, false, &text);
	assert_non_null(strstr(text.data, "script.bt:3:2"));
	skep_diag_done(&diag);
	skep_object_done(&object);
}

static void a_program_with_an_unknown_type_is_refused_without_a_log(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;

	object_with_counters(&object);
	add_counter(&object, 999, 0, 0);
	assert_int_equal(skep_session_open(&object, NULL, &session, &diag), -EINVAL);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_REFUSED);
	assert_non_null(strstr(diag.items[0].why, "does not know this kind of program"));
	skep_object_done(&object);
}

static void a_program_names_only_its_objects_maps(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;
	struct code code = {0};

	object_with_counters(&object);
	emit_value_addr(&code, SKEP_R1, 7, 0);
	emit_return(&code, 0);
	add_prog(&object, BPF_PROG_TYPE_KPROBE, &code);
	assert_int_equal(skep_session_open(&object, NULL, &session, &diag), -EINVAL);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_MAP_INDEX);
	skep_object_done(&object);
}

static void logs_are_kept_when_asked_for(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_buf_ struct skep_buf log = {0};
	struct skep_session *session = NULL;
	struct skep_object object;

	object_with_counters(&object);
	add_counter(&object, BPF_PROG_TYPE_KPROBE, 0, 0);
	add_counter(&object, BPF_PROG_TYPE_TRACEPOINT, 0, 0);
	assert_ok(skep_session_open(&object, &log, &session, &diag), &diag);
	assert_non_null(strstr(log.data, "program prog0:\n"));
	assert_non_null(strstr(log.data, "program prog1:\n"));
	assert_non_null(strstr(log.data, "processed "));
	skep_session_close(session);
	skep_object_done(&object);
}

/* --- BTF ----------------------------------------------------------------------------------- */

static void lines_and_functions_reach_the_kernel(void **state)
{
	const struct skep_object_line lines[] = {{1, {9, 6}}, {2, {18, 10}}};
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct bpf_prog_info info = {0};
	struct bpf_line_info got[8];
	struct skep_object object;
	struct code code = {0};

	object_with_counters(&object);
	object.source = &source;
	object.btf = skep_btf_writer_new();
	uint32_t type_int = skep_btf_add_int(object.btf, "int", 4, true);
	uint32_t ptr = skep_btf_add_ptr(object.btf, 0);
	uint32_t proto = skep_btf_add_func_proto(object.btf, type_int);
	skep_btf_add_param(object.btf, "ctx", ptr);
	uint32_t func = skep_btf_add_func(object.btf, "begin", proto, false);
	emit(&code, skep_alu64_imm(SKEP_MOV, SKEP_R1, 0));
	emit(&code, skep_alu64_imm(SKEP_MOV, SKEP_R2, 0));
	emit_return(&code, 0);
	add_prog(&object, BPF_PROG_TYPE_RAW_TRACEPOINT, &code);
	set_lines(&object.progs[0], lines, 2);
	object.progs[0].funcs = calloc(1, sizeof(*object.progs[0].funcs));
	object.progs[0].funcs[0] = (struct skep_object_func){0, func, "begin"};
	object.progs[0].n_funcs = 1;
	assert_ok(skep_session_open(&object, NULL, &session, &diag), &diag);
	assert_int_equal(diag.n_items, 0);
	info.line_info = (uint64_t)(uintptr_t)got;
	info.nr_line_info = 8;
	info.line_info_rec_size = sizeof(got[0]);
	assert_int_equal(skep_bpf_info(skep_session_prog_fd(session, 0), &info, sizeof(info)), 0);
	assert_int_equal(info.nr_func_info, 1);
	assert_int_equal(info.nr_line_info, 3);
	assert_int_equal(got[0].insn_off, 0);
	assert_int_equal(got[0].line_col, 2 << 10 | 2);
	assert_int_equal(got[2].insn_off, 2);
	assert_int_equal(got[2].line_col, 3 << 10 | 2);
	skep_session_close(session);
	skep_object_done(&object);
}

/* --- nothing left behind --------------------------------------------------------------------- */

static void open_attach(struct skep_object *object, struct skep_session **ret)
{
	struct skep_attach at = {.type = SKEP_ATTACH_TRACEPOINT, .target = "sys_enter_getpid"};

	object_with_counters(object);
	at.prog = add_counter(object, BPF_PROG_TYPE_TRACEPOINT, getpid(), 0);
	at.tracepoint.id = tracepoint_id("syscalls/sys_enter_getpid");
	*ret = open_session(object);
	attach(*ret, &at);
}

static void closing_closes_every_file(void **state)
{
	struct skep_session *session;
	struct skep_object object;
	size_t before = count_open_files();

	open_attach(&object, &session);
	assert_int_equal(count_open_files(), before + 4);
	skep_session_close(session);
	skep_session_close(NULL);
	assert_int_equal(count_open_files(), before);
	skep_object_done(&object);
}

static bool id_exists(enum bpf_cmd by_id, uint32_t id)
{
	union bpf_attr attr = {.prog_id = id};
	int fd = skep_bpf(by_id, &attr, sizeof(attr));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

struct ids {
	uint32_t prog, map;
};

/* In the child: open, attach, tell the ids, wait to be killed. */
_Noreturn static void hold_session(int pipe_fd)
{
	struct skep_session *session;
	struct skep_object object;
	struct bpf_prog_info prog = {0};
	struct bpf_map_info map = {0};
	struct ids ids;

	open_attach(&object, &session);
	skep_bpf_info(skep_session_prog_fd(session, 0), &prog, sizeof(prog));
	skep_bpf_info(skep_session_map_fd(session, 0), &map, sizeof(map));
	ids = (struct ids){prog.id, map.id};
	if (write(pipe_fd, &ids, sizeof(ids)) != sizeof(ids))
		_exit(1);
	for (;;)
		pause();
}

static void a_killed_process_leaves_nothing_in_the_kernel(void **state)
{
	struct ids ids = {0};
	int fds[2], tries = 0;

	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	if (child == 0)
		hold_session(fds[1]);
	assert_int_equal(read(fds[0], &ids, sizeof(ids)), sizeof(ids));
	assert_true(id_exists(BPF_PROG_GET_FD_BY_ID, ids.prog));
	assert_true(id_exists(BPF_MAP_GET_FD_BY_ID, ids.map));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* programs and maps are freed after a grace period */
	while ((id_exists(BPF_PROG_GET_FD_BY_ID, ids.prog) ||
		id_exists(BPF_MAP_GET_FD_BY_ID, ids.map)) &&
	       tries++ < 500)
		usleep(10000);
	assert_true(tries < 500);
	close(fds[0]);
	close(fds[1]);
}

/* In a child that is nobody: exit status 0 if the refusal is what it should be. */
static int refused_as_nobody(void)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;

	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		return 1;
	object_with_counters(&object);
	add_counter(&object, BPF_PROG_TYPE_TRACEPOINT, 0, 0);
	if (skep_session_open(&object, NULL, &session, &diag) != -EPERM)
		return 2;
	if (diag.n_items != 1 || diag.items[0].id != SKEP_DIAG_NOT_PERMITTED)
		return 3;
	if (!strstr(diag.items[0].why, "user 65534") || !strstr(diag.items[0].why, "CAP_BPF") ||
	    !strstr(diag.items[0].why, "kernel.unprivileged_bpf_disabled is "))
		return 4;
	skep_object_done(&object);
	return 0;
}

static void missing_privileges_are_named(void **state)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(refused_as_nobody());
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_filled_and_frozen),
		cmocka_unit_test(hashes_grow_as_they_fill),
		cmocka_unit_test(a_map_the_kernel_lacks_is_named),
		cmocka_unit_test(an_array_that_cannot_be_filled_is_named),
		cmocka_unit_test(test_runs_give_values),
		cmocka_unit_test(a_refused_program_is_reported_at_its_line),
		cmocka_unit_test(a_program_with_an_unknown_type_is_refused_without_a_log),
		cmocka_unit_test(a_program_names_only_its_objects_maps),
		cmocka_unit_test(logs_are_kept_when_asked_for),
		cmocka_unit_test(lines_and_functions_reach_the_kernel),
		cmocka_unit_test(closing_closes_every_file),
		cmocka_unit_test(a_killed_process_leaves_nothing_in_the_kernel),
		cmocka_unit_test(missing_privileges_are_named),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
