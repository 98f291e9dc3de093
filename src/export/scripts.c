/*
 * One asking at a time, of all scripts at once, answers all who wait and want its format.
 * Answers bear the number of the question: one that comes too late is not taken for that
 * of the next. A script that does not answer in its time is down as far as this scrape goes.
 */
#include "export/scripts.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "base/arena.h"
#include "export/scripts_impl.h"

#define ANSWER_S    5 /* Prometheus itself waits for 10 */
#define END_WAIT_MS 5000

/* --- Asking --------------------------------------------------------------------------------- */

static void expose_down(const struct skep_export_script_process *process,
			struct skep_exposition *exposition)
{
	const struct skep_export_identity *identity = &process->script->identity;
	struct skep_labels labels = {.n = 0};

	for (size_t i = 0; i < identity->labels.len; i++)
		skep_labels_add(&labels, identity->labels.data[i].name,
				identity->labels.data[i].value,
				strlen(identity->labels.data[i].value));
	skep_labels_add(&labels, "script", identity->name, strlen(identity->name));
	skep_exposition_family(exposition, &skep_families[SKEP_FAMILY_UP]);
	skep_exposition_value(exposition, &labels, 0);
}

static void expose_refused(uint32_t n, struct skep_exposition *exposition)
{
	const struct skep_labels none = {.n = 0};

	skep_exposition_family(exposition, &skep_families[SKEP_FAMILY_REFUSED]);
	skep_exposition_value(exposition, &none, n);
}

static void collect(const struct skep_scripts *scripts, struct skep_exposition *exposition)
{
	uint32_t all_refused = 0;

	for (size_t i = 0; i < scripts->n; i++) {
		const struct skep_export_script_process *process = &scripts->processes[i];
		uint32_t refused = 0;
		if (!process->answer.len || skep_exposition_join(exposition, process->answer.data,
								 process->answer.len, &refused))
			expose_down(process, exposition);
		all_refused += refused;
	}
	expose_refused(all_refused, exposition);
}

static void begin(struct skep_scripts *scripts);

/* Who came meanwhile and wants the same format has it too. */
static void answer_all(struct skep_scripts *scripts, const struct skep_exposition *exposition)
{
	size_t n = 0;

	for (size_t i = 0; i < scripts->waiting.len; i++) {
		struct skep_scrape *scrape = scripts->waiting.data[i];
		if (skep_scrape_format(scrape) == exposition->format)
			skep_scrape_answer(scrape, exposition);
		else
			scripts->waiting.data[n++] = scrape;
	}
	scripts->waiting.len = n;
}

static void finish(struct skep_scripts *scripts)
{
	struct skep_exposition exposition = {.format =
						     skep_scrape_format(scripts->waiting.data[0])};

	evtimer_del(scripts->deadline);
	scripts->is_asking = false;
	collect(scripts, &exposition);
	answer_all(scripts, &exposition);
	skep_exposition_done(&exposition);
	for (size_t i = 0; i < scripts->n; i++) {
		scripts->processes[i].is_asked = false;
		skep_buf_clear(&scripts->processes[i].answer);
	}
	begin(scripts);
}

void skep_scripts_answered(struct skep_scripts *scripts)
{
	if (!scripts->is_asking)
		return;
	for (size_t i = 0; i < scripts->n; i++) {
		if (scripts->processes[i].is_asked)
			return;
	}
	finish(scripts);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
	finish(ctx);
}

static void begin(struct skep_scripts *scripts)
{
	const struct timeval time = {.tv_sec = ANSWER_S};

	if (scripts->is_asking || !scripts->waiting.len)
		return;
	scripts->number++;
	scripts->is_asking = true;
	evtimer_add(scripts->deadline, &time);
	for (size_t i = 0; i < scripts->n; i++)
		skep_export_script_ask(&scripts->processes[i],
				       skep_scrape_format(scripts->waiting.data[0]));
	skep_scripts_answered(scripts); /* nobody runs */
}

void skep_scripts_scrape(void *ctx, struct skep_scrape *scrape)
{
	struct skep_scripts *scripts = ctx;

	skep_vec_push(&scripts->waiting, scrape);
	begin(scripts);
}

/* --- Start and end -------------------------------------------------------------------------- */

static void start(struct skep_export_script_process *process)
{
	const struct skep_scripts_events *events = &process->scripts->events;
	int err = skep_export_script_start(process);

	if (!err)
		return;
	if (process->pid > 0) {
		kill(process->pid, SIGKILL);
		waitpid(process->pid, NULL, 0);
		process->pid = 0;
	}
	skep_export_script_done(process);
	events->ended(events->ctx, process->script, strerror(-err));
}

struct skep_scripts *skep_scripts_start(const struct skep_export_config *config,
					struct skep_loop *loop,
					const struct skep_scripts_events *events)
{
	struct skep_scripts *scripts = skep_xcalloc(1, sizeof(*scripts));

	*scripts = (struct skep_scripts){.config = config, .loop = loop, .events = *events};
	scripts->n = config->scripts.len;
	scripts->processes = skep_xcalloc(scripts->n + 1, sizeof(*scripts->processes));
	scripts->deadline = event_new(loop->base, -1, 0, on_deadline, scripts);
	for (size_t i = 0; i < scripts->n; i++) {
		scripts->processes[i] =
			(struct skep_export_script_process){.script = &config->scripts.data[i],
							    .scripts = scripts,
							    .pid_fd = -1,
							    .messages_fd = -1};
		start(&scripts->processes[i]);
	}
	return scripts;
}

size_t skep_scripts_n_up(const struct skep_scripts *scripts)
{
	size_t n = 0;

	for (size_t i = 0; i < scripts->n; i++)
		n += scripts->processes[i].pid > 0;
	return n;
}

static void signal_all(const struct skep_scripts *scripts, int signal)
{
	for (size_t i = 0; i < scripts->n; i++) {
		if (scripts->processes[i].pid > 0)
			kill(scripts->processes[i].pid, signal);
	}
}

static void no_words(void *ctx, const struct skep_export_script *script, const char *why)
{
}

static void wait_for_all(struct skep_scripts *scripts)
{
	for (int waited = 0; skep_scripts_n_up(scripts) && waited < END_WAIT_MS; waited += 10) {
		skep_loop_poll(scripts->loop, NULL, 0, 10);
		for (size_t i = 0; i < scripts->n; i++)
			skep_export_script_collect(&scripts->processes[i]);
	}
}

void skep_scripts_stop(struct skep_scripts *scripts)
{
	scripts->events.ended = no_words; /* it is what was wanted */
	signal_all(scripts, SIGTERM);
	wait_for_all(scripts);
	signal_all(scripts, SIGKILL);
	for (size_t i = 0; i < scripts->n; i++) {
		if (scripts->processes[i].pid > 0)
			waitpid(scripts->processes[i].pid, NULL, 0);
		skep_export_script_done(&scripts->processes[i]);
		skep_buf_done(&scripts->processes[i].answer);
	}
	while (scripts->waiting.len)
		finish(scripts);
	skep_vec_done(&scripts->waiting);
	event_free(scripts->deadline);
	free(scripts->processes);
	free(scripts);
}
