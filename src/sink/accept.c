/*
 * Which format a client wants, by its Accept: media ranges between commas, each
 * with parameters behind semicolons, of which q is how much it is wanted.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink/metrics_impl.h"

/* A range and its parameters: [at, at + len). */
struct range {
	const char *at;
	size_t len;
};

static struct range trimmed(const char *at, size_t len)
{
	while (len && strchr(" \t", at[0]))
		at++, len--;
	while (len && strchr(" \t", at[len - 1]))
		len--;
	return (struct range){at, len};
}

static bool is_word(struct range range, const char *word)
{
	return range.len == strlen(word) && !strncasecmp(range.at, word, range.len);
}

/* The part of @range up to @end, which it is put behind. */
static struct range next_part(struct range *range, char end)
{
	const char *found = memchr(range->at, end, range->len);
	size_t len = found ? (size_t)(found - range->at) : range->len;
	struct range part = trimmed(range->at, len);

	range->at += len + (found ? 1 : 0);
	range->len -= len + (found ? 1 : 0);
	return part;
}

/* "0.75" in thousandths; what is no such number is taken as 0: not wanted. */
static unsigned weight(struct range value)
{
	char text[8] = "";

	if (value.len >= sizeof(text))
		value.len = sizeof(text) - 1;
	memcpy(text, value.at, value.len);
	double q = atof(text);
	return q > 0 && q <= 1 ? (unsigned)(q * 1000) : 0;
}

/* Without its encoding and message type protobuf means nothing to us. */
static int format_of(struct range type, bool is_delimited)
{
	if (is_word(type, "application/vnd.google.protobuf"))
		return is_delimited ? SKEP_METRICS_PROTOBUF : -1;
	if (is_word(type, "application/openmetrics-text"))
		return SKEP_METRICS_OPENMETRICS;
	if (is_word(type, "text/plain") || is_word(type, "text/*") || is_word(type, "*/*"))
		return SKEP_METRICS_TEXT;
	return -1;
}

static int read_range(struct range range, unsigned *ret_weight)
{
	struct range type = next_part(&range, ';');
	bool is_family = false, is_delimited = false;

	*ret_weight = 1000;
	while (range.len) {
		struct range value = next_part(&range, ';');
		struct range name = next_part(&value, '=');
		value = trimmed(value.at, value.len);
		if (is_word(name, "q"))
			*ret_weight = weight(value);
		is_family |= is_word(name, "proto") &&
			     is_word(value, "io.prometheus.client.MetricFamily");
		is_delimited |= is_word(name, "encoding") && is_word(value, "delimited");
	}
	return format_of(type, is_family && is_delimited);
}

/* Of those that are wanted as much the first one. */
enum skep_metrics_format skep_metrics_accept(const char *accept)
{
	struct range rest = {accept, accept ? strlen(accept) : 0};
	unsigned best = 0, q;
	int ret = SKEP_METRICS_TEXT;

	while (rest.len) {
		int format = read_range(next_part(&rest, ','), &q);
		if (format >= 0 && q > best) {
			best = q;
			ret = format;
		}
	}
	return (enum skep_metrics_format)ret;
}
