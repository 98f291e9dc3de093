/*
 * OBJ_GET_INFO_BY_FD, ids, descriptors by id: what there is, for those who look.
 *
 * The caller's structure may be shorter than known (it gets the beginning) or longer (the rest must
 * be zero). Arrays are filled up to what the caller has room for; the counts are always the true
 * ones.
 */
#include "machine/map.h"
#include "machine/prog.h"

#include <fcntl.h>
#include <string.h>

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What the caller put into the structure already. @ret is all zeros before. */
static int read_info(const struct attr_info *attr, void *ret, uint32_t known)
{
	int err = machine_user_check_tail(attr->info, known, attr->len);

	return err ? err : machine_user_read(ret, attr->info, smaller(attr->len, known));
}

static int write_info(struct request *req, const void *info, uint32_t known)
{
	uint32_t n = smaller(req->attr.info.len, known);

	if (machine_user_write(req->attr.info.info, info, n) || request_put(req, info.len, n))
		return -EFAULT;
	return 0;
}

/* An array of @n elements of @size bytes to where the caller has room for *@count; the true number
 * to *@count. */
static int put_array(uint64_t to, uint32_t *count, const void *from, uint32_t n, size_t size)
{
	uint32_t room = smaller(*count, n);

	*count = n;
	return machine_user_write(to, from, room * size);
}

/* --- Programs ------------------------------------------------------------------------------- */

static int put_maps(struct prog_object *prog, struct info_prog *info)
{
	uint32_t n = (uint32_t)prog->maps.len;
	_cleanup_free_ uint32_t *ids = calloc(n ? n : 1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = prog->maps.data[i]->object.id;
	return put_array(info->map_ids, &info->nr_map_ids, ids, n, sizeof(*ids));
}

static int put_records(struct prog_object *prog, struct info_prog *info)
{
	int err = 0;

	if (prog->n_funcs || info->nr_func_info)
		err = put_array(info->func_info, &info->nr_func_info, prog->funcs, prog->n_funcs,
				sizeof(*prog->funcs));
	if (!err && (prog->n_lines || info->nr_line_info))
		err = put_array(info->line_info, &info->nr_line_info, prog->lines, prog->n_lines,
				sizeof(*prog->lines));
	return err;
}

/* Descriptors mean nothing to others: maps are named by id. */
static void name_maps_by_id(const struct prog_object *prog, struct skep_insn *insns)
{
	const struct skep_image *image = prog->image;

	for (uint32_t i = 0; i + 1 < image->n_insns; i++) {
		const struct skep_ref *ref = &image->refs[i];
		const struct map_object *object;

		if (ref->kind != SKEP_REF_MAP && ref->kind != SKEP_REF_MAP_VALUE)
			continue;
		object = image->maps[ref->index]->owner;
		insns[i].src =
			ref->kind == SKEP_REF_MAP ? SKEP_PSEUDO_MAP_FD : SKEP_PSEUDO_MAP_VALUE;
		insns[i].imm = (int32_t)object->object.id;
		insns[i + 1].imm = ref->kind == SKEP_REF_MAP ? 0 : (int32_t)ref->off;
	}
}

static int put_insns(const struct prog_object *prog, struct info_prog *info)
{
	uint32_t bytes = prog->n_insns * (uint32_t)sizeof(struct skep_insn);
	uint32_t room = smaller(info->xlated_len, bytes);
	_cleanup_free_ struct skep_insn *insns = NULL;

	info->xlated_len = bytes;
	if (!room)
		return 0;
	insns = malloc(bytes);
	if (!insns)
		return -ENOMEM;
	memcpy(insns, prog->insns, bytes);
	name_maps_by_id(prog, insns);
	return machine_user_write(info->xlated_insns, insns, room);
}

static int put_tags(const struct prog_object *prog, struct info_prog *info)
{
	const struct skep_image *image = prog->image;
	uint32_t n = image->n_funcs > 1 ? image->n_funcs : 1, room = smaller(info->nr_prog_tags, n);
	int err = 0;

	info->nr_prog_tags = n;
	for (uint32_t i = 0; !err && i < room; i++) {
		const struct skep_image_func *func = &image->funcs[i];
		uint8_t tag[8];

		machine_prog_tag(prog->insns + func->start, func->end - func->start, tag);
		err = machine_user_write(info->prog_tags + 8ull * i, n > 1 ? tag : prog->tag, 8);
	}
	return err;
}

/* Sizes of records that the caller asks for; zero: they do not care. */
static int check_record_sizes(struct info_prog *info)
{
	if ((info->nr_func_info || info->func_info_rec_size) &&
	    info->func_info_rec_size != sizeof(struct wire_func_info))
		return -EINVAL;
	if ((info->nr_line_info || info->line_info_rec_size) &&
	    info->line_info_rec_size != sizeof(struct wire_line_info))
		return -EINVAL;
	if ((info->nr_jited_line_info || info->jited_line_info_rec_size) &&
	    info->jited_line_info_rec_size != sizeof(uint64_t))
		return -EINVAL;
	info->func_info_rec_size = sizeof(struct wire_func_info);
	info->line_info_rec_size = sizeof(struct wire_line_info);
	info->jited_line_info_rec_size = sizeof(uint64_t);
	return 0;
}

static void describe_prog(const struct prog_object *prog, struct info_prog *info)
{
	const struct btf_object *target = prog->attach_btf;

	info->type = prog->type;
	info->id = prog->object.id;
	info->load_time = prog->load_time_ns;
	info->created_by_uid = prog->uid;
	info->gpl_compatible = prog->gpl;
	memcpy(info->tag, prog->tag, sizeof(info->tag));
	memcpy(info->name, prog->name, sizeof(info->name));
	info->run_time_ns = __atomic_load_n(&prog->run_time_ns, __ATOMIC_RELAXED);
	info->run_cnt = __atomic_load_n(&prog->run_cnt, __ATOMIC_RELAXED);
	info->recursion_misses = 0;
	info->verified_insns = prog->n_insns;
	info->btf_id = prog->btf ? prog->btf->object.id : 0;
	info->attach_btf_id = prog->attach_btf_id;
	if (prog->attach_prog)
		target = prog->attach_prog->btf;
	info->attach_btf_obj_id = target ? target->object.id : 0;
	/* There is no code that others could look at. */
	info->jited_len = info->nr_jited_line_info = 0;
	info->nr_jited_ksyms = info->nr_jited_func_lens =
		prog->image->n_funcs > 1 ? prog->image->n_funcs : 1;
	info->jited_insns = info->jited_ksyms = info->jited_func_lens = info->jited_line_info = 0;
}

static int prog_info(struct prog_object *prog, struct request *req)
{
	struct info_prog info = {0};
	uint32_t known = offsetof(struct info_prog, attach_btf_id) + sizeof(info.attach_btf_id);
	int err = read_info(&req->attr.info, &info, known);

	if (!err)
		err = put_maps(prog, &info);
	if (!err)
		err = check_record_sizes(&info);
	if (!err)
		err = put_insns(prog, &info);
	if (err)
		return err;
	describe_prog(prog, &info);
	err = put_records(prog, &info);
	if (!err)
		err = put_tags(prog, &info);
	return err ? err : write_info(req, &info, sizeof(info));
}

/* --- Maps, BTF, links ----------------------------------------------------------------------- */

static int map_info(struct map_object *object, struct request *req)
{
	const struct skep_map *map = object->map;
	struct info_map info = {
		.type = map->type,
		.id = object->object.id,
		.key_size = map->key_size,
		.value_size = map->value_size,
		.max_entries = map->max_entries,
		.flags = map->flags,
		.btf_vmlinux_value_type_id = object->btf_vmlinux_value_type_id,
		.extra = map->extra,
	};
	int err = machine_user_check_tail(req->attr.info.info, sizeof(info), req->attr.info.len);

	if (err)
		return err;
	memcpy(info.name, map->name, sizeof(info.name));
	if (object->btf) {
		info.btf_id = object->btf->object.id;
		info.btf_key_type_id = object->btf_key_type_id;
		info.btf_value_type_id = object->btf_value_type_id;
	}
	return write_info(req, &info, sizeof(info));
}

/* The name with its NUL, cut if need be. */
static int put_name(uint64_t to, uint32_t room, const char *name)
{
	uint32_t len = (uint32_t)strlen(name);

	if (!to)
		return 0;
	if (room > len)
		return machine_user_write(to, name, len + 1);
	if (machine_user_write(to, name, room - 1) || machine_user_write(to + room - 1, "", 1))
		return -EFAULT;
	return -ENOSPC;
}

static int btf_info(struct btf_object *object, struct request *req)
{
	const char *name = object->is_kernel ? "vmlinux" : "";
	struct info_btf info = {0};
	uint32_t n = smaller(req->attr.info.len, sizeof(info));
	uint64_t to;
	uint32_t room;
	int err = machine_user_read(&info, req->attr.info.info, n);

	if (err)
		return err;
	if (machine_user_write(info.btf, object->data, smaller(object->size, info.size)))
		return -EFAULT;
	to = info.name;
	room = info.name_len;
	if (!to != !room)
		return -EINVAL;
	info.id = object->object.id;
	info.size = object->size;
	info.kernel_btf = object->is_kernel;
	info.name_len = (uint32_t)strlen(name);
	err = put_name(to, room, name);
	if (err == -EFAULT)
		return err;
	return write_info(req, &info, sizeof(info)) ? -EFAULT : err;
}

int machine_cmd_obj_info(struct skep_machine *machine, struct request *req)
{
	_cleanup_object_ struct object *object = NULL;
	int err = machine_object_get(machine, (int)req->attr.info.fd, OBJECT_KINDS, &object, NULL);

	if (err)
		return err == -EBADF ? -EBADFD : err;
	switch (object->kind) {
	case OBJECT_PROG: return prog_info(object_of(prog_object, object), req);
	case OBJECT_MAP: return map_info(object_of(map_object, object), req);
	case OBJECT_BTF: return btf_info(object_of(btf_object, object), req);
	case OBJECT_LINK: return machine_link_info(object_of(link_object, object), req);
	default: return -EINVAL;
	}
}

/* --- Ids ------------------------------------------------------------------------------------ */

static int next_id(struct skep_machine *machine, struct request *req, enum object_kind kind)
{
	_cleanup_object_ struct object *object = NULL;

	if (req->attr.id.id >= INT32_MAX)
		return -EINVAL;
	object = machine_object_by_id(machine, kind, req->attr.id.id + 1, true);
	if (!object)
		return -ENOENT;
	return request_put(req, id.next_id, object->id);
}

int machine_cmd_prog_next_id(struct skep_machine *machine, struct request *req)
{
	return next_id(machine, req, OBJECT_PROG);
}

int machine_cmd_map_next_id(struct skep_machine *machine, struct request *req)
{
	return next_id(machine, req, OBJECT_MAP);
}

int machine_cmd_btf_next_id(struct skep_machine *machine, struct request *req)
{
	return next_id(machine, req, OBJECT_BTF);
}

int machine_cmd_link_next_id(struct skep_machine *machine, struct request *req)
{
	return next_id(machine, req, OBJECT_LINK);
}

static int fd_by_id(struct skep_machine *machine, const struct request *req, enum object_kind kind,
		    int access)
{
	_cleanup_object_ struct object *object = NULL;

	object = machine_object_by_id(machine, kind, req->attr.id.id, false);
	return object ? machine_object_open(object, access) : -ENOENT;
}

int machine_cmd_prog_fd_by_id(struct skep_machine *machine, struct request *req)
{
	return fd_by_id(machine, req, OBJECT_PROG, O_RDWR);
}

int machine_cmd_map_fd_by_id(struct skep_machine *machine, struct request *req)
{
	uint32_t flags = req->attr.id.open_flags;
	int access = machine_map_access(flags);

	if (flags & ~(MAP_F_RDONLY | MAP_F_WRONLY))
		return -EINVAL;
	return access < 0 ? access : fd_by_id(machine, req, OBJECT_MAP, access);
}

int machine_cmd_btf_fd_by_id(struct skep_machine *machine, struct request *req)
{
	if (req->attr.id.open_flags & ~MAP_F_TOKEN_FD)
		return -EINVAL;
	if (req->attr.id.open_flags)
		return machine_handle_no_token(req->attr.id.token_fd);
	return fd_by_id(machine, req, OBJECT_BTF, O_RDONLY);
}

int machine_cmd_link_fd_by_id(struct skep_machine *machine, struct request *req)
{
	return fd_by_id(machine, req, OBJECT_LINK, O_RDWR);
}

/* --- Statistics, and what there is none of ---------------------------------------------------- */

int machine_cmd_enable_stats(struct skep_machine *machine, struct request *req)
{
	struct object *object;
	int fd;

	if (req->attr.word)
		return -EINVAL; /* run time is the one kind there is */
	object = skep_xcalloc(1, sizeof(*object));
	*object = (struct object){.machine = machine, .kind = OBJECT_STATS, .handle.watch_fd = -1};
	fd = machine_object_publish(object, -1, O_RDWR);
	if (fd < 0)
		free(object);
	return fd;
}

/* Descriptors of perf events are the kernel's, and with them what there would be to tell. */
int machine_cmd_task_fd_query(struct skep_machine *machine, struct request *req)
{
	const struct attr_task_fd *attr = &req->attr.task_fd;
	_cleanup_object_ struct object *object = NULL;
	int err;

	if (attr->flags)
		return -EINVAL;
	if (!machine_handle_process_exists(attr->pid))
		return -ENOENT;
	err = machine_object_get(machine, (int)attr->fd, OBJECT_KINDS, &object, NULL);
	if (err == -EBADF)
		return err;
	return err ? -SKEP_ENOTSUPP : machine_link_task_fd(object, req);
}

int machine_cmd_token_create(struct skep_machine *machine, struct request *req)
{
	return req->attr.words[0] ? -EINVAL : machine_handle_no_token((int)req->attr.words[1]);
}

/* Programs write no streams yet; there is nothing to read. */
int machine_cmd_stream_read(struct skep_machine *machine, struct request *req)
{
	struct prog_object *prog;
	int err = machine_prog_object_get(machine, (int)req->attr.stream.prog_fd, &prog);

	if (err)
		return err;
	machine_object_put(&prog->object);
	return req->attr.stream.stream_id == 1 || req->attr.stream.stream_id == 2 ? 0 : -ENOENT;
}
