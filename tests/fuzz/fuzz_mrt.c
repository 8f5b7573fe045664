// SPDX-License-Identifier: GPL-2.0-or-later
// An MRT file, for the reader that replays them in tests.
#include "fuzz.h"

#include "lib/mrt_read.h"

static struct mrt_reader reader;

static uint8_t sum(const uint8_t *bytes, size_t len)
{
    uint8_t all = 0;

    for (size_t i = 0; i < len; i++)
        all ^= bytes[i];
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mrt_record rec;
    struct mrt_entry e;
    volatile uint8_t seen = 0; // everything handed out is looked at
    int r;

    mrt_reader_init(&reader, data, size);
    while ((r = mrt_next(&reader, &rec)) > 0) {
        FUZZ_CHECK(reader.offset <= size && !reader.why);
        if (rec.kind == MRT_PEERS)
            seen ^= sum(rec.view, rec.view_len);
        if (rec.kind == MRT_MESSAGE)
            seen ^= sum(rec.msg, rec.len);
        while (mrt_entry_next(&rec, &e)) {
            FUZZ_CHECK(e.peer < reader.n_peers);
            seen ^= sum(e.attrs, e.attrs_len);
        }
    }
    FUZZ_CHECK(r == 0 ? reader.offset == size : reader.why != NULL);
    return 0;
}
