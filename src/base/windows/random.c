/* getrandom() on Windows: see sys/random.h. */
#define _CRT_RAND_S /* rand_s() */
#include <stdlib.h>

#include <string.h>
#include <sys/random.h>

ssize_t getrandom(void *data, size_t bytes, unsigned flags)
{
	for (size_t done = 0; done < bytes; done += sizeof(unsigned)) {
		size_t left = bytes - done;
		unsigned word;

		if (rand_s(&word))
			return -1;
		memcpy((char *)data + done, &word, left < sizeof(word) ? left : sizeof(word));
	}
	return (ssize_t)bytes;
}
