/*
 * What the words in helpers.def and kfuncs.def stand for, and how a row of them becomes a
 * struct skep_proto. For the files that make the tables.
 */
#ifndef SKEP_HELPER_WORDS_H
#define SKEP_HELPER_WORDS_H

#include <skep/helper.h>

/* Arguments: kind with its marks, size in bytes (0: the next argument's or the map's), struct. */
#define ARG_NONE        SKEP_ARG_NONE, 0, NULL
#define ARG_ANY         SKEP_ARG_ANYTHING, 0, NULL
#define ARG_MAP         SKEP_ARG_CONST_MAP_PTR, 0, NULL
#define ARG_KEY         SKEP_ARG_MAP_KEY, 0, NULL
#define ARG_VALUE       SKEP_ARG_MAP_VALUE, 0, NULL
#define ARG_VALUE_0     SKEP_ARG_MAP_VALUE | SKEP_ARG_MAYBE_NULL, 0, NULL
#define ARG_VALUE_OUT   SKEP_ARG_MAP_VALUE | SKEP_ARG_UNINIT | SKEP_ARG_WRITES, 0, NULL
#define ARG_MEM         SKEP_ARG_MEM | SKEP_ARG_RDONLY, 0, NULL
#define ARG_MEM_0       SKEP_ARG_MEM | SKEP_ARG_RDONLY | SKEP_ARG_MAYBE_NULL, 0, NULL
#define ARG_MEM_OUT     SKEP_ARG_MEM | SKEP_ARG_UNINIT | SKEP_ARG_WRITES, 0, NULL
#define ARG_MEM_INOUT   SKEP_ARG_MEM | SKEP_ARG_WRITES, 0, NULL
#define ARG_MEM_INOUT_0 SKEP_ARG_MEM | SKEP_ARG_WRITES | SKEP_ARG_MAYBE_NULL, 0, NULL
#define ARG_SIZE        SKEP_ARG_SIZE, 0, NULL
#define ARG_SIZE_0      SKEP_ARG_SIZE_OR_ZERO, 0, NULL
#define ARG_ALLOC_SIZE  SKEP_ARG_CONST_ALLOC_SIZE | SKEP_ARG_CONST, 0, NULL
#define ARG_CTX         SKEP_ARG_CTX, 0, NULL
#define ARG_CTX_0       SKEP_ARG_CTX | SKEP_ARG_MAYBE_NULL, 0, NULL
#define ARG_LOCK        SKEP_ARG_SPIN_LOCK, 0, NULL
#define ARG_STR         SKEP_ARG_CONST_STR, 0, NULL
#define ARG_TIMER       SKEP_ARG_TIMER, 0, NULL
#define ARG_KPTR        SKEP_ARG_KPTR, 0, NULL
#define ARG_FUNC        SKEP_ARG_FUNC, 0, NULL
#define ARG_STACK_0     SKEP_ARG_STACK | SKEP_ARG_MAYBE_NULL, 0, NULL
#define ARG_PERCPU      SKEP_ARG_PERCPU_BTF_ID, 0, NULL
#define ARG_RECORD      SKEP_ARG_RINGBUF_MEM | SKEP_ARG_RELEASES, 0, NULL
#define ARG_DYNPTR      SKEP_ARG_DYNPTR | SKEP_ARG_RDONLY, 0, NULL
#define ARG_DYNPTR_LOCAL                                                                           \
	SKEP_ARG_DYNPTR | SKEP_ARG_DYNPTR_LOCAL | SKEP_ARG_UNINIT | SKEP_ARG_WRITES, 16, NULL
#define ARG_DYNPTR_RECORD                                                                          \
	SKEP_ARG_DYNPTR | SKEP_ARG_DYNPTR_RINGBUF | SKEP_ARG_UNINIT | SKEP_ARG_WRITES, 16, NULL
#define ARG_DYNPTR_DONE SKEP_ARG_DYNPTR | SKEP_ARG_DYNPTR_RINGBUF | SKEP_ARG_RELEASES, 0, NULL
/* memory of a size that the kernel fixes */
#define FIXED           SKEP_ARG_MEM | SKEP_ARG_FIXED_SIZE
#define ARG_U64_OUT     FIXED | SKEP_ARG_UNINIT | SKEP_ARG_WRITES | SKEP_ARG_ALIGNED, 8, NULL
#define ARG_U32_INOUT   FIXED | SKEP_ARG_WRITES | SKEP_ARG_ALIGNED, 4, NULL
#define ARG_IPV4_HEADER FIXED, 20, NULL
#define ARG_IPV6_HEADER FIXED, 40, NULL
#define ARG_TCP_HEADER  FIXED, 20, NULL
/* objects of the kernel */
#define ARG_SK          SKEP_ARG_BTF_ID, 0, "sock_common"
#define ARG_SK_RELEASE  SKEP_ARG_BTF_ID | SKEP_ARG_RELEASES, 0, "sock_common"
#define ARG_SOCK_COMMON SKEP_ARG_SOCK_COMMON, 0, NULL
#define ARG_OBJECT_0    SKEP_ARG_BTF_ID | SKEP_ARG_MAYBE_NULL | SKEP_ARG_RELEASES, 0, NULL
#define ARG_BINPRM      SKEP_ARG_BTF_ID, 0, "linux_binprm"
#define ARG_CGROUP_0    SKEP_ARG_BTF_ID | SKEP_ARG_MAYBE_NULL, 0, "cgroup"
#define ARG_FILE        SKEP_ARG_BTF_ID, 0, "file"
#define ARG_INODE       SKEP_ARG_BTF_ID, 0, "inode"
#define ARG_INODE_0     SKEP_ARG_BTF_ID | SKEP_ARG_MAYBE_NULL, 0, "inode"
#define ARG_PATH        SKEP_ARG_BTF_ID, 0, "path"
#define ARG_SEQ_FILE    SKEP_ARG_BTF_ID, 0, "seq_file"
#define ARG_SK_BUFF     SKEP_ARG_BTF_ID, 0, "sk_buff"
#define ARG_TASK        SKEP_ARG_BTF_ID, 0, "task_struct"
#define ARG_TASK_0      SKEP_ARG_BTF_ID | SKEP_ARG_MAYBE_NULL, 0, "task_struct"
#define ARG_TCP_SOCK    SKEP_ARG_BTF_ID, 0, "tcp_sock"
#define ARG_XDP_BUFF    SKEP_ARG_BTF_ID, 0, "xdp_buff"

/* Results: kind with its marks, struct. */
#define MAYBE                 SKEP_RET_MAYBE_NULL
#define RET_INT               SKEP_RET_INTEGER, NULL
#define RET_VOID              SKEP_RET_VOID, NULL
#define RET_VALUE             SKEP_RET_MAP_VALUE, NULL
#define RET_VALUE_0           SKEP_RET_MAP_VALUE | MAYBE, NULL
#define RET_SOCKET_0          SKEP_RET_SOCKET | MAYBE, NULL
#define RET_NEW_SOCKET_0      SKEP_RET_SOCKET | MAYBE | SKEP_RET_ACQUIRES, NULL
#define RET_NEW_SOCK_COMMON_0 SKEP_RET_SOCK_COMMON | MAYBE | SKEP_RET_ACQUIRES, NULL
#define RET_TCP_0             SKEP_RET_TCP_SOCK | MAYBE, NULL
#define RET_RECORD_0          SKEP_RET_MEM | MAYBE | SKEP_RET_ACQUIRES, NULL
#define RET_SLICE_0           SKEP_RET_DYNPTR_SLICE | MAYBE, NULL
#define RET_PERCPU            SKEP_RET_MEM_OR_BTF_ID | SKEP_RET_RDONLY, NULL
#define RET_PERCPU_0          SKEP_RET_MEM_OR_BTF_ID | SKEP_RET_RDONLY | MAYBE, NULL
#define RET_OBJECT_0          SKEP_RET_BTF_ID | MAYBE | SKEP_RET_ACQUIRES, NULL
#define RET_TASK              SKEP_RET_BTF_ID | SKEP_RET_TRUSTED, "task_struct"
#define RET_PT_REGS           SKEP_RET_BTF_ID, "pt_regs"
#define RET_MPTCP_SOCK_0      SKEP_RET_BTF_ID | MAYBE, "mptcp_sock"
#define RET_TCP6_SOCK_0       SKEP_RET_BTF_ID | MAYBE, "tcp6_sock"
#define RET_TCP_REQUEST_0     SKEP_RET_BTF_ID | MAYBE, "tcp_request_sock"
#define RET_TCP_SOCK_0        SKEP_RET_BTF_ID | MAYBE, "tcp_sock"
#define RET_TCP_TIMEWAIT_0    SKEP_RET_BTF_ID | MAYBE, "tcp_timewait_sock"
#define RET_UDP6_SOCK_0       SKEP_RET_BTF_ID | MAYBE, "udp6_sock"
#define RET_UNIX_SOCK_0       SKEP_RET_BTF_ID | MAYBE, "unix_sock"
#define RET_FILE_SOCKET_0     SKEP_RET_BTF_ID | MAYBE, "socket"

/* what kernel functions take and give */
#define ARG_OBJECT        SKEP_ARG_ALLOC, 0, NULL
#define ARG_OBJECT_END    SKEP_ARG_ALLOC | SKEP_ARG_RELEASES, 0, NULL
#define ARG_COUNTED       SKEP_ARG_REFCOUNTED_KPTR, 0, NULL
#define ARG_TYPE_ID       SKEP_ARG_ANYTHING | SKEP_ARG_CONST, 0, NULL
#define ARG_SIZE_CONST    SKEP_ARG_SIZE_OR_ZERO | SKEP_ARG_CONST, 0, NULL
#define ARG_LIST          SKEP_ARG_LIST_HEAD, 0, NULL
#define ARG_LIST_NODE     SKEP_ARG_LIST_NODE | SKEP_ARG_RELEASES, 0, NULL
#define ARG_TREE          SKEP_ARG_RB_ROOT, 0, NULL
#define ARG_TREE_NODE     SKEP_ARG_RB_NODE, 0, NULL
#define ARG_TREE_GIVE     SKEP_ARG_RB_NODE | SKEP_ARG_RELEASES, 0, NULL
#define ARG_ITER          SKEP_ARG_ITER, 0, NULL
#define ARG_ITER_NEW      SKEP_ARG_ITER | SKEP_ARG_UNINIT, 0, NULL
#define ARG_IRQ           SKEP_ARG_IRQ_FLAG, 8, NULL
#define ARG_IRQ_NEW       SKEP_ARG_IRQ_FLAG | SKEP_ARG_UNINIT, 8, NULL
#define ARG_DYNPTR_NEW    SKEP_ARG_DYNPTR | SKEP_ARG_UNINIT | SKEP_ARG_WRITES, 16, NULL
#define ARG_TASK_END      SKEP_ARG_BTF_ID | SKEP_ARG_RELEASES, 0, "task_struct"
#define ARG_CGROUP        SKEP_ARG_BTF_ID, 0, "cgroup"
#define ARG_CGROUP_END    SKEP_ARG_BTF_ID | SKEP_ARG_RELEASES, 0, "cgroup"
#define CPUMASK_BYTES     128 /* struct mask of kfunc_cpumask.c */
#define ARG_CPUMASK       SKEP_ARG_BTF_ID, CPUMASK_BYTES, "bpf_cpumask"
#define ARG_CPUS          SKEP_ARG_BTF_ID, CPUMASK_BYTES, "cpumask"
#define ARG_CPUMASK_END   SKEP_ARG_BTF_ID | SKEP_ARG_RELEASES, CPUMASK_BYTES, "bpf_cpumask"
#define RET_NEW_0         SKEP_RET_BTF_ID | MAYBE | SKEP_RET_ACQUIRES, NULL
#define RET_NODE_0        SKEP_RET_BTF_ID | MAYBE, NULL
#define RET_ANY_0         SKEP_RET_BTF_ID | MAYBE, NULL
#define RET_ANY           SKEP_RET_BTF_ID, NULL
#define RET_INT_0         SKEP_RET_MEM | SKEP_RET_RDONLY | MAYBE, "int"
#define RET_NEW_TASK_0    SKEP_RET_BTF_ID | MAYBE | SKEP_RET_ACQUIRES, "task_struct"
#define RET_TASK_0        SKEP_RET_BTF_ID | MAYBE, "task_struct"
#define RET_NEW_CGROUP_0  SKEP_RET_BTF_ID | MAYBE | SKEP_RET_ACQUIRES, "cgroup"
#define RET_NEW_CPUMASK_0 SKEP_RET_BTF_ID | MAYBE | SKEP_RET_ACQUIRES, "bpf_cpumask"
#define RET_NEW_CPUMASK   SKEP_RET_BTF_ID | SKEP_RET_ACQUIRES, "bpf_cpumask"

enum { GPL = 1, PACKET = 2, SLEEPS = 4, CHANGES = 8 };

#define KIND_(kind, size, type) (kind)
#define SIZE_(kind, size, type) (size)
#define TYPE_(kind, size, type) (type)
#define RET_KIND_(kind, type)   (kind)
#define RET_TYPE_(kind, type)   (type)
/* One more round of expansion, so that a word has become its parts. */
#define PART(part, ...) part(__VA_ARGS__)

#define PROTO(ret_, a1, a2, a3, a4, a5, flags)                                                     \
	{                                                                                          \
		.ret = PART(RET_KIND_, RET_##ret_), .ret_type = PART(RET_TYPE_, RET_##ret_),       \
		.args = {PART(KIND_, ARG_##a1), PART(KIND_, ARG_##a2), PART(KIND_, ARG_##a3),      \
			 PART(KIND_, ARG_##a4), PART(KIND_, ARG_##a5)},                            \
		.sizes = {PART(SIZE_, ARG_##a1), PART(SIZE_, ARG_##a2), PART(SIZE_, ARG_##a3),     \
			  PART(SIZE_, ARG_##a4), PART(SIZE_, ARG_##a5)},                           \
		.arg_types = {PART(TYPE_, ARG_##a1), PART(TYPE_, ARG_##a2), PART(TYPE_, ARG_##a3), \
			      PART(TYPE_, ARG_##a4), PART(TYPE_, ARG_##a5)},                       \
		.gpl_only = ((flags)&GPL) != 0, .may_sleep = ((flags)&SLEEPS) != 0,                \
		.pkt_access = ((flags)&PACKET) != 0, .changes_packet = ((flags)&CHANGES) != 0,     \
	}

#endif
