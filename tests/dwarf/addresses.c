/*
 * dwarf-addresses [-w] FILE [ALT]: reads addresses, one a line in base 16, and prints what FILE has
 * there, a line each: function, file:line, function, file:line, … from the innermost outwards, with
 * tabs between. -w: as a worker answers. Says what made no sense, and is 1 then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

#include "dwarf/dwarf.h"
#include "dwarf/worker.h"

struct asked {
	struct skep_elf *elf, *alt;
	struct skep_dwarf *dwarf;
	struct skep_dwarf_worker *worker;
	const char *why;
};

static void print(const struct skep_dwarf_answer *answer)
{
	for (uint32_t i = 0; i < answer->n; i++) {
		const struct skep_dwarf_frame *frame = &answer->frames[i];
		printf("%s\t%s:%u%s", frame->name ? answer->text.data + frame->name : "??",
		       frame->file ? answer->text.data + frame->file : "??", frame->line,
		       i + 1 < answer->n ? "\t" : "");
	}
	puts("");
}

static int open_files(struct asked *asked, bool by_worker, const char *file, const char *alt)
{
	if (by_worker)
		return skep_dwarf_worker_start(open(file, O_RDONLY), alt ? open(alt, O_RDONLY) : -1,
					       -1, &asked->worker);
	if (skep_elf_open(file, &asked->elf, NULL) ||
	    (alt && skep_elf_open(alt, &asked->alt, NULL)))
		return -ENOENT;
	return skep_dwarf_open(asked->elf, asked->alt, &asked->dwarf, &asked->why);
}

static void ask(struct asked *asked, uint64_t addr, struct skep_dwarf_answer *ret)
{
	if (asked->worker) {
		skep_dwarf_worker_ask(asked->worker, addr, ret);
		asked->why = skep_dwarf_worker_why(asked->worker);
	} else {
		skep_dwarf_find(asked->dwarf, addr, ret);
		asked->why = skep_dwarf_why(asked->dwarf);
	}
}

int main(int argc, char **argv)
{
	bool by_worker = argc > 1 && !strcmp(argv[1], "-w");
	struct skep_dwarf_answer answer = {0};
	struct asked asked = {0};
	char line[64];

	argv += by_worker;
	argc -= by_worker;
	if (argc < 2)
		return 2;
	int err = open_files(&asked, by_worker, argv[1], argc > 2 ? argv[2] : NULL);
	while (!err && fgets(line, sizeof(line), stdin)) {
		ask(&asked, strtoull(line, NULL, 16), &answer);
		print(&answer);
	}
	if (err || asked.why)
		fprintf(stderr, "%s: %s\n", argv[1], asked.why ? asked.why : strerror(-err));
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(asked.worker);
	skep_dwarf_free(asked.dwarf);
	skep_elf_free(asked.alt);
	skep_elf_free(asked.elf);
	return err || asked.why;
}
