// SPDX-License-Identifier: GPL-2.0-or-later
// Names of BPF objects in the BPF file system: <dir>/v<VNRS_BPF_LAYOUT>/<map or program>, <dir>/links/<ifindex>.
// Another layout gets another folder, so that two versions never share a map by accident.
#pragma once

#include "util/macros.h"

#include <stdbool.h>

#define VNRS_BPF_PIN_LINKS "links"

// Mount the BPF file system where it belongs if it is not, and make the folders. Returns 0 or a negative errno.
int vnrs_bpf_pin_prepare(const char *dir) VNRS_MUST_CHECK;
// Path of an object of this layout; NULL: out of memory. The caller frees.
char *vnrs_bpf_pin_path(const char *dir, const char *name) VNRS_MUST_CHECK;
// Does `path` name the map behind `fd`?
bool vnrs_bpf_pin_same(const char *path, int fd);
// Make `path` name `fd`, whatever it named before, without a moment in which it names nothing.
int vnrs_bpf_pin_replace(const char *path, int fd) VNRS_MUST_CHECK;
// Whether this is a file of a pin on its way to its name.
bool vnrs_bpf_pin_is_fresh(const char *name);
// Remove the folder with the objects of all layouts in it. No such folder is success.
int vnrs_bpf_pin_remove_all(const char *dir) VNRS_MUST_CHECK;
