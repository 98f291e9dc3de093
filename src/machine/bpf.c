/*
 * bpf(2): the machine itself, and the way of a call to its handler.
 *
 * As the kernel: attributes may be longer than known if what is behind is zero (E2BIG otherwise),
 * and shorter, when zeros are assumed; a command's own fields end at the row's `last`, and what is
 * behind them must be zero (EINVAL).
 */
#include "machine/machine.h"

#include <string.h>

#include "machine/host.h"

struct command {
	const char *name;
	uint32_t end; /* of its last field */
	int (*handle)(struct skep_machine *machine, struct request *req);
};

#define FIELD_END(field) (offsetof(union attr, field) + sizeof(((union attr *)NULL)->field))

static const struct command commands[] = {
#define COMMAND(number, NAME, last, handler)                                                       \
	[number] = {#NAME, FIELD_END(last), machine_cmd_##handler},
#include "machine/commands.def"
#undef COMMAND
};

static int check_rest(const struct command *command, const union attr *attr)
{
	for (size_t i = command->end; i < sizeof(*attr); i++)
		if (attr->bytes[i])
			return -EINVAL;
	return 0;
}

static int fetch(struct request *req, unsigned size)
{
	int err = machine_user_check_tail(req->user, sizeof(req->attr), size);

	if (err)
		return err;
	return machine_user_read(&req->attr, req->user,
				 size < sizeof(req->attr) ? size : sizeof(req->attr));
}

static int call(struct skep_machine *machine, int cmd, uint64_t user, unsigned size)
{
	struct request req = {.user = user, .size = size};
	int err = fetch(&req, size);

	if (err)
		return err;
	if (cmd < 0 || (size_t)cmd >= sizeof(commands) / sizeof(*commands))
		return -EINVAL;
	err = check_rest(&commands[cmd], &req.attr);
	return err ? err : commands[cmd].handle(machine, &req);
}

int skep_machine_bpf(struct skep_machine *machine, int cmd, union bpf_attr *attr, unsigned size)
{
	int result = call(machine, cmd, (uintptr_t)attr, size);

	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

int skep_machine_close(struct skep_machine *machine, int fd)
{
	return machine_handle_close(fd);
}

/* --- The machine ---------------------------------------------------------------------------- */

static int open_kernel_btf(const char *path, struct skep_btf **ret)
{
	int err = path ? skep_btf_open(path, NULL, ret, NULL) : skep_btf_open_kernel(ret, NULL);

	if (!err)
		skep_btf_n_types(*ret); /* to the end: threads may ask from now on */
	return err;
}

int skep_machine_new(const struct skep_machine_opts *opts, struct skep_machine **ret)
{
	static const struct skep_machine_opts none;
	struct skep_machine *machine = calloc(1, sizeof(*machine));
	int err;

	if (!machine)
		return -ENOMEM;
	machine->opts = opts ? *opts : none;
	pthread_mutex_init(&machine->lock, NULL);
	err = open_kernel_btf(machine->opts.kernel_btf, &machine->kernel_btf);
	if (err && machine->opts.kernel_btf) {
		skep_machine_free(machine);
		return err;
	}
	*ret = machine;
	return 0;
}

/* The last of a kind that something else does not hold; with its descriptors' reference. */
static bool close_one(struct skep_machine *machine, int kind)
{
	struct id_table *table = &machine->ids[kind];

	for (size_t i = table->all.len; i-- > 0;) {
		struct object *object = table->all.data[i];

		if (!object->held)
			continue;
		object->held = false;
		machine_object_put_user(object);
		return true;
	}
	return false;
}

void skep_machine_free(struct skep_machine *machine)
{
	if (!machine)
		return;
	machine_pin_drop_all(machine);
	machine_attach_drop_all(machine);
	for (int kind = OBJECT_KINDS; kind-- > 0;)
		while (close_one(machine, kind))
			;
	skep_grace_wait();
	if (machine->kernel_btf_object)
		machine_object_put(&machine->kernel_btf_object->object);
	skep_vec_foreach (struct variable, variable, &machine->variables)
		free(variable->memory);
	skep_vec_done(&machine->variables);
	machine_host_free_all(machine);
	skep_vec_done(&machine->pins);
	skep_vec_done(&machine->attached);
	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		skep_vec_done(&machine->ids[kind].all);
	skep_btf_free(machine->kernel_btf);
	pthread_mutex_destroy(&machine->lock);
	free(machine);
}

void skep_machine_count(struct skep_machine *machine, struct skep_machine_counts *ret)
{
	machine_object_sweep(machine);
	pthread_mutex_lock(&machine->lock);
	*ret = (struct skep_machine_counts){
		.maps = (uint32_t)machine->ids[OBJECT_MAP].all.len,
		.programs = (uint32_t)machine->ids[OBJECT_PROG].all.len,
		.btfs = (uint32_t)machine->ids[OBJECT_BTF].all.len - !!machine->kernel_btf_object,
		.links = (uint32_t)machine->ids[OBJECT_LINK].all.len,
		.memory_bytes = machine->memory_bytes,
	};
	pthread_mutex_unlock(&machine->lock);
}

/* --- Objects for those who embed the machine ------------------------------------------------- */

struct skep_map *skep_machine_map(struct skep_machine *machine, int fd)
{
	struct map_object *object;
	struct skep_map *map;

	if (machine_map_object_get(machine, fd, &object, NULL))
		return NULL;
	map = object->map;
	skep_map_ref(map);
	machine_object_put(&object->object);
	return map;
}

const struct skep_program *skep_machine_program(struct skep_machine *machine, int fd)
{
	struct prog_object *prog;

	return machine_prog_object_get(machine, fd, &prog) ? NULL : &prog->program;
}

void skep_machine_program_put(struct skep_machine *machine, const struct skep_program *program)
{
	if (program)
		machine_object_put(&((struct prog_object *)program)->object);
}

bool skep_machine_fault(struct skep_machine *machine, const struct skep_program *program,
			struct skep_fault *ret)
{
	const struct prog_object *prog = (const struct prog_object *)program;
	bool faulted;

	pthread_mutex_lock(&machine->lock);
	faulted = prog->faulted;
	if (faulted)
		*ret = prog->fault;
	pthread_mutex_unlock(&machine->lock);
	return faulted;
}
