"""Neuron-steps a second with Poisson input, against the same kernel without, and against drawing the counts with NumPy on the host.

python benchmarks/poisson.py [neurons] [steps]
"""

import sys
import time

import numpy as np

import izhigen as iz

NEURONS, STEPS = (int(x) for x in (*sys.argv[1:], *("10000", "400")[len(sys.argv) - 1 :]))
MODEL = iz.load("Izhikevich")


def rate(value: object) -> float:
    """Millions of neuron-steps a second, the best of five."""
    pop = MODEL.population(NEURONS, dt=0.1)
    pop.run(steps=10, I=value)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        pop.run(steps=STEPS, I=value, record=["count"])
        best = min(best, time.perf_counter() - start)
    return NEURONS * STEPS / best / 1e6


plain = rate(5.0)
print(f"no input that is drawn: {plain:.0f} M/s")
print("mean   number     array      text       NumPy draws alone (M/s, and the part of the rate without)")
for mean in (0.01, 0.1, 1.0, 10.0, 100.0):
    hertz = mean * 1e4
    kinds = (hertz, np.full(NEURONS, hertz), f"{hertz} + 0*t")
    found = [rate(iz.inputs.poisson(kind)) for kind in kinds]
    start = time.perf_counter()
    np.random.default_rng(0).poisson(mean, 10**6)
    host = 1 / (time.perf_counter() - start)
    print(f"{mean:<6g} " + " ".join(f"{x:4.0f} ({x / plain:.2f})" for x in found) + f"  {host:4.0f}")
