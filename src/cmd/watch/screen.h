/*
 * The screen of skep watch, by ncurses.
 *
 *	screen.c   the terminal, the loop
 *	keys.c     what keys do: keys.def
 *	layout.c   where panels are
 *	draw.c     a panel in its place; paint.c: text, numbers, colours
 *	tool.c     another program on the same terminal
 *
 * Between two readings only what a key changed is drawn again; the data stays.
 */
#ifndef SKEP_CMD_WATCH_SCREEN_H
#define SKEP_CMD_WATCH_SCREEN_H

#define NCURSES_WIDECHAR     1
#define NCURSES_WATTR_MACROS 1 /* the functions come along with all others that may be macros */
#include <curses.h>

#include "cmd/watch/watch.h"

/** Findings are of the last so many readings. */
#define SKEP_SCREEN_RECENT 5

struct skep_rect {
	int y, x, height, width;
};

enum skep_paint {
	SKEP_PAINT_PLAIN,
	SKEP_PAINT_TITLE,
	SKEP_PAINT_SELECTED,
	SKEP_PAINT_HEADING,
	SKEP_PAINT_FAINT,
	SKEP_PAINT_ALARM,
	SKEP_PAINT_GOOD,
	SKEP_PAINT_CNT
};

struct skep_screen {
	struct skep_watcher *watcher;                      /* borrowed */
	struct skep_watch_opts *opts;                      /* borrowed; keys change it */
	struct skep_snapshot readings[SKEP_SCREEN_RECENT]; /* the last ones, by turns */
	uint64_t n_readings;
	struct skep_snapshot now, recent; /* the last one, and all of them; folded */
	int signal_fd;

	int selected; /* a panel */
	struct {
		uint32_t table; /* which is first */
		int sort;       /* column of that; -1: as it comes */
	} panels[SKEP_PANEL_CNT];
	int top; /* the row that an enlarged panel begins at, of its first table; -1: all tables */
	bool is_enlarged, is_paused, shows_help, ends;
	bool is_utf8, has_color;
	char name[64];     /* of the filter */
	char filter[96];   /* as it is shown; "": none */
	char message[128]; /* instead of the keys, until the next key */
};

/** Take in a new reading. */
void skep_screen_read(struct skep_screen *screen);
/** All of it anew. */
void skep_screen_draw(struct skep_screen *screen);
/** What a key does. */
void skep_screen_key(struct skep_screen *screen, int key);
/** Run the panel's tool on this terminal until it ends or the user has enough. */
void skep_screen_tool(struct skep_screen *screen, const struct skep_panel *panel);
/** Ask for a line; "" if nothing is given. Return whether it was not cancelled. */
bool skep_screen_ask(struct skep_screen *screen, const char *question, char *ret, size_t size);
/** Write what is on the screen to a new file in the current folder; says so. */
void skep_screen_save(struct skep_screen *screen);
void skep_screen_help(const struct skep_screen *screen, const struct skep_rect *at);

/* layout.c */
struct skep_layout {
	int findings;                            /* lines for them, below the first */
	struct skep_rect panels[SKEP_PANEL_CNT]; /* height 0: not on the screen */
	int columns;                             /* panels beside one another */
};
struct skep_layout skep_layout_make(int lines, int columns, int n_findings, int enlarged);

/* draw.c */
void skep_draw_panel(const struct skep_screen *screen, int panel, const struct skep_rect *at);

/* paint.c */
void skep_paint_init(struct skep_screen *screen);
void skep_paint_set(const struct skep_screen *screen, enum skep_paint paint);
/** How many columns of the terminal a text takes. */
int skep_paint_width(const char *text);
/** Text in exactly @width columns: cut, or filled with blanks; @right: to the right. */
void skep_paint_text(const struct skep_screen *screen, int y, int x, int width, const char *text,
		     bool right);
void skep_paint_rule(const struct skep_screen *screen, int y, int x, int width);
/** A bar of @part of @whole in @width columns. */
void skep_paint_bar(const struct skep_screen *screen, int y, int x, int width, double share);

/** Whether the terminal of standard output is one that terminfo describes. */
bool skep_screen_is_known(void);

#endif
