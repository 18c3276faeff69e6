"""Integers and slices: the most prefix reversals that any order of N pancakes needs."""

from itertools import permutations

from rounds import measure

N = 8


def reversals(order):
    pile = list(order)
    count = 0
    while (top := pile[0]) != 0:
        pile[: top + 1] = pile[top::-1]
        count += 1
    return count


def run():
    assert max(map(reversals, permutations(range(N)))) == 22


measure("fannkuch", run)
