/* Works for a tenth of a second of CPU time in functions with names, and ends; with an argument it
 * first removes itself. */
#include <time.h>
#include <unistd.h>

static volatile unsigned long sum;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((noinline)) static void work_hard(double until)
{
	while (seconds() < until) {
		for (unsigned long i = 0; i < 100000; i++)
			sum += i;
	}
}

__attribute__((noinline)) static void work_briefly(void)
{
	work_hard(seconds() + 0.1);
	sum++; /* not a tail call */
}

int main(int argc, char **argv)
{
	if (argc > 1)
		unlink(argv[0]);
	work_briefly();
	return 0;
}
