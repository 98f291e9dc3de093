/* What the files about maps share: flags of Linux's, and what maps ask of the machine. */
#ifndef SKEP_MACHINE_MAP_H
#define SKEP_MACHINE_MAP_H

#include "machine/machine.h"

#define MAP_F_NUMA_NODE   (1u << 2)
#define MAP_F_RDONLY      (1u << 3)
#define MAP_F_WRONLY      (1u << 4)
#define MAP_F_RDONLY_PROG (1u << 7)
#define MAP_F_WRONLY_PROG (1u << 8)
#define MAP_F_MMAPABLE    (1u << 10)
#define MAP_F_INNER_MAP   (1u << 12)
#define MAP_F_TOKEN_FD    (1u << 16)
#define ELEM_F_LOCK       4ull

extern const struct skep_map_env machine_map_env;

/** Do the sizes of key and value fit the types in BTF? Return 0 | -EINVAL */
int machine_map_check_btf(struct skep_btf *btf, const struct attr_map_create *attr);

/** Is @id of the kernel's BTF a table that programs may fill? Return 0 | -ENOTSUPP | -EINVAL */
int machine_struct_ops_check(const struct skep_machine *machine,
			     const struct attr_map_create *attr);
int machine_struct_ops_fill(struct skep_map *map, void *value);
void machine_struct_ops_unfill(struct skep_map *map, void *value);

/** The descriptor whose file stands for the map: its memory, if a plain mmap() shows it. */
int machine_map_identity_fd(const struct skep_map *map);

/** Something to wait on that readers are woken by. Return a descriptor | -errno */
int machine_event_new(void);
void machine_event_wake(int fd);

#endif
