// SPDX-License-Identifier: GPL-2.0-or-later
// Impairments as people write them, in the file and on the command line: "1%", "100mbit", "20ms". Pure.
#pragma once

#include "util/macros.h"
#include "vnrs/impair.h"

#include <stdbool.h>

#define VNRS_IMPAIR_STR_MAX 96

// 0 to 100 per cent, with up to four digits after the point: "0.25%".
int vnrs_loss_parse(const char *text, uint32_t *ret_ppm) VNRS_MUST_CHECK;
// A whole number with kbit, mbit or gbit (a second, of 1000): from 8kbit to 1000gbit.
int vnrs_rate_parse(const char *text, uint32_t *ret_kbit) VNRS_MUST_CHECK;
// A whole number with us, ms or s: up to 60s.
int vnrs_delay_parse(const char *text, uint32_t *ret_us) VNRS_MUST_CHECK;
// What is wrong with such texts, to be said after them; and what is right.
#define VNRS_LOSS_WRONG  "not a share of packets"
#define VNRS_LOSS_HELP   "0% to 100%, as 1% or 0.25%"
#define VNRS_RATE_WRONG  "not a rate"
#define VNRS_RATE_HELP   "8kbit to 1000gbit, as 500kbit, 100mbit or 1gbit"
#define VNRS_DELAY_WRONG "not a time"
#define VNRS_DELAY_HELP  "up to 60s, as 500us, 20ms or 1s"

bool vnrs_impair_is_none(const struct vnrs_impair *impair);
bool vnrs_impair_equal(const struct vnrs_impair *a, const struct vnrs_impair *b);
// The shortest text that is read back as the same.
char *vnrs_loss_format(uint32_t ppm, char buf[static 16]);
char *vnrs_rate_format(uint32_t kbit, char buf[static 16]);
char *vnrs_delay_format(uint32_t us, char buf[static 16]);
// "down, loss 1%, rate 100mbit, delay 20ms, jitter 5ms", as far as there is any; nothing: "".
char *vnrs_impair_format(const struct vnrs_impair *impair, char buf[static VNRS_IMPAIR_STR_MAX]);
