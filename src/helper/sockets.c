/* Sockets: a run in user space has none. Look-ups find nothing, and nothing is made of nothing. */
#include "helper/helpers.h"

DEFINE_HELPER(sk_lookup_tcp)
{
	return 0;
}

DEFINE_HELPER(sk_lookup_udp)
{
	return 0;
}

DEFINE_HELPER(skc_lookup_tcp)
{
	return 0;
}

DEFINE_HELPER(sk_release)
{
	return 0;
}

DEFINE_HELPER(sk_fullsock)
{
	return 0;
}

DEFINE_HELPER(tcp_sock)
{
	return 0;
}

DEFINE_HELPER(get_listener_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_tcp6_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_tcp_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_tcp_timewait_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_tcp_request_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_udp6_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_unix_sock)
{
	return 0;
}

DEFINE_HELPER(skc_to_mptcp_sock)
{
	return 0;
}

DEFINE_HELPER(sock_from_file)
{
	return 0;
}
