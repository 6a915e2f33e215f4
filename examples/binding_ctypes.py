#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Middleware written in Python, in the chain of the C library.

    python3 binding_ctypes.py build/lib/libcatzilla-mw.so

Shown: loading the core with nothing preloaded, a decorated function as a middleware with a
priority, a request through the chain, the statistics as JSON. Exits with 0 if all of it is as it
should be. A real binding would generate the structs below from the headers.
"""
import ctypes as c
import json
import sys

CONTINUE, STOP, SKIP_ROUTE, SUSPEND, ERROR = range(5)
TO_HANDLER, TO_RESPOND, TO_SUSPENDED, TO_ABORT = range(4)
END_SENT = 0
FORMAT_JSON = 1
GUARDS_ACCESS = 2

PhaseFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p)
WriteFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(c.c_char), c.c_size_t)


class Str(c.Structure):
    _fields_ = [("data", c.c_char_p), ("len", c.c_size_t)]

    @classmethod
    def of(cls, text):
        data = text.encode()
        return cls(data, len(data))

    def __str__(self):
        return c.string_at(self.data, self.len).decode("utf-8", "replace") if self.len else ""


class Header(c.Structure):
    _fields_ = [("name", Str), ("value", Str)]


class Diag(c.Structure):
    _fields_ = [("code", c.c_int), ("full_len", c.c_size_t), ("message", c.c_char * 1024)]


class Relation(c.Structure):
    _fields_ = [("slot", c.c_uint32), ("relation", c.c_uint32)]


class Middleware(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("name", c.c_char_p), ("kind", c.c_char_p),
        ("priority", c.c_int32), ("post_priority", c.c_int32), ("flags", c.c_uint32),
        ("failure", c.c_int32), ("failure_status", c.c_int32),
        ("self", c.c_void_p), ("destroy", c.c_void_p), ("prepare", c.c_void_p),
        ("pre_route", PhaseFn), ("request_body", c.c_void_p), ("post_route", PhaseFn),
        ("response_body", c.c_void_p), ("error", PhaseFn), ("complete", c.c_void_p),
        ("resumed", c.c_void_p), ("dropped", c.c_void_p),
        ("suspend_phases", c.c_uint32), ("body_demand", c.c_int32),
        ("body_demand_bytes", c.c_size_t), ("fields", c.POINTER(Header)),
        ("field_count", c.c_size_t), ("condition", c.c_void_p),
        ("before", c.c_void_p), ("before_count", c.c_size_t),
        ("after", c.c_void_p), ("after_count", c.c_size_t),
        ("relation_count", c.c_uint32), ("relations", Relation * 16),
    ]


class Address(c.Structure):
    _fields_ = [("bytes", c.c_uint8 * 16), ("port", c.c_uint16), ("family", c.c_uint8),
                ("reserved", c.c_uint8)]


class RequestView(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("method", Str), ("target", Str), ("authority", Str),
        ("headers", c.POINTER(Header)), ("header_ids", c.c_void_p),
        ("header_count", c.c_uint32), ("header_bytes", c.c_uint32),
        ("http_version", c.c_uint16), ("scheme", c.c_uint8),
        ("reserved", c.c_uint8), ("peer", Address), ("content_length", c.c_uint64),
        ("now_ns", c.c_uint64), ("host_data", c.c_void_p),
    ]


# name: (result, arguments); CHECKED: an error code, raised as an exception
CHECKED = object()
P, Out = c.c_void_p, c.POINTER(c.c_void_p)
FUNCTIONS = {
    "cmw_error_text": (c.c_char_p, [c.c_int]),
    "cmw_engine_create": (CHECKED, [Out, P]),
    "cmw_engine_destroy": (CHECKED, [P]),
    "cmw_engine_install": (CHECKED, [P, P, c.POINTER(Diag)]),
    "cmw_engine_take_worker": (CHECKED, [P, Out, P, P]),
    "cmw_engine_put_worker": (None, [P, P]),
    "cmw_chain_create": (CHECKED, [P, Out, c.c_uint]),
    "cmw_chain_destroy": (None, [P]),
    "cmw_chain_add": (CHECKED, [P, c.POINTER(Middleware), c.POINTER(Diag)]),
    "cmw_chain_compile": (CHECKED, [P, Out, c.POINTER(Diag)]),
    "cmw_plan_release": (None, [P]),
    "cmw_middleware_init_sized": (None, [c.POINTER(Middleware), c.c_size_t]),
    "cmw_ctx_begin": (CHECKED, [P, Out, c.POINTER(RequestView)]),
    "cmw_ctx_run": (c.c_int, [P]),
    "cmw_ctx_commit": (c.c_int, [P]),
    "cmw_ctx_end": (None, [P, c.c_int]),
    "cmw_ctx_request": (P, [P]),
    "cmw_ctx_response": (P, [P]),
    "cmw_respond_problem": (c.c_int, [P, c.c_int, c.c_char_p]),
    "cmw_request_path": (Str, [P]),
    "cmw_request_header_named": (c.POINTER(Header), [P, Str]),
    "cmw_response_status": (c.c_int, [P]),
    "cmw_response_text": (CHECKED, [P, c.c_int, Str]),
    "cmw_response_set_named": (CHECKED, [P, Str, Str]),
    "cmw_response_get_named": (Str, [P, Str]),
    "cmw_response_body": (Str, [P]),
    "cmw_stats_snapshot": (CHECKED, [P, Out]),
    "cmw_stats_write": (CHECKED, [P, c.c_int, WriteFn, P]),
    "cmw_stats_destroy": (None, [P]),
}


class Library:
    """The functions above, as attributes: `lib.ctx_run` is cmw_ctx_run."""

    def __init__(self, path):
        self._dll = c.CDLL(path)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self._dll, name)
            function.argtypes = arguments
            function.restype = c.c_int if result is CHECKED else result
            if result is CHECKED:
                function.errcheck = self._check
            setattr(self, name.removeprefix("cmw_"), function)

    def _check(self, code, function, arguments):
        if code == 0:
            return 0
        sentence = next((a._obj.message for a in arguments
                         if isinstance(getattr(a, "_obj", None), Diag) and a._obj.code), None)
        raise RuntimeError(f"{function.__name__}: "
                           f"{(sentence or self.error_text(code)).decode()}")

    def make(self, create, *arguments):
        """Call a function that gives an object through its out parameter."""
        out = c.c_void_p()
        create(*[c.byref(out) if a is Out else a for a in arguments])
        return out


class Request:
    """A context, as a callback sees it."""

    def __init__(self, lib, ctx):
        self._lib, self._ctx = lib, ctx

    @property
    def path(self):
        return str(self._lib.request_path(self._lib.ctx_request(self._ctx)))

    def header(self, name):
        found = self._lib.request_header_named(self._lib.ctx_request(self._ctx), Str.of(name))
        return str(found.contents.value) if found else None

    def set_field(self, name, value):
        self._lib.response_set_named(self._lib.ctx_response(self._ctx), Str.of(name),
                                     Str.of(value))

    def refuse(self, status, detail):
        return self._lib.respond_problem(self._ctx, status, detail.encode())


class Application:
    """An engine with one chain and one worker."""

    def __init__(self, lib):
        self.lib = lib
        self.engine = lib.make(lib.engine_create, Out, None)
        self.chain = lib.make(lib.chain_create, self.engine, Out, 0)
        self.worker = None
        self._kept = []  # callbacks that C holds: Python must not collect them

    def middleware(self, priority, phase="pre_route", flags=0):
        """Decorate a function of a Request; None counts as CONTINUE."""
        def decorate(function):
            @PhaseFn
            def call(_self, ctx):
                # ctypes would print an exception and return 0, which is CONTINUE: an open door.
                try:
                    return function(Request(self.lib, ctx)) or CONTINUE
                except Exception as error:
                    print(f"{function.__name__}: {error!r}", file=sys.stderr)
                    return ERROR

            descriptor = Middleware()
            self.lib.middleware_init_sized(c.byref(descriptor), c.sizeof(descriptor))
            descriptor.name = function.__name__.encode()
            descriptor.kind = b"python"
            descriptor.priority = priority
            descriptor.flags = flags
            setattr(descriptor, phase, call)
            self.lib.chain_add(self.chain, c.byref(descriptor), c.byref(Diag()))
            self._kept.append(call)
            return function
        return decorate

    def install(self):
        lib = self.lib
        plan = lib.make(lib.chain_compile, self.chain, Out, c.byref(Diag()))
        lib.engine_install(self.engine, plan, c.byref(Diag()))
        lib.plan_release(plan)
        self.worker = lib.make(lib.engine_take_worker, self.engine, Out, None, None)

    def send(self, method, target, headers, handler):
        """One request through the chain: (status, X-Python field, body)."""
        lib = self.lib
        array = (Header * len(headers))(*[(Str.of(n), Str.of(v)) for n, v in headers])
        view = RequestView(size=c.sizeof(RequestView), method=Str.of(method),
                           target=Str.of(target), headers=array, header_count=len(headers),
                           http_version=0x0101)
        ctx = lib.make(lib.ctx_begin, self.worker, Out, c.byref(view))
        if lib.ctx_run(ctx) == TO_HANDLER:
            lib.response_text(lib.ctx_response(ctx), 200, Str.of(handler(Request(lib, ctx))))
            lib.ctx_commit(ctx)
        response = lib.ctx_response(ctx)
        answer = (lib.response_status(response),
                  str(lib.response_get_named(response, Str.of("X-Python"))),
                  str(lib.response_body(response)))
        lib.ctx_end(ctx, END_SENT)
        return answer

    def statistics(self):
        pieces = []

        @WriteFn
        def write(_self, text, length):
            pieces.append(c.string_at(text, length))
            return 0

        snapshot = self.lib.make(self.lib.stats_snapshot, self.engine, Out)
        self.lib.stats_write(snapshot, FORMAT_JSON, write, None)
        self.lib.stats_destroy(snapshot)
        return json.loads(b"".join(pieces))

    def close(self):
        if self.worker:
            self.lib.engine_put_worker(self.engine, self.worker)
        self.lib.chain_destroy(self.chain)
        self.lib.engine_destroy(self.engine)


def build(app):
    @app.middleware(priority=100, flags=GUARDS_ACCESS)
    def require_key(request):
        if request.header("X-API-Key") != "open-sesame":
            return request.refuse(401, "an X-API-Key is needed")

    @app.middleware(priority=200)
    def break_sometimes(request):
        if request.path == "/broken":
            raise ValueError("on purpose")

    @app.middleware(priority=300, phase="post_route")
    def sign(request):
        request.set_field("X-Python", sys.version.split()[0])

    app.install()


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} where {wanted!r} was expected")
    print(f"{what}: {found}")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    app = Application(Library(sys.argv[1]))
    build(app)

    key = ("X-API-Key", "open-sesame")
    signature = sys.version.split()[0]
    answers = {
        "without a key": app.send("GET", "/", [], lambda r: "unreachable"),
        "with a key": app.send("GET", "/a/../b", [key], lambda r: f"at {r.path}"),
        "an exception": app.send("GET", "/broken", [key], lambda r: "unreachable"),
    }
    expect("without a key", answers["without a key"][0], 401)
    expect("with a key", answers["with a key"][0], 200)
    expect("body", answers["with a key"][2], "at /b")
    expect("an exception", answers["an exception"][0], 500)
    for name, answer in answers.items():
        expect(f"signature {name}", answer[1], signature)

    print(json.dumps(app.statistics(), indent=2)[:400])
    app.close()
    print("ok")


if __name__ == "__main__":
    main()
