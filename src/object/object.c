/*
 * The object's lifecycle: what a compiler fills and the loader or the ELF
 * writer (elf_writer.c) reads. A zeroed object is valid; done() accepts a half-built
 * one, which is what an error path leaves.
 */
#include <skep/object.h>

#include <stdlib.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"

void skep_object_init(struct skep_object *object)
{
	*object = (struct skep_object){.license = "GPL"};
}

static void prog_done(struct skep_object_prog *prog)
{
	free(prog->insns);
	free(prog->funcs);
	free(prog->lines);
}

void skep_object_done(struct skep_object *object)
{
	for (size_t i = 0; i < object->n_progs; i++)
		prog_done(&object->progs[i]);
	free(object->progs);
	free(object->maps);
	if (object->btf)
		skep_btf_writer_free(object->btf);
	*object = (struct skep_object){0};
}

/* A program has a handful of maps: one realloc each keeps the struct without a capacity. */
uint32_t skep_object_add_map(struct skep_object *object, const struct skep_object_map *map)
{
	object->maps = skep_xrealloc(object->maps, (object->n_maps + 1) * sizeof(*object->maps));
	object->maps[object->n_maps] = *map;
	return (uint32_t)object->n_maps++;
}
