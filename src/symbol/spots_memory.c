/* What is remembered for naming spots; see spots.h. The least recently used leaves first. */
#include <string.h>

#include "base/strmap.h"
#include "symbol/spots.h"

void spots_copy(char *ret, size_t size, const char *text, size_t len)
{
	if (len >= size) {
		len = size - 1;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80) /* inside a character */
			len--;
	}
	for (size_t i = 0; i < len; i++)
		ret[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	ret[len] = '\0';
}

/* --- Names ----------------------------------------------------------------------------------- */

static struct spots_name *set_of(struct spots_memory *memory, uint64_t file, uint64_t off)
{
	uint64_t key[] = {file, off >> SPOTS_BLOCK_BITS};

	return memory->names[skep_hash_bytes(key, sizeof(key)) % SPOTS_SETS];
}

const char *spots_find_name(struct spots_memory *memory, uint64_t file, uint64_t off)
{
	struct spots_name *set = set_of(memory, file, off);

	for (int i = 0; i < SPOTS_WAYS; i++) {
		if (set[i].file != file || off < set[i].from || off >= set[i].to)
			continue;
		set[i].used = ++memory->clock;
		return set[i].name;
	}
	return NULL;
}

/* One that says something else of the same offset is not true any more. */
void spots_put_name(struct spots_memory *memory, uint64_t file, uint64_t off, uint64_t from,
		    uint64_t to, const char *name)
{
	struct spots_name *set = set_of(memory, file, off), *into = &set[0];

	for (int i = 0; i < SPOTS_WAYS; i++) {
		if (set[i].file == file && off >= set[i].from && off < set[i].to) {
			into = &set[i];
			break;
		}
		if (set[i].used < into->used)
			into = &set[i];
	}
	memory->n_evicted +=
		into->file && !(into->file == file && off >= into->from && off < into->to);
	*into = (struct spots_name){.file = file, .from = from, .to = to, .used = ++memory->clock};
	if (name)
		spots_copy(into->name, sizeof(into->name), name, strlen(name));
}

/* --- Processes ------------------------------------------------------------------------------- */

struct spots_process *spots_find_process(struct spots_memory *memory, pid_t pid)
{
	for (int i = 0; i < SPOTS_PROCESSES; i++) {
		if (memory->processes[i].pid == pid) {
			memory->processes[i].used = ++memory->clock;
			return &memory->processes[i];
		}
	}
	return NULL;
}

struct spots_process *spots_get_process(struct spots_memory *memory, pid_t pid)
{
	struct spots_process *found = spots_find_process(memory, pid);

	if (found)
		return found;
	found = &memory->processes[0];
	for (int i = 1; i < SPOTS_PROCESSES; i++) {
		if (memory->processes[i].used < found->used)
			found = &memory->processes[i];
	}
	memory->n_evicted += found->pid != 0;
	*found = (struct spots_process){.pid = pid, .used = ++memory->clock};
	return found;
}

const struct spots_mapping *spots_same_mapping(const struct spots_process *process,
					       const struct skep_mapping *m)
{
	for (uint32_t i = 0; process && i < process->n; i++) {
		const struct spots_mapping *known = &process->mappings[i];
		if (known->start == m->start && known->end == m->end && known->off == m->off &&
		    known->inode == m->inode && known->dev == m->dev)
			return known;
	}
	return NULL;
}

const struct spots_mapping *spots_mapping_at(const struct spots_process *process, uint64_t addr)
{
	/* the one that was seen last counts */
	for (uint32_t i = 0; process && i < process->n; i++) {
		uint32_t at = (process->next + 2 * SPOTS_MAPPINGS - 1 - i) % SPOTS_MAPPINGS;
		const struct spots_mapping *known = &process->mappings[at];
		if (addr >= known->start && addr < known->end)
			return known;
	}
	return NULL;
}

void spots_put_mapping(struct spots_process *process, const struct skep_mapping *m, uint64_t file,
		       const char *module)
{
	struct spots_mapping *into = &process->mappings[process->next];

	*into = (struct spots_mapping){.start = m->start,
				       .end = m->end,
				       .off = m->off,
				       .inode = m->inode,
				       .dev = m->dev,
				       .file = file};
	spots_copy(into->module, sizeof(into->module), module, strlen(module));
	process->next = (process->next + 1) % SPOTS_MAPPINGS;
	process->n += process->n < SPOTS_MAPPINGS;
}

/* --- Files ----------------------------------------------------------------------------------- */

const struct spots_file *spots_find_file(struct spots_memory *memory, uint64_t file)
{
	for (int i = 0; i < SPOTS_FILES; i++) {
		if (memory->files[i].file == file) {
			memory->files[i].used = ++memory->clock;
			return &memory->files[i];
		}
	}
	return NULL;
}

void spots_put_file(struct spots_memory *memory, uint64_t file, uint64_t bytes, uint64_t next_ns)
{
	struct spots_file *into = &memory->files[0];

	for (int i = 0; i < SPOTS_FILES; i++) {
		if (memory->files[i].file == file) {
			into = &memory->files[i];
			break;
		}
		if (memory->files[i].used < into->used)
			into = &memory->files[i];
	}
	*into = (struct spots_file){
		.file = file, .bytes = bytes, .next_ns = next_ns, .used = ++memory->clock};
}
