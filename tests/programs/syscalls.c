/*
 * A known number of system calls: the i-th of a list i + 1 times, with arguments
 * that are refused; then calls that tracepoints do not count: 32-bit ones, whose
 * numbers mean other calls, x32's, and numbers that there are none of.
 */
#include <sys/syscall.h>
#include <unistd.h>

/* Some named otherwise than their event, and those that are newer than C libraries. */
static const int numbers[] = {
	SYS_getpid,    SYS_uname, SYS_sendfile, SYS_umount2, SYS_getppid, SYS_personality,
	SYS_fadvise64,
#if defined(__x86_64__)
	SYS_stat,      SYS_fstat, SYS_lstat,
#endif
	451,           452,       453,          454,         455,         456,
	457,           458,       459,          460,         461,         462,
	463,           464,       465,          466,         467,         468,
	469,
};

#define N (sizeof(numbers) / sizeof(numbers[0]))

#if defined(__x86_64__)
static void other_ways(void)
{
	for (int i = 0; i < 7; i++) {
		long ret = 20; /* getpid; writev of a 64-bit program */
		__asm__ volatile("int $0x80" : "+a"(ret)::"memory", "r8", "r9", "r10", "r11");
	}
	for (int i = 0; i < 9; i++)
		syscall(0x40000000 | SYS_getpid);
}
#else
static void other_ways(void)
{
}
#endif

int main(void)
{
	for (size_t i = 0; i < N; i++) {
		for (size_t k = 0; k <= i; k++)
			syscall(numbers[i], -1, -1, -1, -1, -1, -1);
	}
	other_ways();
	for (int i = 0; i < 9; i++)
		syscall(1000);
	return 0;
}
