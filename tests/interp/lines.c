/* interp-lines: of each line "FORM FIRST-LINE BYTES TABLE" of standard input (the table in
 * hexadecimal, BYTES of instructions) the lines of its instructions of two bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "interp/python.h"

#define TABLE_MOST (1u << 20)

static size_t from_hex(const char *text, uint8_t *ret)
{
	size_t n = 0;

	for (unsigned byte; n < TABLE_MOST && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		ret[n] = (uint8_t)byte;
	return n;
}

int main(void)
{
	static uint8_t table[TABLE_MOST];
	static char text[2 * TABLE_MOST + 2];
	unsigned form, first, bytes;

	while (scanf("%u %u %u %2097152s", &form, &first, &bytes, text) == 4) {
		size_t n = text[0] == '-' ? 0 : from_hex(text, table);
		for (unsigned at = 0; at < bytes; at += 2)
			printf("%u ", skep_python_line(form, table, n, first, at));
		printf("\n");
	}
	return 0;
}
