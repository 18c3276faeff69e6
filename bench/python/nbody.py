"""Floating point: five bodies that attract each other."""

from rounds import measure

START = [
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.5),
    (4.8, -1.2, -0.1, 0.6, 2.8, 0.0, 0.04),
    (8.3, 4.1, -0.4, -1.0, 1.8, 0.0, 0.01),
    (12.9, -15.1, -0.2, 1.1, 0.9, 0.0, 0.002),
    (15.4, -25.9, 0.2, 1.0, 0.6, 0.0, 0.002),
]


def step(bodies, dt):
    for i, a in enumerate(bodies):
        for b in bodies[i + 1 :]:
            d = [a[k] - b[k] for k in range(3)]
            pull = dt / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) ** 1.5
            for k in range(3):
                a[3 + k] -= d[k] * b[6] * pull
                b[3 + k] += d[k] * a[6] * pull
    for a in bodies:
        for k in range(3):
            a[k] += dt * a[3 + k]


def run():
    bodies = [list(b) for b in START]
    for _ in range(2500):
        step(bodies, 0.01)


measure("nbody", run)
