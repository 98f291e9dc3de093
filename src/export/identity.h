/* What one script's metrics are called, and the labels that all of them have. */
#ifndef SKEP_EXPORT_IDENTITY_H
#define SKEP_EXPORT_IDENTITY_H

#include "sink/metrics.h"

struct skep_export_label {
	char *name, *value; /* owned */
};

struct skep_export_identity {
	char *prefix, *name; /* PREFIX_NAME_map; NULL: as without one; owned */
	SKEP_VEC(struct skep_export_label) labels;
};

void skep_export_identity_done(struct skep_export_identity *identity);
/** The value replaces that of a label of this name which is there. */
void skep_export_identity_label(struct skep_export_identity *identity, const char *name,
				const char *value);
/** As bytes, appended; and read back: 0 | -EBADMSG. */
void skep_export_identity_pack(const struct skep_export_identity *identity, struct skep_buf *buf);
int skep_export_identity_unpack(const char *data, size_t size, struct skep_export_identity *ret);

/** skep's own families: rows of families.def. */
enum {
#define FAMILY(id, name, type, help) SKEP_FAMILY_##id,
#include "export/families.def"
#undef FAMILY
	SKEP_FAMILY_CNT
};

extern const struct skep_family skep_families[SKEP_FAMILY_CNT];

#endif
