/*
 * What the loader's tests share: small programs made by hand, objects around
 * them. Tests need root and a kernel with BPF; elsewhere they are skipped.
 */
#ifndef TESTS_LOAD_FIXTURE_H
#define TESTS_LOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/isa.h>
#include <skep/load.h>

#include "base/fd.h"
#include "base/vec.h"
#include "linux/bpf.h"
#include "linux/own_code.h"
#include "linux/privilege.h"

enum { HELPER_PID_TGID = 14, HELPER_COOKIE = 174, HELPER_MAP_LOOKUP = 1 };
enum { VALUES = 4 };

struct code {
	struct skep_insn *data;
	size_t len, cap;
};

static inline void emit(struct code *code, struct skep_insn insn)
{
	skep_vec_push(code, insn);
}

static inline void emit_value_addr(struct code *code, int reg, uint32_t map, uint32_t off)
{
	struct skep_insn pair[2];

	skep_ld_imm64(pair, reg, SKEP_PSEUDO_MAP_IDX_VALUE, (uint64_t)off << 32 | map);
	emit(code, pair[0]);
	emit(code, pair[1]);
}

/* value[slot] += 1, when the current process is @pid (0: always) */
static inline void emit_count(struct code *code, pid_t pid, uint32_t slot)
{
	if (pid) {
		emit(code, skep_call(HELPER_PID_TGID));
		emit(code, skep_alu64_imm(SKEP_RSH, SKEP_R0, 32));
		emit(code, skep_jmp_imm(SKEP_JNE, SKEP_R0, pid, 4));
	}
	emit_value_addr(code, SKEP_R1, 0, slot * 8);
	emit(code, skep_alu64_imm(SKEP_MOV, SKEP_R2, 1));
	emit(code, skep_atomic_op(SKEP_DW, SKEP_ADD, SKEP_R1, SKEP_R2, 0));
}

static inline void emit_return(struct code *code, int32_t value)
{
	emit(code, skep_alu64_imm(SKEP_MOV, SKEP_R0, value));
	emit(code, skep_exit());
}

/* value[slot] = the attach cookie, where the current process is this one */
static inline void emit_cookie(struct code *code, uint32_t slot)
{
	emit(code, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	emit(code, skep_call(HELPER_PID_TGID));
	emit(code, skep_alu64_imm(SKEP_RSH, SKEP_R0, 32));
	emit(code, skep_jmp_imm(SKEP_JNE, SKEP_R0, getpid(), 5));
	emit(code, skep_alu64_reg(SKEP_MOV, SKEP_R1, SKEP_R6));
	emit(code, skep_call(HELPER_COOKIE));
	emit_value_addr(code, SKEP_R1, 0, slot * 8);
	emit(code, skep_stx_mem(SKEP_DW, SKEP_R1, SKEP_R0, 0));
}

/* An object with one array map of VALUES counters. */
static inline void object_with_counters(struct skep_object *object)
{
	const struct skep_object_map map = {.name = "counters",
					    .type = BPF_MAP_TYPE_ARRAY,
					    .key_size = 4,
					    .value_size = VALUES * 8,
					    .max_entries = 1};

	skep_object_init(object);
	strcpy(object->license, "GPL");
	skep_object_add_map(object, &map);
}

/* The code becomes the object's. */
static inline uint32_t add_prog(struct skep_object *object, uint32_t type, struct code *code)
{
	size_t n = object->n_progs++;

	object->progs = realloc(object->progs, object->n_progs * sizeof(*object->progs));
	object->progs[n] =
		(struct skep_object_prog){.type = type, .insns = code->data, .n_insns = code->len};
	snprintf(object->progs[n].name, sizeof(object->progs[n].name), "prog%zu", n);
	*code = (struct code){0};
	return (uint32_t)n;
}

static inline uint32_t add_counter(struct skep_object *object, uint32_t type, pid_t pid,
				   uint32_t slot)
{
	struct code code = {0};

	emit_count(&code, pid, slot);
	emit_return(&code, 0);
	return add_prog(object, type, &code);
}

static inline uint64_t counter(const struct skep_session *session, uint32_t slot)
{
	uint64_t values[VALUES] = {0};
	uint32_t key = 0;

	assert_int_equal(skep_bpf_map_lookup(skep_session_map_fd(session, 0), &key, values, 0), 0);
	return values[slot];
}

/* Asserts success; on failure the diagnostic is the message. */
static inline void assert_ok(int err, const struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf text = {0};

	if (!err)
		return;
	skep_diag_render(diag, false, &text);
	print_error("error %d\n%s", err, text.data ? text.data : "");
	fail();
}

static inline struct skep_session *open_session(const struct skep_object *object)
{
	struct skep_session *session = NULL;
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_ok(skep_session_open(object, NULL, &session, &diag), &diag);
	return session;
}

static inline void attach(struct skep_session *session, const struct skep_attach *at)
{
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_ok(skep_session_attach(session, at, &diag), &diag);
}

static inline uint64_t tracepoint_id(const char *event)
{
	char path[512];
	FILE *file;
	unsigned long long id = 0;

	assert_non_null(skep_tracefs());
	snprintf(path, sizeof(path), "%s/events/%s/id", skep_tracefs(), event);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &id), 1);
	fclose(file);
	return id;
}

static inline size_t count_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline int need_root(void **state)
{
	if (geteuid() == 0 && skep_has_cap(39 /* CAP_BPF */))
		return 0;
	print_message("skipped: needs root with CAP_BPF\n");
	exit(77);
}

#endif
