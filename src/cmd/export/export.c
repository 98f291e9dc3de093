/*
 * skep export: many scripts at once, served to Prometheus at one address.
 *
 * Options and words are here; the scripts, their processes and the server are src/export's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/commands.h"
#include "export/address.h"
#include "export/scripts.h"
#include "linux/ending.h"

#define CONFIG_MOST (1 << 20)
#define ADDRESS     ":9435"

#define OPTIONS_DEF "cmd/export/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_export = {
	.name = "export",
	.usage = "--config FILE [--listen [HOST]:PORT]",
	.description = "Runs tools and scripts side by side and serves what their maps hold at "
		       "/metrics, for\n"
		       "Prometheus. Each is a process: where one fails it is said, skep_script_up "
		       "is 0, and the\n"
		       "others go on. Ends with Ctrl-C, or when none is left.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples = "  skep export --config examples/prometheus/skep.yml\n"
		    "  skep export -c skep.yml --listen 0.0.0.0:9435\n"
		    "  skep export -c skep.yml --check\n",
};

struct job {
	struct skep_parsed options;
	struct skep_diag diag;
	struct skep_source source;
	struct skep_buf text;
	struct skep_export_config config;
	struct skep_loop loop;
	struct skep_server *server;
	struct skep_scripts *scripts;
	char *url;
	int signal_fd;
};

static const char *given(const struct job *job, int option)
{
	return job->options.values[option];
}

/* --- What the scripts say ------------------------------------------------------------------- */

static void on_said(void *ctx, const struct skep_export_script *script, const char *line)
{
	fprintf(stderr, "%s: %s\n", script->identity.name, line);
}

static void on_ended(void *ctx, const struct skep_export_script *script, const char *why)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_EXPORT_SCRIPT, SKEP_NOWHERE, script->identity.name, why);
	skep_diag_show(&diag);
	skep_diag_done(&diag);
}

/* --- Work ----------------------------------------------------------------------------------- */

static int read_config(struct job *job)
{
	const char *path = given(job, OPT_CONFIG);
	int err = skep_file_read(path, CONFIG_MOST, &job->text);

	if (err == -EFBIG)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_TOO_LARGE, SKEP_NOWHERE, path,
				      (size_t)CONFIG_MOST);
	if (err)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, path,
				      strerror(-err));
	job->source =
		(struct skep_source){path, job->text.data ? job->text.data : "", job->text.len};
	job->diag.source = &job->source;
	return skep_export_config_parse(&job->source, &job->config, &job->diag);
}

/* Before the scripts are started: they must not run where nobody can ask them. */
static int listen_at(struct job *job)
{
	const char *address = given(job, OPT_LISTEN) ? given(job, OPT_LISTEN) : job->config.listen;

	return skep_address_listen(address ? address : ADDRESS, &job->url, &job->diag);
}

static void on_scrape(void *ctx, struct skep_scrape *scrape)
{
	struct job *job = ctx;

	skep_scripts_scrape(job->scripts, scrape);
}

static int loop(struct job *job)
{
	struct pollfd fds[] = {{.fd = job->signal_fd, .events = POLLIN}};

	while (!fds[0].revents) {
		if (!skep_scripts_n_up(job->scripts))
			return skep_diag_fail(&job->diag, -ECHILD, SKEP_DIAG_EXPORT_NONE,
					      SKEP_NOWHERE);
		skep_loop_poll(&job->loop, fds, 1, -1);
	}
	return 0;
}

static int serve(struct job *job)
{
	const struct skep_scripts_events events = {.said = on_said, .ended = on_ended};
	int fd = listen_at(job), err = fd < 0 ? fd : skep_loop_init(&job->loop);

	if (!err)
		err = skep_server_new(&job->loop, fd, on_scrape, job, &job->server);
	if (err)
		return err;
	job->signal_fd = skep_ending_fd();
	if (!given(job, OPT_QUIET))
		fprintf(stderr, "Metrics of %zu scripts at %s\n", job->config.scripts.len,
			job->url);
	job->scripts = skep_scripts_start(&job->config, &job->loop, &events);
	err = loop(job);
	skep_scripts_stop(job->scripts);
	return err;
}

static void done(struct job *job)
{
	skep_server_free(job->server);
	if (job->loop.base)
		skep_loop_done(&job->loop);
	skep_close(&job->signal_fd);
	skep_export_config_done(&job->config);
	skep_diag_done(&job->diag);
	skep_buf_done(&job->text);
	free(job->url);
}

int skep_cmd_export(int argc, char **argv)
{
	struct job job = {.signal_fd = -1};
	int status = skep_options_parse(&skep_command_export, argc, argv, false, &job.options);

	if (status)
		return status;
	if (given(&job, OPT_HELP)) {
		skep_options_help(&skep_command_export, stdout);
		return 0;
	}
	if (!given(&job, OPT_CONFIG)) {
		skep_diag_add(&job.diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "export",
			      "a configuration: --config FILE");
		return skep_usage_show(&job.diag);
	}
	if (job.options.n_args)
		return skep_options_extra(&skep_command_export, job.options.args[0]);
	int err = read_config(&job);
	if (!err && !given(&job, OPT_CHECK))
		err = serve(&job);
	skep_diag_show(&job.diag);
	done(&job);
	return err ? 1 : 0;
}
