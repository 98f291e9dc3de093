/*
 * BTF_LOAD, and BTF as an object.
 *
 * What it may say is src/btf's business (strict.c); here is how it comes in and who holds it.
 */
#include "machine/machine.h"

#include <fcntl.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/diag.h>

#define MOST_BYTES   (16u << 20)
#define BTF_F_TOKEN  (1u << 16)
#define TAIL_OF_ATTR (offsetof(union attr, btf_load.log_true_size) + sizeof(uint32_t))

int machine_btf_object_get(struct skep_machine *machine, int fd, struct btf_object **ret)
{
	struct object *object;
	int err = machine_object_get(machine, fd, OBJECT_BTF, &object, NULL);

	if (!err)
		*ret = object_of(btf_object, object);
	return err;
}

/* --- Checking ------------------------------------------------------------------------------- */

static int parse(struct btf_object *object, struct log *log)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_buf *words = log->level ? &log->text : NULL;
	int err = skep_btf_check_header(object->data, object->size, words);

	if (err)
		return err;
	err = skep_btf_parse(object->data, object->size, NULL, &object->btf, &diag);
	if (err)
		machine_log_printf(log, "%s\n",
				   diag.n_items && diag.items[0].what ? diag.items[0].what
								      : "malformed BTF");
	else
		err = skep_btf_check_types(object->btf, words);
	return err;
}

static int parse_with_log(struct request *req, struct btf_object *object)
{
	const struct attr_btf_load *attr = &req->attr.btf_load;
	_cleanup_log_ struct log log = {0};
	uint32_t true_size;
	int err = machine_log_init(&log, attr->log_level, attr->log_buf, attr->log_size), log_err;

	if (err)
		return err;
	err = machine_user_dup(attr->btf, attr->size, &object->data);
	object->size = attr->size;
	if (!err)
		err = parse(object, &log);
	log_err = machine_log_finish(&log, &true_size);
	if (req->size >= TAIL_OF_ATTR && request_put(req, btf_load.log_true_size, true_size))
		return -EFAULT;
	return log_err ? log_err : err;
}

/* --- Making --------------------------------------------------------------------------------- */

static struct btf_object *new_object(struct skep_machine *machine)
{
	struct btf_object *object = skep_xcalloc(1, sizeof(*object));

	object->object =
		(struct object){.machine = machine, .kind = OBJECT_BTF, .handle.watch_fd = -1};
	return object;
}

static void btf_object_drop(struct btf_object **object)
{
	if (*object)
		machine_btf_object_free(&(*object)->object);
}

int machine_cmd_btf_load(struct skep_machine *machine, struct request *req)
{
	const struct attr_btf_load *attr = &req->attr.btf_load;
	struct btf_object *object __attribute__((cleanup(btf_object_drop))) = NULL;
	int fd, err;

	if (attr->flags)
		return attr->flags == BTF_F_TOKEN ? machine_handle_no_token(attr->token_fd)
						  : -EINVAL;
	if (attr->size > MOST_BYTES)
		return -E2BIG;
	err = machine_object_check_room(machine, OBJECT_BTF);
	if (err)
		return err;
	object = new_object(machine);
	err = parse_with_log(req, object);
	if (err)
		return err;
	fd = machine_object_publish(&object->object, -1, O_RDONLY);
	if (fd >= 0)
		object = NULL;
	return fd;
}

void machine_btf_object_free(struct object *at)
{
	struct btf_object *object = object_of(btf_object, at);

	/* The kernel's is the machine's. */
	if (!object->is_kernel) {
		skep_btf_free(object->btf);
		free(object->data);
	}
	free(object);
}

/* --- The kernel's --------------------------------------------------------------------------- */

/* Its first descriptor is made and closed: it has an id, which is what is asked for. */
static struct btf_object *make_kernel_object(struct skep_machine *machine)
{
	struct btf_object *object = new_object(machine);
	int fd;

	object->btf = machine->kernel_btf;
	object->is_kernel = true;
	object->data = (void *)skep_btf_bytes(object->btf, &object->size);
	object->object.refs = 1; /* the machine's */
	fd = machine_object_publish(&object->object, -1, O_RDONLY);
	if (fd < 0) {
		machine_btf_object_free(&object->object);
		return NULL;
	}
	machine_handle_close(fd);
	return object;
}

struct btf_object *machine_btf_object_kernel(struct skep_machine *machine)
{
	if (!machine->kernel_btf)
		return NULL;
	if (!machine->kernel_btf_object)
		machine->kernel_btf_object = make_kernel_object(machine);
	if (machine->kernel_btf_object)
		machine_object_ref(&machine->kernel_btf_object->object);
	return machine->kernel_btf_object;
}
