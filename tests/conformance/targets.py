"""Keys and how each stands in a request target (RFC 3986 section 2.3: unreserved characters only, and the slash)."""

from __future__ import annotations

TARGETS = {
    "plain": b"plain",
    "a b": b"a%20b",
    "a+b": b"a%2Bb",
    "a//b": b"a//b",
    "//": b"//",
    "/a": b"/a",
    "dir/": b"dir/",
    "../x": b"../x",
    "a/../b": b"a/../b",
    "a/./b": b"a/./b",
    "..": b"..",
    ".": b".",
    "a%2Fb": b"a%252Fb",
    "100%": b"100%25",
    "\U0001f600": b"%F0%9F%98%80",
    "\u00fc": b"%C3%BC",
    "u\u0308": b"u%CC%88",
    "a?b=c&d#e": b"a%3Fb%3Dc%26d%23e",
    "-._~": b"-._~",
    "!$&'()*,;:=@[]": b"%21%24%26%27%28%29%2A%2C%3B%3A%3D%40%5B%5D",
    "\x00\x01\x7f": b"%00%01%7F",
    "a\nb\r\n\t": b"a%0Ab%0D%0A%09",
    b"\xff\xfe".decode("utf-8", "surrogateescape"): b"%FF%FE",
    "x" * 1024: b"x" * 1024,
}
