"""json: writing and reading a tree of small objects."""

import json

from rounds import measure

DATA = [
    {"id": i, "name": f"item {i}", "tags": ["a", "b", str(i % 7)], "price": i / 3, "parts": {"x": i, "y": None}}
    for i in range(4000)
]


def run():
    for _ in range(3):
        assert len(json.loads(json.dumps(DATA))) == 4000


measure("json", run)
