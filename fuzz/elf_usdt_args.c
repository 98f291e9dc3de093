/* Any text as the arguments of a USDT probe; the first byte chooses the machine. */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_usdt_arg args[SKEP_USDT_MAX_ARGS];
	char *text;
	int n;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	n = skep_usdt_parse_args(text, data[0] & 1 ? EM_AARCH64 : EM_X86_64, args,
				 SKEP_USDT_MAX_ARGS);
	for (int i = 0; i < n; i++) {
		if (args[i].kind == SKEP_USDT_REG && skep_reg_pt_regs_off(args[i].base) < 0)
			abort();
		if (args[i].kind == SKEP_USDT_SYMBOL && !args[i].symbol_len)
			abort();
	}
	free(text);
	return 0;
}
