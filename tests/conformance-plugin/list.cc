/*
 * What bpf_conformance's own parser and assembler make of its test files, for
 * test.py, which compiles this with them. A line a file, fields separated by
 * tabs; memory and program in base16:
 *
 *	NAME ok RESULT ERROR MEMORY PROGRAM
 *	NAME bad WHY
 */
#include <bpf_conformance_core/bpf_test_parser.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>

static void print_bytes(const void *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%02x", static_cast<const unsigned char *>(at)[i]);
}

static void list(const char *path)
{
	std::string name = std::filesystem::path(path).filename().string();
	try {
		auto [memory, result, error, program] = parse_test_file(path);
		printf("%s\tok\t%llx\t%s\t", name.c_str(), (unsigned long long)result, error.c_str());
		print_bytes(memory.data(), memory.size());
		printf("\t");
		print_bytes(program.data(), program.size() * sizeof(ebpf_inst));
		printf("\n");
	} catch (const std::exception &e) {
		printf("%s\tbad\t%s\n", name.c_str(), e.what());
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		list(argv[i]);
}
