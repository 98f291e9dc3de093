/* paths N: calls leaf() once by each of 2^N ways through N functions. */
#include <stdlib.h>

static volatile int turns;

void leaf(void);
static void go(unsigned way, int n);

void leaf(void)
{
	turns++;
}

static void left(unsigned way, int n)
{
	go(way, n);
	turns++;
}

static void right(unsigned way, int n)
{
	go(way, n);
	turns++;
}

static void go(unsigned way, int n)
{
	if (!n)
		leaf();
	else if (way & 1)
		right(way >> 1, n - 1);
	else
		left(way >> 1, n - 1);
	turns++;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0;

	for (unsigned way = 0; way < 1u << n; way++)
		go(way, n);
	return 0;
}
