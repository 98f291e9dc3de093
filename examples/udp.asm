// An XDP program in assembly: UDP over IPv4 passes (2), all else is dropped (1).
// struct xdp_md: data at 0, data_end at 4
	r2 = *(u32 *)(r1 + 0)
	r3 = *(u32 *)(r1 + 4)
	r0 = 1
	// Ethernet's and IPv4's header must be there.
	r4 = r2
	r4 += 34
	if r4 > r3 goto out
	r5 = *(u16 *)(r2 + 12)
	r5 = be16 r5
	if r5 != 0x800 goto out
	r5 = *(u8 *)(r2 + 23)
	if r5 != 17 goto out
	r0 = 2
out:	exit
