/* Windows: byte order of <endian.h>; its processors are little-endian. */
#ifndef SKEP_BASE_WINDOWS_ENDIAN_H
#define SKEP_BASE_WINDOWS_ENDIAN_H

#define htole16(x) ((uint16_t)(x))
#define htole32(x) ((uint32_t)(x))
#define htole64(x) ((uint64_t)(x))
#define htobe16(x) __builtin_bswap16(x)
#define htobe32(x) __builtin_bswap32(x)
#define htobe64(x) __builtin_bswap64(x)

#endif
