/* How operators are written, for printing trees and in messages. */
#include "trace/ast.h"

static const char *const texts[] = {
	[SKEP_OPR_NONE] = "=", [SKEP_OPR_ADD] = "+",  [SKEP_OPR_SUB] = "-",
	[SKEP_OPR_MUL] = "*",  [SKEP_OPR_DIV] = "/",  [SKEP_OPR_MOD] = "%",
	[SKEP_OPR_AND] = "&",  [SKEP_OPR_OR] = "|",   [SKEP_OPR_XOR] = "^",
	[SKEP_OPR_SHL] = "<<", [SKEP_OPR_SHR] = ">>", [SKEP_OPR_EQ] = "==",
	[SKEP_OPR_NE] = "!=",  [SKEP_OPR_LT] = "<",   [SKEP_OPR_LE] = "<=",
	[SKEP_OPR_GT] = ">",   [SKEP_OPR_GE] = ">=",  [SKEP_OPR_LAND] = "&&",
	[SKEP_OPR_LOR] = "||", [SKEP_OPR_NOT] = "!",  [SKEP_OPR_COMPL] = "~",
	[SKEP_OPR_NEG] = "-",  [SKEP_OPR_PLUS] = "+", [SKEP_OPR_DEREF] = "*",
	[SKEP_OPR_ADDR] = "&", [SKEP_OPR_INC] = "++", [SKEP_OPR_DEC] = "--",
};

const char *skep_operator_name(enum skep_operator op)
{
	return texts[op];
}
