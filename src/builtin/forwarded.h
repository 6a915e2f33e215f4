/* SPDX-License-Identifier: MIT */
/*
 * Reading what proxies say of a request: Forwarded (RFC 7239), and the lists of X-Forwarded-*.
 *
 * Pure. Lists are read from the right, one element at a time, and only as far as asked: each proxy
 * appends, so what stands left of an element was there before it and cannot change how it is read.
 * Read from the left, one quote of a stranger would swallow what the proxy said:
 *
 *     for="x, for=203.0.113.7            the last element is for=203.0.113.7 all the same
 */
#ifndef CMW_BUILTIN_FORWARDED_H
#define CMW_BUILTIN_FORWARDED_H

#include <catzilla/address.h>
#include <catzilla/base.h>

/* What a field is to who reads forwarding fields. */
enum cmw__forwarding {
    CMW__NOT_FORWARDING = 0,
    CMW__FORWARDED,
    CMW__FORWARDED_FOR,
    CMW__FORWARDED_PROTO,
    CMW__FORWARDED_HOST,
    CMW__FORWARDED_PORT,
    CMW__FORWARDED_PREFIX,
    CMW__FORWARDED_OTHER, /* X-Forwarded-User and the like */
    CMW__FORWARDED_REAL_IP,
    CMW__FORWARDED_ALIAS, /* one of those with "_" or "." for "-", as CGI and others mix them up */
    CMW__FORWARDING_COUNT
};

/* By its name, in any case; for one of nine bytes or more that begins with "x" or "f". */
enum cmw__forwarding cmw__forwarding_of_candidate(cmw_str name);

/* By its name, in any case. In line: most names end at their length or first byte. */
static inline enum cmw__forwarding cmw__forwarding_of(cmw_str name)
{
    if (name.len < 9)
        return CMW__NOT_FORWARDING;
    const char first = (char)(name.data[0] | 0x20);
    return first == 'x' || first == 'f' ? cmw__forwarding_of_candidate(name) : CMW__NOT_FORWARDING;
}

/* Take the last element that is not empty off a comma-separated list, without blanks around it. 0:
 * there is none. */
int cmw__list_take_last(cmw_str *list, cmw_str *element);

/* A value of an element: still with its escapes, if it has any. */
struct cmw__forwarded_value {
    cmw_str text; /* NULL data: not given */
    int has_escapes;
};

/* One element of Forwarded. */
struct cmw__forwarded_element {
    struct cmw__forwarded_value node, proto, host, by;
};

/*
 * Take the last element that is not empty off a Forwarded list (RFC 7239, 4). 1; 0: there is none;
 * CMW_ERR_INVALID: it breaks the grammar or names a parameter twice. Blanks around ";" are let
 * pass, as many proxies write them.
 */
int cmw__forwarded_take_last(cmw_str *list, struct cmw__forwarded_element *out);

/* The bytes that a value means: writes at most text.len of them, and returns their number. */
size_t cmw__forwarded_unescape(char *out, cmw_str text);

/*
 * Read a node: an address with or without port, IPv6 in brackets. `text` becomes the address's part
 * of the node. 1; 0: it names no address ("unknown", "_hidden", anything else).
 */
int cmw__node_read(cmw_address *out, cmw_str *text, cmw_str node);
/* The same for X-Forwarded-For, where IPv6 may stand without brackets. */
int cmw__node_read_loosely(cmw_address *out, cmw_str *text, cmw_str node);

/* 1 to 65535, decimal; 0: it is none. */
uint16_t cmw__forwarded_port(cmw_str text);

/* 1 for "/a/b": no empty and no dot segments, nothing that a browser or a page would read as more
 * than a path. */
int cmw__forwarded_is_prefix(cmw_str text);

#endif /* CMW_BUILTIN_FORWARDED_H */
