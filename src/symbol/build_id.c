/* What tells builds apart: of files that processes have mapped, of the kernel, of its modules. */
#include <errno.h>
#include <skep/symbol.h>
#include <string.h>

#include <skep/elf.h>

#include "base/fd.h"
#include "symbol/usyms.h"

#define NOTES_MOST (1u << 20)

static int put(const uint8_t *id, size_t len, struct skep_buf *ret)
{
	for (size_t i = 0; i < len; i++)
		skep_buf_printf(ret, "%02x", id[i]);
	return len ? 0 : -ENOENT;
}

int skep_usyms_build_id(struct skep_usyms *syms, pid_t pid, uint64_t addr, struct skep_buf *ret)
{
	struct skep_process_node *node = skep_usyms_find_process(syms, pid);

	for (size_t i = 0; node && i < node->process.n_maps; i++) {
		const struct skep_maps *maps = &node->process.maps[i];
		struct skep_mapping *m = skep_maps_find(maps, addr);
		if (!m)
			continue;
		const struct skep_table *table = skep_files_table(&syms->files, pid, maps, m);
		return table ? put(table->build_id, table->build_id_bytes, ret) : -ENOENT;
	}
	return -ENOENT;
}

int skep_ksyms_build_id(const char *module, struct skep_buf *ret)
{
	_cleanup_buf_ struct skep_buf path = {0}, notes = {0};
	const uint8_t *id;

	if (module && strchr(module, '/'))
		return -ENOENT;
	if (module)
		skep_buf_printf(&path, "/sys/module/%s/notes/.note.gnu.build-id", module);
	else
		skep_buf_puts(&path, "/sys/kernel/notes");
	int err = skep_file_read(path.data, NOTES_MOST, &notes);
	if (err)
		return err;
	size_t len = skep_elf_notes_build_id(notes.data ? notes.data : "", notes.len, 4, &id);
	return len ? put(id, len, ret) : -ENOENT;
}
