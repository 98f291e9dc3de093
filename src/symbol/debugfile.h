/* The separate debug file of a stripped one. Private to src/symbol. */
#ifndef SKEP_SYMBOL_DEBUGFILE_H
#define SKEP_SYMBOL_DEBUGFILE_H

#include <stdbool.h>
#include <stdint.h>

struct skep_debuginfod;
struct skep_elf;

/**
 * Open the debug file of @elf, which lies at @path (of root @root_fd, or ours
 * if -1): by build-id below /usr/lib/debug/.build-id, else by debug link beside
 * the file, in .debug/ there, and below /usr/lib/debug. A candidate counts only
 * if its build-id, or its CRC, is the one asked for. Where there is none, it is fetched, if
 * @debuginfod is not NULL.
 * Return 0 | -ENOENT | -EMFILE, -ENFILE it may be there: no descriptor was left to look
 */
int skep_debugfile_open(const struct skep_elf *elf, const char *path, int root_fd,
			struct skep_debuginfod *debuginfod, struct skep_elf **ret);
/**
 * Open the supplementary file of @elf, a file with DWARF that dwz made smaller: where
 * .gnu_debugaltlink says, from where @elf is if that is no whole path; else by build-id, as above.
 * Return 0 | -ENOENT it needs none, or it is not there (*ret_needed tells) | -EMFILE, -ENFILE
 */
int skep_debugfile_open_alt(const struct skep_elf *elf, int root_fd, struct skep_elf **ret,
			    bool *ret_needed);
/** CRC-32 of a whole file, as .gnu_debuglink has it. Return 0 | -EFBIG over 1 GiB | -errno */
int skep_debugfile_crc(int fd, uint32_t *ret);

#endif
