"""str: building, joining, formatting, encoding."""

from rounds import measure


def run():
    words = []
    for i in range(60000):
        words.append(f"{i:06d}".replace("0", "o").upper())
    text = " ".join(words)
    counts = {}
    for word in text.split():
        counts[word[-2:]] = counts.get(word[-2:], 0) + 1
    assert len(text.encode().decode()) == len(text) and len(counts) == 100


measure("strings", run)
