// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/trie.h"

#include <errno.h>

struct vnrs_trie_node {
    struct vnrs_prefix prefix;
    void *value; // NULL: only a fork
    struct vnrs_trie_node *child[2];
};

static struct vnrs_trie_node **trie_root(const struct vnrs_trie *trie, uint8_t family)
{
    return (struct vnrs_trie_node **)&trie->roots[family == VNRS_AF_IPV6];
}

static unsigned bit_at(const uint8_t *bytes, unsigned at)
{
    return (bytes[at / 8] >> (7 - at % 8)) & 1;
}

// Leading bits that two byte strings share, at most `max`.
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;
    while (n < max && a[n / 8] == b[n / 8])
        n = (n / 8 + 1) * 8;
    while (n < max && bit_at(a, n) == bit_at(b, n))
        n++;
    return MIN(n, max);
}

static void node_free(struct vnrs_trie_node *n)
{
    if (!n)
        return;
    node_free(n->child[0]);
    node_free(n->child[1]);
    free(n);
}

void vnrs_trie_fini(struct vnrs_trie *trie)
{
    node_free(trie->roots[0]);
    node_free(trie->roots[1]);
    *trie = (struct vnrs_trie){0};
}

static struct vnrs_trie_node *node_new(const struct vnrs_prefix *prefix, void *value)
{
    struct vnrs_trie_node *n = calloc(1, sizeof(*n));
    if (n) {
        n->prefix = *prefix;
        n->value = value;
    }
    return n;
}

// Put a new node between `*at` and its parent: either the new entry itself or a fork above both.
static int trie_split(struct vnrs_trie_node **at, const struct vnrs_prefix *prefix, unsigned common, void *value)
{
    struct vnrs_trie_node *old = *at, *entry = node_new(prefix, value);

    if (!entry)
        return -ENOMEM;
    if (common == prefix->len) {
        entry->child[bit_at(old->prefix.bytes, common)] = old;
        *at = entry;
        return 0;
    }
    struct vnrs_addr addr = vnrs_prefix_addr(prefix);
    struct vnrs_prefix fork_prefix = vnrs_prefix_make(&addr, common);
    struct vnrs_trie_node *fork = node_new(&fork_prefix, NULL);
    if (!fork) {
        free(entry);
        return -ENOMEM;
    }
    fork->child[bit_at(old->prefix.bytes, common)] = old;
    fork->child[bit_at(prefix->bytes, common)] = entry;
    *at = fork;
    return 0;
}

int vnrs_trie_put(struct vnrs_trie *trie, const struct vnrs_prefix *prefix, void *value)
{
    struct vnrs_trie_node **at = trie_root(trie, prefix->family);

    while (*at) {
        struct vnrs_trie_node *n = *at;
        unsigned common = common_bits(n->prefix.bytes, prefix->bytes, MIN(n->prefix.len, prefix->len));
        if (common < n->prefix.len) {
            int err = trie_split(at, prefix, common, value);
            trie->len += err == 0;
            return err;
        }
        if (n->prefix.len == prefix->len) {
            trie->len += !n->value;
            n->value = value;
            return 0;
        }
        at = &n->child[bit_at(prefix->bytes, n->prefix.len)];
    }
    if (!(*at = node_new(prefix, value)))
        return -ENOMEM;
    trie->len++;
    return 0;
}

// A node without value and with fewer than two children has no reason to be.
static void trie_prune(struct vnrs_trie_node **at)
{
    struct vnrs_trie_node *n = *at;
    if (!n || n->value || (n->child[0] && n->child[1]))
        return;
    *at = n->child[0] ? n->child[0] : n->child[1];
    free(n);
}

void *vnrs_trie_remove(struct vnrs_trie *trie, const struct vnrs_prefix *prefix)
{
    struct vnrs_trie_node **at = trie_root(trie, prefix->family), **parent = NULL;

    while (*at && (*at)->prefix.len < prefix->len) {
        parent = at;
        at = &(*at)->child[bit_at(prefix->bytes, (*at)->prefix.len)];
    }
    if (!*at || !vnrs_prefix_equal(&(*at)->prefix, prefix) || !(*at)->value)
        return NULL;
    void *value = TAKE_PTR((*at)->value);
    trie->len--;
    trie_prune(at);
    if (parent)
        trie_prune(parent);
    return value;
}

void *vnrs_trie_find(const struct vnrs_trie *trie, const struct vnrs_prefix *prefix)
{
    struct vnrs_trie_node *n = *trie_root(trie, prefix->family);

    while (n && n->prefix.len < prefix->len)
        n = n->child[bit_at(prefix->bytes, n->prefix.len)];
    return n && vnrs_prefix_equal(&n->prefix, prefix) ? n->value : NULL;
}

void *vnrs_trie_match(const struct vnrs_trie *trie, const struct vnrs_addr *addr, struct vnrs_prefix *ret_prefix)
{
    struct vnrs_trie_node *n = *trie_root(trie, addr->family), *best = NULL;

    while (n && vnrs_prefix_contains_addr(&n->prefix, addr)) {
        if (n->value)
            best = n;
        if (n->prefix.len == vnrs_af_bits(addr->family))
            break;
        n = n->child[bit_at(addr->bytes, n->prefix.len)];
    }
    if (best && ret_prefix)
        *ret_prefix = best->prefix;
    return best ? best->value : NULL;
}

typedef int (*walk_fn)(const struct vnrs_prefix *prefix, void *value, void *arg);

static int node_walk(struct vnrs_trie_node *n, walk_fn fn, void *arg)
{
    int err = 0;

    if (!n)
        return 0;
    if (n->value)
        err = fn(&n->prefix, n->value, arg);
    if (!err)
        err = node_walk(n->child[0], fn, arg);
    return err ? err : node_walk(n->child[1], fn, arg);
}

int vnrs_trie_walk(const struct vnrs_trie *trie, walk_fn fn, void *arg)
{
    int err = node_walk(trie->roots[0], fn, arg);
    return err ? err : node_walk(trie->roots[1], fn, arg);
}
