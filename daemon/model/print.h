// SPDX-License-Identifier: GPL-2.0-or-later
// Inside daemon/model only: what print.c and print_gateway.c share. Values are written as YAML flow values, `print_…`
// whole members of an object of a list.
#pragma once

#include "model/model.h"
#include "util/strbuf.h"

const char *yes_no(bool value);
void put_quoted(struct vnrs_strbuf *out, const char *text); // free text as a double-quoted scalar
void put_addr(struct vnrs_strbuf *out, const struct vnrs_addr *addr);
void put_prefixes(struct vnrs_strbuf *out, const vnrs_prefix_list *list);
void put_addrs(struct vnrs_strbuf *out, const struct vnrs_addr *items, size_t n);
void put_hosts(struct vnrs_strbuf *out, const struct vnrs_host *hosts, size_t n);
// A whole line; nothing where it is off.
void put_bfd(struct vnrs_strbuf *out, const struct vnrs_bfd_options *bfd, const char *indent);
// `hide`: not what the user wrote for other programs, which may hold secrets of theirs.
void print_run(struct vnrs_strbuf *out, const struct vnrs_run *run, bool hide);

// With sites and connections.
void print_gateways(struct vnrs_strbuf *out, const struct vnrs_model *m, bool hide);
