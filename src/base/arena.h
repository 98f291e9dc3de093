/* The arena is public: IR is built on one. */
#include <skep/arena.h>
