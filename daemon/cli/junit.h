// SPDX-License-Identifier: GPL-2.0-or-later
// Results of assertions as JUnit XML, the format that CI systems read (testsuite, testcase, failure).
#pragma once

#include <jansson.h>

#include <stdio.h>

// `results`: a list of {result: pass|fail, name, detail, durationMs}.
void vnrs_junit_print(FILE *out, const char *suite, const json_t *results);
