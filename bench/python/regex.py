"""re: searching, splitting and replacing in a log of 8000 lines."""

import re

from rounds import measure

LOG = "\n".join(
    f"10.0.{i % 256}.{i * 7 % 256} - user{i % 31} [{i}] \"GET /path/{i * 13 % 997}?q={i} HTTP/1.1\" {200 + i % 5} {i * 3}"
    for i in range(8000)
)
LINE = re.compile(r"^(\d+\.\d+\.\d+\.\d+) - (\w+) \[(\d+)\] \"(\w+) ([^ \"?]+)(?:\?(\S*))? [^\"]*\" (\d{3}) (\d+)$", re.M)


def run():
    assert sum(1 for _ in LINE.finditer(LOG)) == 8000
    re.sub(r"user(\d+)", lambda m: "u" + m.group(1)[::-1], LOG)
    re.split(r"[\s\"?=]+", LOG)


measure("regex", run)
