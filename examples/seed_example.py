"""The main job in one file: IzhikevichLTC for 500 ms, with a step of 22 plus Wiener noise from 100 to 400 ms.

Prints the derivation, the kernel that was built, its rate, and the spike counts; writes traces, raster and plane.

    python examples/seed_example.py [--out FOLDER] [--backend c|numpy]
"""

import argparse
import time
from pathlib import Path

import matplotlib

import izhigen as iz
from izhigen.errors import BackendError

matplotlib.use("Agg")


def build(model: iz.Model, backend: str) -> iz.Population:
    """Ten neurons; on NumPy, saying so, where there is no compiler."""
    try:
        return model.population(10, dt=0.1, backend=backend, seed=1)
    except BackendError as problem:
        print(f"{problem}\ngoing on with backend='numpy'")
        return model.population(10, dt=0.1, backend="numpy", seed=1)


def measure(pop: iz.Population) -> str:
    """Neuron-steps per second of 100,000 neurons with a constant current each (10 on NumPy)."""
    count, steps = (100_000, 2000) if pop.backend == "c" else (10, 200)
    many = pop.model.population(count, dt=0.1, backend=pop.backend)
    many.run(steps=100, I=10.0)
    started = time.perf_counter()
    recording = many.run(steps=steps, I=10.0)
    seconds = time.perf_counter() - started
    return (
        f"{count * steps / seconds / 1e6:,.0f} million neuron-steps/s ({count:,} neurons, {steps} steps, one core, "
        f"{len(recording.spike_times):,} spikes recorded)"
    )


def main() -> None:
    """Derive, build, run, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--backend", choices=["c", "numpy"], default="c")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    model = iz.load("IzhikevichLTC")
    print(model, end="\n\n")
    print(model.derive().report(), end="\n\n")

    pop = build(model, options.backend)
    current = iz.inputs.section([0.0, 22.0, 0.0], [100.0, 300.0, 100.0]) + 10.0 * iz.inputs.wiener(
        500.0, n=10, t_start=100.0, t_end=400.0, seed=1
    )
    recording = pop.run(500.0, I=current, record=["V", "u", "spike"])

    print(f"kernel: {pop.build_info}")
    print(f"rate:   {measure(pop)}")
    print(f"spikes: {recording.counts.sum()} of 10 neurons in 500 ms; counts {' '.join(map(str, recording.counts))}")
    picture, plane = options.out / "seed_example.png", options.out / "state_plane.png"
    iz.plot.save(recording.plot(neurons=[0, 1, 2]), picture)
    axes = iz.plot.state_plane(
        model, recording=recording, values={"I": 22.0}, limits={"V": (-90.0, 35.0), "u": (-20.0, 15.0)}
    )
    iz.plot.save(axes.figure, plane)
    print(
        f"done: wrote {picture} and {plane}; try next: izhigen run RS --input 10 --plot rs.png, or "
        f"examples/own_model.py"
    )


if __name__ == "__main__":
    main()
