/*
 * Families and how they travel, see metrics.h.
 *
 * Packed: a byte for the format, then of each family name, header and samples,
 * each as u32 length and bytes. It goes between processes of one program, but one of
 * them runs what a script makes of its surroundings: lengths are checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/metrics_impl.h"

static const struct skep_metrics_writer *const writers[SKEP_METRICS_FORMAT_CNT] = {
	[SKEP_METRICS_TEXT] = &skep_metrics_plain,
	[SKEP_METRICS_OPENMETRICS] = &skep_metrics_openmetrics,
	[SKEP_METRICS_PROTOBUF] = &skep_metrics_protobuf,
};

const char *skep_metrics_content_type(enum skep_metrics_format format)
{
	return writers[format]->content_type;
}

void skep_exposition_done(struct skep_exposition *exposition)
{
	skep_vec_foreach (struct skep_exposed_family, family, &exposition->families) {
		free(family->name);
		skep_buf_done(&family->header);
		skep_buf_done(&family->samples);
	}
	skep_vec_done(&exposition->families);
}

/* The one called @name, which is made the last where it is not there yet. */
static struct skep_exposed_family *family_of(struct skep_exposition *exposition, const char *name,
					     size_t len)
{
	skep_vec_foreach (struct skep_exposed_family, family, &exposition->families) {
		if (strlen(family->name) == len && !memcmp(family->name, name, len))
			return family;
	}
	struct skep_exposed_family *family = skep_vec_add(&exposition->families);
	family->name = skep_xcalloc(len + 1, 1);
	memcpy(family->name, name, len);
	return family;
}

void skep_exposition_family(struct skep_exposition *exposition, const struct skep_family *family)
{
	struct skep_exposed_family *exposed =
		family_of(exposition, family->name, strlen(family->name));

	exposition->now = *family;
	if (!exposed->header.len)
		writers[exposition->format]->header(family, &exposed->header);
}

static struct skep_buf *samples_of(struct skep_exposition *exposition)
{
	const char *name = exposition->now.name;

	return &family_of(exposition, name, strlen(name))->samples;
}

void skep_exposition_value(struct skep_exposition *exposition, const struct skep_labels *labels,
			   double value)
{
	writers[exposition->format]->value(&exposition->now, labels, value, samples_of(exposition));
}

void skep_exposition_summary(struct skep_exposition *exposition, const struct skep_labels *labels,
			     uint64_t count, double sum)
{
	writers[exposition->format]->summary(&exposition->now, labels, count, sum,
					     samples_of(exposition));
}

void skep_exposition_histogram(struct skep_exposition *exposition, const struct skep_labels *labels,
			       const struct skep_metric_hist *hist)
{
	writers[exposition->format]->histogram(&exposition->now, labels, hist,
					       samples_of(exposition));
}

void skep_exposition_render(const struct skep_exposition *exposition, struct skep_buf *buf)
{
	const struct skep_metrics_writer *writer = writers[exposition->format];

	for (size_t i = 0; i < exposition->families.len; i++) {
		if (exposition->families.data[i].samples.len)
			writer->family(&exposition->families.data[i], buf);
	}
	skep_buf_puts(buf, writer->end);
}

/* --- Between processes ---------------------------------------------------------------------- */

static void add_part(struct skep_buf *buf, const void *data, size_t size)
{
	uint32_t len = (uint32_t)size;

	skep_buf_add(buf, &len, sizeof(len));
	if (len)
		skep_buf_add(buf, data, len);
}

void skep_exposition_pack(const struct skep_exposition *exposition, struct skep_buf *buf)
{
	skep_buf_addc(buf, (char)exposition->format);
	for (size_t i = 0; i < exposition->families.len; i++) {
		const struct skep_exposed_family *family = &exposition->families.data[i];
		add_part(buf, family->name, strlen(family->name));
		add_part(buf, family->header.data, family->header.len);
		add_part(buf, family->samples.data, family->samples.len);
	}
}

struct part {
	const char *at;
	size_t len;
};

static bool take_part(struct part *rest, struct part *ret)
{
	uint32_t len;

	if (rest->len < sizeof(len))
		return false;
	memcpy(&len, rest->at, sizeof(len));
	if (len > rest->len - sizeof(len))
		return false;
	*ret = (struct part){rest->at + sizeof(len), len};
	rest->at += sizeof(len) + len;
	rest->len -= sizeof(len) + len;
	return true;
}

static bool join_family(struct skep_exposition *exposition, const struct part parts[3])
{
	struct skep_exposed_family *family = family_of(exposition, parts[0].at, parts[0].len);

	if (!family->header.len)
		skep_buf_add(&family->header, parts[1].at, parts[1].len);
	if (family->header.len != parts[1].len ||
	    memcmp(family->header.data, parts[1].at, parts[1].len) != 0)
		return false;
	skep_buf_add(&family->samples, parts[2].at, parts[2].len);
	return true;
}

int skep_exposition_join(struct skep_exposition *exposition, const void *data, size_t size,
			 uint32_t *ret_refused)
{
	struct part rest = {data, size};
	uint32_t refused = 0;

	if (!size || (unsigned char)*rest.at != exposition->format)
		return -EBADMSG;
	rest.at++;
	rest.len--;
	while (rest.len) {
		struct part parts[3];
		for (int i = 0; i < 3; i++) {
			if (!take_part(&rest, &parts[i]))
				return -EBADMSG;
		}
		if (!parts[0].len || !parts[1].len || memchr(parts[0].at, 0, parts[0].len))
			return -EBADMSG;
		refused += !join_family(exposition, parts);
	}
	*ret_refused = refused;
	return 0;
}
