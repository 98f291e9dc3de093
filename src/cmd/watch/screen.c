/*
 * The terminal and the loop, see screen.h.
 *
 * One poll(): keys, signals that end it, and the time of the next reading. Ctrl-Z and a change of
 * the size are ncurses' business; both interrupt the poll, and the next key is KEY_RESIZE after a
 * new size. Whatever ends the loop, the terminal is as it was before.
 */
#include "cmd/watch/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CTRL_L 12
#define ESCAPE 27

/* --- Data ------------------------------------------------------------------------------------ */

void skep_screen_read(struct skep_screen *screen)
{
	struct skep_snapshot *reading =
		&screen->readings[screen->n_readings++ % SKEP_SCREEN_RECENT];

	skep_watcher_read(screen->watcher, false, reading);
	if (screen->is_paused)
		return;
	skep_snapshot_clear(&screen->now);
	skep_snapshot_add(&screen->now, reading);
	skep_snapshot_fold(&screen->now);
	skep_snapshot_clear(&screen->recent);
	for (uint64_t i = 0; i < SKEP_SCREEN_RECENT; i++) {
		/* the latest one last: its memory counts */
		uint64_t number = (screen->n_readings + i) % SKEP_SCREEN_RECENT;
		if (screen->readings[number].ns)
			skep_snapshot_add(&screen->recent, &screen->readings[number]);
	}
	skep_snapshot_fold(&screen->recent);
}

static void init_data(struct skep_screen *screen)
{
	for (int i = 0; i < SKEP_SCREEN_RECENT; i++)
		skep_snapshot_init(&screen->readings[i]);
	skep_snapshot_init(&screen->now);
	skep_snapshot_init(&screen->recent);
	screen->top = -1;
	for (int i = 0; i < SKEP_PANEL_CNT; i++)
		screen->panels[i].sort = -1;
	const struct skep_filter *filter = &screen->opts->filter;
	if (filter->pid)
		snprintf(screen->filter, sizeof(screen->filter), "process: %llu %.60s",
			 (unsigned long long)filter->pid, filter->name);
	else if (filter->name)
		snprintf(screen->filter, sizeof(screen->filter), "name: %.60s", filter->name);
	else if (filter->cgroup)
		snprintf(screen->filter, sizeof(screen->filter), "one cgroup");
}

static void done_data(struct skep_screen *screen)
{
	for (int i = 0; i < SKEP_SCREEN_RECENT; i++)
		skep_snapshot_done(&screen->readings[i]);
	skep_snapshot_done(&screen->now);
	skep_snapshot_done(&screen->recent);
}

/* --- Drawing --------------------------------------------------------------------------------- */

/* What it costs, as far as there is room: @width columns. */
static void cost_text(const struct skep_screen *screen, int width, struct skep_buf *buf)
{
	const struct skep_overhead *cost = &screen->recent.overhead;
	double seconds = (double)cost->measured_ns / 1e9;

	skep_buf_printf(buf, "skep %.1f%%",
			skep_snapshot_rate(&screen->recent, cost->own_ns) / 1e7);
	if (seconds <= 0)
		return;
	skep_buf_printf(buf, " + probes %.1f%%", skep_watch_probes_percent(cost));
	size_t len = buf->len;
	skep_buf_puts(buf, ", ");
	skep_unit_text(SKEP_UNIT_RATE, (double)cost->runs / seconds, buf);
	skep_buf_printf(buf, " events/s at %.0f ns",
			cost->runs ? (double)cost->runs_ns / (double)cost->runs : 0.0);
	if (skep_paint_width(buf->data) > width)
		buf->data[buf->len = len] = '\0';
}

/* What the numbers are of comes before what they cost. */
static void state_text(const struct skep_screen *screen, struct skep_buf *buf)
{
	time_t now = time(NULL);
	struct tm local;
	char host[65] = "", clock[16];

	gethostname(host, sizeof(host) - 1);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
	skep_buf_printf(buf, "%s  %s  %u CPUs", host, clock, screen->now.n_cpus);
	if (screen->is_paused)
		skep_buf_puts(buf, "  PAUSED");
	if (screen->filter[0])
		skep_buf_printf(buf, "  [%s]", screen->filter);
}

static void draw_first_line(const struct skep_screen *screen)
{
	_cleanup_buf_ struct skep_buf left = {0}, right = {0};
	state_text(screen, &left);
	int room = COLS - skep_paint_width(left.data) - 1;
	cost_text(screen, room, &right);
	int width = skep_paint_width(right.data);
	width = width <= room ? width : room < 0 ? 0 : room;
	skep_paint_set(screen, SKEP_PAINT_TITLE);
	skep_paint_text(screen, 0, 0, COLS - width - 1, left.data, false);
	skep_paint_set(screen, SKEP_PAINT_FAINT);
	if (width)
		skep_paint_text(screen, 0, COLS - width, width, right.data, true);
}

static void draw_finding(const struct skep_screen *screen, int y, int more, const char *text)
{
	_cleanup_buf_ struct skep_buf line = {0};

	skep_buf_puts(&line, text);
	if (more > 0)
		skep_buf_printf(&line, "   (and %d more)", more);
	skep_paint_text(screen, y, 0, COLS, line.data, false);
}

static bool has_losses(const struct skep_live_losses *losses)
{
	uint64_t sum = losses->map_full + losses->missed;

	for (int i = 0; i < SKEP_LOSS_CNT; i++)
		sum += losses->by_cause[i];
	return sum;
}

/* In whose place losses come first: what is shown is less than what was. */
static void draw_findings(const struct skep_screen *screen, const struct skep_findings *findings,
			  int lines)
{
	int n = (int)findings->found.len, y = 1;

	skep_paint_set(screen, SKEP_PAINT_ALARM);
	if (has_losses(&screen->recent.losses)) {
		_cleanup_buf_ struct skep_buf lost = {0};
		skep_watch_lost_text(&screen->recent, &lost);
		draw_finding(screen, y++, 0, lost.data);
	}
	for (int i = 0; i < n && y <= lines; i++, y++)
		draw_finding(screen, y, y == lines ? n - i - 1 : 0, findings->found.data[i].text);
	if (n || y > 1)
		return;
	skep_paint_set(screen, SKEP_PAINT_GOOD);
	skep_paint_text(screen, 1, 0, COLS, screen->n_readings ? "nothing stands out" : "looking…",
			false);
}

static void draw_last_line(const struct skep_screen *screen)
{
	const char *text = COLS >= 100 ? "1-6 Tab select  Enter enlarge  s sort  t table  d drill "
					 "down  / p g filter  Space pause  w write  ? help  q quit"
				       : "Tab select  Enter enlarge  s sort  t table  d drill  / "
					 "filter  ? help  q quit";

	skep_paint_set(screen, screen->message[0] ? SKEP_PAINT_SELECTED : SKEP_PAINT_FAINT);
	skep_paint_text(screen, LINES - 1, 0, COLS - 1, screen->message[0] ? screen->message : text,
			false);
}

static void draw_panels(const struct skep_screen *screen, const struct skep_layout *layout)
{
	struct skep_rect all = {
		.y = 1 + layout->findings, .height = LINES - layout->findings - 2, .width = COLS};

	if (screen->shows_help) {
		skep_screen_help(screen, &all);
		return;
	}
	for (int i = 0; i < SKEP_PANEL_CNT; i++) {
		if (layout->panels[i].height)
			skep_draw_panel(screen, i, &layout->panels[i]);
	}
}

/* One that has no room here is shown alone. */
static int which_alone(const struct skep_screen *screen, int n_findings)
{
	struct skep_layout layout = skep_layout_make(LINES, COLS, n_findings, -1);

	return screen->is_enlarged || !layout.panels[screen->selected].height ? screen->selected
									      : -1;
}

void skep_screen_draw(struct skep_screen *screen)
{
	struct skep_arena arena;
	struct skep_findings findings = {.arena = &arena};

	skep_arena_init(&arena);
	skep_findings_find(&screen->recent, &findings);
	int n = (int)findings.found.len + has_losses(&screen->recent.losses);
	struct skep_layout layout = skep_layout_make(LINES, COLS, n, which_alone(screen, n));
	skep_paint_set(screen, SKEP_PAINT_PLAIN);
	erase();
	draw_first_line(screen);
	draw_findings(screen, &findings, layout.findings);
	draw_panels(screen, &layout);
	draw_last_line(screen);
	move(LINES - 1, COLS - 1);
	refresh();
	skep_findings_done(&findings);
	skep_arena_done(&arena);
}

/* --- Asking ---------------------------------------------------------------------------------- */

bool skep_screen_ask(struct skep_screen *screen, const char *question, char *ret, size_t size)
{
	size_t len = 0;
	int key;

	timeout(-1);
	for (;;) {
		ret[len] = '\0';
		snprintf(screen->message, sizeof(screen->message), "%s%s_", question, ret);
		draw_last_line(screen);
		refresh();
		key = getch();
		if (key == '\n' || key == KEY_ENTER || key == ESCAPE || key == ERR)
			break;
		if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && len)
			len--;
		else if (key >= ' ' && key < 127 && len + 1 < size)
			ret[len++] = (char)key;
	}
	timeout(0);
	screen->message[0] = '\0';
	return key == '\n' || key == KEY_ENTER;
}

/* --- The loop -------------------------------------------------------------------------------- */

/* Return whether anything changed. The terminal may have gone: then there is nothing to read. */
static bool take_keys(struct skep_screen *screen, bool readable)
{
	bool any = false;
	int key;

	while (!screen->ends && (key = getch()) != ERR) {
		any = true;
		if (key == CTRL_L)
			clearok(stdscr, TRUE);
		skep_screen_key(screen, key);
	}
	if (readable && !any && errno != EINTR && errno != EAGAIN)
		screen->ends = true;
	return any;
}

static void loop(struct skep_screen *screen)
{
	uint64_t next_ns = skep_watcher_now() + screen->opts->interval_ns;

	skep_screen_draw(screen);
	while (!screen->ends) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				       {.fd = screen->signal_fd, .events = POLLIN}};
		uint64_t now = skep_watcher_now();
		int wait_ms = now >= next_ns ? 0 : (int)((next_ns - now + 999999) / 1000000);
		poll(fds, 2, wait_ms);
		if (fds[1].revents || fds[0].revents & (POLLHUP | POLLERR))
			break;
		errno = 0;
		bool changed = take_keys(screen, fds[0].revents & POLLIN);
		if (skep_watcher_now() >= next_ns) {
			skep_screen_read(screen);
			next_ns = skep_watcher_now() + screen->opts->interval_ns;
			changed = changed || !screen->is_paused;
		}
		if (changed && !screen->ends)
			skep_screen_draw(screen);
	}
}

static void set_terminal(struct skep_screen *screen)
{
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	timeout(0);
	curs_set(0);
	skep_paint_init(screen);
}

int skep_watch_screen(struct skep_watcher *watcher, struct skep_watch_opts *opts)
{
	struct skep_screen screen = {
		.watcher = watcher, .opts = opts, .signal_fd = opts->signal_fd};

	setlocale(LC_CTYPE, "");
	screen.is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!skep_screen_is_known()) /* newterm() would forget what it has allocated by then */
		return -ENOTTY;
	SCREEN *terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return -ENOTTY;
	init_data(&screen);
	set_terminal(&screen);
	loop(&screen);
	endwin();
	delscreen(terminal);
	done_data(&screen);
	return 0;
}
