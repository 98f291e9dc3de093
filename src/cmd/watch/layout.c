/*
 * Where panels are. The first line is the machine's, the last one for keys; then come findings,
 * and what is left is the panels': side by side where the terminal is wide, one below another, and
 * only as many as have room.
 *
 *	 80 × 24   2 × 3      200 × 60   3 × 2      40 × 24   1 × 4
 */
#include <string.h>

#include "cmd/watch/screen.h"

#define HEIGHT_LEAST 5
#define WIDTH_LEAST  38
#define WIDTH_GOOD   60

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* One line in ten, but all of them only if that leaves panels enough. */
static int lines_for_findings(int lines, int n_findings)
{
	int most = lines < 20 ? 1 : lines < 40 ? 2 : lines / 8;

	return smaller(most, n_findings > 1 ? n_findings : 1);
}

/* The numbers of the first and the last line of row @row of @rows. */
static void place_row(const struct skep_rect *all, int row, int rows, struct skep_rect *at)
{
	int from = all->height * row / rows, to = all->height * (row + 1) / rows;

	at->y = all->y + from;
	at->height = to - from;
}

static void place(struct skep_layout *layout, const struct skep_rect *all)
{
	int columns = layout->columns, width = (all->width - (columns - 1)) / columns;
	int rows = (SKEP_PANEL_CNT + columns - 1) / columns;
	int fit = all->height / HEIGHT_LEAST > 0 ? all->height / HEIGHT_LEAST : 1;

	rows = smaller(rows, fit);
	for (int i = 0; i < SKEP_PANEL_CNT && i < rows * columns; i++) {
		struct skep_rect *at = &layout->panels[i];
		place_row(all, i / columns, rows, at);
		at->x = all->x + i % columns * (width + 1);
		at->width = i % columns == columns - 1 ? all->x + all->width - at->x : width;
	}
}

struct skep_layout skep_layout_make(int lines, int columns, int n_findings, int enlarged)
{
	struct skep_layout layout = {.findings = lines_for_findings(lines, n_findings)};
	struct skep_rect all = {
		.y = 1 + layout.findings, .height = lines - layout.findings - 2, .width = columns};

	layout.columns = columns >= 3 * WIDTH_GOOD ? 3 : columns > 2 * WIDTH_LEAST ? 2 : 1;
	if (all.height < 2)
		return layout;
	if (enlarged >= 0)
		layout.panels[enlarged] = all;
	else
		place(&layout, &all);
	return layout;
}
