/* Functions of PHP: those of programs (op arrays), and its own. See code.h. */
#ifndef SKEP_INTERP_PHP_H
#define SKEP_INTERP_PHP_H

#include "interp/code.h"

int skep_php_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		  struct skep_interp_code *code);
uint32_t skep_php_code_line(const struct skep_interp_code *code, uint32_t at);

#endif
