/* Rows as objects, of tools that are programs: see tool.h. */
#include <stdio.h>

#include "base/buf.h"
#include "cmd/tool/tool.h"

void tool_row_open(struct skep_jsonw *ret, struct skep_buf *line)
{
	*ret = (struct skep_jsonw){.buf = line};
	skep_jsonw_open(ret, '{');
	skep_jsonw_key(ret, "type");
	skep_jsonw_string(ret, "row");
	skep_jsonw_key(ret, "data");
	skep_jsonw_open(ret, '{');
}

void tool_row_print(struct skep_jsonw *row)
{
	skep_jsonw_close(row);
	skep_jsonw_close(row);
	puts(row->buf->data);
}
