/* Functions that are inlined into one another, whose lines the tests of source lines know. */
#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))

int reached(int n);
int hidden(int n);
int outer(int n);

__attribute__((noinline)) int reached(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

/* Frame pointers do not show it at the first instruction of the one that it calls. */
__attribute__((noinline)) int hidden(int n)
{
	return reached(n) - 1;
}

INLINE int inner(int n)
{
	return hidden(n) * 3; /* line 24 */
}

INLINE int middle(int n)
{
	return inner(n) + 5; /* line 29 */
}

__attribute__((noinline)) int outer(int n)
{
	return middle(n) ^ n; /* line 34 */
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1, sum = 0;

	while (n-- > 0)
		sum ^= outer(n);
	return sum == 77;
}
