// SPDX-License-Identifier: GPL-2.0-or-later
// A BFD session fed with packets: the input is records of one byte of time (in units of 10 ms) and one packet each, of
// which those that are accepted go to the session. What it sends must be acceptable, and it must have a deadline.
#include "fuzz.h"

#include "bgp/bfd.h"

#include <string.h>

#define TIME_UNIT_US 10000u

static void on_send(void *arg, const uint8_t *bytes, size_t len)
{
    const struct vnrs_bfd *bfd = arg;
    struct vnrs_bfd_packet p;

    FUZZ_CHECK(vnrs_bfd_packet_decode(bytes, len, &p) == VNRS_BFD_OK || !bfd->remote_discr);
    FUZZ_CHECK(!((bytes[1] & 0x20) && (bytes[1] & 0x10))); // Poll and Final
}

static void on_changed(void *arg)
{
    (void)arg;
}

static uint32_t on_random(void *arg)
{
    (void)arg;
    return 0;
}

static const struct vnrs_bfd_ops ops = {.send = on_send, .changed = on_changed, .random = on_random};

static void decode_alone(const uint8_t *data, size_t size)
{
    uint8_t back[VNRS_BFD_PACKET_BYTES], again[VNRS_BFD_PACKET_BYTES];
    struct vnrs_bfd_packet p, q;

    if (vnrs_bfd_packet_decode(data, size, &p) != VNRS_BFD_OK)
        return;
    FUZZ_CHECK(size >= sizeof(back) && p.multiplier && p.my_discr);
    vnrs_bfd_packet_encode(&p, back);
    FUZZ_CHECK(vnrs_bfd_packet_decode(back, sizeof(back), &q) == VNRS_BFD_OK);
    vnrs_bfd_packet_encode(&q, again);
    FUZZ_CHECK(memcmp(back, again, sizeof(back)) == 0);
    FUZZ_CHECK(back[0] == data[0] && back[1] == data[1] && memcmp(back + 4, data + 4, sizeof(back) - 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vnrs_bfd_conf conf = {300000, 300000, 3};
    struct vnrs_bfd bfd;
    struct vnrs_bfd_packet p;
    uint64_t now = 0;

    if (!size)
        return 0;
    decode_alone(data, size);
    vnrs_bfd_init(&bfd, &conf, 1, &ops, &bfd);
    vnrs_bfd_start(&bfd, now);
    for (; size > VNRS_BFD_PACKET_BYTES; data += VNRS_BFD_PACKET_BYTES + 1, size -= VNRS_BFD_PACKET_BYTES + 1) {
        now += data[0] * TIME_UNIT_US;
        for (unsigned i = 0; vnrs_bfd_next(&bfd) <= now && i < 64; i++)
            vnrs_bfd_tick(&bfd, vnrs_bfd_next(&bfd));
        if (vnrs_bfd_packet_decode(data + 1, VNRS_BFD_PACKET_BYTES, &p) == VNRS_BFD_OK)
            vnrs_bfd_receive(&bfd, now, &p);
        FUZZ_CHECK(bfd.state < _VNRS_BFD_STATE_MAX);
        // It sends by itself, or hears, or is told that neither is wanted.
        FUZZ_CHECK(vnrs_bfd_next(&bfd) != VNRS_BFD_NEVER);
    }
    vnrs_bfd_stop(&bfd, now);
    while (!vnrs_bfd_is_over(&bfd, bfd.now_us))
        vnrs_bfd_tick(&bfd, MAX(vnrs_bfd_next(&bfd), bfd.now_us));
    return 0;
}
