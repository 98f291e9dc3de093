/*
 * What the kernel demands of BTF that is loaded, beyond what makes it readable (check.c has looked
 * at bounds, names and references): that its header is one it knows, that fields mean something,
 * and that types fit into each other. Loaders try the kernel's features by what it says of them, so
 * the order of the questions and the words are its own.
 *
 * One row a kind: what its record may have, and a function for the rest.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/btf.c
 */
#include "btf/reader.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define MOST_NAME       512
#define MOST_TYPE       0x000fffff
#define INFO_MASK       0x9f00ffffu /* bits that mean something */
#define INT_MASK        0x0fffffffu
#define MOST_LINKS      64 /* types in one another */
#define MOST_BITS       128
#define NO_MEMBER       UINT32_MAX
#define LAST_FUNC       2   /* linkage: static, global, extern */
#define LAST_GLOBAL     1   /* of variables */
#define KERNEL_ENOTSUPP 524 /* not among the C library's errors */

struct check {
	const struct skep_btf *btf;
	struct skep_buf *log; /* NULL: no words wanted */
	uint32_t id;
	const struct wire_type *type;
};

enum naming { NAME_ANY, NAME_NONE, NAME_MAY, NAME_MUST, NAME_TEXT, NAME_SECTION };

enum { MAY_VLEN = 1, MAY_KFLAG = 2 };

static int refuse(const struct check *check, const char *why)
{
	if (check->log)
		skep_buf_printf(check->log, "[%u] %s\n", check->id, why);
	return -EINVAL;
}

static const char *name_at(const struct skep_btf *btf, uint32_t off)
{
	const char *name = btf_string(btf, off);

	return name ? name : "";
}

/* --- Names ------------------------------------------------------------------------------------ */

static bool is_identifier(const char *name)
{
	size_t len = strnlen(name, MOST_NAME);

	if (!len || len == MOST_NAME)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c != '_' && c != '.' && !(i ? isalnum(c) : isalpha(c)))
			return false;
	}
	return true;
}

static bool is_section(const char *name)
{
	size_t len = strnlen(name, MOST_NAME);

	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)name[i]))
			return false;
	return len && len < MOST_NAME;
}

static bool name_fits(const struct check *check, uint32_t off, enum naming naming)
{
	const char *name = name_at(check->btf, off);

	switch (naming) {
	case NAME_NONE: return !off;
	case NAME_MAY: return !off || is_identifier(name);
	case NAME_MUST: return off && is_identifier(name);
	case NAME_TEXT: return *name;
	case NAME_SECTION: return off && is_section(name);
	default: return true;
	}
}

/* --- Kinds ----------------------------------------------------------------------------------- */

/* Bytes of a type that something is made of; < 0: it has none. */
static int64_t size_of(const struct check *check, uint32_t id)
{
	return skep_btf_size(check->btf, id);
}

static enum skep_btf_kind stripped_kind(const struct check *check, uint32_t id)
{
	return skep_btf_kind(check->btf, skep_btf_strip(check->btf, id));
}

static int check_int(const struct check *check)
{
	uint32_t data = *(const uint32_t *)btf_behind(check->type);
	uint32_t encoding = WIRE_INT_ENCODING(data);
	uint32_t bits = WIRE_INT_BITS(data) + WIRE_INT_OFFSET(data);

	if (data & ~INT_MASK)
		return refuse(check, "Invalid int_data");
	if (bits > MOST_BITS)
		return refuse(check, "nr_bits exceeds 128");
	if ((bits + 7) / 8 > check->type->size)
		return refuse(check, "nr_bits exceeds type_size");
	if (encoding & (encoding - 1) || encoding > WIRE_INT_BOOL) {
		refuse(check, "Unsupported encoding");
		return -KERNEL_ENOTSUPP;
	}
	return 0;
}

static int check_reference(const struct check *check)
{
	return check->type->type > MOST_TYPE ? refuse(check, "Invalid type_id") : 0;
}

/* A modifier stands for something with an end. */
static int check_chain(const struct check *check)
{
	uint32_t id = check->id;

	for (int i = 0; i < MOST_LINKS; i++) {
		enum skep_btf_kind kind = skep_btf_kind(check->btf, id);

		if (!(SKEP_BTF_MASK(kind) &
		      (SKEP_BTF_MASK(SKEP_BTF_TYPEDEF) | SKEP_BTF_MASK(SKEP_BTF_VOLATILE) |
		       SKEP_BTF_MASK(SKEP_BTF_CONST) | SKEP_BTF_MASK(SKEP_BTF_RESTRICT) |
		       SKEP_BTF_MASK(SKEP_BTF_TYPE_TAG) | SKEP_BTF_MASK(SKEP_BTF_PTR))))
			return 0;
		id = btf_record(check->btf, id)->type;
	}
	return refuse(check, "Loop detected");
}

static int check_modifier(const struct check *check)
{
	int err = check_reference(check);

	return err ? err : check_chain(check);
}

static int check_array(const struct check *check)
{
	const struct wire_array *array = btf_behind(check->type);
	int64_t size;

	if (check->type->size)
		return refuse(check, "size != 0");
	if (!array->type || !array->index_type)
		return refuse(check, "Invalid elem or index");
	if (stripped_kind(check, array->index_type) != SKEP_BTF_INT)
		return refuse(check, "Invalid index");
	size = size_of(check, array->type);
	if (size < 0)
		return refuse(check, "Invalid elem");
	return size && array->n > UINT32_MAX / (uint64_t)size
		       ? refuse(check, "Array size overflows u32")
		       : 0;
}

static bool is_odd_int(const struct check *check, uint32_t id)
{
	struct skep_btf_int info;
	uint32_t type = skep_btf_strip(check->btf, id);

	if (skep_btf_kind(check->btf, type) != SKEP_BTF_INT ||
	    skep_btf_int_info(check->btf, type, &info))
		return false;
	return info.bits != size_of(check, type) * 8;
}

/* The bits of a member lie within the struct. */
static int check_member(const struct check *check, const struct wire_member *member, uint32_t *last)
{
	bool kflag = wire_kflag(check->type->info);
	uint32_t off = kflag ? member->offset & 0xffffff : member->offset;
	uint32_t width = kflag ? member->offset >> 24 : 0;
	int64_t size = size_of(check, member->type);
	uint64_t bits = width ? width : (uint64_t)size * 8;

	if (!name_fits(check, member->name_off, NAME_MAY))
		return refuse(check, "Invalid member name");
	if (!member->type || member->type > MOST_TYPE || size < 0)
		return refuse(check, "Invalid member");
	if (wire_kind(check->type->info) == SKEP_BTF_UNION && off)
		return refuse(check, "Invalid member bits_offset");
	if (off < *last)
		return refuse(check, "Invalid member bits_offset");
	if (!width && off % 8 && !is_odd_int(check, member->type))
		return refuse(check, "Member is not byte aligned");
	*last = off;
	if (!width && is_odd_int(check, member->type))
		return (off + 7ull) / 8 > check->type->size ? refuse(check, "Member exceeds") : 0;
	return off + bits > 8ull * check->type->size ? refuse(check, "Member exceeds struct_size")
						     : 0;
}

static int check_struct(const struct check *check)
{
	const struct wire_member *members = btf_behind(check->type);
	uint32_t n = wire_vlen(check->type->info), last = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++)
		err = check_member(check, &members[i], &last);
	return err;
}

static int check_enum_size(const struct check *check)
{
	uint32_t size = check->type->size;

	return !size || size > 8 || size & (size - 1) ? refuse(check, "Unexpected size") : 0;
}

static int check_enum(const struct check *check)
{
	bool wide = wire_kind(check->type->info) == SKEP_BTF_ENUM64;
	size_t step = wide ? sizeof(struct wire_enum64) : sizeof(struct wire_enum);
	const uint8_t *at = btf_behind(check->type);
	uint32_t n = wire_vlen(check->type->info);
	int err = check_enum_size(check);

	for (uint32_t i = 0; !err && i < n; i++)
		if (!name_fits(check, *(const uint32_t *)(at + i * step), NAME_MUST))
			err = refuse(check, "Invalid name");
	return err;
}

static int check_fwd(const struct check *check)
{
	return check->type->type ? refuse(check, "type != 0") : 0;
}

static int check_func(const struct check *check)
{
	if (wire_vlen(check->type->info) > LAST_FUNC)
		return refuse(check, "Invalid func linkage");
	return skep_btf_kind(check->btf, check->type->type) == SKEP_BTF_FUNC_PROTO
		       ? 0
		       : refuse(check, "Invalid type_id");
}

static bool is_passable(const struct check *check, uint32_t id)
{
	return id <= MOST_TYPE && size_of(check, id) >= 0;
}

/* A last parameter without type is "...", and has no name. */
static int check_proto(const struct check *check)
{
	const struct wire_param *params = btf_behind(check->type);
	uint32_t n = wire_vlen(check->type->info), ret = check->type->type;

	if (ret && skep_btf_strip(check->btf, ret) && !is_passable(check, ret))
		return refuse(check, "Invalid return type");
	if (n && !params[n - 1].type) {
		if (params[n - 1].name_off)
			return refuse(check, "Invalid arg");
		n--;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!params[i].type || !name_fits(check, params[i].name_off, NAME_MAY) ||
		    !is_passable(check, params[i].type))
			return refuse(check, "Invalid arg");
	return 0;
}

static int check_var(const struct check *check)
{
	uint32_t linkage = *(const uint32_t *)btf_behind(check->type);

	if (!check->type->type || check->type->type > MOST_TYPE ||
	    size_of(check, check->type->type) < 0)
		return refuse(check, "Invalid type_id");
	return linkage > LAST_GLOBAL ? refuse(check, "Linkage not supported") : 0;
}

static int check_datasec(const struct check *check)
{
	const struct wire_secinfo *vars = btf_behind(check->type);
	uint32_t n = wire_vlen(check->type->info), size = check->type->size;
	uint64_t end = 0, sum = 0;

	if (!size)
		return refuse(check, "size == 0");
	for (uint32_t i = 0; i < n; i++) {
		if (skep_btf_kind(check->btf, vars[i].type) != SKEP_BTF_VAR)
			return refuse(check, "Not a VAR kind member");
		if (vars[i].offset < end || vars[i].offset >= size)
			return refuse(check, "Invalid offset");
		if (!vars[i].size || vars[i].size > size)
			return refuse(check, "Invalid size");
		end = (uint64_t)vars[i].offset + vars[i].size;
		sum += vars[i].size;
		if (end > size || sum > size ||
		    size_of(check, skep_btf_target(check->btf, vars[i].type)) > vars[i].size)
			return refuse(check, "Invalid offset+size");
	}
	return 0;
}

static int check_float(const struct check *check)
{
	uint32_t size = check->type->size;

	return size == 2 || size == 4 || size == 8 || size == 12 || size == 16
		       ? 0
		       : refuse(check, "Invalid type_size");
}

static int check_decl_tag(const struct check *check)
{
	const uint32_t structs = SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION);
	const uint32_t others = SKEP_BTF_MASK(SKEP_BTF_FUNC) | SKEP_BTF_MASK(SKEP_BTF_VAR) |
				SKEP_BTF_MASK(SKEP_BTF_TYPEDEF);
	uint32_t member = *(const uint32_t *)btf_behind(check->type), of = check->type->type;
	uint32_t kind = SKEP_BTF_MASK(skep_btf_kind(check->btf, of));

	if (!of || !(kind & (structs | others)))
		return refuse(check, "Invalid type");
	if (member == NO_MEMBER)
		return 0;
	if (kind & (SKEP_BTF_MASK(SKEP_BTF_VAR) | SKEP_BTF_MASK(SKEP_BTF_TYPEDEF)))
		return refuse(check, "Invalid component_idx");
	if (kind & SKEP_BTF_MASK(SKEP_BTF_FUNC))
		of = skep_btf_target(check->btf, of);
	return member < skep_btf_n_members(check->btf, of) ? 0
							   : refuse(check, "Invalid component_idx");
}

static const struct {
	enum naming naming;
	unsigned may;
	int (*check)(const struct check *check);
} kinds[SKEP_BTF_N_KINDS] = {
	[SKEP_BTF_INT] = {NAME_ANY, 0, check_int},
	[SKEP_BTF_PTR] = {NAME_NONE, 0, check_modifier},
	[SKEP_BTF_ARRAY] = {NAME_NONE, 0, check_array},
	[SKEP_BTF_STRUCT] = {NAME_MAY, MAY_VLEN | MAY_KFLAG, check_struct},
	[SKEP_BTF_UNION] = {NAME_MAY, MAY_VLEN | MAY_KFLAG, check_struct},
	[SKEP_BTF_ENUM] = {NAME_MAY, MAY_VLEN | MAY_KFLAG, check_enum},
	[SKEP_BTF_FWD] = {NAME_MUST, MAY_KFLAG, check_fwd},
	[SKEP_BTF_TYPEDEF] = {NAME_MUST, 0, check_modifier},
	[SKEP_BTF_VOLATILE] = {NAME_NONE, 0, check_modifier},
	[SKEP_BTF_CONST] = {NAME_NONE, 0, check_modifier},
	[SKEP_BTF_RESTRICT] = {NAME_NONE, 0, check_modifier},
	[SKEP_BTF_FUNC] = {NAME_MUST, MAY_VLEN, check_func},
	[SKEP_BTF_FUNC_PROTO] = {NAME_NONE, MAY_VLEN, check_proto},
	[SKEP_BTF_VAR] = {NAME_MUST, 0, check_var},
	[SKEP_BTF_DATASEC] = {NAME_SECTION, MAY_VLEN, check_datasec},
	[SKEP_BTF_FLOAT] = {NAME_ANY, 0, check_float},
	[SKEP_BTF_DECL_TAG] = {NAME_TEXT, MAY_KFLAG, check_decl_tag},
	[SKEP_BTF_TYPE_TAG] = {NAME_TEXT, MAY_KFLAG, check_modifier},
	[SKEP_BTF_ENUM64] = {NAME_MAY, MAY_VLEN | MAY_KFLAG, check_enum},
};

static int check_type(const struct check *check)
{
	uint32_t info = check->type->info, kind = wire_kind(info);

	if (info & ~INFO_MASK)
		return refuse(check, "Invalid btf_info");
	if (!(kinds[kind].may & MAY_VLEN) && wire_vlen(info))
		return refuse(check, "vlen != 0");
	if (!(kinds[kind].may & MAY_KFLAG) && wire_kflag(info))
		return refuse(check, "Invalid btf_info kind_flag");
	if (!name_fits(check, check->type->name_off, kinds[kind].naming))
		return refuse(check, "Invalid name");
	return kinds[kind].check(check);
}

int skep_btf_check_types(const struct skep_btf *btf, struct skep_buf *log)
{
	uint32_t n = skep_btf_n_types(btf);
	int err = 0;

	for (uint32_t id = 1; !err && id <= n; id++) {
		const struct check check = {btf, log, id, btf_record(btf, id)};

		err = check_type(&check);
	}
	return err;
}

/* --- The header ------------------------------------------------------------------------------- */

static int refuse_header(struct skep_buf *log, int err, const char *why)
{
	if (log)
		skep_buf_printf(log, "%s\n", why);
	return err;
}

static int check_header_tail(const uint8_t *data, uint32_t hdr_len, struct skep_buf *log)
{
	for (uint32_t i = sizeof(struct wire_header); i < hdr_len; i++)
		if (data[i])
			return refuse_header(log, -E2BIG, "Unsupported btf_header");
	return 0;
}

/* Types, then strings, one behind the other, up to the end. */
static int check_sections(const struct wire_header *header, uint32_t size, struct skep_buf *log)
{
	uint64_t type_end = (uint64_t)header->type_off + header->type_len;

	if (header->hdr_len == size)
		return refuse_header(log, -EINVAL, "No data");
	if (header->type_off % 4)
		return refuse_header(log, -EINVAL, "Unaligned type_off");
	if (header->type_off || header->str_off < type_end)
		return refuse_header(log, -EINVAL,
				     header->type_off ? "Unsupported section found"
						      : "Section overlap found");
	if (header->str_off > type_end)
		return refuse_header(log, -EINVAL, "Unsupported section found");
	if (header->hdr_len + (uint64_t)header->str_off + header->str_len != size)
		return refuse_header(log, -EINVAL,
				     header->hdr_len + (uint64_t)header->str_off + header->str_len >
						     size
					     ? "Total section length too long"
					     : "Unsupported section found");
	return 0;
}

int skep_btf_check_header(const uint8_t *data, uint32_t size, struct skep_buf *log)
{
	struct wire_header header;
	int err;

	if (size < offsetof(struct wire_header, hdr_len) + sizeof(header.hdr_len))
		return refuse_header(log, -EINVAL, "hdr_len not found");
	memcpy(&header, data, size < sizeof(header) ? size : sizeof(header));
	if (size < header.hdr_len)
		return refuse_header(log, -EINVAL, "btf_header not found");
	if (header.hdr_len > sizeof(header)) {
		err = check_header_tail(data, header.hdr_len, log);
		if (err)
			return err;
	}
	if (header.hdr_len < sizeof(header))
		memset((char *)&header + header.hdr_len, 0, sizeof(header) - header.hdr_len);
	if (header.magic != WIRE_MAGIC)
		return refuse_header(log, -EINVAL, "Invalid magic");
	if (header.version != WIRE_VERSION)
		return refuse_header(log, -KERNEL_ENOTSUPP, "Unsupported version");
	if (header.flags)
		return refuse_header(log, -KERNEL_ENOTSUPP, "Unsupported flags");
	return check_sections(&header, size, log);
}
