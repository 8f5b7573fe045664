// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/pcapng.h"

#include <arpa/inet.h>
#include <string.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum { OPT_END, OPT_COMMENT, OPT_SECTION_APPLICATION = 4, OPT_IF_NAME = 2, OPT_IF_TSRESOL = 9 };
enum { OPT_PACKET_FLAGS = 2, OPT_PACKET_LOST = 4 };
enum { FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };

#define BYTE_ORDER_MAGIC  0x1a2b3c4d
#define LINKTYPE_ETHERNET 1
#define TSRESOL_NS        9
#define MACS_BYTES        12
#define TAG_BYTES         4

static void put_u16(struct vnrs_strbuf *out, uint16_t value)
{
    vnrs_strbuf_add(out, (const char *)&value, sizeof(value));
}

static void put_u32(struct vnrs_strbuf *out, uint32_t value)
{
    vnrs_strbuf_add(out, (const char *)&value, sizeof(value));
}

static void pad(struct vnrs_strbuf *out, size_t n)
{
    static const char zeros[4];

    vnrs_strbuf_add(out, zeros, (4 - n % 4) % 4);
}

static void put_option(struct vnrs_strbuf *out, uint16_t code, const void *value, size_t n)
{
    put_u16(out, code);
    put_u16(out, (uint16_t)n);
    vnrs_strbuf_add(out, value, n);
    pad(out, n);
}

static void put_text(struct vnrs_strbuf *out, uint16_t code, const char *text)
{
    put_option(out, code, text, strlen(text));
}

// Returns where it begins.
static size_t begin_block(struct vnrs_strbuf *out, uint32_t type)
{
    size_t at = out->len;

    put_u32(out, type);
    put_u32(out, 0);
    return at;
}

// The length is before and behind what a block has in it.
static void end_block(struct vnrs_strbuf *out, size_t at)
{
    put_option(out, OPT_END, "", 0);
    uint32_t length = (uint32_t)(out->len - at + sizeof(length));

    put_u32(out, length);
    if (!out->failed)
        memcpy(out->text + at + 4, &length, sizeof(length));
}

void vnrs_pcapng_begin(struct vnrs_strbuf *out, const char *nic, uint32_t bytes)
{
    static const uint8_t tsresol = TSRESOL_NS;
    size_t at = begin_block(out, BLOCK_SECTION);

    put_u32(out, BYTE_ORDER_MAGIC);
    put_u16(out, 1); // version 1.0
    put_u16(out, 0);
    put_u32(out, UINT32_MAX); // length of the section: not known
    put_u32(out, UINT32_MAX);
    put_text(out, OPT_SECTION_APPLICATION, "vnrs capture");
    end_block(out, at);

    at = begin_block(out, BLOCK_INTERFACE);
    put_u16(out, LINKTYPE_ETHERNET);
    put_u16(out, 0);
    put_u32(out, bytes);
    put_text(out, OPT_IF_NAME, nic);
    put_option(out, OPT_IF_TSRESOL, &tsresol, sizeof(tsresol));
    end_block(out, at);
}

static void put_frame(struct vnrs_strbuf *out, const struct vnrs_pcapng_packet *packet)
{
    uint32_t head = packet->n < MACS_BYTES ? packet->n : MACS_BYTES;
    bool tagged = packet->vlan_type_be && head == MACS_BYTES;

    vnrs_strbuf_add(out, (const char *)(packet->macs ? packet->macs : packet->bytes), head);
    if (tagged) {
        put_u16(out, packet->vlan_type_be);
        put_u16(out, htons(packet->vlan_tag));
    }
    vnrs_strbuf_add(out, (const char *)packet->bytes + head, packet->n - head);
    pad(out, packet->n);
}

void vnrs_pcapng_packet(struct vnrs_strbuf *out, const struct vnrs_pcapng_packet *packet)
{
    const uint32_t flags = packet->inbound ? FLAG_INBOUND : FLAG_OUTBOUND;
    uint32_t tag = packet->vlan_type_be && packet->n >= MACS_BYTES ? TAG_BYTES : 0;
    size_t at = begin_block(out, BLOCK_PACKET);

    put_u32(out, 0); // the one interface
    put_u32(out, (uint32_t)(packet->time_ns >> 32));
    put_u32(out, (uint32_t)packet->time_ns);
    put_u32(out, packet->n + tag);
    put_u32(out, packet->frame_len + tag);
    put_frame(out, packet);
    if (packet->comment && *packet->comment)
        put_text(out, OPT_COMMENT, packet->comment);
    put_option(out, OPT_PACKET_FLAGS, &flags, sizeof(flags));
    if (packet->lost)
        put_option(out, OPT_PACKET_LOST, &packet->lost, sizeof(packet->lost));
    end_block(out, at);
}
