"""pickle: objects that share parts."""

import pickle

from rounds import measure


class Node:
    def __init__(self, name, children):
        self.name = name
        self.children = children


LEAVES = [Node(f"leaf {i}", []) for i in range(500)]
TREE = Node("root", [Node(f"node {i}", [LEAVES[(i * k) % 500] for k in range(8)]) for i in range(6000)])


def run():
    for _ in range(3):
        copy = pickle.loads(pickle.dumps(TREE))
    assert copy.children[1].children[3] is copy.children[3].children[1]


measure("pickle", run)
