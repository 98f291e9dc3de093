/* Quantities for people, see units.h. */
#include "sink/units.h"

#include "base/buf.h"
#include "sink/number.h"

/* @value / @unit with three significant digits; no rounding up into a fourth. */
static void three_digits(struct skep_buf *buf, uint64_t value, uint64_t unit)
{
	uint64_t whole = value / unit, rest = value % unit;
	unsigned decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;

	skep_sink_u64(buf, whole);
	if (!decimals)
		return;
	skep_buf_addc(buf, '.');
	while (decimals--) {
		/* In 128 bits: a rest of the largest units times ten is more than 64 hold. */
		unsigned __int128 next = (unsigned __int128)rest * 10;
		skep_buf_addc(buf, (char)('0' + (unsigned)(next / unit)));
		rest = (uint64_t)(next % unit);
	}
}

struct unit {
	uint64_t size;
	const char *name;
};

/* The largest of @n units that fits; smaller ones come first. */
static void with_unit(struct skep_buf *buf, uint64_t value, const struct unit *units, int n)
{
	int i = n - 1;

	while (i > 0 && value < units[i].size)
		i--;
	if (units[i].size == 1)
		skep_sink_u64(buf, value);
	else
		three_digits(buf, value, units[i].size);
	skep_buf_puts(buf, units[i].name);
}

#define N_UNITS(units) (int)(sizeof(units) / sizeof((units)[0]))

void skep_sink_bytes(struct skep_buf *buf, uint64_t bytes)
{
	static const struct unit units[] = {{1, " B"},
					    {1ull << 10, " KiB"},
					    {1ull << 20, " MiB"},
					    {1ull << 30, " GiB"},
					    {1ull << 40, " TiB"},
					    {1ull << 50, " PiB"},
					    {1ull << 60, " EiB"}};

	with_unit(buf, bytes, units, N_UNITS(units));
}

void skep_sink_count(struct skep_buf *buf, uint64_t n)
{
	static const struct unit units[] = {{1, ""},
					    {1000, "k"},
					    {1000000, "M"},
					    {1000000000, "G"},
					    {1000000000000, "T"},
					    {1000000000000000, "P"},
					    {1000000000000000000, "E"}};

	with_unit(buf, n, units, N_UNITS(units));
}

void skep_sink_duration(struct skep_buf *buf, uint64_t ns)
{
	static const struct unit units[] = {
		{1, " ns"}, {1000, " us"}, {1000000, " ms"}, {1000000000, " s"}};
	static const struct {
		uint64_t large, small;
		char large_name, small_name;
	} clocks[] = {{60, 1, 'm', 's'}, {3600, 60, 'h', 'm'}, {86400, 3600, 'd', 'h'}};
	uint64_t seconds = ns / 1000000000;
	int i = N_UNITS(clocks) - 1;

	if (seconds < 60) {
		with_unit(buf, ns, units, N_UNITS(units));
		return;
	}
	while (i > 0 && seconds < clocks[i].large)
		i--;
	uint64_t small = seconds % clocks[i].large / clocks[i].small;
	skep_sink_u64(buf, seconds / clocks[i].large);
	skep_buf_addc(buf, clocks[i].large_name);
	skep_buf_addc(buf, (char)('0' + small / 10));
	skep_buf_addc(buf, (char)('0' + small % 10));
	skep_buf_addc(buf, clocks[i].small_name);
}

void skep_sink_percent(struct skep_buf *buf, uint64_t part, uint64_t whole)
{
	uint64_t tenths = whole ? (uint64_t)((unsigned __int128)part * 1000 / whole) : 0;

	skep_sink_u64(buf, tenths / 10);
	skep_buf_addc(buf, '.');
	skep_buf_addc(buf, (char)('0' + tenths % 10));
	skep_buf_addc(buf, '%');
}
