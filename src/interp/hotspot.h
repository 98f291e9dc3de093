/*
 * HotSpot, the virtual machine of Java: where it keeps what, and what its methods are called.
 *
 * libjvm.so exports a description of its own types, for debuggers: tables of
 *
 *	gHotSpotVMStructs  type, field, is it static, its offset, its address
 *	gHotSpotVMTypes    type, …, its size
 *
 * which are filled when it is loaded: so it is the process's memory that is read, not the file. No
 * version is asked for. All of it may be garbage: tables have an end, texts are short, offsets
 * small.
 */
#ifndef SKEP_INTERP_HOTSPOT_H
#define SKEP_INTERP_HOTSPOT_H

#include "interp/code.h"
#include "interp/hotspot_layout.h"

/** The file that has the machine in it, by the end of its path. */
#define SKEP_HOTSPOT_FILE "/libjvm.so"

/**
 * Read where the machine keeps what.
 *
 * @base         where libjvm.so is mapped: its first byte
 * @ret          untouched on error
 * @ret_missing  static: what it does not say, as "CodeBlob._name"; NULL: all is there
 * Return        0 | -ENOENT it is no such file, or does not describe itself | -ENOTSUP something
 *               is missing, or is not as it should be | -errno
 * Cost          some hundred system calls
 */
int skep_hotspot_read(const struct skep_interp_memory *memory, uint64_t base,
		      struct skep_hotspot *ret, const char **ret_missing);

/**
 * Read what the Method at @addr is called: "java.util.TreeMap.merge".
 *
 * @check   of its constant part, when it was seen
 * @code    its function is added to; of no use on error
 * Return   0 | -ESTALE it is another one by now | -EINVAL it has no such name | -errno
 */
int skep_hotspot_read_method(const struct skep_interp_memory *memory,
			     const struct skep_hotspot_names *names, uint64_t addr, uint32_t check,
			     struct skep_interp_code *code);

#endif
