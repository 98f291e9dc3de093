/* The buffer is public: diagnostics, disassembly and logs are written into one. */
#include <skep/buf.h>
