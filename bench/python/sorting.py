"""list and dict: sorting by key, grouping, set operations. Grows and frees tens of MiB."""

from random import Random

from rounds import measure


def run():
    random = Random(1)
    rows = [(random.randrange(1000), random.random(), str(i)) for i in range(60000)]
    rows.sort(key=lambda row: row[1])
    rows.sort(key=lambda row: row[0])
    groups = {}
    for key, value, name in rows:
        groups.setdefault(key, []).append((value, name))
    assert all(group == sorted(group) for group in groups.values())
    assert len({row[0] for row in rows} & set(range(500))) == 500


measure("sorting", run)
