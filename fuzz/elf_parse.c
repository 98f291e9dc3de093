/* Any bytes as an ELF image: everything that can be asked of it is asked. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <skep/elf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int touch_symbol(void *ctx, const struct skep_elf_sym *sym)
{
	*(uint64_t *)ctx += strlen(sym->name);
	return 0;
}

static int touch_usdt(void *ctx, const struct skep_elf_usdt *usdt)
{
	*(uint64_t *)ctx += strlen(usdt->provider) + strlen(usdt->name) + strlen(usdt->args);
	return 0;
}

static void touch_sections(const struct skep_elf *elf, uint64_t *sum)
{
	struct skep_elf_section s;

	for (uint32_t i = 0; i < skep_elf_n_sections(elf); i++)
		if (skep_elf_section(elf, i, &s) == 0 && s.data && s.size)
			*sum += strlen(s.name) + ((const uint8_t *)s.data)[s.size - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_elf_sym sym;
	struct skep_elf *elf;
	const uint8_t *id;
	const char *name;
	uint64_t sum = 0;
	uint32_t crc;

	if (skep_elf_parse(data, size, &elf, NULL) < 0)
		return 0;
	touch_sections(elf, &sum);
	skep_elf_for_each_symbol(elf, touch_symbol, &sum);
	skep_elf_for_each_usdt(elf, touch_usdt, &sum);
	skep_elf_find_symbol(elf, "main", &sym);
	skep_elf_addr_to_off(elf, sum, &sum);
	skep_elf_off_to_addr(elf, sum, &sum);
	if (skep_elf_build_id(elf, &id))
		sum += id[0];
	if (skep_elf_debug_link(elf, &name, &crc) == 0)
		sum += strlen(name);
	skep_elf_free(elf);
	return 0;
}
