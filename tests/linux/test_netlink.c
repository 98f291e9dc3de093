/* Requests of rtnetlink, within their bounds, and what the running kernel answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/fd.h"
#include "linux/netlink.h"

/* --- requests ------------------------------------------------------------------------------ */

static const struct nlmsghdr *head_of(const struct skep_netlink_request *request)
{
	return (const void *)request->bytes;
}

static void attributes_follow_the_header(void **state)
{
	const struct ifinfomsg head = {.ifi_index = 7};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE, &head, sizeof(head));
	assert_int_equal(head_of(&request)->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(head_of(&request)->nlmsg_flags, NLM_F_CREATE | NLM_F_REQUEST | NLM_F_ACK);
	const size_t begin = request.len;
	assert_int_equal(begin, NLMSG_LENGTH(sizeof(head)));
	skep_netlink_put_text(&request, IFLA_IFNAME, "skep0");
	size_t nest = skep_netlink_nest(&request, IFLA_LINKINFO);
	skep_netlink_put_u32(&request, 3, 0x01020304);
	skep_netlink_end(&request, nest);
	assert_int_equal(request.len, begin + 12 + 4 + 8);

	const struct nlattr *name =
		skep_netlink_find(request.bytes + begin, request.len - begin, IFLA_IFNAME);
	assert_int_equal(name->nla_len, NLA_HDRLEN + 6);
	assert_string_equal((const char *)(name + 1), "skep0");
	const struct nlattr *info =
		skep_netlink_find(request.bytes + begin, request.len - begin, IFLA_LINKINFO);
	assert_int_equal(info->nla_len, NLA_HDRLEN + 8);
	assert_non_null(skep_netlink_find(info + 1, info->nla_len - NLA_HDRLEN, 3));
	assert_null(skep_netlink_find(info + 1, info->nla_len - NLA_HDRLEN, 4));
}

/* What does not fit is not written, and the request is not sent. */
static void a_full_request_is_refused(void **state)
{
	struct {
		struct skep_netlink_request request;
		uint8_t guard[16];
	} it;
	const struct ifinfomsg head = {0};
	const uint8_t data[100] = {1};

	memset(it.guard, 0xaa, sizeof(it.guard));
	skep_netlink_begin(&it.request, RTM_GETLINK, 0, &head, sizeof(head));
	size_t nest = skep_netlink_nest(&it.request, IFLA_LINKINFO);
	for (int i = 0; i < 20; i++)
		skep_netlink_put(&it.request, 1, data, sizeof(data));
	skep_netlink_end(&it.request, nest);
	assert_true(it.request.is_full);
	assert_true(it.request.len <= sizeof(it.request.bytes));
	for (size_t i = 0; i < sizeof(it.guard); i++)
		assert_int_equal(it.guard[i], 0xaa);
	assert_int_equal(skep_netlink_ask(-1, &it.request, NULL, NULL, NULL), -E2BIG);
	skep_netlink_begin(&it.request, RTM_GETLINK, 0, &head, sizeof(head));
	assert_false(it.request.is_full);
}

/* --- attributes ---------------------------------------------------------------------------- */

/* Two attributes: {length 5, type 1, one byte and padding}, {length 8, type 2, four bytes}. */
static const _Alignas(4) uint8_t attrs[] = {5, 0, 1, 0, 9, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4};

static void attributes_are_found_within_bounds(void **state)
{
	_Alignas(4) uint8_t bytes[sizeof(attrs)];

	assert_ptr_equal(skep_netlink_find(attrs, sizeof(attrs), 1), attrs);
	assert_ptr_equal(skep_netlink_find(attrs, sizeof(attrs), 2), attrs + 8);
	assert_null(skep_netlink_find(attrs, sizeof(attrs), 3));
	for (size_t size = 0; size < sizeof(attrs); size++)
		assert_null(skep_netlink_find(attrs, size, 2));
	/* Only a length that leads to the second attribute does. */
	for (int length = 0; length <= 255; length++) {
		memcpy(bytes, attrs, sizeof(attrs));
		bytes[0] = (uint8_t)length;
		const struct nlattr *found = skep_netlink_find(bytes, sizeof(bytes), 2);
		assert_int_equal(found != NULL, length > 4 && length <= 8);
	}
}

/* --- the kernel ---------------------------------------------------------------------------- */

static void find_loopback(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *head = NLMSG_DATA(message);
	const struct nlattr *name = skep_netlink_find(
		IFLA_RTA(head), message->nlmsg_len - NLMSG_LENGTH(sizeof(*head)), IFLA_IFNAME);

	if (name && !strcmp((const char *)(name + 1), "lo"))
		*(int *)arg = head->ifi_index;
}

static void devices_are_listed(void **state)
{
	const struct ifinfomsg head = {0};
	struct skep_netlink_request request;
	_cleanup_close_ int fd = skep_netlink_open();
	int index = 0;

	assert_true(fd >= 0);
	skep_netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	assert_int_equal(skep_netlink_ask(fd, &request, find_loopback, &index, NULL), 0);
	assert_int_equal(index, 1);
}

/* Whoever asks is refused before rights are looked at. */
static void refusals_have_words(void **state)
{
	const struct ifinfomsg head = {.ifi_index = 999999};
	struct skep_netlink_request request;
	char words[SKEP_NETLINK_WORDS] = "before";
	_cleanup_close_ int fd = skep_netlink_open();

	skep_netlink_begin(&request, RTM_GETLINK, 0, &head, sizeof(head));
	assert_int_equal(skep_netlink_ask(fd, &request, NULL, NULL, words), -ENODEV);
	assert_string_equal(words, "");
	/* An attribute of the wrong length is named. */
	skep_netlink_begin(&request, RTM_GETLINK, 0, &head, sizeof(head));
	skep_netlink_put(&request, IFLA_EXT_MASK, "x", 1);
	assert_true(skep_netlink_ask(fd, &request, NULL, NULL, words) < 0);
	assert_true(strlen(words) > 0);
	assert_int_equal(skep_netlink_ask(-1, &request, NULL, NULL, NULL), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_follow_the_header),
		cmocka_unit_test(a_full_request_is_refused),
		cmocka_unit_test(attributes_are_found_within_bounds),
		cmocka_unit_test(devices_are_listed),
		cmocka_unit_test(refusals_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
