/*
 * The tables of packet.def and hooks.def: headers, their fields, and the places
 * where packets and sockets are seen.
 */
#ifndef SKEP_TRACE_PACKET_H
#define SKEP_TRACE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Packets -------------------------------------------------------------------------------- */

enum skep_layer {
	SKEP_LAYER_ANY, /* every packet */
#define LAYER(NAME, name, bytes, help) SKEP_LAYER_##NAME,
#include "trace/packet.def"
#undef LAYER
	SKEP_LAYER_CNT
};
#define SKEP_LAYER_BIT(layer) ((layer) ? 1u << (layer) : 0u)

enum skep_packet_kind {
	SKEP_PACKET_PRESENT, /* pkt.tcp: has the packet such a header? */
	SKEP_PACKET_NUMBER,
	SKEP_PACKET_MAC,
	SKEP_PACKET_IP4,
	SKEP_PACKET_IP6,
	SKEP_PACKET_LENGTH,
	SKEP_PACKET_PROTOCOL,
	SKEP_PACKET_ETHERTYPE,
	SKEP_PACKET_TAG, /* a VLAN tag, as a number */
};

struct skep_packet_field {
	const char *path; /* "ip.src" */
	enum skep_layer layer, needs;
	enum skep_packet_kind kind;
	uint32_t off, bytes, shift, bits;
	const char *help; /* "": said at the first row of this path */
};

/** All rows; those of one path stand together. Returns how many. */
size_t skep_packet_fields(const struct skep_packet_field **ret);
/** The first row of @path; NULL: there is none. */
const struct skep_packet_field *skep_packet_find(const char *path);
/** Whether some field is called @group.…: "ip". */
bool skep_packet_is_group(const char *group);
/** Bytes that a header must have; "tcp" of SKEP_LAYER_TCP. */
uint32_t skep_layer_bytes(enum skep_layer layer);
const char *skep_layer_name(enum skep_layer layer);

/* --- Hooks ---------------------------------------------------------------------------------- */

enum skep_trace_hook_id {
#define HOOK(ID, ...) SKEP_AT_##ID,
#include "trace/hooks.def"
#undef HOOK
	SKEP_AT_CNT
};

/** What a packet begins with. */
enum skep_link {
	SKEP_LINK_NONE, /* there is no packet */
	SKEP_LINK_ETHER,
	SKEP_LINK_NET, /* IP, whichever version */
};

struct skep_trace_hook {
	enum skep_trace_hook_id id;
	const char *provider, *name;
	const char *section;             /* what libbpf goes by in an ELF file */
	uint32_t prog_type, attach_type; /* enum bpf_prog_type, bpf_attach_type; 0: none is said */
	int32_t pass, drop;              /* what a program returns; the same: it cannot refuse */
	enum skep_link link;
	bool has_task;
};

enum skep_member_kind {
	SKEP_MEMBER_U32,
	SKEP_MEMBER_S32,
	SKEP_MEMBER_PORT,
	SKEP_MEMBER_IP4,
	SKEP_MEMBER_IP6,
	SKEP_MEMBER_NAME,
	SKEP_MEMBER_HIGH,
	SKEP_MEMBER_LOW,
};

/** Bytes of sysctl.name, its NUL included. */
#define SKEP_SYSCTL_NAME_BYTES 64

struct skep_hook_member {
	const char *path; /* "sock.dst" */
	uint32_t hooks;   /* bits by enum skep_trace_hook_id */
	uint32_t off;     /* in the program's context */
	enum skep_member_kind kind;
	const char *help;
};

const struct skep_trace_hook *skep_hook(enum skep_trace_hook_id id);
/** @provider's hook called @name; NULL: it has none. */
const struct skep_trace_hook *skep_hook_find(const char *provider, const char *name);
size_t skep_hook_members(const struct skep_hook_member **ret);
/** What @path is at @hook; NULL: it is not known there. */
const struct skep_hook_member *skep_hook_member_find(const struct skep_trace_hook *hook,
						     const char *path);

#endif
