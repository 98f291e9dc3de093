/*
 * Known calls for the uprobe tests: each function is called with arguments that
 * the tests name, in a loop of argv[1] rounds (1 if not given). Its name as a
 * process is "calls". Strings lie on the stack: a probe cannot read what was never touched.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Found by name: uaddr(). */
extern volatile uint32_t calls_number;
extern volatile uint8_t calls_byte;
volatile uint32_t calls_number = 0x33333333;
volatile uint8_t calls_byte = 0x55;

struct point {
	int32_t x;
	int32_t y;
	char label[8];
	struct point *next;
};

/* One copy, called as written; clang makes no clones and does not know the word. */
#ifdef __clang__
#define NOINLINE __attribute__((noinline, used))
#else
#define NOINLINE __attribute__((noinline, used))
#endif
/* Has an effect as far as the compiler knows: calls are not merged or moved out of loops. */
#define EFFECT() __asm__ volatile("" ::: "memory")

int add(int a, int b);
int64_t six(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);
size_t greet(const char *name);
int32_t take_point(const struct point *point);
uint64_t fib(unsigned int n);

NOINLINE int add(int a, int b)
{
	EFFECT();
	return a + b;
}

NOINLINE int64_t six(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)
{
	EFFECT();
	return a + b + c + d + e + f;
}

NOINLINE size_t greet(const char *name)
{
	EFFECT();
	return strlen(name);
}

NOINLINE int32_t take_point(const struct point *point)
{
	EFFECT();
	return point->x * point->y + (point->next ? point->next->x : 0);
}

/* Called by itself, so that a probe sees calls nest. */
NOINLINE uint64_t fib(unsigned int n)
{
	EFFECT();
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char **argv)
{
	char hello[] = "hello", hive[] = "straw beehive";
	struct point last = {-3, 4, "last", NULL};
	struct point first = {6, 7, "first", &last};
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	volatile int64_t sum = 0;

	for (int i = 0; i < rounds; i++) {
		sum += add(20, 22);
		sum += add(-5, 3);
		sum += six(1, 2, 3, 4, 5, 6);
		sum += (int64_t)greet(hello);
		sum += (int64_t)greet(hive);
		sum += take_point(&first);
		sum += (int64_t)fib(5);
	}
	printf("%lld\n", (long long)sum);
	return 0;
}
