/*
 * The models, made lazily: offsets come from the host's BTF once, and without BTF
 * a model is zeros that only serve as an identity.
 */
#include "helper/model.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/helper.h>

#include "helper/os.h"

#define FALLBACK_BYTES 16384

struct place {
	const char *name;
	int64_t off; /* -1: this kernel has it not */
};

enum { PID, TGID, COMM, PARENT, REAL_PARENT, LEADER, N_TASK };
enum { KN, LEVEL, N_CGROUP };

static struct place task_places[N_TASK] = {
	[PID] = {"pid", -1},
	[TGID] = {"tgid", -1},
	[COMM] = {"comm", -1},
	[PARENT] = {"parent", -1},
	[REAL_PARENT] = {"real_parent", -1},
	[LEADER] = {"group_leader", -1},
};
static struct place cgroup_places[N_CGROUP] = {[KN] = {"kn", -1}, [LEVEL] = {"level", -1}};
static struct place node_place = {"id", -1};
static size_t task_bytes = FALLBACK_BYTES, cgroup_bytes = FALLBACK_BYTES;
static size_t node_bytes = 1024;

struct model {
	struct model *next;
	uint64_t id; /* thread number, cgroup id */
	int level;
	void *memory, *node;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct model *tasks, *cgroups;

static void find_places(struct skep_btf *btf, const char *type, struct place *places, size_t n,
			size_t *bytes)
{
	struct skep_btf_member member;
	uint32_t id = skep_btf_find(btf, type, strlen(type), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	int64_t size = id ? skep_btf_size(btf, id) : 0;

	if (size <= 0 || size > 1 << 20)
		return;
	*bytes = (size_t)size;
	for (size_t i = 0; i < n; i++) {
		const char *name = places[i].name;
		if (!skep_btf_find_member(btf, id, name, strlen(name), &member) &&
		    member.bit_off / 8 + 16 <= (uint64_t)size)
			places[i].off = member.bit_off / 8;
	}
}

static void read_layouts(void)
{
	struct skep_btf *btf = NULL;

	if (skep_btf_open_kernel(&btf, NULL))
		return;
	find_places(btf, "task_struct", task_places, N_TASK, &task_bytes);
	find_places(btf, "cgroup", cgroup_places, N_CGROUP, &cgroup_bytes);
	find_places(btf, "kernfs_node", &node_place, 1, &node_bytes);
	skep_btf_free(btf);
}

static void put(void *memory, const struct place *place, const void *data, size_t bytes)
{
	if (place->off >= 0)
		memcpy((char *)memory + place->off, data, bytes);
}

static struct model *find(struct model *list, uint64_t id)
{
	while (list && list->id != id)
		list = list->next;
	return list;
}

static struct model *add(struct model **list, uint64_t id, size_t bytes)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->memory = calloc(1, bytes);
	if (!model->memory) {
		free(model);
		return NULL;
	}
	model->id = id;
	model->next = *list;
	*list = model;
	return model;
}

/* A thread may change its name, a process its parent: filled each time. */
static void fill_task(void *task, const struct skep_os_ids *ids, void *leader)
{
	char comm[16];

	skep_os_comm(comm);
	put(task, &task_places[PID], &ids->pid, 4);
	put(task, &task_places[TGID], &ids->tgid, 4);
	put(task, &task_places[COMM], comm, sizeof(comm));
	put(task, &task_places[PARENT], &task, sizeof(task));
	put(task, &task_places[REAL_PARENT], &task, sizeof(task));
	put(task, &task_places[LEADER], &leader, sizeof(leader));
}

static struct model *get_task(uint64_t id)
{
	struct model *model = find(tasks, id);

	return model ? model : add(&tasks, id, task_bytes);
}

void *model_task_current(void)
{
	struct skep_os_ids ids;

	pthread_once(&once, read_layouts);
	skep_os_ids(&ids);
	pthread_mutex_lock(&lock);
	struct model *leader = get_task(ids.tgid);
	struct model *task = leader ? get_task(ids.pid) : NULL;
	if (task)
		fill_task(task->memory, &ids, leader->memory);
	pthread_mutex_unlock(&lock);
	return task ? task->memory : NULL;
}

void *model_task_by_pid(uint32_t pid)
{
	struct skep_os_ids ids;

	skep_os_ids(&ids);
	if (pid == ids.pid)
		return model_task_current();
	pthread_mutex_lock(&lock);
	struct model *task = find(tasks, pid);
	pthread_mutex_unlock(&lock);
	return task ? task->memory : NULL;
}

size_t model_task_bytes(void)
{
	pthread_once(&once, read_layouts);
	return task_bytes;
}

static void fill_cgroup(struct model *model, int level)
{
	model->level = level;
	put(model->memory, &cgroup_places[LEVEL], &level, sizeof(level));
	model->node = calloc(1, node_bytes);
	if (!model->node)
		return;
	put(model->memory, &cgroup_places[KN], &model->node, sizeof(model->node));
	put(model->node, &node_place, &model->id, sizeof(model->id));
}

static int own_level(void)
{
	int level = 0;

	while (level < 64 && skep_os_cgroup_id(level + 1))
		level++;
	return level;
}

void *model_cgroup(int level)
{
	uint64_t id = skep_os_cgroup_id(level);

	if (!id)
		return NULL;
	pthread_once(&once, read_layouts);
	pthread_mutex_lock(&lock);
	struct model *cgroup = find(cgroups, id);
	if (!cgroup) {
		cgroup = add(&cgroups, id, cgroup_bytes);
		if (cgroup)
			fill_cgroup(cgroup, level < 0 ? own_level() : level);
	}
	pthread_mutex_unlock(&lock);
	return cgroup ? cgroup->memory : NULL;
}

void *model_cgroup_by_id(uint64_t id)
{
	for (int level = own_level(); level >= 0; level--) {
		if (skep_os_cgroup_id(level) == id)
			return model_cgroup(level);
	}
	return NULL;
}

int model_cgroup_level(const void *memory)
{
	int level = -1;

	pthread_mutex_lock(&lock);
	for (const struct model *at = cgroups; at; at = at->next) {
		if (at->memory == memory)
			level = at->level;
	}
	pthread_mutex_unlock(&lock);
	return level;
}

size_t model_cgroup_bytes(void)
{
	pthread_once(&once, read_layouts);
	return cgroup_bytes;
}

static bool has(const struct model *list, const void *memory)
{
	while (list && list->memory != memory)
		list = list->next;
	return list;
}

size_t model_bytes(const void *memory)
{
	pthread_mutex_lock(&lock);
	bool is_task = has(tasks, memory), is_cgroup = !is_task && has(cgroups, memory);
	pthread_mutex_unlock(&lock);
	if (is_task)
		return model_task_bytes();
	return is_cgroup ? model_cgroup_bytes() : 0;
}

void *skep_task_current(void)
{
	return model_task_current();
}

void *skep_task_by_pid(uint32_t pid)
{
	return model_task_by_pid(pid);
}

void *skep_cgroup_by_id(uint64_t id)
{
	return model_cgroup_by_id(id);
}
