/*
 * Sequences of instructions of CRuby, see ruby.h.
 *
 * Which entry of `infos`, and so which line, an instruction has, an index tells: of each position
 * how many entries begin at or before it. Of the first positions these numbers are there as they
 * are, nine of seven bits in a word; of the others, bits in blocks with the sums before them:
 *
 *	imm[6]                              positions 0 to 53
 *	block: rank, ranks, bits[8]         512 positions: the sum before it, seven sums of nine
 *	                                    bits within it, a bit a position
 */
#include "interp/ruby.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ISEQ_BYTES   40
#define BODY_BYTES   152                          /* that are read at once */
#define SIZE_MOST    (SKEP_INTERP_TABLE_MOST / 4) /* words of instructions, a line each */
#define ADDRESS_MASK INT32_MAX

#define IMM_CNT      54
#define IMM_WORDS    6
#define IN_WORD      9
#define BLOCK_CNT    512

struct block {
	uint32_t rank;
	uint64_t ranks;
	uint64_t bits[BLOCK_CNT / 64];
};

/* Of an object's flags. */
#define TYPE_MASK   0x1f
#define T_STRING    5
#define T_ARRAY     7
#define NO_EMBED    0x2000 /* a string's bytes are elsewhere */
#define EMBED_SHIFT 14     /* of a string's length, if they are in it */
#define EMBED       0x2000 /* an array's elements are in it */
enum { FLAGS_OFF = 0, IN_OFF = 16, LENGTH_OFF = 16, PTR_OFF = 24, ELEMENTS_OFF = 32 };

static const struct layout {
	uint16_t check, body, size, encoded, path, label, first_line, infos, n_infos, index,
		info_bytes;
} layouts[SKEP_INTERP_VERSION_CNT] = {
#define RUBY(Major, Minor, Cfp, Stack, Bytes, Pc, Iseq, Ep, Check, Body, Size, Encoded, Path,      \
	     Label, First_line, Infos, N_infos, Index, Info_bytes)                                 \
	[SKEP_INTERP_RUBY_##Major##_##Minor] = {Check,   Body,  Size,       Encoded,               \
						Path,    Label, First_line, Infos,                 \
						N_infos, Index, Info_bytes},
#include "interp/rubies.def"
#undef RUBY
};

/* --- Strings ---------------------------------------------------------------------------------- */

static int add_string(const struct skep_interp_memory *memory, uint64_t addr, size_t most,
		      struct skep_buf *ret)
{
	uint8_t head[40];
	_cleanup_buf_ struct skep_buf raw = {0};
	int err = memory->read(memory->ctx, addr, head, sizeof(head));

	if (err)
		return err;
	uint64_t flags = skep_interp_word(head, FLAGS_OFF), len, from = addr + IN_OFF;
	if ((flags & TYPE_MASK) != T_STRING)
		return -EINVAL;
	len = flags >> EMBED_SHIFT & 0x1f;
	if (flags & NO_EMBED) {
		len = skep_interp_word(head, LENGTH_OFF);
		from = skep_interp_word(head, PTR_OFF);
	}
	err = skep_interp_read_to(memory, from, len < most ? len : most, &raw);
	if (!err)
		skep_buf_add_printable(ret, raw.len ? raw.data : "", raw.len);
	return err;
}

/* A path is a string, or an array of it and of the real one. */
static int add_path(const struct skep_interp_memory *memory, uint64_t addr, struct skep_buf *ret)
{
	uint64_t flags, from = addr + IN_OFF;
	int err = memory->read(memory->ctx, addr, &flags, sizeof(flags));

	if (!err && (flags & TYPE_MASK) == T_ARRAY) {
		if (!(flags & EMBED))
			err = memory->read(memory->ctx, addr + ELEMENTS_OFF, &from, sizeof(from));
		if (!err)
			err = memory->read(memory->ctx, from, &addr, sizeof(addr));
	}
	return err ? err : add_string(memory, addr, SKEP_INTERP_FILE_MOST, ret);
}

/* --- Lines ------------------------------------------------------------------------------------ */

struct index {
	uint64_t imm[IMM_WORDS];
	const struct block *blocks;
	uint32_t n_blocks;
};

/* How many entries begin at or before position @at. */
static uint32_t rank_of(const struct index *index, uint32_t at)
{
	if (at < IMM_CNT)
		return index->imm[at / IN_WORD] >> 7 * (at % IN_WORD) & 0x7f;
	uint32_t block_at = (at - IMM_CNT) / BLOCK_CNT, bit = (at - IMM_CNT) % BLOCK_CNT;
	if (block_at >= index->n_blocks)
		return 0;
	const struct block *block = &index->blocks[block_at];
	uint64_t bits = block->bits[bit / 64] << (63 - bit % 64);
	uint32_t before = bit / 64 ? block->ranks >> 9 * (bit / 64 - 1) & 0x1ff : 0;
	return block->rank + before + (uint32_t)__builtin_popcountll(bits);
}

static int read_index(const struct skep_interp_memory *memory, uint64_t addr, uint32_t size,
		      struct skep_buf *room, struct index *ret)
{
	uint32_t n = size > IMM_CNT ? (size - IMM_CNT + BLOCK_CNT - 1) / BLOCK_CNT : 0;
	int err = memory->read(memory->ctx, addr, ret->imm, sizeof(ret->imm));

	if (!err)
		err = skep_interp_read_to(memory, addr + sizeof(ret->imm), n * sizeof(struct block),
					  room);
	ret->blocks = (const struct block *)room->data;
	ret->n_blocks = n;
	return err;
}

/* Of each position its line. */
static void read_lines(const struct skep_interp_memory *memory, const struct layout *layout,
		       const uint8_t *body, struct skep_interp_code *code)
{
	uint32_t size = (uint32_t)skep_interp_word(body, layout->size);
	uint32_t n_infos = (uint32_t)skep_interp_word(body, layout->n_infos);
	_cleanup_buf_ struct skep_buf infos = {0}, room = {0};
	struct index index;

	if (size > SIZE_MOST || n_infos > size ||
	    read_index(memory, skep_interp_word(body, layout->index), size, &room, &index) ||
	    skep_interp_read_to(memory, skep_interp_word(body, layout->infos),
				(size_t)n_infos * layout->info_bytes, &infos))
		return;
	for (uint32_t at = 0; at < size; at++) {
		uint32_t rank = rank_of(&index, at), line = 0;
		if (rank && rank <= n_infos)
			memcpy(&line, infos.data + (rank - 1) * layout->info_bytes, sizeof(line));
		skep_buf_add(&code->lines, &line, sizeof(line));
	}
}

/* --- The whole -------------------------------------------------------------------------------- */

int skep_ruby_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		   struct skep_interp_code *code)
{
	const struct layout *layout = &layouts[code->version];
	uint8_t iseq[ISEQ_BYTES], body[BODY_BYTES];
	int err = memory->read(memory->ctx, addr, iseq, sizeof(iseq));

	if (err)
		return err;
	if (!skep_interp_is_same(iseq, layout->check, check))
		return -ESTALE;
	err = memory->read(memory->ctx, skep_interp_word(iseq, layout->body), body, sizeof(body));
	if (!err)
		err = add_string(memory, skep_interp_word(body, layout->label),
				 SKEP_INTERP_NAME_MOST, &code->function);
	if (err)
		return err;
	code->base = skep_interp_word(body, layout->encoded) & ADDRESS_MASK;
	code->first_line = (uint32_t)(skep_interp_word(body, layout->first_line) >> 1);
	read_lines(memory, layout, body, code);
	return add_path(memory, skep_interp_word(body, layout->path), &code->file);
}

/* Where the interpreter is, is the next instruction. */
uint32_t skep_ruby_code_line(const struct skep_interp_code *code, uint32_t at)
{
	uint32_t n = ((at - code->base) & ADDRESS_MASK) / sizeof(uint64_t), line = 0;

	if (n > code->lines.len / sizeof(line))
		return code->first_line;
	if (code->lines.len)
		memcpy(&line, code->lines.data + (n ? n - 1 : 0) * sizeof(line), sizeof(line));
	return line;
}
