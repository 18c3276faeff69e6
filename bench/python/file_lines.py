"""Files: many small ones made, listed, read line by line and removed."""

import os
import tempfile

from rounds import measure


def run():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for i in range(150):
            with open(os.path.join(folder, f"{i}.txt"), "w") as f:
                for line in range(200):
                    f.write(f"{i} {line} some words in a line\n")
        total = 0
        for entry in os.scandir(folder):
            total += entry.stat().st_size > 0
            with open(entry.path) as f:
                total += sum(1 for _ in f)
        assert total == 150 * 201


measure("file_lines", run)
