/*
 * What `skep export` serves: a file of YAML.
 *
 *	listen: ":9435"              where; --listen goes before
 *	prefix: skep                 names are PREFIX_NAME_map
 *	labels: {rack: r1}           of every series
 *	scripts:
 *	  - tool: opensnoop          one of skep's tools, or
 *	    file: opens.bt           a script, from the folder of this file on
 *	    name: opens              instead of the tool's or the file's
 *	    args: [-n, nginx]        as they would stand behind it
 *	    prefix, labels           of this one only
 */
#ifndef SKEP_EXPORT_CONFIG_H
#define SKEP_EXPORT_CONFIG_H

#include <skep/diag.h>

#include "export/identity.h"

#define SKEP_EXPORT_SCRIPTS_MOST 256

struct skep_export_script {
	char *tool, *file; /* one of them; owned */
	SKEP_VEC(char *) args;
	struct skep_export_identity identity; /* name and prefix are always there */
};

struct skep_export_config {
	char *listen; /* NULL: not said; owned */
	SKEP_VEC(struct skep_export_script) scripts;
};

/**
 * @source  the file; relative paths in it start from where its name says it is
 * Return   0 | -EINVAL (see @diag, with places); @ret is to be freed in any case
 */
int skep_export_config_parse(const struct skep_source *source, struct skep_export_config *ret,
			     struct skep_diag *diag);
void skep_export_config_done(struct skep_export_config *config);

#endif
