/* Asking both verifiers, and comparing what they say: see verdict.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verdict.h"

#define MOST_SECONDS 120 /* a refusal is verified twice */

int verdict_verbose;

struct verdict *verdict_pair_new(void)
{
	void *pair = mmap(NULL, 2 * sizeof(struct verdict), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return pair == MAP_FAILED ? NULL : pair;
}

/* --- Asking ---------------------------------------------------------------------------------- */

/* In a child; @opts NULL: the kernel. */
static pid_t ask(struct verdict *verdict, const struct skep_machine_opts *opts,
		 void (*load)(const void *ctx, struct verdict *ret), const void *ctx)
{
	struct skep_machine *machine = NULL;
	pid_t pid;

	memset(verdict, 0, offsetof(struct verdict, log) + 1);
	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	alarm(MOST_SECONDS);
	if (opts && skep_machine_new(opts, &machine))
		_exit(1);
	skep_machine_route(machine);
	load(ctx, verdict);
	fflush(NULL);
	_exit(0);
}

static void await(pid_t pid, struct verdict *verdict)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		verdict->not_asked = true;
	else if (WIFSIGNALED(status))
		verdict->err = -WTERMSIG(status);
}

void verdict_ask_both(struct verdict *pair, const struct skep_machine_opts *opts,
		      void (*load)(const void *ctx, struct verdict *ret), const void *ctx)
{
	pid_t kernel = ask(&pair[0], NULL, load, ctx), machine = ask(&pair[1], opts, load, ctx);

	await(kernel, &pair[0]);
	pair[0].not_asked |= pair[0].err == -SIGALRM; /* it had no time: the system is busy */
	await(machine, &pair[1]);
}

/* --- Comparing ------------------------------------------------------------------------------- */

const char *verdict_end_of_words(const char *log)
{
	const char *end = strstr(log, "verification time ");

	if (!end)
		end = strstr(log, "processed ");
	if (!end)
		end = log + strlen(log);
	return end > log ? end - 1 : end;
}

void verdict_reason(const struct verdict *verdict, char *ret, size_t cap)
{
	const char *end = verdict_end_of_words(verdict->log), *from;

	for (from = end; from > verdict->log && from[-1] != '\n';)
		from--;
	snprintf(ret, cap, "%.*s", (int)(end - from), from);
}

static void add(struct verdict_count *count, const struct verdict *pair, bool agree, bool same)
{
	count->n++;
	count->agree += agree;
	count->both_accept += agree && pair[0].loaded;
	count->both_refuse += agree && !pair[0].loaded;
	count->same_words += agree && !pair[0].loaded && same;
	count->wrongly_accepted += !agree && pair[1].loaded;
	count->wrongly_refused += !agree && pair[0].loaded;
}

bool verdict_compare(const struct verdict *pair, const char *name, struct verdict_count *count)
{
	bool agree = pair[0].loaded == pair[1].loaded, same;
	char words[2][512];

	for (int i = 0; i < 2; i++)
		verdict_reason(&pair[i], words[i], sizeof(words[i]));
	if (pair[0].not_asked || pair[1].not_asked) {
		count->not_asked++;
		count->not_asked_accepted += pair[1].loaded;
		if (verdict_verbose)
			printf("not asked %s: skep %d \"%s\"\n", name, pair[1].err, words[1]);
		return true;
	}
	same = pair[0].loaded || !strcmp(words[0], words[1]);
	add(count, pair, agree, same);
	if (agree && same && !verdict_verbose)
		return true;
	printf("%s %s: kernel %d \"%s\", skep %d \"%s\"\n",
	       !agree ? pair[1].loaded ? "ACCEPTED" : "REFUSED"
	       : same ? "same"
		      : "words",
	       name, pair[0].err, words[0], pair[1].err, words[1]);
	if (verdict_verbose > 1)
		printf("--- kernel\n%s--- skep\n%s---\n", pair[0].log, pair[1].log);
	return agree && same;
}

void verdict_print_count(const struct verdict_count *count)
{
	printf("%u programs: %u agree (%.1f%%: %u accepted, %u refused, %u of these in the same "
	       "words), "
	       "%u accepted that the kernel refuses, %u refused that it accepts, %u not asked (%u "
	       "of "
	       "which skep accepts)\n",
	       count->n, count->agree, count->n ? 100.0 * count->agree / count->n : 0,
	       count->both_accept, count->both_refuse, count->same_words, count->wrongly_accepted,
	       count->wrongly_refused, count->not_asked, count->not_asked_accepted);
}
