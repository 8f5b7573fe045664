// SPDX-License-Identifier: GPL-2.0-or-later
// What a topology must be beyond its form: Azure's refusals (with Azure's error codes where known), and what could not
// work. Each part is in its own file.
#include "model/loader.h"

void vnrs_model_validate(struct vnrs_loader *l)
{
    (void)l;
}
