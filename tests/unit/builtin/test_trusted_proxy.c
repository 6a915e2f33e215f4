/* SPDX-License-Identifier: MIT */
/* trusted_proxy: who the client is, what of the request stays, and what is refused. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/trusted_proxy.h>

enum { FORWARDED = 1, PROTO = 2, HOST = 4, PORT = 8, PREFIX = 16, ALL = 30 };

struct row {
    const char *name;
    int options;
    const char *trust; /* networks with a space between them */
    int hops;
    const char *fields; /* lines */
    const char *client;
    const char *rest; /* "scheme host:port prefix|fields that are left" */
};

static const char local[] = "192.0.2.0/24";
static const char many[] = "192.0.2.0/24 10.0.0.0/8 fd00::/8";

/* The peer is 192.0.2.1, by http, for origin.example. */
static const struct row rows[] = {
    {"nobody is trusted by default", 0, "", 0, "X-Forwarded-For: 203.0.113.7\n", "192.0.2.1", "|"},
    {"a peer that is not trusted says nothing", 0, "10.0.0.0/8", 0,
     "X-Forwarded-For: 203.0.113.7, 10.0.0.1\n", "192.0.2.1", "|"},
    {"what a stranger sends is removed", ALL, "10.0.0.0/8", 0,
     "Forwarded: for=1.1.1.1;proto=https\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\n"
     "X-Forwarded-Host: evil\nX-Forwarded-Port: 1\nX-Forwarded-Prefix: /x\nX-Real-IP: 1.1.1.1\n"
     "X-Forwarded-User: root\nAccept: a\n",
     "192.0.2.1", "|"},
    {"its aliases are too", ALL, "10.0.0.0/8", 0,
     "X_Forwarded_For: 1.1.1.1\nX.Forwarded.For: 1.1.1.1\nx-forwarded_proto: https\n"
     "X_Real-IP: 1.1.1.1\nX.REAL.IP: 1.1.1.1\nX_FORWARDED_CLIENT_CERT: a\n",
     "192.0.2.1", "|"},
    {"aliases from a trusted proxy are a stranger's", ALL, local, 0,
     "X_Forwarded_For: 1.1.1.1\nX-Forwarded.Proto: https\nX_Forwarded_Prefix: /x\n"
     "X-Forwarded-For: 203.0.113.7\n",
     "203.0.113.7", "|X-Forwarded-For: 203.0.113.7;"},
    {"names that only look alike stay", ALL, "", 0,
     "XForwardedFor: a\nX-Forwarded: b\nX-Forward-For: c\nForwarded-For: d\nX-Real-IPs: e\n",
     "192.0.2.1",
     "|XForwardedFor: a;X-Forwarded: b;X-Forward-For: c;Forwarded-For: d;X-Real-IPs: e;"},

    {"one element", 0, local, 0, "X-Forwarded-For: 203.0.113.7\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7;"},
    {"the rightmost that is not trusted", 0, local, 0,
     "X-Forwarded-For: 203.0.113.7 ,  198.51.100.2\n", "198.51.100.2",
     "|X-Forwarded-For: 198.51.100.2;"},
    {"trusted elements are walked over", 0, many, 0,
     "X-Forwarded-For: 1.1.1.1, 203.0.113.7, fd12::1, 10.0.0.1\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7, fd12::1, 10.0.0.1;"},
    {"the leftmost where all are trusted", 0, many, 0, "X-Forwarded-For: 10.0.0.3, 10.0.0.2\n",
     "10.0.0.3", "|X-Forwarded-For: 10.0.0.3, 10.0.0.2;"},
    {"several lines are one list", 0, many, 0,
     "X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.0.0.3\nAccept: a\nx-forwarded-for: 10.0.0.2\n",
     "203.0.113.7", "|X-Forwarded-For: 203.0.113.7, 10.0.0.3;x-forwarded-for: 10.0.0.2;"},
    {"the client in the last of several lines", 0, many, 0,
     "X-Forwarded-For: 10.0.0.3\nX-Forwarded-For: 203.0.113.7\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7;"},
    {"IPv6", 0, local, 0, "X-Forwarded-For: 2001:DB8::1\n", "2001:db8::1",
     "|X-Forwarded-For: 2001:DB8::1;"},
    {"mapped IPv6 is IPv4", 0, many, 0, "X-Forwarded-For: 203.0.113.7, ::ffff:10.0.0.1\n",
     "203.0.113.7", "|X-Forwarded-For: 203.0.113.7, ::ffff:10.0.0.1;"},
    {"a port", 0, local, 0, "X-Forwarded-For: 203.0.113.7:4711\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7:4711;"},
    {"brackets and a port", 0, local, 0, "X-Forwarded-For: [2001:db8::1]:443\n", "2001:db8::1",
     "|X-Forwarded-For: [2001:db8::1]:443;"},
    {"tabs and empty elements", 0, many, 0, "X-Forwarded-For: \t203.0.113.7\t,, 10.0.0.1 ,\t,\n",
     "203.0.113.7", "|X-Forwarded-For: 203.0.113.7\t,, 10.0.0.1 ,\t,;"},
    {"nothing but commas", 0, local, 0, "X-Forwarded-For: , ,,,\n", "192.0.2.1", "|"},
    {"an empty field", 0, local, 0, "X-Forwarded-For:\n", "192.0.2.1", "|"},
    {"no address at the end", 0, local, 0, "X-Forwarded-For: 203.0.113.7, unknown\n", "192.0.2.1",
     "|"},
    {"no address on the way", 0, many, 0, "X-Forwarded-For: 203.0.113.7, garbage, 10.0.0.1\n",
     "10.0.0.1", "|X-Forwarded-For: 10.0.0.1;"},
    {"short form is no address", 0, local, 0, "X-Forwarded-For: 127.1\n", "192.0.2.1", "|"},
    {"hexadecimal is no address", 0, local, 0, "X-Forwarded-For: 0x7f.0.0.1\n", "192.0.2.1", "|"},
    {"leading zeros are no address", 0, local, 0, "X-Forwarded-For: 010.0.0.1\n", "192.0.2.1", "|"},
    {"an octet too large is no address", 0, local, 0, "X-Forwarded-For: 300.1.1.1\n", "192.0.2.1",
     "|"},
    {"a zone is no address", 0, local, 0, "X-Forwarded-For: fe80::1%eth0\n", "192.0.2.1", "|"},
    {"a quoted address is none here", 0, local, 0, "X-Forwarded-For: \"203.0.113.7\"\n",
     "192.0.2.1", "|"},
    {"a port too large is no port", 0, local, 0, "X-Forwarded-For: 203.0.113.7:65536\n",
     "192.0.2.1", "|"},
    {"an empty port is no port", 0, local, 0, "X-Forwarded-For: 203.0.113.7:\n", "192.0.2.1", "|"},
    {"brackets are not for IPv4", 0, local, 0, "X-Forwarded-For: [203.0.113.7]\n", "192.0.2.1",
     "|"},
    {"an open bracket", 0, local, 0, "X-Forwarded-For: [2001:db8::1\n", "192.0.2.1", "|"},
    {"a control byte is no address", 0, local, 0, "X-Forwarded-For: 203.0.113.7\x01\n", "192.0.2.1",
     "|"},
    {"a byte beyond ASCII is no address", 0, local, 0, "X-Forwarded-For: \xff\xfe\n", "192.0.2.1",
     "|"},

    {"no hops", 0, "", 0, "X-Forwarded-For: 203.0.113.7\n", "192.0.2.1", "|"},
    {"one hop", 0, "", 1, "X-Forwarded-For: 203.0.113.7, 198.51.100.2\n", "198.51.100.2",
     "|X-Forwarded-For: 198.51.100.2;"},
    {"two hops", 0, "", 2, "X-Forwarded-For: 1.1.1.1, 203.0.113.7, 198.51.100.2\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7, 198.51.100.2;"},
    {"fewer elements than hops", 0, "", 3, "X-Forwarded-For: 203.0.113.7\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7;"},
    {"hops end where no address is", 0, "", 3, "X-Forwarded-For: 1.1.1.1, x, 198.51.100.2\n",
     "198.51.100.2", "|X-Forwarded-For: 198.51.100.2;"},

    {"only the field that was chosen counts", 0, local, 0,
     "Forwarded: for=1.1.1.1\nX-Real-IP: 2.2.2.2\nX-Forwarded-For: 203.0.113.7\n", "203.0.113.7",
     "|X-Forwarded-For: 203.0.113.7;"},
    {"X-Forwarded-For beside Forwarded", FORWARDED, local, 0,
     "Forwarded: for=203.0.113.7\nX-Forwarded-For: 1.1.1.1\n", "203.0.113.7",
     "|Forwarded: for=203.0.113.7;"},
    {"X-Real-IP alone", 0, local, 0, "X-Real-IP: 2.2.2.2\n", "192.0.2.1", "|"},
    {"other fields of a trusted proxy stay", 0, local, 0, "X-Forwarded-User: bob\n", "192.0.2.1",
     "|X-Forwarded-User: bob;"},

    {"the scheme", PROTO, local, 0, "X-Forwarded-Proto: https\n", "192.0.2.1",
     "https|X-Forwarded-Proto: https;"},
    {"the scheme in another case", PROTO, local, 0, "X-Forwarded-Proto: HTTPS\n", "192.0.2.1",
     "https|X-Forwarded-Proto: HTTPS;"},
    {"WebSocket over TLS", PROTO, local, 0, "X-Forwarded-Proto: wss\n", "192.0.2.1",
     "https|X-Forwarded-Proto: wss;"},
    {"the scheme that the trusted proxy added", PROTO, local, 0,
     "X-Forwarded-Proto: https, http\nX-Forwarded-For: 203.0.113.7\n", "203.0.113.7",
     "|X-Forwarded-Proto: http;X-Forwarded-For: 203.0.113.7;"},
    {"the scheme by which the client came", PROTO, many, 0,
     "X-Forwarded-For: 203.0.113.7, 10.0.0.1\nX-Forwarded-Proto: ftp, https, http\n", "203.0.113.7",
     "https|X-Forwarded-For: 203.0.113.7, 10.0.0.1;X-Forwarded-Proto: https;"},
    {"one scheme for several proxies", PROTO, many, 0,
     "X-Forwarded-For: 203.0.113.7, 10.0.0.1\nX-Forwarded-Proto: https\n", "203.0.113.7",
     "https|X-Forwarded-For: 203.0.113.7, 10.0.0.1;X-Forwarded-Proto: https;"},
    {"schemes in several lines", PROTO, local, 0,
     "X-Forwarded-Proto: http\nX-Forwarded-Proto: https\n", "192.0.2.1",
     "https|X-Forwarded-Proto: https;"},
    {"a scheme that is none", PROTO, local, 0, "X-Forwarded-Proto: httpss\n", "192.0.2.1", "|"},
    {"a scheme that was not asked for", HOST, local, 0, "X-Forwarded-Proto: https\n", "192.0.2.1",
     "|"},
    {"a scheme of a stranger", PROTO, "10.0.0.0/8", 0, "X-Forwarded-Proto: https\n", "192.0.2.1",
     "|"},

    {"the host", HOST, local, 0, "X-Forwarded-Host: WWW.example:8443\n", "192.0.2.1",
     " www.example:8443|X-Forwarded-Host: WWW.example:8443;"},
    {"the host that the trusted proxy added", HOST, local, 0,
     "X-Forwarded-Host: a.example, b.example\n", "192.0.2.1",
     " b.example|X-Forwarded-Host: b.example;"},
    {"a host that is none", HOST, local, 0, "X-Forwarded-Host: a b\n", "192.0.2.1", "|"},
    {"a host with a path", HOST, local, 0, "X-Forwarded-Host: a.example/x\n", "192.0.2.1", "|"},
    {"a host with a user", HOST, local, 0, "X-Forwarded-Host: origin@evil.example\n", "192.0.2.1",
     "|"},
    {"a host of a stranger", HOST, "10.0.0.0/8", 0, "X-Forwarded-Host: evil.example\n", "192.0.2.1",
     "|"},

    {"the port", PORT, local, 0, "X-Forwarded-Port: 8443\n", "192.0.2.1",
     " origin.example:8443|X-Forwarded-Port: 8443;"},
    {"host and port", PORT | HOST, local, 0,
     "X-Forwarded-Port: 8443\nX-Forwarded-Host: a.example\n", "192.0.2.1",
     " a.example:8443|X-Forwarded-Port: 8443;X-Forwarded-Host: a.example;"},
    {"the host's own port", PORT | HOST, local, 0,
     "X-Forwarded-Port: 8443\nX-Forwarded-Host: a.example:99\n", "192.0.2.1",
     " a.example:99|X-Forwarded-Port: 8443;X-Forwarded-Host: a.example:99;"},
    {"a port that is none", PORT, local, 0, "X-Forwarded-Port: 80x\n", "192.0.2.1", "|"},
    {"port 0", PORT, local, 0, "X-Forwarded-Port: 0\n", "192.0.2.1", "|"},
    {"a port too large", PORT, local, 0, "X-Forwarded-Port: 65536\n", "192.0.2.1", "|"},

    {"the prefix", PREFIX, local, 0, "X-Forwarded-Prefix: /api/v1\n", "192.0.2.1",
     " /api/v1|X-Forwarded-Prefix: /api/v1;"},
    {"a prefix of another site", PREFIX, local, 0, "X-Forwarded-Prefix: //evil.example\n",
     "192.0.2.1", "|"},
    {"a prefix that climbs", PREFIX, local, 0, "X-Forwarded-Prefix: /a/../b\n", "192.0.2.1", "|"},
    {"a prefix with a backslash", PREFIX, local, 0, "X-Forwarded-Prefix: /\\evil\n", "192.0.2.1",
     "|"},
    {"a prefix with markup", PREFIX, local, 0, "X-Forwarded-Prefix: /<script>\n", "192.0.2.1", "|"},
    {"a prefix of a stranger", PREFIX, "10.0.0.0/8", 0, "X-Forwarded-Prefix: /x\n", "192.0.2.1",
     "|"},

    {"Forwarded with all parameters", FORWARDED | PROTO | HOST, local, 0,
     "Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43;host=a.example\n", "192.0.2.60",
     "https a.example|Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43;host=a.example;"},
    {"names in any case, in any order", FORWARDED | PROTO, local, 0,
     "Forwarded: PROTO=https;For=203.0.113.7\n", "203.0.113.7",
     "https|Forwarded: PROTO=https;For=203.0.113.7;"},
    {"quoted IPv6 with a port", FORWARDED, local, 0,
     "Forwarded: for=\"[2001:db8:cafe::17]:4711\"\n", "2001:db8:cafe::17",
     "|Forwarded: for=\"[2001:db8:cafe::17]:4711\";"},
    {"quoted IPv4 with a port", FORWARDED, local, 0, "Forwarded: for=\"203.0.113.7:47011\"\n",
     "203.0.113.7", "|Forwarded: for=\"203.0.113.7:47011\";"},
    {"an obfuscated port", FORWARDED, local, 0, "Forwarded: for=\"203.0.113.7:_p\"\n",
     "203.0.113.7", "|Forwarded: for=\"203.0.113.7:_p\";"},
    {"an escape in an address", FORWARDED, local, 0, "Forwarded: for=\"203.0.113.\\7\"\n",
     "203.0.113.7", "|Forwarded: for=\"203.0.113.\\7\";"},
    {"separators in a quoted string", FORWARDED | HOST, local, 0,
     "Forwarded: for=203.0.113.7;host=\"a,b;c=\\\"d\"\n", "203.0.113.7",
     "|Forwarded: for=203.0.113.7;host=\"a,b;c=\\\"d\";"},
    {"an escape in a host", FORWARDED | HOST, local, 0, "Forwarded: host=\"a\\.exampl\\e\"\n",
     "192.0.2.1", " a.example|Forwarded: host=\"a\\.exampl\\e\";"},
    {"the rightmost that is not trusted, of Forwarded", FORWARDED | PROTO, many, 0,
     "Forwarded: for=1.1.1.1, for=203.0.113.7;proto=https, for=10.0.0.1;proto=http\n",
     "203.0.113.7", "https|Forwarded: for=203.0.113.7;proto=https, for=10.0.0.1;proto=http;"},
    {"several lines of Forwarded", FORWARDED, many, 0,
     "Forwarded: for=1.1.1.1, for=203.0.113.7\nForwarded: for=10.0.0.1\n", "203.0.113.7",
     "|Forwarded: for=203.0.113.7;Forwarded: for=10.0.0.1;"},
    {"two hops of Forwarded", FORWARDED, "", 2,
     "Forwarded: for=1.1.1.1, for=203.0.113.7, for=198.51.100.2\n", "203.0.113.7",
     "|Forwarded: for=203.0.113.7, for=198.51.100.2;"},
    {"blanks around semicolons", FORWARDED | PROTO, local, 0,
     "Forwarded: for=203.0.113.7 ; proto=https\n", "203.0.113.7",
     "https|Forwarded: for=203.0.113.7 ; proto=https;"},
    {"empty pairs and elements", FORWARDED, many, 0,
     "Forwarded: ,;for=203.0.113.7;;,,; ,for=10.0.0.1;,\n", "203.0.113.7",
     "|Forwarded: ;for=203.0.113.7;;,,; ,for=10.0.0.1;,;"},
    {"an extension", FORWARDED, local, 0, "Forwarded: secret=a;for=203.0.113.7;x=\"y\"\n",
     "203.0.113.7", "|Forwarded: secret=a;for=203.0.113.7;x=\"y\";"},
    {"an unknown client keeps its scheme", FORWARDED | PROTO, local, 0,
     "Forwarded: for=1.1.1.1, for=unknown;proto=https\n", "192.0.2.1",
     "https|Forwarded: for=unknown;proto=https;"},
    {"a hidden client", FORWARDED, many, 0,
     "Forwarded: for=1.1.1.1, for=\"_SEVKISEK\", for=10.0.0.1\n", "10.0.0.1",
     "|Forwarded: for=\"_SEVKISEK\", for=10.0.0.1;"},
    {"no client", FORWARDED | PROTO, local, 0, "Forwarded: for=1.1.1.1, by=10.0.0.1;proto=https\n",
     "192.0.2.1", "https|Forwarded: by=10.0.0.1;proto=https;"},
    {"a stranger's open quote hides nothing", FORWARDED, local, 0,
     "Forwarded: for=\"x, for=203.0.113.7\n", "203.0.113.7", "|Forwarded: for=203.0.113.7;"},
    {"nor before a quoted address", FORWARDED, local, 0,
     "Forwarded: for=\"x, for=\"[2001:db8::1]\"\n", "2001:db8::1",
     "|Forwarded: for=\"[2001:db8::1]\";"},
    {"nor with a backslash at its end", FORWARDED, local, 0,
     "Forwarded: for=\"\\, for=203.0.113.7\n", "203.0.113.7", "|Forwarded: for=203.0.113.7;"},
    {"nor in a line of its own", FORWARDED, many, 0,
     "Forwarded: for=\"x\nForwarded: for=\"[fd00::1]\"\n", "fd00::1",
     "|Forwarded: for=\"[fd00::1]\";"},
    {"IPv6 without quotes breaks the grammar", FORWARDED | PROTO, local, 0,
     "Forwarded: for=[2001:db8::1];proto=https\n", "192.0.2.1", "|"},
    {"a port without quotes breaks the grammar", FORWARDED, local, 0,
     "Forwarded: for=203.0.113.7:80\n", "192.0.2.1", "|"},
    {"IPv6 without brackets is none", FORWARDED, local, 0, "Forwarded: for=\"2001:db8::1\"\n",
     "192.0.2.1", "|Forwarded: for=\"2001:db8::1\";"},
    {"a parameter twice", FORWARDED, local, 0, "Forwarded: for=1.1.1.1;for=203.0.113.7\n",
     "192.0.2.1", "|"},
    {"a parameter twice, in another case", FORWARDED | PROTO, local, 0,
     "Forwarded: proto=http;Proto=https\n", "192.0.2.1", "|"},
    {"an empty value", FORWARDED, local, 0, "Forwarded: for=\n", "192.0.2.1", "|"},
    {"an empty quoted value", FORWARDED, local, 0, "Forwarded: for=\"\"\n", "192.0.2.1",
     "|Forwarded: for=\"\";"},
    {"no value", FORWARDED, local, 0, "Forwarded: for\n", "192.0.2.1", "|"},
    {"no name", FORWARDED, local, 0, "Forwarded: =203.0.113.7\n", "192.0.2.1", "|"},
    {"blanks around the equals sign", FORWARDED, local, 0, "Forwarded: for = 203.0.113.7\n",
     "192.0.2.1", "|"},
    {"two pairs without a semicolon", FORWARDED, local, 0,
     "Forwarded: proto=http for=203.0.113.7\n", "192.0.2.1", "|"},
    {"bytes behind a quoted string", FORWARDED, local, 0, "Forwarded: for=\"203.0.113.7\"x\n",
     "192.0.2.1", "|"},
    {"a quote that is not closed", FORWARDED, local, 0, "Forwarded: for=\"203.0.113.7\n",
     "192.0.2.1", "|"},
    {"a quote that is not opened", FORWARDED, local, 0, "Forwarded: for=203.0.113.7\"\n",
     "192.0.2.1", "|"},
    {"a closing quote that is escaped", FORWARDED, local, 0, "Forwarded: for=\"203.0.113.7\\\"\n",
     "192.0.2.1", "|"},
    {"what is broken ends the walk", FORWARDED, many, 0,
     "Forwarded: for=203.0.113.7, =, for=10.0.0.1\n", "10.0.0.1", "|Forwarded: for=10.0.0.1;"},
    {"Forwarded of a stranger", FORWARDED | PROTO | HOST, "10.0.0.0/8", 0,
     "Forwarded: for=203.0.113.7;proto=https;host=evil\n", "192.0.2.1", "|"},
};

/* ---- The bench -------------------------------------------------------------------------- */

/* Writes what the handler sees: "client scheme host:port prefix|forwarding fields". */
static int say_what_is_seen(void *self, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_slot *slot = self;
    const cmw_forwarded *forwarded = cmw_ctx_slot(ctx, *slot);
    char text[2048], client[CMW_ADDRESS_TEXT_CAP];
    size_t count, len;

    (void)cmw_address_format(cmw_request_client_address(request), client);
    len = (size_t)snprintf(text, sizeof text, "%s %s", client,
                           cmw_request_scheme(request) == CMW_SCHEME_HTTPS ? "https" : "");
    const cmw_str host = cmw_request_host(request);
    if (!cmw_str_equals(host, CMW_STR("origin.example")) || cmw_request_port(request) != 0)
        len += (size_t)snprintf(text + len, sizeof text - len, " %.*s", (int)host.len, host.data);
    if (cmw_request_port(request) != 0)
        len += (size_t)snprintf(text + len, sizeof text - len, ":%u", cmw_request_port(request));
    if (forwarded && forwarded->prefix.len > 0)
        len += (size_t)snprintf(text + len, sizeof text - len, " %.*s", (int)forwarded->prefix.len,
                                forwarded->prefix.data);
    len += (size_t)snprintf(text + len, sizeof text - len, "|");
    const cmw_header *fields = cmw_request_headers(request, &count);
    for (size_t i = 0; i < count; i++) {
        const char first = (char)(fields[i].name.data[0] | 0x20);
        if (fields[i].name.len < 9 || (first != 'x' && first != 'f'))
            continue;
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%.*s: %.*s;", (int)fields[i].name.len,
                             fields[i].name.data, (int)fields[i].value.len, fields[i].value.data);
    }
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, len));
}

static cmw_trusted_proxy_config config_of(int options)
{
    cmw_trusted_proxy_config config;

    cmw_trusted_proxy_config_init(&config);
    config.header = options & FORWARDED ? CMW_PROXY_HEADER_FORWARDED : 0;
    config.forwarded_proto = (options & PROTO) != 0;
    config.forwarded_host = (options & HOST) != 0;
    config.forwarded_port = (options & PORT) != 0;
    config.forwarded_prefix = (options & PREFIX) != 0;
    return config;
}

/* A bench for options, with a space between the networks of `trust`. */
static cmw_test *open_proxy(int options, const char *trust, int hops)
{
    static cmw_slot slot;
    const char *list[8];
    char texts[128];
    cmw_trusted_proxy_config config = config_of(options);

    snprintf(texts, sizeof texts, "%s", trust);
    for (char *text = strtok(texts, " "); text; text = strtok(NULL, " "))
        list[config.trust_count++] = text;
    config.trust = list;
    config.hops = hops;
    cmw_test *test = open_bench("trusted_proxy", &config);
    assert_int_equal(cmw_forwarded_slot(cmw_test_engine(test), &slot), 0);
    cmw_test_set_handler(test, say_what_is_seen, &slot);
    return test;
}

/* Fields from lines "Name: value\n", cut in place. */
static void add_fields(cmw_test *test, char *lines)
{
    for (char *line = lines; *line;) {
        char *end = strchr(line, '\n');
        char *value = strchr(line, ':');
        *end = *value = '\0';
        value++;
        while (*value == ' ')
            value++;
        cmw_test_header(test, line, value);
        line = end + 1;
    }
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_proxy(row->options, row->trust, row->hops);
    char lines[512], expected[512];

    snprintf(lines, sizeof lines, "%s", row->fields);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "origin.example");
    add_fields(test, lines);
    assert_int_equal(cmw_test_send(test), 200);
    snprintf(expected, sizeof expected, "%s %s", row->client, row->rest);
    assert_string_equal(cmw_test_response_body(test).data, expected);
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- The rest --------------------------------------------------------------------------- */

static int say_ok(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

/* Far more elements than any chain of proxies has, of each kind. */
static void floods_are_read_in_linear_time_without_allocation(void **state)
{
    static const char *const elements[] = {",",  "1.1.1.1,", "10.0.0.1,", "x", "for=10.0.0.1,",
                                           "\"", "\\\"",     "\\",        ";", "for=\"\\",
                                           "=",  "\t"};
    static char value[30001];
    (void)state;

    for (int options = 0; options <= FORWARDED; options++) {
        cmw_test *test = open_proxy(options | PROTO | HOST, many, 0);
        cmw_test_set_handler(test, say_ok, NULL);
        for (size_t i = 0; i < LEN(elements); i++) {
            const size_t len = strlen(elements[i]);
            size_t filled = 0;
            for (; filled + len < sizeof value; filled += len)
                memcpy(value + filled, elements[i], len);
            value[filled] = '\0';
            cmw_test_request(test, "GET", "/");
            cmw_test_header(test, "Host", "origin.example");
            cmw_test_header(test, options ? "Forwarded" : "X-Forwarded-For", value);
            assert_int_equal(cmw_test_send_quick(test), 200);
            assert_no_allocation(test);
        }
        close_bench(test);
    }
}

static void many_lines_are_one_list(void **state)
{
    cmw_test *test = open_proxy(PROTO, many, 0);
    (void)state;

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "origin.example");
    cmw_test_header(test, "X-Forwarded-For", "1.1.1.1, 203.0.113.7");
    for (int i = 0; i < 60; i++)
        cmw_test_header(test, "X-Forwarded-For", i % 2 ? "10.0.0.1" : ",,");
    assert_int_equal(cmw_test_send(test), 200);
    assert_memory_equal(cmw_test_response_body(test).data, "203.0.113.7 ", 12);
    assert_no_allocation(test);
    close_bench(test);
}

static int say_slot(void *self, cmw_ctx *ctx)
{
    const cmw_slot *slot = self;
    const cmw_forwarded *forwarded = cmw_ctx_slot(ctx, *slot);
    char text[128] = "unset";

    if (forwarded)
        snprintf(text, sizeof text, "%.*s %u", (int)forwarded->client.len, forwarded->client.data,
                 forwarded->hops);
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_cstr(text));
}

static void the_slot_has_the_spelling_of_the_proxy(void **state)
{
    cmw_test *test = open_proxy(0, many, 0);
    cmw_slot slot;
    (void)state;

    assert_int_equal(cmw_forwarded_slot(cmw_test_engine(test), &slot), 0);
    cmw_test_set_handler(test, say_slot, &slot);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Forwarded-For", "[2001:DB8::1]:80, 10.0.0.1");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data, "2001:DB8::1 2");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Forwarded-For", "::ffff:203.0.113.7");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data, "::ffff:203.0.113.7 1");
    cmw_test_request(test, "GET", "/");
    cmw_test_peer(test, "203.0.113.9");
    cmw_test_header(test, "X-Forwarded-For", "203.0.113.7");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data, "unset");
    close_bench(test);
}

static void a_local_socket_can_be_trusted(void **state)
{
    cmw_test *test = open_proxy(0, "unix", 0);
    (void)state;

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "origin.example");
    cmw_test_header(test, "X-Forwarded-For", "1.1.1.1, 203.0.113.7");
    cmw_test_view(test)->peer.family = CMW_ADDRESS_UNIX;
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data,
                        "203.0.113.7 |X-Forwarded-For: 203.0.113.7;");
    cmw_test_view(test)->peer.family = CMW_ADDRESS_NONE;
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data, " |");
    close_bench(test);
}

/* The same fields, where the server gives ids. */
static void ids_of_fields_follow(void **state)
{
    static const cmw_header fields[] = {
        {CMW_STR_INIT("Host"), CMW_STR_INIT("origin.example")},
        {CMW_STR_INIT("X-Real-IP"), CMW_STR_INIT("1.1.1.1")},
        {CMW_STR_INIT("X-Forwarded-For"), CMW_STR_INIT("1.1.1.1, 203.0.113.7")},
    };
    static const uint8_t ids[16] = {CMW_HDR_HOST, CMW_HDR_X_REAL_IP, CMW_HDR_X_FORWARDED_FOR};
    cmw_test *test = open_proxy(0, local, 0);
    (void)state;

    cmw_test_request(test, "GET", "/");
    cmw_test_view(test)->headers = fields;
    cmw_test_view(test)->header_ids = ids;
    cmw_test_view(test)->header_count = LEN(fields);
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data,
                        "203.0.113.7 |X-Forwarded-For: 203.0.113.7;");
    close_bench(test);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const trust[] = {"10.0.0.0/8", "10.0.0.0/33"};
    cmw_trusted_proxy_config config;
    (void)state;

    cmw_trusted_proxy_config_init(&config);
    config.trust = trust;
    config.trust_count = 2;
    assert_refused("trusted_proxy", &config, CMW_ERR_INVALID,
                   "trusted_proxy: trust: '10.0.0.0/33' is not an address or a network");
    config.trust_count = 1;
    config.hops = 1;
    assert_refused("trusted_proxy", &config, CMW_ERR_CONFLICT,
                   "trusted_proxy: hops: 1, but trust names the proxies too: give one");
    config.trust_count = 0;
    config.hops = -1;
    assert_refused("trusted_proxy", &config, CMW_ERR_ARG,
                   "trusted_proxy: hops: -1 is not 0 to 1000");
    config.hops = 0;
    config.header = 2;
    assert_refused("trusted_proxy", &config, CMW_ERR_ARG,
                   "trusted_proxy: header: 2 is no such field");
    config.header = 0;
    config.trust = NULL;
    config.trust_count = 1;
    assert_refused("trusted_proxy", &config, CMW_ERR_ARG,
                   "trusted_proxy: trust: an arena and a list of networks are needed");
    config.size = sizeof config + 8;
    assert_int_equal(cmw_trusted_proxy_create(NULL, NULL, &config, NULL), CMW_ERR_ARG);
}

static int read_address(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

/* A reader of the client's address that runs too early would see the proxy's. */
static void readers_of_the_address_must_come_later(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware reader;
    cmw_diag diag;
    (void)state;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "trusted_proxy", NULL, NULL), 0);
    cmw_middleware_init(&reader);
    reader.name = "reader";
    reader.priority = 40;
    reader.pre_route = read_address;
    cmw_middleware_uses(&reader, CMW_FACT_CLIENT_ADDRESS);
    assert_int_equal(cmw_chain_add(chain, &reader, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "trusted_proxy"));
    assert_non_null(strstr(diag.message, "reader"));
    assert_int_equal(cmw_chain_set_priority(chain, "reader", 60), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void two_of_them_stand_in_one_chain(void **state)
{
    const cmw_trusted_proxy_config config = config_of(FORWARDED);
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware second;
    cmw_diag diag = {0};
    (void)state;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "trusted_proxy", NULL, NULL), 0);
    cmw_middleware_init(&second);
    second.name = "second";
    assert_int_equal(cmw_trusted_proxy_create(cmw_test_engine(test), &second, &config, NULL), 0);
    assert_int_equal(cmw_chain_add(chain, &second, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void failing_memory_is_survived(void **state)
{
    static const char *const trust[] = {"10.0.0.0/8", "11.0.0.0/8", "fd00::/8"};
    cmw_trusted_proxy_config config;
    (void)state;

    cmw_trusted_proxy_config_init(&config);
    config.trust = trust;
    config.trust_count = LEN(trust);
    assert_survives_failing_memory("trusted_proxy", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(floods_are_read_in_linear_time_without_allocation),
        cmocka_unit_test(many_lines_are_one_list),
        cmocka_unit_test(the_slot_has_the_spelling_of_the_proxy),
        cmocka_unit_test(a_local_socket_can_be_trusted),
        cmocka_unit_test(ids_of_fields_follow),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(readers_of_the_address_must_come_later),
        cmocka_unit_test(two_of_them_stand_in_one_chain),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("trusted_proxy", tests, NULL, NULL) |
           cmocka_run_group_tests_name("trusted_proxy: the rest", others, NULL, NULL);
}
