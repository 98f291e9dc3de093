/* The library of unwind-lazy, which calls nothing that is to be bound itself. */
#include <sys/syscall.h>

int lazily_bound(int n);

static int same(int n)
{
	return n;
}

/* clang 14 does not count the attribute below as a use. */
__attribute__((used)) static int (*resolve(void))(int n)
{
	long number = SYS_pause;

	__asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
	return same;
}

__attribute__((visibility("default"), ifunc("resolve"))) int lazily_bound(int n);
