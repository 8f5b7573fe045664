// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/name.h"

#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(const char *name, size_t size, const char *inner)
{
    size_t len = strnlen(name, size);

    if (len == 0 || len == size || !is_alnum(name[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!is_alnum(name[i]) && !strchr(inner, name[i]))
            return false;
    return true;
}

bool vnrs_name_is_lab(const char *name, size_t size)
{
    return is_name(name, size, "-_");
}

bool vnrs_name_is_netns(const char *name, size_t size)
{
    return is_name(name, size, "-_.:");
}

static bool is_graph(const char *text, size_t size, const char *except)
{
    size_t len = strnlen(text, size);

    if (len == 0 || len == size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr(except, text[i]))
            return false;
    return true;
}

bool vnrs_name_is_key(const char *key, size_t size)
{
    return is_graph(key, size, "");
}

bool vnrs_name_is_link(const char *name, size_t size)
{
    return is_graph(name, size, "/:%\"\\") && strnlen(name, size) < VNRS_IFNAME_MAX && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

bool vnrs_name_is_netns_path(const char *path, size_t size)
{
    if (!is_graph(path, size, ""))
        return false;
    return path[0] == '/' ? !strstr(path, "..") : vnrs_name_is_netns(path, size);
}

const char *vnrs_mark_netns(const char *lab, const char *name, char ret[static VNRS_NETNS_NAME_MAX])
{
    (void)snprintf(ret, VNRS_NETNS_NAME_MAX, "vnrs.%s%s%s", lab, name[0] ? "." : "", name);
    return ret;
}

const char *vnrs_mark_alias(const char *lab, const char *key, char ret[static VNRS_ALIAS_MAX])
{
    (void)snprintf(ret, VNRS_ALIAS_MAX, "vnrs:%s:%s", lab, key);
    return ret;
}

const char *vnrs_mark_alias_key(const char *lab, const char *alias)
{
    size_t len = strlen(lab);

    if (strncmp(alias, "vnrs:", 5) != 0 || strncmp(alias + 5, lab, len) != 0 || alias[5 + len] != ':')
        return NULL;
    return alias + 5 + len + 1;
}

const char *vnrs_mark_key_file(const char *key, char ret[static VNRS_KEY_FILE_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = 0;

    for (size_t i = 0; key[i] && at + 4 < VNRS_KEY_FILE_MAX; i++) {
        if (is_alnum(key[i]) || key[i] == '-' || key[i] == '_' || (key[i] == '.' && i > 0)) {
            ret[at++] = key[i];
        } else {
            ret[at++] = '%';
            ret[at++] = hex[(unsigned char)key[i] >> 4];
            ret[at++] = hex[(unsigned char)key[i] & 15];
        }
    }
    ret[at] = '\0';
    return ret;
}
