/* Lists of numbers, networks and names as options have them. */
#include "trace/list.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool take_number(const char **at, int64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)(**at == '-' ? (*at)[1] : **at)))
		return false;
	errno = 0;
	*ret = strtoll(*at, &end, 0);
	*at = end;
	return !errno;
}

int skep_list_next(const char **at, struct skep_range *ret)
{
	const char *text = *at;
	struct skep_range range;

	if (!*text)
		return 0;
	if (!take_number(&text, &range.first))
		return -EINVAL;
	range.last = range.first;
	if (*text == '-' && (text++, !take_number(&text, &range.last)))
		return -EINVAL;
	if (range.last < range.first || (*text && *text != ',') || (*text == ',' && !text[1]))
		return -EINVAL;
	*at = text + (*text == ',');
	*ret = range;
	return 1;
}

int skep_list_next_name(const char **at, const char **ret, uint32_t *ret_len)
{
	uint32_t len = (uint32_t)strcspn(*at, ",");

	if (!**at)
		return 0;
	if (!len || ((*at)[len] == ',' && !(*at)[len + 1]))
		return -EINVAL;
	*ret = *at;
	*ret_len = len;
	*at += len + ((*at)[len] == ',');
	return 1;
}

/* "24" behind the slash, at most @most; -1: it is no such number. */
static int take_bits(const char *text, int most)
{
	char *end;
	unsigned long bits = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;

	if (!isdigit((unsigned char)*text) || *end || bits > (unsigned long)most)
		return -1;
	return (int)bits;
}

static void set_mask(struct skep_network *net, int bits)
{
	for (uint32_t i = 0; i < net->words; i++, bits -= 32) {
		uint32_t mask = bits <= 0 ? 0 : bits >= 32 ? UINT32_MAX : ~(UINT32_MAX >> bits);
		net->mask[i] = htonl(mask);
		net->address[i] &= net->mask[i];
	}
}

int skep_network_next(const char **at, struct skep_network *ret)
{
	struct skep_network net = {0};
	size_t len = strcspn(*at, ",");
	char address[SKEP_NETWORK_BYTES];

	if (!**at)
		return 0;
	if (!len || len >= sizeof(net.text) || ((*at)[len] == ',' && !(*at)[len + 1]))
		return -EINVAL;
	memcpy(net.text, *at, len);
	memcpy(address, net.text, sizeof(address));
	char *slash = strchr(address, '/');
	if (slash)
		*slash = '\0';
	net.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	net.words = net.family == AF_INET6 ? SKEP_NETWORK_WORDS : 1;
	int most = 32 * (int)net.words, bits = slash ? take_bits(slash + 1, most) : most;
	if (bits < 0 || inet_pton(net.family, address, net.address) != 1)
		return -EINVAL;
	set_mask(&net, bits);
	*at += len + ((*at)[len] == ',');
	*ret = net;
	return 1;
}
