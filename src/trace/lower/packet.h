/*
 * What the files on packets share: which fields a probe uses, and where their
 * values are once the packet was looked at.
 */
#ifndef SKEP_TRACE_LOWER_PACKET_H
#define SKEP_TRACE_LOWER_PACKET_H

#include "trace/lower/lower.h"
#include "trace/packet.h"

#define SKEP_PACKET_FIELDS_MOST 128

/** Where the value of a field is: of each path, the first row's. */
struct skep_packet_home {
	bool is_used;
	bool is_reg;   /* a number, or the four bytes of an address as they lie in the packet */
	uint32_t reg;  /* is_reg */
	uint32_t off;  /* else in the block, in the layout of the field's type, or as a number */
	uint32_t size; /* bytes there */
};

struct skep_packet_homes {
	struct skep_packet_home fields[SKEP_PACKET_FIELDS_MOST]; /* by row of packet.def */
	struct skep_packet_home present;                         /* bits of the layers there are */
	uint32_t wanted;          /* bits of the layers that must be looked for */
	struct skep_opnd block;   /* memory of what is in no register */
	uint32_t block_bytes;     /* 0: there is none */
	bool is_boxed;            /* callbacks read them too: all are in the block */
	bool is_before_predicate; /* the predicate asks for some */
};

/** The row of @field, by number. */
uint32_t skep_packet_row(const struct skep_packet_field *field);
/** The first row of the path of row @row, which has the home. */
uint32_t skep_packet_home_row(uint32_t row);
/** Find what @def uses and give it homes, @has_box: which callbacks reach too; NULL: it uses no
 *  packet (packet_use.c). */
struct skep_packet_homes *skep_packet_homes_new(struct skep_lower *l,
						const struct skep_probe_def *def, bool has_box);

#endif
