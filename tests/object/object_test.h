/* Objects for tests: programs from text, maps by their numbers. */
#ifndef SKEP_TESTS_OBJECT_TEST_H
#define SKEP_TESTS_OBJECT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include <skep/btf.h>
#include <skep/diag.h>
#include <skep/object.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"

/** Append a program of @text; it has no functions of its own yet. */
static inline struct skep_object_prog *add_prog(struct skep_object *object, const char *name,
						const char *section, const char *text)
{
	struct skep_source source = {"asm", text, strlen(text)};
	_cleanup_diag_ struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf said = {0};
	struct skep_object_prog prog = {.type = BPF_PROG_TYPE_SOCKET_FILTER, .section = section};

	snprintf(prog.name, sizeof(prog.name), "%s", name);
	if (skep_asm(text, strlen(text), &prog.insns, &prog.n_insns, &diag)) {
		skep_diag_render(&diag, false, &said);
		fail_msg("%s", said.data);
	}
	object->progs = skep_xrealloc(object->progs, (object->n_progs + 1) * sizeof(prog));
	object->progs[object->n_progs] = prog;
	return &object->progs[object->n_progs++];
}

static inline void add_func(struct skep_object_prog *prog, uint32_t insn, uint32_t type,
			    const char *name)
{
	prog->funcs = skep_xrealloc(prog->funcs, (prog->n_funcs + 1) * sizeof(*prog->funcs));
	prog->funcs[prog->n_funcs++] = (struct skep_object_func){insn, type, name};
}

static inline void add_line(struct skep_object_prog *prog, uint32_t insn, uint32_t off)
{
	prog->lines = skep_xrealloc(prog->lines, (prog->n_lines + 1) * sizeof(*prog->lines));
	prog->lines[prog->n_lines++] = (struct skep_object_line){insn, {off, 1}};
}

/** The object's ELF file, in memory. */
static inline void write_elf(const struct skep_object *object, struct skep_buf *ret)
{
	_cleanup_close_ int fd = memfd_create("object", MFD_CLOEXEC);
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_true(fd >= 0);
	int err = skep_object_write_elf(object, fd, &diag);
	if (err)
		fail_msg("%s", diag.n_items ? diag.items[0].what : "no words");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(skep_fd_read(fd, 1u << 26, ret), 0);
}

#endif
