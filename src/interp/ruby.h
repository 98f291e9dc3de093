/* Sequences of instructions of CRuby: methods, blocks, files. See code.h. */
#ifndef SKEP_INTERP_RUBY_H
#define SKEP_INTERP_RUBY_H

#include "interp/code.h"

int skep_ruby_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		   struct skep_interp_code *code);
uint32_t skep_ruby_code_line(const struct skep_interp_code *code, uint32_t at);

#endif
