/*
 * bpf(2)'s structures as they lie in memory, by name of the command that reads them. Names are
 * ours, layouts are Linux 6.18's; tests/machine/test_wire.c holds them against the running
 * kernel's BTF. They are not taken from <linux/bpf.h>, because the machine is also built where
 * there is none, and Debian's is older.
 */
#ifndef SKEP_MACHINE_WIRE_H
#define SKEP_MACHINE_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct attr_map_create {
	uint32_t type, key_size, value_size, max_entries, flags, inner_map_fd, numa_node;
	char name[16];
	uint32_t ifindex, btf_fd, btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	uint64_t extra;
	int32_t value_type_btf_obj_fd, token_fd;
	uint64_t excl_prog_hash;
	uint32_t excl_prog_hash_size;
};

struct attr_elem {
	uint32_t map_fd;
	uint64_t key;
	uint64_t value; /* or where the next key goes */
	uint64_t flags;
};

struct attr_batch {
	uint64_t in_batch, out_batch, keys, values;
	uint32_t count, map_fd;
	uint64_t elem_flags, flags;
};

struct attr_prog_load {
	uint32_t type, insn_cnt;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log_buf;
	uint32_t kern_version, flags;
	char name[16];
	uint32_t ifindex, expected_attach_type, btf_fd, func_info_rec_size;
	uint64_t func_info;
	uint32_t func_info_cnt, line_info_rec_size;
	uint64_t line_info;
	uint32_t line_info_cnt, attach_btf_id;
	uint32_t attach_fd; /* a program, or a BTF */
	uint32_t core_relo_cnt;
	uint64_t fd_array, core_relos;
	uint32_t core_relo_rec_size, log_true_size;
	int32_t token_fd;
	uint32_t fd_array_cnt;
	uint64_t signature;
	uint32_t signature_size;
	int32_t keyring_id;
};

struct attr_pin {
	uint64_t path;
	uint32_t fd, flags;
	int32_t path_fd;
};

struct attr_attach {
	uint32_t target, prog_fd, type, flags, replace_fd, relative;
	uint64_t expected_revision;
};

struct attr_test {
	uint32_t prog_fd, retval, data_size_in, data_size_out;
	uint64_t data_in, data_out;
	uint32_t repeat, duration, ctx_size_in, ctx_size_out;
	uint64_t ctx_in, ctx_out;
	uint32_t flags, cpu, batch_size;
};

struct attr_id {
	uint32_t id; /* or where to start */
	uint32_t next_id, open_flags;
	int32_t token_fd;
};

struct attr_info {
	uint32_t fd, len;
	uint64_t info;
};

struct attr_query {
	uint32_t target, type, query_flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};

struct attr_raw_tracepoint {
	uint64_t name;
	uint32_t prog_fd;
	uint64_t cookie;
};

struct attr_btf_load {
	uint64_t btf, log_buf;
	uint32_t size, log_size, log_level, log_true_size, flags;
	int32_t token_fd;
};

struct attr_task_fd {
	uint32_t pid, fd, flags, buf_len;
	uint64_t buf;
	uint32_t prog_id, fd_type;
	uint64_t probe_offset, probe_addr;
};

struct attr_link_create {
	uint32_t prog_fd; /* or a map's */
	uint32_t target, type, flags;
	union {
		uint32_t target_btf_id;
		struct {
			uint64_t iter_info;
			uint32_t iter_info_len;
		};
		uint64_t perf_cookie;
		struct {
			uint32_t tracing_btf_id;
			uint64_t tracing_cookie;
		};
		struct {
			uint32_t pf, hooknum;
			int32_t priority;
			uint32_t netfilter_flags;
		};
		struct {
			uint32_t relative;
			uint64_t expected_revision;
		};
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t cnt, uprobe_flags, pid;
		};
	};
};

struct attr_link_update {
	uint32_t link_fd, new_fd, flags, old_fd;
};

struct attr_iter {
	uint32_t link_fd, flags;
};

struct attr_bind {
	uint32_t prog_fd, map_fd, flags;
};

struct attr_stream {
	uint64_t buf;
	uint32_t buf_len, stream_id, prog_fd;
};

union attr {
	struct attr_map_create map_create;
	struct attr_elem elem;
	struct attr_batch batch;
	struct attr_prog_load prog_load;
	struct attr_pin pin;
	struct attr_attach attach;
	struct attr_test test;
	struct attr_id id;
	struct attr_info info;
	struct attr_query query;
	struct attr_raw_tracepoint raw_tracepoint;
	struct attr_btf_load btf_load;
	struct attr_task_fd task_fd;
	struct attr_link_create link_create;
	struct attr_link_update link_update;
	struct attr_iter iter;
	struct attr_bind bind;
	struct attr_stream stream;
	uint32_t word; /* commands of one or two numbers: descriptor or kind, flags */
	uint32_t words[2];
	uint8_t bytes[168];
};
_Static_assert(sizeof(union attr) == 168, "union bpf_attr of Linux 6.18");

/* --- What OBJ_GET_INFO_BY_FD shows --------------------------------------------------------- */

struct info_prog {
	uint32_t type, id;
	uint8_t tag[8];
	uint32_t jited_len, xlated_len;
	uint64_t jited_insns, xlated_insns;
	uint64_t load_time;
	uint32_t created_by_uid, nr_map_ids;
	uint64_t map_ids;
	char name[16];
	uint32_t ifindex;
	uint32_t gpl_compatible; /* one bit */
	uint64_t netns_dev, netns_ino;
	uint32_t nr_jited_ksyms, nr_jited_func_lens;
	uint64_t jited_ksyms, jited_func_lens;
	uint32_t btf_id, func_info_rec_size;
	uint64_t func_info;
	uint32_t nr_func_info, nr_line_info;
	uint64_t line_info, jited_line_info;
	uint32_t nr_jited_line_info, line_info_rec_size, jited_line_info_rec_size, nr_prog_tags;
	uint64_t prog_tags;
	uint64_t run_time_ns, run_cnt, recursion_misses;
	uint32_t verified_insns, attach_btf_obj_id, attach_btf_id;
};

struct info_map {
	uint32_t type, id, key_size, value_size, max_entries, flags;
	char name[16];
	uint32_t ifindex, btf_vmlinux_value_type_id;
	uint64_t netns_dev, netns_ino;
	uint32_t btf_id, btf_key_type_id, btf_value_type_id, btf_vmlinux_id;
	uint64_t extra;
	uint64_t hash;
	uint32_t hash_size;
};

struct info_btf {
	uint64_t btf;
	uint32_t size, id;
	uint64_t name;
	uint32_t name_len, kernel_btf;
};

struct info_link {
	uint32_t type, id, prog_id;
	union {
		struct {
			uint64_t tp_name;
			uint32_t tp_name_len;
			uint64_t cookie;
		} raw_tracepoint;
		struct {
			uint32_t attach_type, target_obj_id, target_btf_id;
			uint64_t cookie;
		} tracing;
		struct {
			uint64_t cgroup_id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint32_t netns_ino, attach_type;
		} netns;
		struct {
			uint32_t ifindex, attach_type; /* XDP: no type */
		} device;
		struct {
			uint64_t target_name;
			uint32_t target_name_len, map_id;
		} iter;
		struct {
			uint32_t map_id;
		} struct_ops;
		struct {
			uint32_t pf, hooknum;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		uint8_t bytes[48]; /* the largest: uprobe_multi */
	};
};

/** union bpf_iter_link_info */
struct wire_iter_info {
	union {
		uint32_t map_fd;
		struct {
			uint32_t order, fd;
			uint64_t id;
		} cgroup;
	};
};
_Static_assert(sizeof(struct wire_iter_info) == 16, "union bpf_iter_link_info");

struct wire_func_info {
	uint32_t insn_off, type_id;
};

struct wire_line_info {
	uint32_t insn_off, file_name_off, line_off, line_col;
};

/* --- Contexts that PROG_TEST_RUN takes and gives ------------------------------------------- */

struct wire_xdp_md {
	uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct wire_sk_buff {
	uint32_t len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	uint32_t priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid;
	uint32_t data, data_end, napi_id, family, remote_ip4, local_ip4;
	uint32_t remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
	uint64_t flow_keys;
	uint64_t tstamp;
	uint32_t wire_len, gso_segs;
	uint64_t sk;
	uint32_t gso_size;
	uint8_t tstamp_type, pad[3];
	uint64_t hwtstamp;
};
_Static_assert(sizeof(struct wire_sk_buff) == 192, "struct __sk_buff");

struct wire_flow_keys {
	uint16_t nhoff, thoff, addr_proto;
	uint8_t is_frag, is_first_frag, is_encap, ip_proto;
	uint16_t n_proto, sport, dport;
	uint32_t src[4], dst[4]; /* IPv4: src[0] and src[1] */
	uint32_t flags, flow_label;
};
_Static_assert(sizeof(struct wire_flow_keys) == 56, "struct bpf_flow_keys");

struct wire_sk_lookup {
	uint64_t cookie; /* for programs: the socket */
	uint32_t family, protocol, remote_ip4, remote_ip6[4];
	uint16_t remote_port, pad;
	uint32_t local_ip4, local_ip6[4], local_port, ingress_ifindex;
};
_Static_assert(sizeof(struct wire_sk_lookup) == 72, "struct bpf_sk_lookup");

#endif
