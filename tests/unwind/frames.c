/*
 * unwind-frames [FIRST]: threads whose frames are of all kinds, each waiting or busy at the end of
 * them: deep ones, with a stack pointer that was rounded down, below a signal's on a stack of its
 * own, below qsort()'s, and in functions that are not described. FIRST: from this one on.
 */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH    40
#define TOO_DEEP 300

static volatile unsigned long turns;

static void busy(void)
{
	for (;;)
		turns++;
}

__attribute__((noinline)) static int recurse(int n, void (*then)(void))
{
	if (!n)
		then();
	else
		recurse(n - 1, then);
	return (int)turns + n;
}

static void wait_forever(void)
{
	for (;;)
		pause();
}

/* The frame is found by a register that is saved in it, as the stack pointer was rounded down. */
__attribute__((noinline)) static int aligned(int n, void (*then)(void))
{
	_Alignas(64) volatile char room[64];
	volatile char *more = alloca((size_t)(16 + n * 8));

	room[0] = more[0] = (char)n;
	if (n)
		aligned(n - 1, then);
	else
		then();
	return room[0] + more[0];
}

static int compare(const void *a, const void *b)
{
	recurse(3, wait_forever);
	return *(const int *)a - *(const int *)b;
}

static void sort(void)
{
	int numbers[] = {3, 1, 2};

	qsort(numbers, 3, sizeof(numbers[0]), compare);
}

static void handler(int number)
{
	aligned(5, wait_forever);
	turns += (unsigned long)number;
}

static void interrupted(void)
{
	stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	pthread_kill(pthread_self(), SIGUSR1);
}

static void faulting(void)
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(SIGSEGV, &action, NULL);
	*(volatile int *)(uintptr_t)(turns & 1) = 1;
}

static void caught(int number)
{
	turns += (unsigned long)number;
}

/* Mostly in the kernel, which delivers a signal or returns from one. */
static void often_interrupted(void)
{
	struct sigaction action = {.sa_handler = caught};

	sigaction(SIGUSR2, &action, NULL);
	for (;;)
		pthread_kill(pthread_self(), SIGUSR2);
}

/* Written by hand, without call frame information: one has nothing on the stack but its return
 * address, the other a word below that. Neither comes back. */
void bare(void);
void bare_word(void);
__asm__(".pushsection .text\n"
	".globl bare, bare_word\n"
	"bare_word: sub $8, %rsp\n"
	"bare: mov $34, %eax\n" /* pause() */
	"syscall\n"
	"jmp bare\n"
	".popsection\n");

static const struct {
	int (*how)(int n, void (*then)(void));
	int n;
	void (*then)(void);
} works[] = {
	{recurse, DEPTH, wait_forever}, {recurse, TOO_DEEP, wait_forever},
	{recurse, DEPTH, busy},         {aligned, DEPTH, wait_forever},
	{aligned, DEPTH, busy},         {recurse, 5, sort},
	{recurse, 5, interrupted},      {aligned, 5, interrupted},
	{recurse, 5, faulting},         {recurse, 5, bare},
	{recurse, 5, bare_word},        {recurse, 5, often_interrupted},
};

static void *work(void *number)
{
	size_t i = (size_t)(uintptr_t)number;

	works[i].how(works[i].n, works[i].then);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	alarm(120);
	for (size_t i = argc > 1 ? (size_t)atoi(argv[1]) : 0; i < sizeof(works) / sizeof(works[0]);
	     i++)
		pthread_create(&thread, NULL, work, (void *)(uintptr_t)i);
	wait_forever();
	return 0;
}
