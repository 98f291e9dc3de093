/*
 * Feeds a fuzz target its seeds: every file of the folder named on the command
 * line, and the empty input. A target says that it is unhappy by aborting, so
 * coming to the end is the success.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *dir, const char *name)
{
	char path[4096];
	uint8_t *data;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "rb");
	if (!file) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		return -1;
	}
	fseek(file, 0, SEEK_END);
	size = (size_t)ftell(file);
	rewind(file);
	/* Exactly as large as the input, so that reading past it is seen. */
	data = malloc(size ? size : 1);
	if (data && fread(data, 1, size, file) == size)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	fclose(file);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int n = 0;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(argv[1], entry->d_name))
			return 1;
		n++;
	}
	if (dir)
		closedir(dir);
	printf("%d seeds and the empty input replayed\n", n);
	return 0;
}
