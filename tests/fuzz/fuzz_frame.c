// SPDX-License-Identifier: GPL-2.0-or-later
// A captured frame: the first two bytes say how much longer it was than what there is. What is read of it must be in
// it.
#include "fuzz.h"

#include "net/frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[16];
    struct vnrs_frame frame;

    if (size < 2)
        return 0;
    size_t more = (size_t)data[0] << 8 | data[1], n = size - 2;
    data += 2;
    vnrs_frame_parse(data, n, n + more, &frame);
    FUZZ_CHECK(frame.family == 0 || frame.family == 4 || frame.family == 6);
    FUZZ_CHECK(frame.family || (!frame.protocol && memcmp(frame.saddr, zeros, 16) == 0));
    FUZZ_CHECK(frame.family != 4 || memmem(data, n, frame.daddr, 4));
    FUZZ_CHECK(frame.family != 6 || memmem(data, n, frame.daddr, 16));
    FUZZ_CHECK((!frame.sport_be && !frame.dport_be) || frame.protocol == 6 || frame.protocol == 17);
    return 0;
}
