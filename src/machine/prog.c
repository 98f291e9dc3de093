/*
 * PROG_LOAD: from attributes to a program that can run.
 *
 *	attributes ─► checks in the kernel's order ─► copies ─► func_info ─► link ─► line_info
 *		─► verify ─► compile
 *
 * What runs programs trusts the verifier (prog_verify.c). Two kinds of verified programs may still
 * do what is the kernel's to catch: those that follow pointers to the kernel's structures, and
 * those that call what has no meaning in user space. They, and all programs of a machine that
 * verifies none, run in the checked interpreter, which tests each access as it comes.
 *
 * The log says in the kernel's words why a program is refused, and ends with its line about how
 * much was looked at.
 *
 * Source  behaviour of Linux 6.18, bpf_prog_load() and bpf_check()
 */
#include "machine/prog.h"
#include "machine/map.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include <skep/check.h>
#include <skep/isa.h>

#define MOST_INSNS    1000000
#define LICENSE_BYTES 128
#define MOST_BTF_TYPE 0x000fffff
#define MOST_FD_ARRAY (1u << 20)
#define TAIL_OF_ATTR  (offsetof(union attr, prog_load.log_true_size) + sizeof(uint32_t))

int machine_prog_object_get(struct skep_machine *machine, int fd, struct prog_object **ret)
{
	struct object *object;
	int err = machine_object_get(machine, fd, OBJECT_PROG, &object, NULL);

	if (!err)
		*ret = object_of(prog_object, object);
	return err;
}

/* --- Attributes ----------------------------------------------------------------------------- */

/* Types from before there were attach types mean their first one. */
static void fix_attach_type(struct attr_prog_load *attr)
{
	if (attr->expected_attach_type)
		return;
	if (attr->type == PROG_CGROUP_SOCK)
		attr->expected_attach_type = ATTACH_CGROUP_INET_SOCK_CREATE;
	if (attr->type == PROG_SK_REUSEPORT)
		attr->expected_attach_type = ATTACH_SK_REUSEPORT_SELECT;
}

static int check_attr(const struct attr_prog_load *attr)
{
	if (attr->flags & ~PROG_F_ALL)
		return -EINVAL;
	if (attr->flags & PROG_F_TOKEN_FD)
		return machine_handle_no_token(attr->token_fd);
	return !attr->insn_cnt || attr->insn_cnt > MOST_INSNS ? -E2BIG : 0;
}

/* What the program attaches to: another program, or a function of the kernel's. */
static int get_target(struct skep_machine *machine, const struct attr_prog_load *attr,
		      struct prog_object *prog)
{
	if (!attr->attach_fd && !attr->attach_btf_id)
		return 0;
	if (!attr->attach_fd) {
		prog->attach_btf = machine_btf_object_kernel(machine);
		return prog->attach_btf ? 0 : -EINVAL;
	}
	if (!machine_prog_object_get(machine, (int)attr->attach_fd, &prog->attach_prog))
		return 0;
	if (machine_btf_object_get(machine, (int)attr->attach_fd, &prog->attach_btf))
		return -EINVAL;
	return prog->attach_btf->is_kernel ? 0 : -SKEP_ENOTSUPP;
}

/* The kernel's names of what goes with its own licence. */
static bool is_gpl(const char *license)
{
	static const char *const names[] = {
		"GPL",          "GPL v2",       "GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(license, names[i]))
			return true;
	return false;
}

static int copy_in(const struct attr_prog_load *attr, struct prog_object *prog)
{
	char license[LICENSE_BYTES];
	void *insns;
	int err = machine_user_dup(attr->insns, attr->insn_cnt * sizeof(*prog->insns), &insns);

	if (err)
		return err;
	prog->insns = insns;
	prog->n_insns = attr->insn_cnt;
	err = machine_user_string(attr->license, license, sizeof(license));
	if (err < 0)
		return err;
	prog->gpl = is_gpl(license);
	return 0;
}

/* --- Linking -------------------------------------------------------------------------------- */

struct linking {
	struct skep_machine *machine;
	struct request *req;
	const struct attr_prog_load *attr;
	struct prog_object *prog;
	struct log *log;
};

static int keep_map(struct prog_object *prog, struct map_object *object)
{
	for (size_t i = 0; i < prog->maps.len; i++)
		if (prog->maps.data[i] == object) {
			machine_object_put(&object->object);
			return 0;
		}
	skep_vec_push(&prog->maps, object);
	return 0;
}

static int fd_of_array(const struct linking *linking, uint32_t index, int *ret)
{
	if (!linking->attr->fd_array) {
		machine_log_printf(linking->log, "fd_idx without fd_array is invalid\n");
		return -EPROTO;
	}
	return machine_user_read(ret, linking->attr->fd_array + (uint64_t)index * sizeof(*ret),
				 sizeof(*ret));
}

static int link_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	const struct linking *linking = ctx;
	bool by_index = insn->src == SKEP_PSEUDO_MAP_IDX || insn->src == SKEP_PSEUDO_MAP_IDX_VALUE;
	struct map_object *object;
	int fd = insn->imm, err = 0;

	if (by_index)
		err = fd_of_array(linking, (uint32_t)insn->imm, &fd);
	if (!err)
		err = machine_map_object_get(linking->machine, fd, &object, NULL);
	if (err == -EBADF || err == -EINVAL)
		machine_log_printf(linking->log, "fd %d is not pointing to valid bpf_map\n", fd);
	if (err)
		return err;
	skep_map_ref(object->map);
	*ret = object->map;
	return keep_map(linking->prog, object);
}

/* Loaders mark calls that can not be resolved, in code that they expect never to be reached: by
 * numbers that no helper has. Reached all the same, the call ends the run. */
static bool is_poison(int32_t id)
{
	return id == 0xbad2310 || (id >= 2000000000 && id < 2003000000);
}

static uint64_t poisoned(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			 struct skep_run *run)
{
	skep_check_refuse(run, 0, "a call that the loader could not resolve was reached");
	return 0;
}

static const struct skep_proto poisoned_proto = {.ret = SKEP_RET_INTEGER};
static const struct skep_callable poison = {"unresolved", poisoned, &poisoned_proto};

static uint64_t absent(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
		       struct skep_run *run)
{
	skep_check_refuse(run, 0, "a function that has no meaning in user space was called");
	return 0;
}

/* What the verifier judges though it cannot be done here: that ends the run where it is called. */
static const struct skep_callable nowhere = {"absent", absent, &poisoned_proto};

static int link_stop(const struct linking *linking, const struct skep_callable *stop,
		     const struct skep_callable **ret)
{
	linking->prog->unsure = true;
	*ret = stop;
	return 0;
}

static int link_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	const struct linking *linking = ctx;
	const struct skep_callable *row = skep_helper(id);
	const struct skep_proto *proto;
	bool verifies = !linking->machine->opts.unverified;

	if (!row && (is_poison(id) || verifies))
		return link_stop(linking, &poison, ret);
	if (verifies && !row->call)
		return link_stop(linking, &nowhere, ret);
	if (verifies) {
		*ret = row;
		return 0;
	}
	if (!row) {
		machine_log_printf(linking->log, "invalid func unknown#%d\n", id);
		return -EINVAL;
	}
	if (!row->call) {
		machine_log_printf(linking->log, "helper %s#%d has no meaning in user space\n",
				   row->name, id);
		return -EINVAL;
	}
	proto = row->proto;
	if (proto && proto->gpl_only && !linking->prog->gpl) {
		machine_log_printf(
			linking->log,
			"cannot call GPL-restricted function from non-GPL compatible program\n");
		return -EINVAL;
	}
	*ret = row;
	return 0;
}

/* A call of a module's function names the module by its place in fd_array; there are no modules. */
static int refuse_module(const struct linking *linking, const struct skep_insn *insn)
{
	if (insn->off < 0)
		machine_log_printf(linking->log, "negative offset disallowed for kernel module "
						 "function call\n");
	else if (!linking->attr->fd_array)
		machine_log_printf(linking->log, "kfunc offset > 0 without fd_array is invalid\n");
	else
		machine_log_printf(
			linking->log,
			"kernel btf_id %d is of the module in fd_array[%d]: this machine "
			"has no kernel modules\n",
			insn->imm, insn->off);
	return insn->off > 0 && !linking->attr->fd_array ? -EPROTO : -EINVAL;
}

static int link_kfunc(void *ctx, const struct skep_insn *insn, const struct skep_callable **ret)
{
	const struct linking *linking = ctx;
	const struct skep_btf *btf = linking->machine->kernel_btf;
	const struct skep_callable *row;
	const char *name;
	bool verifies = !linking->machine->opts.unverified;

	if (!insn->imm && verifies)
		return link_stop(linking, &poison, ret);
	if (!linking->prog->gpl) {
		machine_log_printf(linking->log,
				   "cannot call kernel function from non-GPL compatible "
				   "program\n");
		return -EINVAL;
	}
	if (insn->off)
		return refuse_module(linking, insn);
	if (!btf || skep_btf_kind(btf, (uint32_t)insn->imm) != SKEP_BTF_FUNC) {
		machine_log_printf(linking->log, "kernel btf_id %d is not a function\n", insn->imm);
		return -EINVAL;
	}
	name = skep_btf_name(btf, (uint32_t)insn->imm);
	row = skep_kfunc(name);
	if ((!row || !row->call) && verifies)
		return link_stop(linking, &nowhere, ret);
	if (!row || !row->call) {
		machine_log_printf(linking->log, "calling kernel function %s is not allowed\n",
				   name);
		return -EACCES;
	}
	*ret = row;
	return 0;
}

/* The memory that stands for variable @id: zeros at first, one for all programs. */
static int variable_memory(struct skep_machine *machine, uint32_t id, void **ret)
{
	int64_t size = skep_btf_size(machine->kernel_btf, skep_btf_target(machine->kernel_btf, id));
	void *memory;

	skep_vec_foreach (struct variable, variable, &machine->variables)
		if (variable->btf_id == id) {
			*ret = variable->memory;
			return 0;
		}
	if (size <= 0 || size > 1 << 20)
		return -EINVAL;
	memory = calloc(1, (size_t)size);
	if (!memory)
		return -ENOMEM;
	skep_vec_push(&machine->variables, ((struct variable){id, memory}));
	*ret = memory;
	return 0;
}

static int link_variable(void *ctx, const struct skep_insn *insn, uint64_t *ret)
{
	const struct linking *linking = ctx;
	struct skep_machine *machine = linking->machine;
	uint32_t id = (uint32_t)insn->imm;
	void *memory;
	int err;

	if (!machine->kernel_btf || insn[1].imm)
		return -EINVAL;
	if (skep_btf_kind(machine->kernel_btf, id) != SKEP_BTF_VAR) {
		machine_log_printf(linking->log,
				   "pseudo btf_id %u in ldimm64 isn't KIND_VAR or "
				   "KIND_FUNC\n",
				   id);
		return -EINVAL;
	}
	pthread_mutex_lock(&machine->lock);
	err = variable_memory(machine, id, &memory);
	pthread_mutex_unlock(&machine->lock);
	if (!err)
		*ret = (uintptr_t)memory;
	return err;
}

/* What BTF says of functions and lines is looked at as soon as functions are known. */
static int check_layout(void *ctx, struct skep_image *image)
{
	struct linking *linking = ctx;
	int err;

	linking->prog->image = image;
	err = machine_prog_check_lines(linking->req, linking->prog, linking->log);
	linking->prog->image = NULL;
	return err;
}

static int link_program(struct linking *linking)
{
	struct skep_link_env env = {
		.map = link_map,
		.helper = link_helper,
		.kfunc = link_kfunc,
		.variable = link_variable,
		.ctx = linking,
		.layout = check_layout,
		.verified = !linking->machine->opts.unverified,
	};
	struct prog_object *prog = linking->prog;
	struct skep_image *image;
	int err = machine_prog_find_exception(prog, linking->log, &env.exception_callback);

	if (err)
		return err;
	err = skep_image_link(prog->insns, prog->n_insns, prog->type, &env,
			      linking->log->level ? &linking->log->text : NULL, &image);
	if (err)
		return err;
	memcpy(image->name, prog->name, sizeof(image->name));
	prog->image = image;
	return 0;
}

/* fd_array with a count: all of it is bound to the program, used or not. */
static int bind_fd_array(struct linking *linking)
{
	const struct attr_prog_load *attr = linking->attr;

	if (attr->fd_array_cnt >= MOST_FD_ARRAY)
		return -EINVAL;
	for (uint32_t i = 0; i < attr->fd_array_cnt; i++) {
		struct map_object *object;
		struct btf_object *btf;
		int fd, err = fd_of_array(linking, i, &fd);

		if (err)
			return err;
		if (!machine_map_object_get(linking->machine, fd, &object, NULL)) {
			keep_map(linking->prog, object);
			continue;
		}
		err = machine_btf_object_get(linking->machine, fd, &btf);
		if (err) {
			machine_log_printf(linking->log,
					   "fd %d is not pointing to valid map or btf\n", fd);
			return err;
		}
		machine_object_put(&btf->object);
	}
	return 0;
}

/* --- Checking ------------------------------------------------------------------------------- */

static int check_program(struct linking *linking)
{
	struct skep_machine *machine = linking->machine;
	int err = bind_fd_array(linking);

	if (!err)
		err = machine_prog_check_funcs(machine, linking->req, linking->prog, linking->log);
	if (!err)
		err = link_program(linking);
	if (!err)
		err = machine_prog_check_target(machine, linking->prog, linking->log);
	if (!err && !machine->opts.unverified) {
		err = machine_prog_verify(machine, linking->prog, linking->log);
		if (!err)
			skep_image_bury_faults(linking->prog->image);
		return err;
	}
	machine_log_printf(linking->log,
			   "processed %u insns (limit %d) max_states_per_insn 0 total_states 0 "
			   "peak_states 0 mark_read 0\n",
			   linking->prog->image ? linking->prog->n_insns : 0, MOST_INSNS);
	return err;
}

/* The log is handed over whatever came of the check; what is wrong with it weighs more. */
static int check_with_log(struct skep_machine *machine, struct request *req,
			  struct prog_object *prog)
{
	const struct attr_prog_load *attr = &req->attr.prog_load;
	_cleanup_log_ struct log log = {0};
	struct linking linking = {machine, req, attr, prog, &log};
	uint32_t true_size;
	int err = machine_log_init(&log, attr->log_level, attr->log_buf, attr->log_size), log_err;

	if (err)
		return err;
	err = check_program(&linking);
	log_err = machine_log_finish(&log, &true_size);
	if (req->size >= TAIL_OF_ATTR && request_put(req, prog_load.log_true_size, true_size))
		return -EFAULT;
	return log_err ? log_err : err;
}

/* --- Making --------------------------------------------------------------------------------- */

static int compile(struct skep_machine *machine, struct prog_object *prog)
{
	struct skep_exec_opts opts = machine->opts.exec_opts;
	const struct skep_exec *exec = machine->opts.exec ? machine->opts.exec : &skep_exec_jit;
	int err;

	opts.budget |= machine->opts.budget != 0;
	if (machine->opts.unverified || prog->unsure)
		exec = &skep_exec_checked;
	prog->program.image = prog->image;
	err = exec->compile(prog->image, &opts, &prog->program.code);
	if (err == -ENOTSUP && !machine->opts.exec && exec == &skep_exec_jit) {
		exec = &skep_exec_interp;
		err = exec->compile(prog->image, &opts, &prog->program.code);
	}
	prog->program.exec = exec;
	prog->checked = exec == &skep_exec_checked;
	if (prog->checked)
		__atomic_store_n(&machine->mixed, true, __ATOMIC_RELAXED);
	return err;
}

static uint64_t boottime_ns(void)
{
	struct timespec now = {0};

#ifdef CLOCK_BOOTTIME
	clock_gettime(CLOCK_BOOTTIME, &now);
#else
	clock_gettime(CLOCK_MONOTONIC, &now);
#endif
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void describe(const struct attr_prog_load *attr, struct prog_object *prog)
{
	prog->type = attr->type;
	prog->expected_attach_type = attr->expected_attach_type;
	prog->flags = attr->flags;
	prog->attach_btf_id = attr->attach_btf_id;
	prog->load_time_ns = boottime_ns();
	prog->uid = machine_os_uid();
}

static int load(struct skep_machine *machine, struct request *req, struct prog_object *prog)
{
	struct attr_prog_load *attr = &req->attr.prog_load;
	int err;

	describe(attr, prog);
	err = get_target(machine, attr, prog);
	if (!err)
		err = machine_prog_check_attach(prog);
	if (!err)
		err = copy_in(attr, prog);
	if (!err && attr->signature)
		err = -ENOKEY; /* there are no keyrings */
	if (!err && (!attr->type || attr->type >= PROG_TYPE_CNT || attr->ifindex))
		err = -EINVAL; /* no such type; no device runs programs */
	if (!err)
		err = machine_name_check(attr->name);
	if (err)
		return err;
	memcpy(prog->name, attr->name, sizeof(prog->name));
	err = check_with_log(machine, req, prog);
	if (err)
		return err;
	machine_prog_tag(prog->insns, prog->n_insns, prog->tag);
	return compile(machine, prog);
}

static void prog_object_drop(struct prog_object **prog)
{
	if (*prog)
		machine_prog_object_free(&(*prog)->object);
}

int machine_cmd_prog_load(struct skep_machine *machine, struct request *req)
{
	struct attr_prog_load *attr = &req->attr.prog_load;
	struct prog_object *prog __attribute__((cleanup(prog_object_drop))) = NULL;
	int fd, err = check_attr(attr);

	if (!err)
		err = machine_prog_check_rights(machine, attr);
	if (!err)
		err = machine_object_check_room(machine, OBJECT_PROG);
	if (err)
		return err;
	fix_attach_type(attr);
	prog = skep_xcalloc(1, sizeof(*prog));
	prog->object =
		(struct object){.machine = machine, .kind = OBJECT_PROG, .handle.watch_fd = -1};
	err = load(machine, req, prog);
	if (err)
		return err;
	fd = machine_object_publish(&prog->object, -1, O_RDWR);
	if (fd >= 0)
		prog = NULL;
	return fd;
}

static void put_target(struct prog_object *prog)
{
	if (prog->btf)
		machine_object_put(&prog->btf->object);
	if (prog->attach_btf)
		machine_object_put(&prog->attach_btf->object);
	if (prog->attach_prog)
		machine_object_put(&prog->attach_prog->object);
}

void machine_prog_object_free(struct object *object)
{
	struct prog_object *prog = object_of(prog_object, object);

	skep_timers_forget(&prog->program);
	if (prog->program.code)
		prog->program.exec->free(prog->program.code);
	skep_image_free(prog->image);
	for (size_t i = 0; i < prog->maps.len; i++)
		machine_object_put(&prog->maps.data[i]->object);
	skep_vec_done(&prog->maps);
	put_target(prog);
	free(prog->insns);
	free(prog->funcs);
	free(prog->lines);
	free(prog);
}

/* --- PROG_BIND_MAP -------------------------------------------------------------------------- */

static bool bind_locked(struct prog_object *prog, struct map_object *map)
{
	for (size_t i = 0; i < prog->maps.len; i++)
		if (prog->maps.data[i] == map)
			return false;
	skep_vec_push(&prog->maps, map);
	return true;
}

int machine_cmd_prog_bind_map(struct skep_machine *machine, struct request *req)
{
	const struct attr_bind *attr = &req->attr.bind;
	struct prog_object *prog;
	struct map_object *map;
	bool bound;
	int err;

	if (attr->flags)
		return -EINVAL;
	err = machine_prog_object_get(machine, (int)attr->prog_fd, &prog);
	if (err)
		return err;
	err = machine_map_object_get(machine, (int)attr->map_fd, &map, NULL);
	if (!err) {
		pthread_mutex_lock(&machine->lock);
		bound = bind_locked(prog, map);
		pthread_mutex_unlock(&machine->lock);
		if (!bound)
			machine_object_put(&map->object);
	}
	machine_object_put(&prog->object);
	return err;
}
