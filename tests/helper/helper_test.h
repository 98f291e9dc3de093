/* What the tests of helpers share. */
#ifndef SKEP_TESTS_HELPER_TEST_H
#define SKEP_TESTS_HELPER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skep/helper.h>

#include "base/buf.h"
#include "base/fd.h"

#endif
