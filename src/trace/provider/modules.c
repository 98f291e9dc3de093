/*
 * The kernel's modules, as far as they have BTF: a file each in /sys/kernel/btf to
 * read types from (skep_types_module_btf()), and an object of the kernel to name
 * them by when a program is loaded.
 */
#include "trace/provider/modules.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "linux/bpf.h"

#define BTF_DIR    "/sys/kernel/btf"
#define NAME_BYTES 64

void skep_modules_match(struct skep_arena *arena, const char *pattern, struct skep_names *names)
{
	DIR *dir = opendir(BTF_DIR);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && skep_wildcard_match(pattern, entry->d_name))
			skep_vec_push(names, skep_arena_strdup(arena, entry->d_name));
	}
	if (dir)
		closedir(dir);
	if (!names->len && skep_wildcard_match(pattern, SKEP_BASE_MODULE))
		skep_vec_push(names, SKEP_BASE_MODULE); /* SKEP_BTF_PATH without sysfs */
	skep_spec_names_sort(names);
}

static bool is_of(int fd, const char *module)
{
	char name[NAME_BYTES] = "";
	struct bpf_btf_info info;

	memset(&info, 0, sizeof(info));
	info.name = (uint64_t)(uintptr_t)name;
	info.name_len = sizeof(name);
	return !skep_bpf_info(fd, &info, sizeof(info)) && info.kernel_btf && !strcmp(name, module);
}

int skep_module_btf_open(const char *module)
{
	uint32_t id = 0;

	while (!skep_bpf_next_id(BPF_BTF_GET_NEXT_ID, id, &id)) {
		_cleanup_close_ int fd = skep_bpf_open_id(BPF_BTF_GET_FD_BY_ID, id);
		if (fd >= 0 && is_of(fd, module))
			return TAKE_FD(fd);
	}
	return -ENOENT;
}
