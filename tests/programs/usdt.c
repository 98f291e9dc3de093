/*
 * Static probes (USDT) with known arguments: skep_test:round(number, "text") in
 * each of argv[1] rounds (1 if not given), skep_test:done(sum) at the end, and
 * skep_test:many(sum, sum + 1, … sum + 11), as many as there can be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	char text[] = "honey"; /* on the stack: touched, so that a probe can read it */
	long sum = 0;

	for (int i = 0; i < rounds; i++) {
		sum += 100 + i;
		DTRACE_PROBE2(skep_test, round, 100 + i, text);
	}
	DTRACE_PROBE1(skep_test, done, sum);
	DTRACE_PROBE12(skep_test, many, sum, sum + 1, sum + 2, sum + 3, sum + 4, sum + 5, sum + 6,
		       sum + 7, sum + 8, sum + 9, sum + 10, sum + 11);
	printf("%ld\n", sum);
	return 0;
}
