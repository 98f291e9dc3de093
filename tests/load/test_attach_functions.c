/* Attach types on functions of the kernel and of programs, through their lives: see trial.h. */
#include "trial.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <skep/btf.h>

#include "linux/lsm.h"
#include "linux/newer.h"

#define N_CALLS 100
#if defined(__aarch64__)
#define GETPID "__arm64_sys_getpid"
#else
#define GETPID "__x64_sys_getpid"
#endif

static struct skep_btf *kernel_btf;

/* The id in the kernel's BTF; without it the test is over. */
static uint32_t kernel_id(const char *test, const char *name, enum skep_btf_kind kind)
{
	uint32_t id = kernel_btf ? skep_btf_find(kernel_btf, name, strlen(name),
						 SKEP_BTF_MASK((unsigned)kind))
				 : 0;

	if (!id)
		trial_not_here(test, "the kernel's BTF has no %s", name);
	return id;
}

static void call_getpid(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		syscall(SYS_getpid);
}

/* --- kprobes ------------------------------------------------------------------------------- */

static void run_kprobe(const char *name, const char *func, uint64_t addr, bool ret)
{
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.at = {.type = SKEP_ATTACH_KPROBE,
		       .kprobe = {.func = func, .addr = addr, .ret = ret}},
		.fire = call_getpid,
		.fires = N_CALLS,
		.link_type = BPF_LINK_TYPE_PERF_EVENT,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

static void kprobe(void **state)
{
	run_kprobe("kprobe", GETPID, 0, false);
}

static void kretprobe(void **state)
{
	run_kprobe("kretprobe", GETPID, 0, true);
}

static uint64_t address_of(const char *func)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long addr, found = 0;
	char name[256];

	while (file && !found && fscanf(file, "%llx %*c %255s%*[^\n]", &addr, name) == 2) {
		if (!strcmp(name, func))
			found = addr;
	}
	if (file)
		fclose(file);
	return found;
}

static void kprobe_address(void **state)
{
	uint64_t addr = address_of(GETPID);

	if (!addr)
		trial_not_here("kprobe.address", "the kernel hides its addresses");
	run_kprobe("kprobe.address", NULL, addr, false);
}

static void run_multi(const char *name, uint32_t attach_type, bool ret, uint64_t fires)
{
	const char *const names[] = {"do_sys_settimeofday64", GETPID};
	const uint64_t cookies[] = {1, 2};
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = attach_type,
		.at = {.type = SKEP_ATTACH_KPROBE_MULTI,
		       .kprobe_multi = {.names = names,
					.cookies = cookies,
					.n = 2,
					.ret = ret,
					.session = attach_type == ATTACH_KPROBE_SESSION}},
		.fire = call_getpid,
		.fires = fires,
		.link_type = BPF_LINK_TYPE_KPROBE_MULTI,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

static void kprobe_multi(void **state)
{
	run_multi("kprobe.multi", BPF_TRACE_KPROBE_MULTI, false, N_CALLS);
}

static void kretprobe_multi(void **state)
{
	run_multi("kretprobe.multi", BPF_TRACE_KPROBE_MULTI, true, N_CALLS);
}

/* At entry, and because the program says 0 there, at return. */
static void kprobe_session(void **state)
{
	run_multi("kprobe.session", ATTACH_KPROBE_SESSION, false, 2 * N_CALLS);
}

/* --- Trampolines ----------------------------------------------------------------------------- */

/* A function that BTF describes on every kernel, that may be modified, and that a process calls as
 * often as it likes: once for each setpriority(). */
#define SETNICE "security_task_setnice"

static void set_nice(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		assert_int_equal(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)), 0);
}

static struct trial tracing_trial(const char *name, uint32_t attach_type)
{
	return (struct trial){
		.name = name,
		.prog_type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = attach_type,
		.at = {.type = SKEP_ATTACH_TRACING},
		.fire = call_getpid,
		.fires = N_CALLS,
		.link_type = BPF_LINK_TYPE_TRACING,
		.only_this_pid = true,
	};
}

static void run_function(const char *name, uint32_t attach_type)
{
	struct trial trial = tracing_trial(name, attach_type);

	trial.attach_btf_id = kernel_id(name, SETNICE, SKEP_BTF_FUNC);
	trial.fire = set_nice;
	trial_run(&trial);
}

static void fentry(void **state)
{
	run_function("fentry", BPF_TRACE_FENTRY);
}

static void fexit(void **state)
{
	run_function("fexit", BPF_TRACE_FEXIT);
}

static void fmod_ret(void **state)
{
	run_function("fmod_ret", BPF_MODIFY_RETURN);
}

static void rename_thread(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		assert_int_equal(prctl(PR_SET_NAME, i % 2 ? "odd" : "even"), 0);
}

static void tp_btf(void **state)
{
	struct trial trial = tracing_trial("tp_btf", BPF_TRACE_RAW_TP);

	trial.attach_btf_id = kernel_id("tp_btf", "btf_trace_task_rename", SKEP_BTF_TYPEDEF);
	trial.fire = rename_thread;
	trial.link_type = BPF_LINK_TYPE_RAW_TRACEPOINT;
	trial_run(&trial);
}

/* --- Modules --------------------------------------------------------------------------------- */

/* A module that the test kernels of distributions have loaded: their root is an overlay. */
#define MODULE      "overlay"
#define MODULE_FUNC "ovl_getattr"

static void stat_root(struct trial *trial)
{
	struct stat info;

	for (int i = 0; i < N_CALLS; i++)
		assert_int_equal(stat("/", &info), 0);
}

static bool is_btf_of(int fd, const char *module)
{
	char name[64] = "";
	struct bpf_btf_info info;

	memset(&info, 0, sizeof(info));
	info.name = (uint64_t)(uintptr_t)name;
	info.name_len = sizeof(name);
	return !skep_bpf_info(fd, &info, sizeof(info)) && info.kernel_btf && !strcmp(name, module);
}

/* A descriptor of the module's BTF, and in it the function's id; else the test is over. */
static int open_module(const char *test, uint32_t *ret_func)
{
	struct skep_btf *btf = NULL;
	uint32_t id = 0;

	if (!kernel_btf || skep_btf_open("/sys/kernel/btf/" MODULE, kernel_btf, &btf, NULL))
		trial_not_here(test, "no module %s with BTF is loaded", MODULE);
	*ret_func =
		skep_btf_find(btf, MODULE_FUNC, strlen(MODULE_FUNC), SKEP_BTF_MASK(SKEP_BTF_FUNC));
	skep_btf_free(btf);
	assert_true(*ret_func != 0);
	while (!skep_bpf_next_id(BPF_BTF_GET_NEXT_ID, id, &id)) {
		int fd = skep_bpf_open_id(BPF_BTF_GET_FD_BY_ID, id);
		if (fd >= 0 && is_btf_of(fd, MODULE))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	trial_not_here(test, "the kernel gives nobody the BTF of %s", MODULE);
}

static void kprobe_module(void **state)
{
	struct trial trial = {
		.name = "kprobe.module",
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.at = {.type = SKEP_ATTACH_KPROBE, .kprobe.func = MODULE ":" MODULE_FUNC},
		.fire = stat_root,
		.link_type = BPF_LINK_TYPE_PERF_EVENT,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

static void fentry_module(void **state)
{
	struct trial trial = tracing_trial("fentry.module", BPF_TRACE_FENTRY);

	trial.attach_fd = open_module(trial.name, &trial.attach_btf_id);
	trial.fire = stat_root;
	trial.fires = 0;
	bool is_here = trial_is_here(&trial);
	close(trial.attach_fd);
	if (!is_here)
		trial_skip(&trial);
}

/* --- LSM ------------------------------------------------------------------------------------- */

static struct trial lsm_trial(const char *name, const char *hook, uint32_t attach_type)
{
	struct trial trial = tracing_trial(name, attach_type);

	trial.attach_btf_id = kernel_id(name, hook, SKEP_BTF_FUNC);
	trial.prog_type = BPF_PROG_TYPE_LSM;
	if (!skep_lsm_is_active("bpf"))
		trial_not_here(name, "the kernel's list of security modules has no bpf (lsm=)");
	return trial;
}

static void lsm(void **state)
{
	struct trial trial = lsm_trial("lsm", "bpf_lsm_task_setnice", BPF_LSM_MAC);

	trial.fire = set_nice;
	trial_run(&trial);
}

/* A folder that nothing is laid over: an overlay opens its own file and the one below. */
static void open_proc(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++) {
		int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void lsm_sleepable(void **state)
{
	struct trial trial = lsm_trial("lsm.s", "bpf_lsm_file_open", BPF_LSM_MAC);

	trial.flags = BPF_F_SLEEPABLE;
	trial.fire = open_proc;
	trial_run(&trial);
}

static void make_sockets(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fd >= 0);
		close(fd);
	}
}

/* A control group file system of our own for a moment: its root has every process in it. */
static int open_cgroup(const char *name)
{
	char folder[] = "/tmp/skep-cgroup-XXXXXX";

	assert_non_null(mkdtemp(folder));
	int err = mount("none", folder, "cgroup2", 0, NULL) ? errno : 0;
	int fd = err ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err)
		umount2(folder, MNT_DETACH);
	rmdir(folder);
	if (fd < 0)
		trial_not_here(name, "no cgroup2: %s", strerror(err));
	return fd;
}

static void lsm_cgroup(void **state)
{
	static const char name[] = "lsm_cgroup";
	struct trial trial = lsm_trial(name, "bpf_lsm_socket_create", BPF_LSM_CGROUP);

	trial.at.type = SKEP_ATTACH_LSM_CGROUP;
	trial.at.cgroup.cgroup_fd = open_cgroup(name);
	trial.returns = 1; /* go on */
	trial.only_this_pid = false;
	trial.fires = 0;
	trial.fire = make_sockets;
	trial.link_type = BPF_LINK_TYPE_CGROUP;
	trial.is_replaced = true;
	bool is_here = trial_is_here(&trial);
	close(trial.at.cgroup.cgroup_fd);
	if (!is_here)
		trial_skip(&trial);
}

/* --- Functions of other programs ------------------------------------------------------------- */

/* int target(struct xdp_md *ctx), which returns @verdict; @ret_func: its id in BTF. */
static void object_with_xdp(struct skep_object *object, uint32_t type, int32_t verdict,
			    uint32_t *ret_func)
{
	struct code code = {0};

	object_with_counters(object);
	object->btf = skep_btf_writer_new();
	uint32_t number = skep_btf_add_int(object->btf, "int", 4, true);
	uint32_t md = skep_btf_add_struct(object->btf, "xdp_md", 4);
	skep_btf_add_member(object->btf, "data", number, 0);
	uint32_t ctx = skep_btf_add_ptr(object->btf, md);
	uint32_t proto = skep_btf_add_func_proto(object->btf, number);
	skep_btf_add_param(object->btf, "ctx", ctx);
	*ret_func = skep_btf_add_func(object->btf, "target", proto, false);
	emit_return(&code, verdict);
	uint32_t i = add_prog(object, type, &code);
	struct skep_object_prog *prog = &object->progs[i];
	prog->funcs = calloc(1, sizeof(*prog->funcs));
	prog->funcs[0].btf_func = *ret_func;
	prog->funcs[0].name = "target";
	prog->n_funcs = 1;
}

static uint32_t run_packet(int prog_fd)
{
	uint8_t packet[64] = {0};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog_fd;
	attr.test.data_in = (uint64_t)(uintptr_t)packet;
	attr.test.data_size_in = sizeof(packet);
	assert_int_equal(skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	return attr.test.retval;
}

static void run_packets(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		run_packet(trial->attach_fd);
}

static void fentry_program(void **state)
{
	struct trial trial = tracing_trial("fentry.program", BPF_TRACE_FENTRY);
	struct skep_object target;

	object_with_xdp(&target, BPF_PROG_TYPE_XDP, XDP_PASS, &trial.attach_btf_id);
	struct skep_session *session = open_session(&target);
	trial.attach_fd = skep_session_prog_fd(session, 0);
	trial.fire = run_packets;
	bool is_here = trial_is_here(&trial);
	skep_session_close(session);
	skep_object_done(&target);
	if (!is_here)
		trial_skip(&trial);
}

/* Return whether the program could take the target's place; if not, why (see @diag). */
static bool replace_target(const struct skep_object *object, int target_fd, struct skep_diag *diag)
{
	struct skep_attach at = {.type = SKEP_ATTACH_TRACING, .target = "freplace"};
	struct skep_session *session = NULL;

	if (skep_session_open(object, NULL, &session, diag) ||
	    skep_session_attach(session, &at, diag)) {
		skep_session_close(session);
		return false;
	}
	assert_int_equal(run_packet(target_fd), XDP_PASS);
	skep_session_close(session);
	assert_int_equal(run_packet(target_fd), XDP_DROP);
	return true;
}

static void freplace(void **state)
{
	struct skep_diag diag = {0};
	struct skep_object target, other;
	uint32_t func, own_func;
	char why[256] = "";

	object_with_xdp(&target, BPF_PROG_TYPE_XDP, XDP_DROP, &func);
	object_with_xdp(&other, BPF_PROG_TYPE_EXT, XDP_PASS, &own_func);
	struct skep_session *session = open_session(&target);
	int target_fd = skep_session_prog_fd(session, 0);
	assert_int_equal(run_packet(target_fd), XDP_DROP);
	other.progs[0].attach_btf_id = func;
	other.progs[0].attach_fd = target_fd;
	bool is_here = replace_target(&other, target_fd, &diag);
	skep_session_close(session);
	skep_object_done(&other);
	skep_object_done(&target);
	if (!is_here)
		snprintf(why, sizeof(why), "%s", diag.items[0].what);
	skep_diag_done(&diag);
	if (!is_here)
		trial_not_here("freplace", "%s", why);
}

/* --- What is missed --------------------------------------------------------------------------- */

/* The kernel counts for the link: the number survives its end, and is not made up. */
static void missed(void **state)
{
	struct skep_attach at = {.type = SKEP_ATTACH_KPROBE, .target = "kprobe:" GETPID};
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_object object;

	at.kprobe.func = GETPID;
	object_with_counters(&object);
	add_counter(&object, BPF_PROG_TYPE_KPROBE, getpid(), 0);
	struct skep_session *session = open_session(&object);
	bool is_here = !skep_session_attach(session, &at, &diag);
	if (is_here)
		call_getpid(NULL);
	uint64_t before = skep_session_missed(session);
	skep_session_detach_all(session);
	assert_int_equal(skep_session_missed(session), before);
	assert_int_equal(counter(session, 0) + before, is_here ? N_CALLS : 0);
	skep_session_close(session);
	skep_object_done(&object);
}

static int open_btf(void **state)
{
	int err = need_root(state);

	if (!err && skep_btf_open("/sys/kernel/btf/vmlinux", NULL, &kernel_btf, NULL))
		kernel_btf = NULL;
	return err;
}

static int close_btf(void **state)
{
	skep_btf_free(kernel_btf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kprobe),
		cmocka_unit_test(kretprobe),
		cmocka_unit_test(kprobe_address),
		cmocka_unit_test(kprobe_multi),
		cmocka_unit_test(kretprobe_multi),
		cmocka_unit_test(kprobe_session),
		cmocka_unit_test(fentry),
		cmocka_unit_test(fexit),
		cmocka_unit_test(fmod_ret),
		cmocka_unit_test(tp_btf),
		cmocka_unit_test(kprobe_module),
		cmocka_unit_test(fentry_module),
		cmocka_unit_test(lsm),
		cmocka_unit_test(lsm_sleepable),
		cmocka_unit_test(lsm_cgroup),
		cmocka_unit_test(fentry_program),
		cmocka_unit_test(freplace),
		cmocka_unit_test(missed),
	};

	return cmocka_run_group_tests(tests, open_btf, close_btf);
}
