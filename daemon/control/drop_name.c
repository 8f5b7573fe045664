// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/drop_name.h"

#include "util/macros.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *id, *text;
} reasons[] = {
#define X(id, text) {#id, text},
    VNRS_DROP_REASONS(X)
#undef X
};
static_assert(ARRAY_SIZE(reasons) == _VNRS_DROP_MAX, "a name for every reason");

const char *vnrs_drop_name(uint32_t reason)
{
    return reasons[reason < _VNRS_DROP_MAX ? reason : VNRS_DROP_UNSPEC].id + strlen("VNRS_DROP_");
}

const char *vnrs_drop_text(uint32_t reason)
{
    return reasons[reason < _VNRS_DROP_MAX ? reason : VNRS_DROP_UNSPEC].text;
}

int vnrs_drop_parse(const char *name)
{
    for (int i = 0; i < _VNRS_DROP_MAX; i++)
        if (strcasecmp(vnrs_drop_name((uint32_t)i), name) == 0)
            return i;
    return -EINVAL;
}
