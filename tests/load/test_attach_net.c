/* Where packets pass: XDP, traffic control and netkit devices, through their whole lives. */
#include "netns.h"

#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

static void receive(struct trial *trial)
{
	netns_receive(trial->data);
}

static void send_out(struct trial *trial)
{
	netns_send(trial->data);
}

static void need_pair(const char *name, struct netns *ret, const char *kind)
{
	if (!netns_make(ret, kind))
		trial_not_here(name, "this kernel has no %s devices", kind);
}

/* --- XDP ----------------------------------------------------------------------------------- */

static void run_xdp(const char *name, uint32_t flags)
{
	struct netns net;

	need_pair(name, &net, "veth");
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_XDP,
		.expected_attach_type = BPF_XDP,
		.returns = XDP_PASS,
		.at = {.type = SKEP_ATTACH_XDP, .xdp = {.ifindex = net.index[0], .flags = flags}},
		.fire = receive,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = BPF_LINK_TYPE_XDP,
		.is_replaced = true,
	};

	trial_run(&trial);
}

static void xdp_native(void **state)
{
	run_xdp("xdp.native", XDP_FLAGS_DRV_MODE);
}

static void xdp_generic(void **state)
{
	run_xdp("xdp.generic", XDP_FLAGS_SKB_MODE);
}

static void xdp_best(void **state)
{
	run_xdp("xdp", 0);
}

/* --- traffic control ----------------------------------------------------------------------- */

static void run_tc(const char *name, bool egress, bool clsact)
{
	struct netns net;

	need_pair(name, &net, "veth");
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.returns = TC_ACT_UNSPEC,
		.at = {.type = SKEP_ATTACH_TC,
		       .tc = {.ifindex = net.index[0], .egress = egress, .clsact = clsact}},
		.fire = egress ? send_out : receive,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = clsact ? -1 : LINK_TYPE_TCX,
		.is_replaced = !clsact,
	};

	trial_run(&trial);
}

static void tcx_ingress(void **state)
{
	run_tc("tcx.ingress", false, false);
}

static void tcx_egress(void **state)
{
	run_tc("tcx.egress", true, false);
}

static void tc_ingress(void **state)
{
	run_tc("tc.ingress", false, true);
}

static void tc_egress(void **state)
{
	run_tc("tc.egress", true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp_native), cmocka_unit_test(xdp_generic),
		cmocka_unit_test(xdp_best),   cmocka_unit_test(tcx_ingress),
		cmocka_unit_test(tcx_egress), cmocka_unit_test(tc_ingress),
		cmocka_unit_test(tc_egress),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
