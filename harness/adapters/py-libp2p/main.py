"""The adapter of py-libp2p: the implementation as a program that speaks the control protocol (docs/control-protocol.md).

This file is the protocol, and would be the same for any Python implementation; node.py is what is particular to this one.
"""

import base64
import inspect
import json
import os
import re
import sys

import trio

from node import Node

LINE_LIMIT = 16 << 20  # a value of 4 MiB in base64, and room
BASE64URL = re.compile("[A-Za-z0-9_-]*")
GRACE = 8  # seconds from the end of stdin to ours; after 10 the harness kills


class Failure(Exception):
    """An error as it is answered: {code, message, data}."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.answer = {"code": code, "message": message}
        if data is not None:
            self.answer["data"] = data


def bad_param(param, why):
    """The answer to a parameter that we cannot honour."""
    return Failure(-32602, f"{param}: {why}", {"param": param})


def failed(kind, certain, why):
    """The answer of an operation; certain is false when it may have taken effect."""
    return Failure(-32000, str(why), {"kind": kind, "certain": certain})


def decoded(text):
    """Bytes from unpadded base64url."""
    if not isinstance(text, str) or not BASE64URL.fullmatch(text):
        raise ValueError("expected unpadded base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(value):
    """What json.dumps does not know: bytes as unpadded base64url."""
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    raise TypeError(f"{type(value)} in an answer")


def whole(value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r:.60}: expected a whole number from 0 on")
    return value


def exactly(kind, name):
    def read(value):
        if not isinstance(value, kind):
            raise ValueError(f"{value!r:.60}: expected {name}")
        return value

    return read


def texts(value):
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{value!r:.60}: expected an array of strings")
    return value


# How a parameter is read, by its annotation; any other annotation is a function of the text that raises ValueError.
READERS = {bytes: decoded, int: whole, str: exactly(str, "a string"), bool: exactly(bool, "true or false"), list: texts}


def arguments(method, params):
    """The arguments of a method from the parameters of a request: its signature says what there is, of which type, and
    what may be left out. One that it does not have is refused by name, never ignored."""
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise bad_param("params", "expected an object")
    known = inspect.signature(method).parameters
    read = {}
    for name, value in params.items():
        if name not in known:
            if name == "expiry" and isinstance(value, dict):  # its periods have names of their own
                name = ".".join(["expiry", *list(value)[:1]])
            raise bad_param(name, "not honoured")
        kind = known[name].annotation
        try:
            read[name] = READERS.get(kind, kind)(value)
        except ValueError as err:
            raise bad_param(name, err) from err
    for name, p in known.items():
        if p.default is p.empty and name not in read:
            raise bad_param(name, "missing")
    return read


class Server:
    """Reads requests, runs each as a task of its own, and writes each answer when it is there."""

    def __init__(self, out):
        self.out = out
        self.running = {}  # cancel scopes by the request's id, as JSON
        self.node = None

    async def serve(self, stdin):
        async with trio.open_nursery() as nursery:
            self.node = Node(nursery, bad_param, failed)
            while line := await trio.to_thread.run_sync(stdin.readline, LINE_LIMIT + 1, abandon_on_cancel=True):
                if len(line) > LINE_LIMIT:
                    raise ValueError(f"stdin: a line of over {LINE_LIMIT} bytes")
                if line.strip():
                    self.take(nursery, line)
            nursery.cancel_scope.deadline = trio.current_time() + GRACE
            self.cancel_all()
            await self.node.stop()
            nursery.cancel_scope.cancel()

    def take(self, nursery, line):
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as err:
            self.answer(None, Failure(-32700, f"not JSON: {err}"))
            return
        asked = request if isinstance(request, dict) else {}
        number = asked.get("id")
        if isinstance(number, bool) or not isinstance(number, (int, float, str)):
            number = None
        if asked.get("jsonrpc") != "2.0" or not isinstance(asked.get("method"), str) or number is None:
            self.answer(number, Failure(-32600, 'expected {"jsonrpc":"2.0","id":…,"method":"…","params":{…}}'))
            return
        if asked["method"] == "cancel":  # before the next line is read, so that it cannot be overtaken
            self.answer(number, self.cancel(asked.get("params")))
            return
        scope = trio.CancelScope()
        self.running[json.dumps(number)] = scope
        nursery.start_soon(self.run, number, scope, asked)

    def cancel(self, params):
        if not isinstance(params, dict) or set(params) != {"id"}:
            return bad_param("id", "expected the id of a request, and nothing else")
        scope = self.running.get(json.dumps(params["id"]))
        if scope is not None:
            scope.cancel()
        return {}

    def cancel_all(self, but=None):
        for scope in list(self.running.values()):
            if scope is not but:
                scope.cancel()

    async def run(self, number, scope, asked):
        answer = failed("cancelled", False, "cancelled")
        with scope:
            try:
                answer = await self.do(asked["method"], asked.get("params"), scope)
            except Failure as err:
                answer = err
            except Exception as err:  # whatever the library raises is the operation's end, not ours
                answer = failed("other", False, f"{type(err).__name__}: {err}")
        self.running.pop(json.dumps(number), None)
        self.answer(number, answer)

    async def do(self, name, params, scope):
        method = getattr(self.node, name, None) if name in Node.METHODS else None
        if method is None:
            raise Failure(-32601, f"unknown method {name:.60}")
        read = arguments(method, params)
        if name == "stop":
            self.cancel_all(but=scope)
        return await method(**read)

    def answer(self, number, answer):
        reply = {"jsonrpc": "2.0", "id": number}
        if isinstance(answer, Failure):
            reply["error"] = answer.answer
        else:
            reply["result"] = answer
        self.out.write(json.dumps(reply, default=encoded).encode() + b"\n")


def main():
    # Whatever a library prints, the answers stay clean: they have a descriptor of their own, and 1 becomes stderr.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    trio.run(Server(out).serve, sys.stdin.buffer)


if __name__ == "__main__":
    main()
