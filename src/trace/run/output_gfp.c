/* %gr: flags of the page allocator by name, "GFP_KERNEL|__GFP_ZERO". */
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "sink/number.h"
#include "trace/run/output_impl.h"

enum gfp_bit {
#define GFP_BIT(name, bit) GFP_##name,
#include "trace/run/gfp.def"
#undef GFP_BIT
	GFP_N_BITS
};

static const struct {
	const char *name, *enumerator;
	uint8_t bit;
} known[GFP_N_BITS] = {
#define GFP_BIT(name, bit) {"__GFP_" #name, "___GFP_" #name "_BIT", bit},
#include "trace/run/gfp.def"
#undef GFP_BIT
};

#define B(name) (1ull << GFP_##name)
static const struct {
	const char *name;
	uint64_t bits; /* 1 << enum gfp_bit */
} sets[] = {
#define GFP_SET(name, bits) {#name, bits},
#include "trace/run/gfp.def"
#undef GFP_SET
};
#undef B

/* Where this kernel has the bits; one that it does not have is nowhere (0). */
static void find_bits(struct skep_output *out, uint64_t ret[GFP_N_BITS])
{
	struct skep_btf *btf = skep_types_btf((struct skep_types *)&out->program->types);
	static const char first[] = "___GFP_DMA_BIT";
	int64_t value;
	uint32_t id;
	bool told = btf && !skep_btf_find_enumerator(btf, first, strlen(first), &value, &id);

	for (int i = 0; i < GFP_N_BITS; i++)
		ret[i] = told ? 0 : 1ull << known[i].bit;
	for (uint32_t i = 0; told && i < skep_btf_n_members(btf, id); i++) {
		const char *name;
		if (skep_btf_enumerator(btf, id, i, &name, &value) || value < 0 || value > 63)
			continue;
		for (int bit = 0; bit < GFP_N_BITS; bit++) {
			if (!strcmp(known[bit].enumerator, name))
				ret[bit] = 1ull << value;
		}
	}
}

static const uint64_t *bits_of(struct skep_output *out)
{
	struct skep_output_state *state = skep_output_state(out);

	if (!state->gfp) {
		state->gfp = skep_xcalloc(GFP_N_BITS, sizeof(*state->gfp));
		find_bits(out, state->gfp);
	}
	return state->gfp;
}

static uint64_t mask_of(const uint64_t *bits, uint64_t set)
{
	uint64_t mask = 0;

	for (int i = 0; i < GFP_N_BITS; i++)
		mask |= set >> i & 1 ? bits[i] : 0;
	return mask;
}

static void name_it(const char *name, uint64_t mask, uint64_t *left, struct skep_buf *buf,
		    size_t start)
{
	if (!mask || (*left & mask) != mask)
		return;
	if (buf->len > start)
		skep_buf_addc(buf, '|');
	skep_buf_puts(buf, name);
	*left &= ~mask;
}

void skep_text_gfp(struct skep_output *out, uint64_t flags, struct skep_buf *buf)
{
	const uint64_t *bits = bits_of(out);
	size_t start = buf->len;

	if (!flags) {
		skep_buf_addc(buf, '0');
		return;
	}
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		name_it(sets[i].name, mask_of(bits, sets[i].bits), &flags, buf, start);
	for (int i = 0; i < GFP_N_BITS; i++)
		name_it(known[i].name, bits[i], &flags, buf, start);
	if (!flags)
		return;
	skep_buf_puts(buf, buf->len > start ? "|0x" : "0x");
	skep_sink_hex(buf, flags);
}
