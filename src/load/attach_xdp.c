/*
 * XDP: a program at a device's receive side, by link, which can be given
 * another program in place and goes when its descriptor is closed.
 *
 * There are three places. The driver's (native) sees a frame before the kernel
 * has made anything of it; the generic one comes later, and every device has
 * it; in the hardware run only programs that were compiled for that very
 * device, which is not what a session loads. Without a wish the driver is
 * asked, and the generic place taken where the driver refuses. A device takes
 * programs at one of driver and generic place, not both, and one program each.
 */
#include "load/network.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>

static const struct load_reason common_reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-EBUSY, "another XDP program is there already", "skep prog list shows it"},
	{-EEXIST,
	 "another XDP program is at the device's other place (native and generic exclude each "
	 "other), or on a device above it",
	 NULL},
	{-ERANGE, "the driver cannot receive frames so large for programs", "a smaller MTU"},
	{0},
};

static const struct load_reason native_reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-EBUSY, "another XDP program is there already", "skep prog list shows it"},
	{-EEXIST,
	 "a generic XDP program is on the device (the two exclude each other), or one on a device "
	 "above it",
	 NULL},
	{-EOPNOTSUPP, "the device's driver has no XDP, or not with the device's settings",
	 "generic XDP, which every device has"},
	{-ERANGE, "the driver cannot receive frames so large for programs", "a smaller MTU"},
	{0},
};

static const struct load_reason hardware_reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-EOPNOTSUPP, "the device has no XDP in hardware", "native or generic XDP"},
	{-EINVAL, "the program was compiled for the kernel, not for this device's hardware",
	 "native or generic XDP"},
	{0},
};

static const struct load_reason *reasons_of(uint32_t flags)
{
	if (flags & XDP_FLAGS_HW_MODE)
		return hardware_reasons;
	return flags & XDP_FLAGS_DRV_MODE ? native_reasons : common_reasons;
}

int load_attach_xdp(struct skep_session *session, const struct skep_attach *at,
		    struct skep_diag *diag)
{
	struct link_create_attr attr = {
		.target = at->xdp.ifindex, .attach_type = BPF_XDP, .flags = at->xdp.flags};
	char name[IF_NAMESIZE];
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	err = load_link_create(session, at, &attr);
	if (!at->xdp.flags && (err == -EOPNOTSUPP || err == -EINVAL || err == -ERANGE)) {
		attr.flags = XDP_FLAGS_SKB_MODE;
		err = load_link_create(session, at, &attr);
	}
	/* The kernel says EINVAL of a device that is not there too. */
	if (err == -EINVAL && !if_indextoname(at->xdp.ifindex, name))
		err = -ENODEV;
	return err ? load_network_failed(at, err, reasons_of(at->xdp.flags), diag) : 0;
}
