/* Packed: prefix, name, then each label's name and value, each with a NUL behind it; "" for what is
 * not given. */
#include "export/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

const struct skep_family skep_families[SKEP_FAMILY_CNT] = {
#define FAMILY(id, name, type, help) [SKEP_FAMILY_##id] = {name, help, SKEP_METRIC_##type, NULL},
#include "export/families.def"
#undef FAMILY
};

void skep_export_identity_done(struct skep_export_identity *identity)
{
	free(identity->prefix);
	free(identity->name);
	skep_vec_foreach (struct skep_export_label, label, &identity->labels) {
		free(label->name);
		free(label->value);
	}
	skep_vec_done(&identity->labels);
	*identity = (struct skep_export_identity){0};
}

void skep_export_identity_label(struct skep_export_identity *identity, const char *name,
				const char *value)
{
	skep_vec_foreach (struct skep_export_label, label, &identity->labels) {
		if (strcmp(label->name, name) != 0)
			continue;
		free(label->value);
		label->value = skep_xstrdup(value);
		return;
	}
	struct skep_export_label *label = skep_vec_add(&identity->labels);
	label->name = skep_xstrdup(name);
	label->value = skep_xstrdup(value);
}

static void add_word(struct skep_buf *buf, const char *word)
{
	skep_buf_add(buf, word ? word : "", word ? strlen(word) + 1 : 1);
}

void skep_export_identity_pack(const struct skep_export_identity *identity, struct skep_buf *buf)
{
	add_word(buf, identity->prefix);
	add_word(buf, identity->name);
	for (size_t i = 0; i < identity->labels.len; i++) {
		add_word(buf, identity->labels.data[i].name);
		add_word(buf, identity->labels.data[i].value);
	}
}

/* The next word, NULL: there is none. */
static const char *take_word(const char **at, const char *end)
{
	const char *word = *at;
	const char *nul = memchr(word, '\0', (size_t)(end - word));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return word;
}

int skep_export_identity_unpack(const char *data, size_t size, struct skep_export_identity *ret)
{
	const char *at = data, *end = data + size;
	const char *prefix = take_word(&at, end), *name = prefix ? take_word(&at, end) : NULL;

	if (!name)
		return -EBADMSG;
	*ret = (struct skep_export_identity){.prefix = *prefix ? skep_xstrdup(prefix) : NULL,
					     .name = *name ? skep_xstrdup(name) : NULL};
	while (at < end) {
		const char *label = take_word(&at, end);
		const char *value = label ? take_word(&at, end) : NULL;
		if (!value) {
			skep_export_identity_done(ret);
			return -EBADMSG;
		}
		skep_export_identity_label(ret, label, value);
	}
	return 0;
}
