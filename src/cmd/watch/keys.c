/* What keys do: a function for each row of keys.def. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/fd.h"
#include "cmd/watch/screen.h"

#define INTERVAL_LEAST 200000000ull
#define INTERVAL_MOST  60000000000ull

static void say(struct skep_screen *screen, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct skep_screen *screen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(screen->message, sizeof(screen->message), fmt, ap);
	va_end(ap);
}

/* --- Selecting ------------------------------------------------------------------------------- */

static void select_by(struct skep_screen *screen, int step)
{
	screen->selected = (screen->selected + step + SKEP_PANEL_CNT) % SKEP_PANEL_CNT;
	screen->top = -1;
}

static void press_next(struct skep_screen *screen)
{
	select_by(screen, 1);
}

static void press_previous(struct skep_screen *screen)
{
	select_by(screen, -1);
}

static void press_left(struct skep_screen *screen)
{
	select_by(screen, -1);
}

static void press_right(struct skep_screen *screen)
{
	select_by(screen, 1);
}

static int columns_now(void)
{
	return skep_layout_make(LINES, COLS, 1, -1).columns;
}

static void press_enlarge(struct skep_screen *screen)
{
	screen->is_enlarged = !screen->is_enlarged;
	screen->top = -1;
}

static void press_back(struct skep_screen *screen)
{
	screen->is_enlarged = screen->shows_help = false;
	screen->top = -1;
}

static void press_help(struct skep_screen *screen)
{
	screen->shows_help = !screen->shows_help;
}

static void press_quit(struct skep_screen *screen)
{
	screen->ends = true;
}

/* --- Tables ---------------------------------------------------------------------------------- */

/* Calls @with with the selected panel as it is now. */
static void with_panel(struct skep_screen *screen,
		       void (*with)(struct skep_screen *screen, struct skep_shown *shown))
{
	struct skep_arena arena;
	struct skep_shown shown = {.arena = &arena};

	skep_arena_init(&arena);
	skep_panels[screen->selected].build(&screen->now, &screen->opts->filter, &shown);
	with(screen, &shown);
	skep_shown_done(&shown);
	skep_arena_done(&arena);
}

static void next_table(struct skep_screen *screen, struct skep_shown *shown)
{
	uint32_t n = (uint32_t)shown->tables.len;
	uint32_t *table = &screen->panels[screen->selected].table;

	*table = (*table + 1) % n;
	screen->top = -1;
	screen->panels[screen->selected].sort = -1;
	say(screen, "%s", shown->tables.data[*table].title);
}

static void press_table(struct skep_screen *screen)
{
	with_panel(screen, next_table);
}

static void next_column(struct skep_screen *screen, struct skep_shown *shown)
{
	const struct skep_table *table =
		&shown->tables.data[screen->panels[screen->selected].table];
	int *sort = &screen->panels[screen->selected].sort;

	*sort = *sort + 1 < (int)table->n_columns ? *sort + 1 : -1;
	if (*sort < 0)
		say(screen, "%s, busiest first", table->title);
	else
		say(screen, "%s by %s", table->title, table->columns[*sort].title);
}

static void press_sort(struct skep_screen *screen)
{
	with_panel(screen, next_column);
}

static void press_tool(struct skep_screen *screen)
{
	skep_screen_tool(screen, &skep_panels[screen->selected]);
}

/* --- Scrolling ------------------------------------------------------------------------------- */

/* Rows to go by: no more than a table has that is all of the screen but for what is around it. */
static int page(void)
{
	return LINES > 30 ? LINES - 16 : LINES > 16 ? LINES - 10 : 6;
}

static void stay_within(struct skep_screen *screen, struct skep_shown *shown)
{
	const struct skep_table *table =
		&shown->tables.data[screen->panels[screen->selected].table];
	int last = (int)skep_table_n_rows(table) - 1;

	screen->top = screen->top > last ? last : screen->top;
}

/* By rows in an enlarged panel, the first of which shows that table alone, from its beginning;
 * otherwise to another panel, where @panels says how far. */
static void scroll_by(struct skep_screen *screen, int rows, int panels)
{
	if (!screen->is_enlarged) {
		select_by(screen, panels);
		return;
	}
	if (screen->top < 0)
		screen->top = rows < 0 ? -1 : 0;
	else if (screen->top + rows >= 0)
		screen->top += rows;
	else
		screen->top = screen->top ? 0 : -1; /* all tables again */
	with_panel(screen, stay_within);
}

static void press_up(struct skep_screen *screen)
{
	scroll_by(screen, -1, -columns_now());
}

static void press_down(struct skep_screen *screen)
{
	scroll_by(screen, 1, columns_now());
}

static void press_page_up(struct skep_screen *screen)
{
	scroll_by(screen, -page(), 0);
}

static void press_page_down(struct skep_screen *screen)
{
	scroll_by(screen, page(), 0);
}

static void press_home(struct skep_screen *screen)
{
	screen->top = screen->top > 0 ? 0 : screen->top;
}

/* --- Filters --------------------------------------------------------------------------------- */

static void press_name(struct skep_screen *screen)
{
	char name[sizeof(screen->name)];

	if (!skep_screen_ask(screen, "Only processes with this in their name: ", name,
			     sizeof(name)))
		return;
	snprintf(screen->name, sizeof(screen->name), "%s", name);
	screen->opts->filter = (struct skep_filter){.name = screen->name[0] ? screen->name : NULL};
	screen->filter[0] = '\0';
	if (screen->name[0])
		snprintf(screen->filter, sizeof(screen->filter), "name: %.60s", screen->name);
}

/* Rows that know names only are those of the process' name. */
static void press_pid(struct skep_screen *screen)
{
	char text[24], path[64], *end;
	_cleanup_buf_ struct skep_buf comm = {0};

	if (!skep_screen_ask(screen, "Process number: ", text, sizeof(text)))
		return;
	screen->opts->filter = (struct skep_filter){0};
	screen->filter[0] = '\0';
	unsigned long pid = strtoul(text, &end, 10);
	snprintf(path, sizeof(path), "/proc/%lu/comm", pid);
	if (end == text || *end || skep_file_read(path, 256, &comm)) {
		if (text[0])
			say(screen, "there is no process %s", text);
		return;
	}
	snprintf(screen->name, sizeof(screen->name), "%.*s", (int)strcspn(comm.data, "\n"),
		 comm.data);
	screen->opts->filter = (struct skep_filter){.pid = pid, .name = screen->name};
	snprintf(screen->filter, sizeof(screen->filter), "process: %lu %.60s", pid, screen->name);
}

static void press_cgroup(struct skep_screen *screen)
{
	char text[64], path[128];
	struct stat info;

	if (!skep_screen_ask(screen, "Folder below /sys/fs/cgroup: ", text, sizeof(text)))
		return;
	screen->opts->filter = (struct skep_filter){0};
	screen->filter[0] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", text);
	if (!text[0])
		return;
	if (stat(path, &info) || !S_ISDIR(info.st_mode)) {
		say(screen, "there is no cgroup %s", path);
		return;
	}
	screen->opts->filter.cgroup = info.st_ino;
	snprintf(screen->filter, sizeof(screen->filter), "cgroup: %.60s", text);
}

/* --- Time ------------------------------------------------------------------------------------ */

static void press_pause(struct skep_screen *screen)
{
	screen->is_paused = !screen->is_paused;
}

static void set_interval(struct skep_screen *screen, uint64_t ns)
{
	ns = ns < INTERVAL_LEAST ? INTERVAL_LEAST : ns > INTERVAL_MOST ? INTERVAL_MOST : ns;
	screen->opts->interval_ns = ns;
	say(screen, "every %.1f s", (double)ns / 1e9);
}

static void press_faster(struct skep_screen *screen)
{
	set_interval(screen, screen->opts->interval_ns / 2);
}

static void press_slower(struct skep_screen *screen)
{
	set_interval(screen, screen->opts->interval_ns * 2);
}

/* --- Saving ---------------------------------------------------------------------------------- */

/* One line of what is shown, without blanks at its end. */
static void line_text(int y, struct skep_buf *out)
{
	for (int x = 0; x < COLS; x++) {
		wchar_t text[CCHARW_MAX + 1] = {0};
		char bytes[MB_LEN_MAX];
		attr_t attributes;
		mbstate_t state = {0};
		cchar_t cell;
		short pair;

		if (mvwin_wch(curscr, y, x, &cell) == ERR ||
		    getcchar(&cell, text, &attributes, &pair, NULL) == ERR)
			continue;
		size_t n = wcrtomb(bytes, text[0] ? text[0] : L' ', &state);
		if (n != (size_t)-1)
			skep_buf_add(out, bytes, n);
		int width = wcwidth(text[0]);
		x += width > 1 ? width - 1 : 0;
	}
	while (out->len && out->data[out->len - 1] == ' ')
		out->len--;
	skep_buf_addc(out, '\n');
}

void skep_screen_save(struct skep_screen *screen)
{
	_cleanup_buf_ struct skep_buf text = {0};
	time_t now = time(NULL);
	struct tm local;
	char name[64];

	for (int y = 0; y < LINES; y++)
		line_text(y, &text);
	strftime(name, sizeof(name), "skep-watch-%Y%m%d-%H%M%S.txt", localtime_r(&now, &local));
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int err = fd < 0 ? -errno : skep_fd_write(fd, text.data, text.len);
	if (err)
		say(screen, "cannot write %s: %s", name, strerror(-err));
	else
		say(screen, "this screen is in %s", name);
}

static void press_save(struct skep_screen *screen)
{
	skep_screen_save(screen);
}

/* --- All of them ----------------------------------------------------------------------------- */

static const struct {
	int key;
	const char *shown, *does;
	void (*press)(struct skep_screen *screen);
} keys[] = {
#define KEY(name, key, shown, does) {key, shown, does, press_##name},
#include "cmd/watch/keys.def"
#undef KEY
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

void skep_screen_key(struct skep_screen *screen, int key)
{
	screen->message[0] = '\0';
	if (key >= '1' && key < '1' + SKEP_PANEL_CNT) {
		select_by(screen, key - '1' - screen->selected);
		return;
	}
	key = key == KEY_ENTER || key == '\r' ? '\n' : key == 'h' ? '?' : key;
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].key == key)
			keys[i].press(screen);
	}
}

void skep_screen_help(const struct skep_screen *screen, const struct skep_rect *at)
{
	int y = at->y + 1, end = at->y + at->height;

	skep_paint_set(screen, SKEP_PAINT_TITLE);
	skep_paint_text(screen, y++, at->x + 2, at->width - 2, "Keys", false);
	for (size_t i = 0; i < N_KEYS && y < end; i++) {
		if (!keys[i].shown[0])
			continue;
		skep_paint_set(screen, SKEP_PAINT_TITLE);
		skep_paint_text(screen, y, at->x + 2, 8, keys[i].shown, false);
		skep_paint_set(screen, SKEP_PAINT_PLAIN);
		skep_paint_text(screen, y++, at->x + 10, at->width - 10, keys[i].does, false);
	}
	for (int i = 0; i < SKEP_PANEL_CNT && y + 1 < end; i++) {
		skep_paint_set(screen, SKEP_PAINT_TITLE);
		skep_paint_text(screen, y + 1, at->x + 2, 10, skep_panels[i].title, false);
		skep_paint_set(screen, SKEP_PAINT_PLAIN);
		skep_paint_text(screen, ++y, at->x + 13, at->width - 13, skep_panels[i].shows,
				false);
	}
}
