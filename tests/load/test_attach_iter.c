/*
 * Iterators, each read to its end: the test has an object of the kind, and
 * finds it among what the program wrote, which is one or two of each object's
 * members. Members are named by a path from the iterator's context
 * ("task->tgid") and found in the running kernel's BTF.
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <skep/btf.h>

#include "linux/procfs.h"

enum { HELPER_SEQ_WRITE = 127, MAX_VALUES = 2, RECORD_BYTES = 16, MAX_PASS_BYTES = 64 << 20 };

static struct skep_btf *btf;

/** What a case iterates, and what it must see. */
struct walk {
	const char *name;              /* "task_file" */
	const char *paths[MAX_VALUES]; /* what of each object is written; NULL: no more */
	uint64_t values[MAX_VALUES];   /* what one of the objects must have there */
	struct skep_attach at;         /* .iter: which objects */
	bool is_first_map, is_program,
		is_link; /* the object is the session's own: values[0] is its id */
};

static void not_here(const char *name, const char *reason)
{
	print_message("not here: iter.%s: %s\n", name, reason);
	skip();
}

/* --- The program ------------------------------------------------------------------------------ */

/* "a.b" of @type: its offset; @type becomes the member's. */
static uint32_t member_off(uint32_t *type, const char *path, size_t len)
{
	uint32_t bits = 0;

	while (len) {
		struct skep_btf_member member;
		const char *dot = memchr(path, '.', len);
		size_t n = dot ? (size_t)(dot - path) : len;
		assert_int_equal(skep_btf_find_member(btf, *type, path, n, &member), 0);
		bits += member.bit_off;
		*type = skep_btf_strip(btf, member.type);
		path += n + !!dot;
		len -= n + !!dot;
	}
	return bits / 8;
}

/* Each pointer of the context may be NULL (the last call of a pass): jumps to the end, which are
 * completed once it is known where that is. */
struct jumps {
	size_t at[MAX_VALUES];
	size_t n;
};

/* r1 = the member at @path from the context in r6 */
static void emit_path(struct code *code, uint32_t type, const char *path, struct jumps *jumps)
{
	int from = SKEP_R6;

	for (const char *arrow; (arrow = strstr(path, "->")); path = arrow + 2) {
		uint32_t off = member_off(&type, path, (size_t)(arrow - path));
		assert_int_equal(skep_btf_kind(btf, type), SKEP_BTF_PTR);
		type = skep_btf_strip(btf, skep_btf_target(btf, type));
		emit(code, skep_ldx_mem(SKEP_DW, SKEP_R1, from, (int16_t)off));
		if (from == SKEP_R6) {
			jumps->at[jumps->n++] = code->len;
			emit(code, skep_jmp_imm(SKEP_JEQ, SKEP_R1, 0, 0));
		}
		from = SKEP_R1;
	}
	uint32_t off = member_off(&type, path, strlen(path));
	int64_t size = type ? skep_btf_size(btf, type) : 8;
	emit(code, skep_ldx_mem(size == 8   ? SKEP_DW
				: size == 4 ? SKEP_W
				: size == 2 ? SKEP_H
					    : SKEP_B,
				SKEP_R1, from, (int16_t)off));
}

static uint32_t context_type(const struct walk *walk)
{
	char name[64];

	snprintf(name, sizeof(name), "bpf_iter__%s", walk->name);
	return skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

static uint32_t function_id(const struct walk *walk)
{
	char name[64];

	snprintf(name, sizeof(name), "bpf_iter_%s", walk->name);
	return skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
}

/* seq_write(ctx->meta->seq, {value, value}, 16) */
static void emit_walk(struct code *code, const struct walk *walk)
{
	uint32_t type = context_type(walk);
	struct jumps jumps = {0};

	emit(code, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	emit(code, skep_st_mem(SKEP_DW, SKEP_R10, -8, 0));
	for (int i = 0; i < MAX_VALUES && walk->paths[i]; i++) {
		emit_path(code, type, walk->paths[i], &jumps);
		emit(code, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R1, (int16_t)(8 * i - 16)));
	}
	emit(code, skep_ldx_mem(SKEP_DW, SKEP_R1, SKEP_R6, 0));
	emit(code, skep_ldx_mem(SKEP_DW, SKEP_R1, SKEP_R1, 0));
	emit(code, skep_alu64_reg(SKEP_MOV, SKEP_R2, SKEP_R10));
	emit(code, skep_alu64_imm(SKEP_ADD, SKEP_R2, -RECORD_BYTES));
	emit(code, skep_alu64_imm(SKEP_MOV, SKEP_R3, RECORD_BYTES));
	emit(code, skep_call(HELPER_SEQ_WRITE));
	for (size_t i = 0; i < jumps.n; i++)
		code->data[jumps.at[i]].off = (int16_t)(code->len - jumps.at[i] - 1);
	emit_return(code, 0);
}

static void make_object(struct skep_object *object, const struct walk *walk)
{
	struct code code = {0};

	object_with_counters(object);
	emit_walk(&code, walk);
	add_prog(object, BPF_PROG_TYPE_TRACING, &code);
	add_counter(object, BPF_PROG_TYPE_TRACING, 0, 1);
	add_counter(object, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 2);
	for (size_t i = 0; i < 2; i++) {
		object->progs[i].expected_attach_type = BPF_TRACE_ITER;
		object->progs[i].attach_btf_id = function_id(walk);
	}
}

/* --- Passes ----------------------------------------------------------------------------------- */

static void read_pass(const struct skep_session *session, struct skep_buf *ret)
{
	_cleanup_close_ int fd = skep_session_iter_open(session, 0);

	assert_true(fd >= 0);
	skep_buf_clear(ret);
	assert_int_equal(skep_fd_read(fd, MAX_PASS_BYTES, ret), 0);
}

static bool is_seen(const struct walk *walk, const struct skep_buf *pass)
{
	uint64_t record[MAX_VALUES];

	assert_int_equal(pass->len % RECORD_BYTES, 0);
	for (size_t at = 0; at < pass->len; at += RECORD_BYTES) {
		bool same = true;
		memcpy(record, pass->data + at, sizeof(record));
		for (int i = 0; i < MAX_VALUES && walk->paths[i]; i++)
			same &= record[i] == walk->values[i];
		if (same)
			return true;
	}
	return false;
}

static uint32_t link_id(const struct skep_session *session)
{
	struct bpf_link_info info = {0};

	assert_int_equal(skep_session_n_links(session), 1);
	assert_int_equal(skep_bpf_info(skep_session_link_fd(session, 0), &info, sizeof(info)), 0);
	assert_int_equal(info.type, BPF_LINK_TYPE_ITER);
	return info.id;
}

static uint32_t prog_id(const struct skep_session *session)
{
	struct bpf_prog_info info = {0};

	assert_int_equal(skep_bpf_info(skep_session_prog_fd(session, 0), &info, sizeof(info)), 0);
	return info.id;
}

static uint32_t map_id(const struct skep_session *session)
{
	struct bpf_map_info info = {0};

	assert_int_equal(skep_bpf_info(skep_session_map_fd(session, 0), &info, sizeof(info)), 0);
	return info.id;
}

static void name_own_object(struct walk *walk, const struct skep_session *session)
{
	if (walk->is_first_map)
		walk->values[0] = map_id(session);
	else if (walk->is_program)
		walk->values[0] = prog_id(session);
	else if (walk->is_link)
		walk->values[0] = link_id(session);
}

/* The second program takes over; one of another kind may not. */
static void replace(struct skep_session *session, struct skep_buf *pass)
{
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_ok(skep_session_replace(session, 0, 1, &diag), &diag);
	read_pass(session, pass);
	assert_int_equal(pass->len, 0);
	assert_true(counter(session, 1) > 0);
	assert_true(skep_session_replace(session, 0, 2, &diag) < 0);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_LINK_REPLACE);
}

static void live(struct walk *walk, struct skep_session *session)
{
	_cleanup_buf_ struct skep_buf pass = {0};

	name_own_object(walk, session);
	for (int i = 0; i < 2; i++) { /* every pass begins anew */
		read_pass(session, &pass);
		assert_true(is_seen(walk, &pass));
	}
	link_id(session);
	replace(session, &pass);
	skep_session_detach_all(session);
	assert_int_equal(skep_session_iter_open(session, 0), -EINVAL);
}

/* An iterator of a map's elements goes over the counters, which are to have a value. */
static void name_map(struct walk *walk, const struct skep_session *session)
{
	const uint64_t values[VALUES] = {walk->values[0]};
	const uint32_t key = 0;

	if (strcmp(walk->name, "bpf_map_elem") != 0)
		return;
	walk->at.iter.map_fd = skep_session_map_fd(session, 0);
	assert_int_equal(skep_bpf_map_update(walk->at.iter.map_fd, &key, values, BPF_ANY), 0);
}

static const char *reason(const struct skep_diag *diag, struct skep_buf *text)
{
	skep_diag_render(diag, false, text);
	for (size_t i = 0; i < text->len; i++)
		text->data[i] = text->data[i] == '\n' ? ' ' : text->data[i];
	return text->len ? text->data : "no reason";
}

/* Is it here? What the case made for it is closed by the case, before it is skipped. */
static bool walk_is_here(struct walk *walk, struct skep_buf *why)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;
	bool is_here;

	if (!context_type(walk) || !function_id(walk)) {
		skep_buf_printf(why, "the kernel's BTF has no bpf_iter__%s", walk->name);
		return false;
	}
	make_object(&object, walk);
	walk->at.type = SKEP_ATTACH_ITER;
	walk->at.target = walk->name;
	is_here = !skep_session_open(&object, NULL, &session, &diag);
	if (is_here) {
		name_map(walk, session);
		is_here = !skep_session_attach(session, &walk->at, &diag);
	}
	if (is_here)
		live(walk, session);
	else
		reason(&diag, why);
	skep_session_close(session);
	skep_object_done(&object);
	return is_here;
}

/* Nothing that is tidied up at the end of a function is, where skip() leaves it. */
static void run_walk(struct walk *walk, int fd)
{
	struct skep_buf why = {0};
	bool is_here = walk_is_here(walk, &why);

	if (fd >= 0)
		close(fd);
	if (!is_here)
		print_message("not here: iter.%s: %s\n", walk->name, why.data);
	skep_buf_done(&why);
	if (!is_here)
		skip();
}

/* --- The kinds -------------------------------------------------------------------------------- */

static void task(void **state)
{
	struct walk walk = {"task", {"task->tgid"}, {(uint64_t)getpid()}};

	run_walk(&walk, -1);
}

/* Narrowed to this process. */
static void task_of_a_process(void **state)
{
	struct walk walk = {"task", {"task->tgid"}, {(uint64_t)getpid()}, .at.iter.pid = getpid()};

	run_walk(&walk, -1);
}

static void task_file(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct walk walk = {"task_file", {"task->tgid", "fd"}, {(uint64_t)getpid(), (uint64_t)fd}};

	assert_true(fd >= 0);
	run_walk(&walk, fd);
}

static void task_vma(void **state)
{
	void *mapping = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct walk walk = {"task_vma",
			    {"task->tgid", "vma->vm_start"},
			    {(uint64_t)getpid(), (uintptr_t)mapping}};

	assert_ptr_not_equal(mapping, MAP_FAILED);
	/* Alone between pages of other rights, so that it is not joined with a neighbour. */
	assert_int_equal(mprotect(mapping, 4096, PROT_READ | PROT_EXEC), 0);
	run_walk(&walk, -1);
	munmap(mapping, 4096);
}

/* A socket that has a port on any address. */
static int bound_socket(int type, uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static void tcp(void **state)
{
	uint16_t port;
	int fd = bound_socket(SOCK_STREAM, &port);
	struct walk walk = {"tcp", {"sk_common->skc_num"}, {port}};

	assert_int_equal(listen(fd, 1), 0);
	run_walk(&walk, fd);
}

static void udp(void **state)
{
	uint16_t port;
	int fd = bound_socket(SOCK_DGRAM, &port);
	struct walk walk = {"udp", {"udp_sk->inet.sk.__sk_common.skc_num"}, {port}};

	run_walk(&walk, fd);
}

static void unix_sockets(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX}; /* a name of the kernel's choice */
	struct stat stat;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr.sun_family)), 0);
	assert_int_equal(fstat(fd, &stat), 0);
	struct walk walk = {"unix", {"unix_sk->sk.sk_socket->file->f_inode->i_ino"}, {stat.st_ino}};
	run_walk(&walk, fd);
}

static void netlink(void **state)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(addr);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	struct walk walk = {"netlink", {"sk->portid"}, {addr.nl_pid}};
	run_walk(&walk, fd);
}

static void bpf_map(void **state)
{
	struct walk walk = {"bpf_map", {"map->id"}, .is_first_map = true};

	run_walk(&walk, -1);
}

static void bpf_prog(void **state)
{
	struct walk walk = {"bpf_prog", {"prog->aux->id"}, .is_program = true};

	run_walk(&walk, -1);
}

static void bpf_link(void **state)
{
	struct walk walk = {"bpf_link", {"link->id"}, .is_link = true};

	run_walk(&walk, -1);
}

static void bpf_map_elem(void **state)
{
	struct walk walk = {"bpf_map_elem", {"value->"}, {0x5ee4}};

	run_walk(&walk, -1);
}

/* A group's number is that of its folder. */
static void cgroup(void **state)
{
	_cleanup_buf_ struct skep_buf mounts = {0};
	char path[4096];
	struct stat stat;

	assert_int_equal(skep_file_read("/proc/self/mounts", 1 << 20, &mounts), 0);
	if (skep_mounts_find(mounts.data, "cgroup2", "/sys/fs/cgroup", path, sizeof(path)))
		not_here("cgroup", "no cgroup2 is mounted");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &stat), 0);
	struct walk walk = {
		"cgroup",
		{"cgroup->kn->id"},
		{stat.st_ino},
		.at.iter = {.cgroup_order = BPF_CGROUP_ITER_SELF_ONLY, .cgroup_fd = fd}};
	run_walk(&walk, fd);
}

static void ksym(void **state)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long addr = 0;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, " T __x64_sys_getpid\n"))
			sscanf(line, "%llx", &addr);
	}
	fclose(file);
	struct walk walk = {"ksym", {"ksym->value"}, {addr}};
	run_walk(&walk, -1);
}

/* --- What is refused -------------------------------------------------------------------------- */

static void elements_need_a_map(void **state)
{
	const struct skep_attach at = {.type = SKEP_ATTACH_ITER, .target = "iter:bpf_map_elem"};
	struct walk walk = {"bpf_map_elem", {"value->"}, {0}};
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;

	make_object(&object, &walk);
	bool is_here = !skep_session_open(&object, NULL, &session, NULL);
	if (is_here) {
		assert_int_equal(skep_session_attach(session, &at, &diag), -EBADF);
		assert_int_equal(diag.items[0].id, SKEP_DIAG_ATTACH_FAILED);
		assert_int_equal(skep_session_n_links(session), 0);
	}
	skep_session_close(session);
	skep_object_done(&object);
	if (!is_here)
		skip();
}

static int open_btf(void **state)
{
	need_root(state);
	if (!skep_btf_open_kernel(&btf, NULL))
		return 0;
	print_message("skipped: the kernel has no BTF\n");
	exit(77);
}

static int close_btf(void **state)
{
	skep_btf_free(btf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(task),
		cmocka_unit_test(task_of_a_process),
		cmocka_unit_test(task_file),
		cmocka_unit_test(task_vma),
		cmocka_unit_test(tcp),
		cmocka_unit_test(udp),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(netlink),
		cmocka_unit_test(bpf_map),
		cmocka_unit_test(bpf_prog),
		cmocka_unit_test(bpf_link),
		cmocka_unit_test(bpf_map_elem),
		cmocka_unit_test(cgroup),
		cmocka_unit_test(ksym),
		cmocka_unit_test(elements_need_a_map),
	};

	return cmocka_run_group_tests(tests, open_btf, close_btf);
}
