/*
 * Sockets as programs see them: struct bpf_sock, bpf_tcp_sock and bpf_xdp_sock of the user API.
 *
 * Loads are rewritten to loads of the kernel's own structures, field by field, so each must be of a
 * field that is there: whole, or (where contexts.def says so) a part of it.
 *
 * Source  behaviour of Linux 6.18, check_sock_access(), bpf_sock_is_valid_access() and the like
 */
#include "verify/memory.h"

int verify_socket(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	if (at->kind == ACCESS_WRITE)
		return verify_refuse(v, CANNOT_WRITE, at->regno, KIND_TEXT(reg));
	if (reg->value.full.smin < 0)
		return verify_refuse(v, NEGATIVE_INDEX, at->regno);
	if (!verify_socket_access(reg->kind, at->off, at->bytes))
		return verify_refuse(v, INVALID_SOCKET_ACCESS, at->regno, KIND_TEXT(reg), at->off,
				     at->bytes);
	load_unknown(v, at);
	return 0;
}
