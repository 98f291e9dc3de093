/*
 * Text on the screen. Names come from processes, which call themselves what they like: what is
 * no printable character of the terminal's is shown as '?'.
 */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cmd/watch/screen.h"

static const struct {
	short color; /* -1: the terminal's own, which suits its background */
	attr_t attributes, without_color;
} paints[SKEP_PAINT_CNT] = {
	[SKEP_PAINT_PLAIN] = {-1, A_NORMAL, A_NORMAL},
	[SKEP_PAINT_TITLE] = {COLOR_BLUE, A_BOLD, A_BOLD},
	[SKEP_PAINT_SELECTED] = {COLOR_BLUE, A_BOLD | A_REVERSE, A_BOLD | A_REVERSE},
	[SKEP_PAINT_HEADING] = {-1, A_UNDERLINE, A_UNDERLINE},
	[SKEP_PAINT_FAINT] = {-1, A_DIM, A_NORMAL},
	[SKEP_PAINT_ALARM] = {COLOR_RED, A_BOLD, A_BOLD},
	[SKEP_PAINT_GOOD] = {COLOR_GREEN, A_NORMAL, A_NORMAL},
};

void skep_paint_init(struct skep_screen *screen)
{
	const char *no_color = getenv("NO_COLOR");

	screen->has_color = has_colors() && !(no_color && no_color[0]);
	if (!screen->has_color)
		return;
	start_color();
	use_default_colors();
	for (int i = 0; i < SKEP_PAINT_CNT; i++)
		init_pair((short)(i + 1), paints[i].color, -1);
}

void skep_paint_set(const struct skep_screen *screen, enum skep_paint paint)
{
	if (screen->has_color)
		attr_set(paints[paint].attributes, (short)(paint + 1), NULL);
	else
		attr_set(paints[paint].without_color, 0, NULL);
}

/* The next character, never one that the terminal would act on. */
static wchar_t next_char(const char **text, mbstate_t *state, int *ret_width)
{
	wchar_t c;
	size_t n = mbrtowc(&c, *text, strlen(*text), state);

	if (n == (size_t)-1 || n == (size_t)-2 || !n) {
		memset(state, 0, sizeof(*state));
		c = L'?';
		n = 1;
	}
	*text += n;
	*ret_width = wcwidth(c);
	if (*ret_width >= 1)
		return c;
	*ret_width = 1;
	return L'?';
}

int skep_paint_width(const char *text)
{
	mbstate_t state = {0};
	int width = 0, one;

	while (*text) {
		next_char(&text, &state, &one);
		width += one;
	}
	return width;
}

static void put_char(wchar_t c)
{
	wchar_t text[] = {c, 0};

	addnwstr(text, 1);
}

void skep_paint_text(const struct skep_screen *screen, int y, int x, int width, const char *text,
		     bool right)
{
	int needs = skep_paint_width(text), left = width, one;
	mbstate_t state = {0};

	if (width <= 0 || move(y, x) == ERR)
		return;
	for (; right && left > needs; left--)
		put_char(L' ');
	while (*text) {
		wchar_t c = next_char(&text, &state, &one);
		bool is_last = left - one < 1 && *text;
		if (one > left)
			break;
		put_char(is_last && screen->is_utf8 ? L'\u2026' : is_last ? L'~' : c);
		left -= is_last ? 1 : one;
		if (is_last)
			break;
	}
	for (; left > 0; left--)
		put_char(L' ');
}

void skep_paint_rule(const struct skep_screen *screen, int y, int x, int width)
{
	if (move(y, x) == ERR)
		return;
	while (width-- > 0)
		put_char(screen->is_utf8 ? L'\u2500' : L'-');
}

/* In eighths of a column where the terminal has characters for that. */
void skep_paint_bar(const struct skep_screen *screen, int y, int x, int width, double share)
{
	int eighths = (int)(share * width * 8 + 0.5);

	if (move(y, x) == ERR)
		return;
	if (share > 0 && !eighths)
		eighths = 1;
	for (; width > 0; width--, eighths -= 8) {
		if (!screen->is_utf8)
			put_char(eighths >= 4 ? L'#' : L' ');
		else if (eighths >= 8)
			put_char(L'\u2588');
		else
			put_char(eighths > 0 ? (wchar_t)(L'\u2590' - eighths) : L' ');
	}
}
