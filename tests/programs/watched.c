/* Writes to a number at a known address as often as its argument says (10), and reads it as often:
 * meson.build has its section put at 0x10000000. */
#include <stdlib.h>

__attribute__((section(".watched"))) volatile unsigned long watched = 1;

__attribute__((noinline)) static void touch(void)
{
	watched = 2;
	(void)watched;
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[1]) : 10;

	for (int i = 0; i < times; i++)
		touch();
	return 0;
}
