"""izhigen beside BrainPy, Brian2 and a scalar C loop: the same neurons, parameters, currents and step, measured in turn in one run.

    python benchmarks/peers.py [--save] [--large] [--only sizes,noise,recording,parameters,startup,memory]

Before anything is timed, spikes of all candidates over the same run are compared and printed: those of the same method must agree within 1 per
cent (they round in different places, which moves a spike by a step now and then, and so over the end of the run), those of another method or
with noise within 5. Absolute rates drift with what else the machine does; compare ratios of one run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from common import DT, NOISE, Izhigen, currents, izhikevich, options, row, save, show
from contestants import BRIAN2_FLAGS, BrainPy, Brian2, OneStep, Scalar
from startup import memory, startup

from izhigen.backends.toolchain import FLAGS
from izhigen.bench.limits import Limits, PeakCandidate
from izhigen.bench.model import StepByStep
from izhigen.bench.native import PLAIN_FLAGS
from izhigen.bench.timing import cores, in_turn, machine
from izhigen.errors import IzhigenError
from izhigen.memory.space import free_bytes

SECTIONS = ("sizes", "noise", "recording", "parameters", "startup", "memory")
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LARGE = 100_000_000
FLOOR = 20
"""Vector instructions that a step of Izhikevich's neuron needs at least (7 of them the polynomial of phi1), each at best a multiply-add."""
CHECKED = (1_000, 2_000)
"""Neurons and steps of the comparison of spikes."""
SAME_METHOD, OTHER_METHOD = 0.01, 0.05
RATE_HZ, TRACED = 10.0, 100
RECORDS: dict[str, tuple[tuple[str, ...], bool]] = {
    "counts only": (("count",), False),
    "nothing": ((), False),
    "spikes": (("spike",), False),
    f"traces of {TRACED} neurons": (("V",), True),
    "first spikes": (("first_spike",), False),
    "intervals": (("isi",), False),
}
"""What is written down, and whether of chosen neurons only. Those that this version does not have are left out."""


def peers(noise: bool) -> dict[str, Any]:
    """The peers that are installed."""
    found = {}
    for name, peer in (("BrainPy, all cores", BrainPy(noise)), ("Brian2 C++, 1 core", Brian2(noise))):
        missing = peer.missing()
        if missing:
            print(f"left out: {missing}; {peer.install}")
        else:
            found[name] = peer
    return found


def check_same(noise: bool, others: dict[str, Any]) -> list[dict[str, Any]]:
    """Spikes of every candidate in the same run; stops where they differ."""
    n, steps = CHECKED
    own = Izhigen(n, record=("spike",), noise=NOISE if noise else 0.0)
    own.run(steps)
    found = [{"what": "izhigen, float32", "method": "exponential Euler", "spikes": own.counts(), "allowed": 0.0}]
    candidates: list[tuple[str, str, float, Callable[[], int]]] = []
    if not noise:
        for what, peer in (("scalar loop", Scalar()), ("izhigen, one step a call from C", OneStep(counted=True))):
            candidates.append((what, peer.method, SAME_METHOD, lambda peer=peer: _after(peer.prepare(n), steps)))  # type: ignore[misc]
        double = Izhigen(n, record=("spike",), dtype="float64")
        candidates.append(("izhigen, float64", "exponential Euler", SAME_METHOD, lambda: _after(double, steps)))
    for what, peer in others.items():
        same = not noise and peer.method.startswith("exponential")
        candidates.append(
            (what, peer.method, SAME_METHOD if same else OTHER_METHOD, lambda peer=peer: peer.check(n, steps))
        )  # type: ignore[misc]
    for what, method, allowed, count in candidates:
        found.append({"what": what, "method": method, "spikes": count(), "allowed": allowed})
    print(f"spikes of {n:,} neurons in {steps:,} steps{' with noise' if noise else ''}:")
    for entry in found:
        off = abs(entry["spikes"] - own.counts()) / own.counts()
        print(f"    {entry['what']:<34} {entry['method']:<46} {entry['spikes']:>7}  {off:.2%} off")
        if off > entry["allowed"]:
            raise SystemExit(f"{entry['what']} does not compute the same thing (allowed: {entry['allowed']:.0%})")
    return [{"noise": noise, **entry} for entry in found]


def _after(candidate: Any, steps: int) -> int:
    candidate.run(steps)
    return int(candidate.counts())


def sizes_section(given: Any, limits: Limits, others: dict[str, Any]) -> list[dict[str, Any]]:
    """Rate against size, without noise; each neuron's spikes are counted, where many steps are made a call."""
    rows, all_cores = [], cores()
    scalar, calls = (
        Scalar(),
        {f"izhigen, {dtype}, one step a call from C": OneStep(dtype) for dtype in ("float32", "float64")},
    )
    for n in given.sizes:
        candidates: dict[str, Any] = {"peak / 20": PeakCandidate(limits, n, FLOOR), "scalar loop": scalar.prepare(n)}
        for dtype in ("float32", "float64"):
            for threads in dict.fromkeys((1, all_cores)):
                candidates[f"izhigen, {dtype}, {_cores(threads)}"] = Izhigen(
                    n, record=("count",), dtype=dtype, threads=threads
                )
        candidates.update({name: peer.prepare(n) for name, peer in calls.items()})
        population = izhikevich(n)
        candidates["izhigen, float32, one step a call from Python"] = StepByStep(population, {"I": currents(n)})
        candidates.update({name: peer.prepare(n) for name, peer in others.items()})
        rates = in_turn(candidates, given.seconds, given.repeats)
        show(n, rates, "scalar loop")
        rows += [
            row(name, rate, section="sizes", neurons=n, method=getattr(candidates[name], "method", "exponential Euler"))
            for name, rate in rates.items()
        ]
    return rows


def large_section(given: Any) -> list[dict[str, Any]]:
    """A hundred million neurons beside a hundred thousand, in turn."""
    free = free_bytes()
    available = free if math.isfinite(free) else 0.0
    if available < 60 * LARGE:
        print(
            f"left out: {LARGE:,} neurons need about {60 * LARGE / 1e9:.0f} GB while they are made, {available / 1e9:.0f} are free"
        )
        return []
    rows = []
    for threads in dict.fromkeys((1, cores())):
        candidates = {n: Izhigen(n, record=("count",), threads=threads) for n in (100_000, LARGE)}
        rates = in_turn({str(n): c for n, c in candidates.items()}, given.seconds, given.repeats)
        for n, rate in zip(candidates, rates.values()):
            show(n, {f"izhigen, float32, {_cores(threads)}": rate}, "")
            rows.append(
                row(
                    f"izhigen, float32, {_cores(threads)}", rate, section="large", neurons=n, method="exponential Euler"
                )
            )
    return rows


def noise_section(given: Any, others: dict[str, Any]) -> list[dict[str, Any]]:
    """Additive noise on V, spikes recorded where the peer does so."""
    rows = []
    for n in given.noise_sizes:
        candidates: dict[str, Any] = {
            f"izhigen, {dtype}, {_cores(threads)}": Izhigen(n, dtype=dtype, threads=threads, noise=NOISE)
            for dtype in ("float32", "float64")
            for threads in dict.fromkeys((1, cores()))
        }
        candidates["izhigen, float32, 1 core, spikes recorded"] = Izhigen(n, noise=NOISE, record=("spike",))
        candidates.update({name: peer.prepare(n) for name, peer in others.items()})
        rates = in_turn(candidates, given.seconds, given.repeats)
        show(n, rates, "izhigen, float32, 1 core")
        rows += [
            row(name, rate, section="noise", neurons=n, method=getattr(candidates[name], "method", "exponential Euler"))
            for name, rate in rates.items()
        ]
    return rows


def recording_section(given: Any) -> tuple[list[dict[str, Any]], float]:
    """What writing things down costs at about 10 Hz; the rate in Hz."""
    highest, rate_hz = current_for_rate()
    rows = []
    for n in given.recording_sizes:
        chosen = np.linspace(0, n - 1, TRACED, dtype=np.int64)
        candidates = {}
        for name, (record, some) in RECORDS.items():
            candidate = Izhigen(n, record=record, neurons=chosen if some else None, highest=highest)
            try:
                candidate.run(1)
            except IzhigenError as problem:
                print(f"left out: {name} ({problem})")
                continue
            candidates[name] = candidate
        rates = in_turn(candidates, given.seconds, given.repeats)
        show(n, rates, "counts only")
        rows += [row(name, rate, section="recording", neurons=n) for name, rate in rates.items()]
    return rows, rate_hz


def current_for_rate() -> tuple[float, float]:
    """The highest of the evenly spread currents for which neurons spike at about 10 Hz on average, and their rate."""
    low, high, rate = 0.0, 40.0, 0.0
    for _ in range(12):
        middle = (low + high) / 2
        candidate = Izhigen(1000, record=("spike",), highest=middle)
        candidate.run(5000)  # settle
        candidate.run(20_000)
        rate = candidate.counts() / (20_000 * DT)  # spikes a second, of 1000 neurons
        low, high = (middle, high) if rate < RATE_HZ else (low, middle)
    return middle, rate


def parameters_section(given: Any) -> list[dict[str, Any]]:
    """One value each of a, b, c, d for all neurons, and one a neuron."""
    rows = []
    for n in given.recording_sizes:
        arrays = {"a": np.full(n, 0.02), "b": np.full(n, 0.2), "c": np.full(n, -65.0), "d": np.full(n, 8.0)}
        candidates = {"a, b, c, d for all": Izhigen(n), "a, b, c, d for each neuron": Izhigen(n, **arrays)}
        rates = in_turn(candidates, given.seconds, given.repeats)
        show(n, rates, "a, b, c, d for all")
        rows += [row(name, rate, section="parameters", neurons=n) for name, rate in rates.items()]
    return rows


def _cores(threads: int) -> str:
    return "1 core" if threads == 1 else f"{threads} cores"


def arguments() -> Any:
    """Options, and the sizes that follow from them."""
    parser = options(__doc__, "peers.json")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE:,} neurons, where memory allows")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if set(given.only) - set(SECTIONS):
        parser.error(f"--only takes some of {','.join(SECTIONS)}")
    given.sizes, given.noise_sizes, given.recording_sizes = SIZES, (10_000, 1_000_000), (10_000, 100_000, 1_000_000)
    given.memory_size = 10_000_000
    if given.quick:
        given.sizes, given.noise_sizes, given.recording_sizes, given.memory_size = (1_000,), (1_000,), (1_000,), 100_000
        given.seconds, given.repeats = 0.01, 2
    return given


def main() -> None:
    """Measure and print; save as data when asked."""
    given = arguments()
    limits = Limits("float32")
    packages = [
        name for name, peer in (("brainpy", BrainPy), ("jax", BrainPy), ("brian2", Brian2)) if not peer.missing()
    ]
    data: dict[str, Any] = {
        "machine": machine(*packages),
        "flags": {"izhigen": list(FLAGS), "scalar loop": list(PLAIN_FLAGS), "Brian2": BRIAN2_FLAGS},
        "same_work": [],
        "rows": [],
    }
    others = {noise: peers(noise) for noise in (False, True) if ("noise" if noise else "sizes") in given.only}
    for noise, candidates in others.items():
        data["same_work"] += check_same(noise, candidates)
    if "sizes" in given.only:
        data["rows"] += sizes_section(given, limits, others[False])
        data["rows"] += large_section(given) if given.large else []
    if "noise" in given.only:
        data["rows"] += noise_section(given, others[True])
    if "recording" in given.only:
        rows, data["recording_rate_hz"] = recording_section(given)
        data["rows"] += rows
        print(f"recorded at {data['recording_rate_hz']:.1f} Hz")
    data["rows"] += parameters_section(given) if "parameters" in given.only else []
    if "startup" in given.only:
        data["startup"] = startup(2 if given.quick else 7)
        print("  ".join(f"{name}: {seconds:.3f} s" for name, seconds in data["startup"].items()))
    if "memory" in given.only:
        data["memory"] = [memory(given.memory_size, threads) for threads in dict.fromkeys((1, cores()))]
        for entry in data["memory"]:
            print("  ".join(f"{name}: {value:,.1f}" for name, value in entry.items()))
    for candidates in others.values():
        for peer in candidates.values():
            getattr(peer, "close", lambda: None)()
    save(given.save, data)


if __name__ == "__main__":
    main()
