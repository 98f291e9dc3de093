/* Our side of the oracle: src/map through its public functions. */
#include "oracle.h"

#include <string.h>

int oracle_ours_open(struct oracle_side *side, const struct oracle_case *test)
{
	int err;

	*side = (struct oracle_side){.test = test, .fd = -1, .prog = -1, .control_fd = -1};
	err = skep_map_create(&test->attr, &side->map);
	if (!err)
		side->value_size = skep_map_sys_value_size(side->map);
	return err;
}

void oracle_ours_close(struct oracle_side *side)
{
	skep_map_unref(side->map);
}

static void do_elem(struct oracle_side *side, const struct oracle_op *op,
		    struct oracle_result *result)
{
	uint8_t bytes[512];
	const void *key = op->no_key ? NULL : bytes;

	oracle_key(side->test, op->key, bytes);
	if (op->kind == ORACLE_UPDATE || side->test->attr.type == SKEP_MAP_BLOOM_FILTER)
		oracle_value(side, op->value, result->values);
	if (op->kind == ORACLE_LOOKUP)
		result->ret = skep_map_sys_lookup(side->map, key, result->values, op->flags);
	else if (op->kind == ORACLE_UPDATE)
		result->ret = skep_map_sys_update(side->map, key, result->values, op->flags);
	else if (op->kind == ORACLE_DELETE)
		result->ret = skep_map_sys_delete(side->map, key);
	else if (op->kind == ORACLE_LOOKUP_AND_DELETE)
		result->ret =
			skep_map_sys_lookup_and_delete(side->map, key, result->values, op->flags);
	else
		result->ret = skep_map_sys_next_key(side->map, key, result->keys);
	result->key_bytes = op->kind == ORACLE_NEXT_KEY ? side->test->attr.key_size : 0;
	result->value_bytes = op->kind == ORACLE_NEXT_KEY ? 0 : side->value_size;
}

static void do_batch(struct oracle_side *side, const struct oracle_op *op,
		     struct oracle_result *result)
{
	uint8_t key[512];
	struct skep_map_batch batch = {.out_batch = result->batch,
				       .keys = result->keys,
				       .values = result->values,
				       .count = op->count,
				       .elem_flags = op->elem_flags,
				       .flags = op->flags};

	oracle_key(side->test, op->key, key);
	if (op->from == ORACLE_FROM_LAST)
		batch.in_batch = side->last_batch;
	if (op->from == ORACLE_FROM_KEY)
		batch.in_batch = key;
	if (op->kind == ORACLE_LOOKUP_BATCH)
		result->ret = skep_map_sys_lookup_batch(side->map, &batch);
	else if (op->kind == ORACLE_LOOKUP_AND_DELETE_BATCH)
		result->ret = skep_map_sys_lookup_and_delete_batch(side->map, &batch);
	else if (op->kind == ORACLE_UPDATE_BATCH)
		result->ret = skep_map_sys_update_batch(side->map, &batch);
	else
		result->ret = skep_map_sys_delete_batch(side->map, &batch);
	result->count = batch.count;
}

static void do_program(struct oracle_side *side, const struct oracle_op *op,
		       struct oracle_result *result)
{
	uint32_t size = side->test->attr.value_size;
	uint8_t key[512];
	const void *found;

	oracle_key(side->test, op->key, key);
	if (op->kind == ORACLE_PROG_PEEK && side->test->attr.type != SKEP_MAP_BLOOM_FILTER)
		memset(result->values, 0x5a, size);
	else
		oracle_value(side, op->value, result->values);
	if (op->kind == ORACLE_PROG_LOOKUP) {
		found = skep_map_lookup(side->map, key);
		result->count = found != NULL;
		if (found)
			memcpy(result->values, found, size);
	} else if (op->kind == ORACLE_PROG_UPDATE) {
		result->ret = skep_map_update(side->map, key, result->values, op->flags);
	} else if (op->kind == ORACLE_PROG_DELETE) {
		result->ret = skep_map_delete(side->map, key);
	} else if (op->kind == ORACLE_PROG_PUSH) {
		result->ret = skep_map_push(side->map, result->values, op->flags);
	} else if (op->kind == ORACLE_PROG_POP) {
		result->ret = skep_map_pop(side->map, result->values);
	} else {
		result->ret = skep_map_peek(side->map, result->values);
	}
	if (result->count || op->kind == ORACLE_PROG_POP || op->kind == ORACLE_PROG_PEEK)
		result->value_bytes = size;
}

static void dump(struct oracle_side *side, struct oracle_result *result)
{
	uint32_t key_size = side->test->attr.key_size, n = 0;

	while (key_size && (n + 1) * key_size <= ORACLE_BUFFER) {
		const void *last = n ? result->keys + (n - 1) * key_size : NULL;
		uint8_t *key = result->keys + n * key_size;

		result->ret = skep_map_sys_next_key(side->map, last, key);
		if (result->ret || (n + 1) * side->value_size > ORACLE_BUFFER)
			break;
		skep_map_sys_lookup(side->map, key, result->values + n * side->value_size, 0);
		n++;
	}
	result->count = n;
	result->key_bytes = n * key_size;
	result->value_bytes = n * side->value_size;
}

void oracle_ours_do(struct oracle_side *side, const struct oracle_op *op,
		    struct oracle_result *result)
{
	if (op->kind >= ORACLE_PROG_LOOKUP) {
		skep_cpu_enter();
		do_program(side, op, result);
		skep_cpu_leave();
	} else if (op->kind == ORACLE_DUMP) {
		dump(side, result);
	} else if (op->kind == ORACLE_FREEZE) {
		result->ret = skep_map_sys_freeze(side->map);
	} else if (op->kind >= ORACLE_LOOKUP_BATCH) {
		do_batch(side, op, result);
	} else {
		do_elem(side, op, result);
	}
}
