"""Tests of what the adapter does with the lines that it reads. What it does with a node, targettest asks."""

import io
import json
import unittest

import trio

import main


async def method(*, key: bytes, n: int = 0, names: list = (), on: bool = False):
    pass


class Arguments(unittest.TestCase):
    def test_read(self):
        self.assertEqual(main.arguments(method, {"key": "_-8", "n": 3, "on": True}), {"key": b"\xff\xef", "n": 3, "on": True})
        for params, refused in (
            (None, "key"), ([], "params"), ({"key": "AA", "colour": 1}, "colour"), ({"key": "AA=="}, "key"), ({"key": 5}, "key"),
            ({"key": "a+b/"}, "key"), ({"key": "AA", "n": -1}, "n"), ({"key": "AA", "n": True}, "n"), ({"key": "AA", "n": "1"}, "n"),
            ({"key": "AA", "names": ["x", 1]}, "names"), ({"key": "AA", "on": 1}, "on"),
            ({"key": "AA", "expiry": {"record": 1}}, "expiry.record"),
        ):
            with self.assertRaises(main.Failure, msg=params) as caught:
                main.arguments(method, params)
            self.assertEqual(caught.exception.answer["code"], -32602)
            self.assertEqual(caught.exception.answer["data"], {"param": refused})


class Lines(unittest.TestCase):
    def answers(self, *lines):
        out = io.BytesIO()
        trio.run(main.Server(out).serve, io.BytesIO(b"".join(line + b"\n" for line in lines)))
        return {json.dumps(a["id"]): a for a in map(json.loads, out.getvalue().splitlines())}

    def test_lines(self):
        got = self.answers(
            b"not JSON", b"", b'{"jsonrpc":"2.0","id":"a","method":"hello","params":{"version":2}}',
            b'{"jsonrpc":"2.0","id":7,"method":"fly"}', b'{"jsonrpc":"2.0","id":8,"method":"__init__"}', b'{"jsonrpc":"1.0","id":9,"method":"hello"}',
            b'{"jsonrpc":"2.0","id":10,"method":"cancel","params":{"id":99}}', b'{"jsonrpc":"2.0","id":11,"method":"cancel","params":{"it":99}}',
        )
        codes = {number: a.get("error", {}).get("code") for number, a in got.items()}
        self.assertEqual(codes, {"null": -32700, '"a"': -32602, "7": -32601, "8": -32601, "9": -32600, "10": None, "11": -32602})

    def test_deep(self):
        self.assertEqual(self.answers(b"[" * 100_000)["null"]["error"]["code"], -32700)


if __name__ == "__main__":
    unittest.main()
