#include "base/utf8.h"

#include <stdint.h>

size_t skep_utf8_len(const char *text, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)text;
	size_t n = at[0] < 0x80       ? 1
		   : at[0] >> 5 == 6  ? 2
		   : at[0] >> 4 == 14 ? 3
		   : at[0] >> 3 == 30 ? 4
				      : 0;
	if (n <= 1)
		return n;
	if (n > left)
		return 0;
	uint32_t point = at[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	return n;
}
