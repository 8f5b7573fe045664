// SPDX-License-Identifier: GPL-2.0-or-later
// ARM templates: whatever the file says, it is read, expanded and mapped, or refused.
#include "fuzz.h"

#include "cli/arm_template.h"
#include "cli/import_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *template = json_loadb((const char *)data, size, 0, NULL);
    char error[200];

    if (!template)
        return 0;
    json_t *notes = json_array(), *resources = vnrs_arm_expand(template, NULL, notes, error);
    struct vnrs_import import = {.resources = resources, .topology = json_object(), .notes = notes};
    if (resources)
        vnrs_import_map(&import, "fuzz");
    json_decref(import.topology);
    json_decref(resources);
    json_decref(notes);
    json_decref(template);
    return 0;
}
