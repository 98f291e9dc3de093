/* See trial.h. Two programs count in slots 0 and 1 of one map; the second replaces the first. */
#include "trial.h"

#include <stdarg.h>

#include "linux/link_info.h"

static void add_programs(struct skep_object *object, const struct trial *trial)
{
	for (uint32_t slot = 0; slot < 2; slot++) {
		struct code code = {0};
		emit_count(&code, trial->only_this_pid ? getpid() : 0, slot);
		emit_return(&code, trial->returns);
		uint32_t i = add_prog(object, trial->prog_type, &code);
		struct skep_object_prog *prog = &object->progs[i];
		prog->expected_attach_type = trial->expected_attach_type;
		prog->attach_btf_id = trial->attach_btf_id;
		prog->attach_fd = trial->attach_fd;
		prog->flags = trial->flags;
	}
}

/* By which the trial's own links are known: other programs' come and go meanwhile. */
static void find_ids(const struct skep_session *session, uint32_t ret_ids[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		struct bpf_prog_info info = {0};
		assert_int_equal(
			skep_bpf_info(skep_session_prog_fd(session, i), &info, sizeof(info)), 0);
		ret_ids[i] = info.id;
	}
}

static bool runs_one_of(uint32_t link_id, const uint32_t ids[2])
{
	struct bpf_link_info info = {0};
	_cleanup_close_ int fd = skep_bpf_open_id(BPF_LINK_GET_FD_BY_ID, link_id);

	return fd >= 0 && skep_bpf_info(fd, &info, sizeof(info)) == 0 &&
	       (info.prog_id == ids[0] || info.prog_id == ids[1]);
}

static uint32_t count_links(const uint32_t ids[2])
{
	uint32_t id = 0, n = 0;

	while (skep_bpf_next_id(BPF_LINK_GET_NEXT_ID, id, &id) == 0)
		n += runs_one_of(id, ids);
	return n;
}

/* One line for the table: the first of the diagnostic and its reason. */
static bool say_not_here(const struct trial *trial, const struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_diag_render(diag, false, &text);
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.data[i] == '\n')
			text.data[i] = ' ';
	}
	print_message("not here: %s: %s", trial->name, text.len ? text.data : "no reason\n");
	return false;
}

static void fire(struct trial *trial, const struct skep_session *session, uint32_t slot)
{
	const uint64_t before = counter(session, slot), other = counter(session, !slot);

	trial->fire(trial);
	const uint64_t ran = counter(session, slot) - before;
	if (trial->fires)
		assert_int_equal(ran, trial->fires);
	assert_true(ran > 0);
	assert_int_equal(counter(session, !slot), other);
}

/* skep_link_describe() tells the same, whatever the type. */
static void check_told(int fd, const struct bpf_link_info *info)
{
	struct skep_link told;

	assert_int_equal(skep_link_describe(fd, &told), 0);
	assert_int_equal(told.id, info->id);
	assert_int_equal(told.type, info->type);
	assert_int_equal(told.prog_id, info->prog_id);
	assert_true(strncmp(told.type_name, "type ", strlen("type ")) != 0);
	for (size_t i = 0; i < told.fields.len; i++)
		assert_true(!told.fields.data[i].text || told.fields.data[i].text[0]);
	skep_link_done(&told);
}

static void check_link(const struct trial *trial, const struct skep_session *session)
{
	struct bpf_link_info info = {0};
	uint32_t ids[2];

	if (trial->link_type < 0)
		return;
	find_ids(session, ids);
	assert_int_equal(count_links(ids), 1);
	assert_int_equal(skep_session_n_links(session), 1);
	assert_int_equal(skep_bpf_info(skep_session_link_fd(session, 0), &info, sizeof(info)), 0);
	assert_int_equal(info.type, trial->link_type);
	assert_true(info.prog_id != 0);
	check_told(skep_session_link_fd(session, 0), &info);
}

static void replace(struct trial *trial, struct skep_session *session)
{
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_ok(skep_session_replace(session, 0, 1, &diag), &diag);
	fire(trial, session, 1);
}

static void live(struct trial *trial, struct skep_session *session)
{
	fire(trial, session, 0);
	check_link(trial, session);
	if (trial->is_replaced)
		replace(trial, session);
	/* Events that come by themselves (timers) may come until it is off, but no longer. */
	skep_session_detach_all(session);
	const uint64_t counts[2] = {counter(session, 0), counter(session, 1)};
	trial->fire(trial);
	assert_int_equal(counter(session, 0), counts[0]);
	assert_int_equal(counter(session, 1), counts[1]);
}

bool trial_is_here(struct trial *trial)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	uint32_t ids[2] = {0};
	struct skep_object object;
	bool is_here;

	object_with_counters(&object);
	add_programs(&object, trial);
	trial->at.target = trial->name;
	is_here = !skep_session_open(&object, NULL, &session, &diag);
	if (is_here)
		find_ids(session, ids);
	is_here = is_here && !skep_session_attach(session, &trial->at, &diag);
	if (is_here)
		live(trial, session);
	else
		say_not_here(trial, &diag);
	skep_session_close(session);
	skep_object_done(&object);
	assert_int_equal(ids[0] ? count_links(ids) : 0, 0);
	return is_here;
}

void trial_skip(const struct trial *trial)
{
	skip();
}

void trial_run(struct trial *trial)
{
	if (!trial_is_here(trial))
		trial_skip(trial);
}

void trial_not_here(const char *name, const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	print_message("not here: %s: %s\n", name, reason);
	skip();
	abort(); /* skip() does not return */
}
