// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/impair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PPM_PER_PERCENT 10000u
#define FRACTION_DIGITS 4

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit rates[] = {{"gbit", 1000000}, {"mbit", 1000}, {"kbit", 1}};
static const struct unit times[] = {{"s", 1000000}, {"ms", 1000}, {"us", 1}};

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static int parse_with_unit(const char *text, const struct unit *units, size_t n, uint64_t *ret)
{
    size_t digits = count_digits(text);

    if (digits == 0 || digits > 12)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text + digits, units[i].name) == 0) {
            *ret = strtoull(text, NULL, 10) * units[i].factor;
            return 0;
        }
    }
    return -EINVAL;
}

int vnrs_loss_parse(const char *text, uint32_t *ret_ppm)
{
    size_t whole = count_digits(text), fraction = 0;
    const char *at = text + whole;

    if (whole == 0 || whole > 3)
        return -EINVAL;
    uint32_t ppm = (uint32_t)strtoul(text, NULL, 10) * PPM_PER_PERCENT;
    if (*at == '.') {
        fraction = count_digits(++at);
        if (fraction == 0 || fraction > FRACTION_DIGITS)
            return -EINVAL;
        uint32_t part = (uint32_t)strtoul(at, NULL, 10);
        for (size_t i = fraction; i < FRACTION_DIGITS; i++)
            part *= 10;
        ppm += part;
        at += fraction;
    }
    if (strcmp(at, "%") != 0 || ppm > VNRS_LOSS_PPM_MAX)
        return -EINVAL;
    *ret_ppm = ppm;
    return 0;
}

int vnrs_rate_parse(const char *text, uint32_t *ret_kbit)
{
    uint64_t kbit = 0;
    int r = parse_with_unit(text, rates, ARRAY_SIZE(rates), &kbit);

    if (r < 0 || kbit < VNRS_RATE_KBIT_MIN || kbit > VNRS_RATE_KBIT_MAX)
        return -EINVAL;
    *ret_kbit = (uint32_t)kbit;
    return 0;
}

int vnrs_delay_parse(const char *text, uint32_t *ret_us)
{
    uint64_t us = 0;
    int r = parse_with_unit(text, times, ARRAY_SIZE(times), &us);

    if (r < 0 || us > VNRS_DELAY_US_MAX)
        return -EINVAL;
    *ret_us = (uint32_t)us;
    return 0;
}

bool vnrs_impair_equal(const struct vnrs_impair *a, const struct vnrs_impair *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool vnrs_impair_is_none(const struct vnrs_impair *impair)
{
    static const struct vnrs_impair none;
    return vnrs_impair_equal(impair, &none);
}

char *vnrs_loss_format(uint32_t ppm, char buf[static 16])
{
    unsigned fraction = ppm % PPM_PER_PERCENT;
    int len = snprintf(buf, 16, "%u.%04u", ppm / PPM_PER_PERCENT % 1000, fraction);

    while (len > 0 && buf[len - 1] == '0')
        len--;
    if (len > 0 && buf[len - 1] == '.')
        len--;
    (void)snprintf(buf + len, 16 - (size_t)len, "%%");
    return buf;
}

static void format_with_unit(uint64_t value, const struct unit *units, size_t n, char *buf, size_t size)
{
    size_t i = 0;

    while (i < n - 1 && (value % units[i].factor || !value))
        i++;
    (void)snprintf(buf, size, "%llu%s", (unsigned long long)(value / units[i].factor), units[i].name);
}

char *vnrs_rate_format(uint32_t kbit, char buf[static 16])
{
    format_with_unit(kbit, rates, ARRAY_SIZE(rates), buf, 16);
    return buf;
}

char *vnrs_delay_format(uint32_t us, char buf[static 16])
{
    format_with_unit(us, times, ARRAY_SIZE(times), buf, 16);
    return buf;
}

static void append(char buf[static VNRS_IMPAIR_STR_MAX], const char *what, const char *value)
{
    size_t len = strlen(buf);

    (void)snprintf(buf + len, VNRS_IMPAIR_STR_MAX - len, "%s%s%s", len ? ", " : "", what, value);
}

char *vnrs_impair_format(const struct vnrs_impair *impair, char buf[static VNRS_IMPAIR_STR_MAX])
{
    char value[16];

    buf[0] = '\0';
    if (impair->down)
        append(buf, "down", "");
    if (impair->loss_ppm)
        append(buf, "loss ", vnrs_loss_format(impair->loss_ppm, value));
    if (impair->rate_kbit)
        append(buf, "rate ", vnrs_rate_format(impair->rate_kbit, value));
    if (impair->delay_us)
        append(buf, "delay ", vnrs_delay_format(impair->delay_us, value));
    if (impair->jitter_us)
        append(buf, "jitter ", vnrs_delay_format(impair->jitter_us, value));
    return buf;
}
