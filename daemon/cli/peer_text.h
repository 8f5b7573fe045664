// SPDX-License-Identifier: GPL-2.0-or-later
// BGP peers for people: the summary with FRR's columns, and everything about one peer of one instance.
#pragma once

#include <jansson.h>

#include <stdio.h>

// `peers`: an array as `vnrs peers -o json` prints it.
void vnrs_peer_text_summary(FILE *out, const json_t *peers);
void vnrs_peer_text_summary_tsv(FILE *out, const json_t *peers);
// `peer`: an entry of what `vnrs peer -o json` prints.
void vnrs_peer_text_full(FILE *out, const json_t *peer);
// "00:12:34", "1d02h03m", "01w2d03h"; negative: "never".
const char *vnrs_peer_text_duration(json_int_t seconds, char text[static 32]);
