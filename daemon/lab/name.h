// SPDX-License-Identifier: GPL-2.0-or-later
// Names that come in messages and end up in file names, link aliases and commands: what is allowed, and how marks are
// made of them (agent_proto.h). Pure.
#pragma once

#include "util/macros.h"
#include "vnrs/agent_proto.h"

#include <stdbool.h>

#define VNRS_NETNS_NAME_MAX (5 + VNRS_LAB_NAME_MAX + 1 + 120)          // "vnrs.<lab>.<name>"
#define VNRS_ALIAS_MAX      (5 + VNRS_LAB_NAME_MAX + 1 + VNRS_KEY_MAX) // "vnrs:<lab>:<key>"
#define VNRS_KEY_FILE_MAX   (VNRS_KEY_MAX * 3)

// Letters, digits, '-', '_'; a letter or digit first. `size` is that of the field: no NUL inside it is an error.
bool vnrs_name_is_lab(const char *name, size_t size);
// As a lab's name, and '.' and ':' inside: namespaces, containers.
bool vnrs_name_is_netns(const char *name, size_t size);
// Any printable ASCII without blanks, not empty.
bool vnrs_name_is_key(const char *key, size_t size);
// What the kernel takes for a link: 1..15 bytes, no '/', ':', blank, and no '%', which the kernel counts up; not "." or
// "..".
bool vnrs_name_is_link(const char *name, size_t size);
// An absolute path without "..", or a bare namespace name.
bool vnrs_name_is_netns_path(const char *path, size_t size);

// `name` empty: the fabric.
const char *vnrs_mark_netns(const char *lab, const char *name, char ret[static VNRS_NETNS_NAME_MAX]);
const char *vnrs_mark_alias(const char *lab, const char *key, char ret[static VNRS_ALIAS_MAX]);
// The key of an alias of this lab, or NULL.
const char *vnrs_mark_alias_key(const char *lab, const char *alias);
// The key as one path component: bytes outside [A-Za-z0-9_-] and dots at the start become %XX.
const char *vnrs_mark_key_file(const char *key, char ret[static VNRS_KEY_FILE_MAX]);
