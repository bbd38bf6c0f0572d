"""Work and precision: the error of spike times against the cost of a neuron and ms, of izhigen's methods and of the peers, on one core.

    python benchmarks/precision.py [--save]

The seven classes of Izhikevich (2003) with a constant current. The first neuron of each has the exact spikes of tests/data/exact_spikes.json;
the others have currents up to 5 per cent from its own, so that they do not spike together. The run of 500 ms whose spikes are compared is timed
again, in float32: izhigen counts each neuron's spikes then, the peers go on to watch those of the first neurons. All candidates are bound to one
core and measured in turn. A spike that is not located counts as at its step's end, for the peers too.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
from common import DT, HERE, options, row, save
from contestants import BrainPy, Brian2

import izhigen as iz
from izhigen.bench.model import Run
from izhigen.bench.timing import Rates, in_turn, machine
from izhigen.derive.scheme import method_names
from izhigen.errors import IzhigenError

EXACT = json.loads((HERE.parent / "tests" / "data" / "exact_spikes.json").read_text(encoding="utf-8"))["classes"]
COPIES, DURATION, SPREAD = 600, EXACT["duration"], 0.05
METHODS = ("exp_euler", "heun2", "rk4", "etdrk2", "exp_rosenbrock", "strang")
LADDER = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005)
PEERS_LADDER = (0.1, 0.025, 0.01, 0.005, 0.0025)
ERRORS = (0.1, 0.01)
"""ms, at which costs are compared."""
RS_NEURONS, RS_CURRENTS = 4096, (4.2, 4.8)
"""Regular spiking neurons near 10 Hz, whose steps are timed."""


class Population:
    """The neurons that every candidate runs."""

    def __init__(self, copies: int) -> None:
        first = EXACT["neurons"]
        self.count, self.exact = len(first) * copies, [np.array(neuron["spikes"]) for neuron in first]
        self.values = {name: np.tile([neuron[name] for neuron in first], copies) for name in ("a", "b", "c", "d", "V")}
        spread = np.repeat(np.linspace(0.0, 1.0, copies) * (-1.0) ** np.arange(copies), len(first))
        self.current = np.tile([neuron["I"] for neuron in first], copies) * (1 + SPREAD * spread)

    def errors(self, times: Any, indices: Any) -> dict[str, Any]:
        """Mean error in ms of the first neurons' spikes, pair by pair, and how many there are too many or too few."""
        found = [np.sort(times[indices == k]) for k in range(len(self.exact))]
        pairs = [(own[: len(exact)], exact[: len(own)]) for own, exact in zip(found, self.exact)]
        differences = np.concatenate([np.abs(own - exact) for own, exact in pairs])
        miscounted = sum(abs(len(own) - len(exact)) for own, exact in zip(found, self.exact))
        return {"error": float(differences.mean()), "miscounted": miscounted}


class Izhigen:
    """A method, and where its spikes are."""

    least_steps = 1

    def __init__(self, population: Population, dt: float, method: str, timing: str) -> None:
        self.count, self.fixed_steps, self.current = population.count, round(DURATION / dt), population.current
        how: dict[str, Any] = {"dt": dt, "method": method, "spike_timing": timing}
        self.pop = iz.load("Izhikevich").population(population.count, **how, **population.values)
        first = range(len(population.exact))
        recording = self.pop.run(DURATION, I=self.current, record=["spike"], neurons=first, progress=False)
        self.errors = population.errors(*recording.spikes)

    def run(self, steps: int) -> None:
        """The whole run anew."""
        self.pop.reset()
        self.pop.run(steps=steps, I=self.current, record=["count"], check_finite=False, progress=False)


class BrainPyRun:
    """BrainPy's ``exp_auto``: a compiled loop over steps, which returns the first neurons' spikes."""

    least_steps = 1

    def __init__(self, population: Population, dt: float) -> None:
        import brainpy as bp
        import brainpy.math as bm

        bm.set_dt(dt)
        self.count, self.fixed_steps = population.count, round(DURATION / dt)
        given = {name: bm.asarray(values, dtype=bm.float32) for name, values in population.values.items()}
        self.start = given.pop("V"), given["b"] * population.values["V"].astype(np.float32)
        b = given.pop("b")
        self.neurons = neurons = bp.dyn.Izhikevich(self.count, method="exp_auto", **given)
        neurons.b = b  # its constructor refuses one value a neuron
        current, first = bm.asarray(population.current, dtype=bm.float32), len(population.exact)

        def step(i: Any) -> Any:
            bp.share.save(i=i, t=i * dt, dt=dt)
            return neurons.update(current)[:first]

        self.loop, self.steps = bm.jit(lambda steps: bm.for_loop(step, steps)), bm.arange(self.fixed_steps)
        self.run(self.fixed_steps)
        self.run(self.fixed_steps)  # it is slow in its first runs
        steps, indices = np.nonzero(np.asarray(self.spikes))
        self.errors = population.errors((steps + 1) * dt, indices)

    def run(self, steps: int) -> None:
        """The whole run anew."""
        self.neurons.V.value, self.neurons.u.value = self.start
        self.spikes = self.loop(self.steps)
        (getattr(self.spikes, "value", self.spikes)).block_until_ready()


class Brian2Run(Brian2):
    """Brian2's C++ standalone mode: what counts is the built program's loop over steps."""

    def __init__(self, population: Population, dt: float, method: str) -> None:
        import brian2 as b2

        super().__init__()
        self.count, self.fixed_steps = population.count, round(DURATION / dt)
        self._begin(dt)
        group = b2.NeuronGroup(
            self.count,
            "dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms : 1\n du/dt = a*(b*v - u)/ms : 1\n"
            "I : 1 (constant)\n a : 1 (constant)\n b : 1 (constant)\n c : 1 (constant)\n d : 1 (constant)",
            threshold="v >= 30",
            reset="v = c; u += d",
            method=method,
        )
        for name in "abcd":
            setattr(group, name, population.values[name])
        group.v, group.I = population.values["V"], population.current
        group.u = population.values["b"] * population.values["V"]
        monitor = b2.SpikeMonitor(group[: len(population.exact)])
        b2.Network([group, monitor]).run(DURATION * b2.ms)
        self._finish()
        self.errors = population.errors(np.asarray(monitor.t / b2.ms) + dt, np.asarray(monitor.i))


def candidates(population: Population, quick: bool) -> dict[str, dict[float, Any]]:
    """All that can be made here, by what they are and their step."""
    found: dict[str, dict[float, Any]] = {}
    ladder = (0.5, 0.1) if quick else LADDER
    methods = [method for method in METHODS if method in method_names()]
    for method, timing, dt in itertools.product(methods, ("step", "located"), ladder):
        what = f"izhigen, {method}, {timing}"
        try:
            found.setdefault(what, {})[dt] = Izhigen(population, dt, method, timing)
        except IzhigenError as problem:  # a method that is not for this model, or a step that is too long for it
            print(f"{what}, dt = {dt:g} ms: left out ({problem})")
    for peer, missing in ((BrainPy, BrainPy.missing()), (Brian2, Brian2.missing())):
        if missing or quick:
            print(f"left out: {missing or peer.__name__}; {peer.install}")
    if not (BrainPy.missing() or quick):
        found["BrainPy, exp_auto"] = {dt: BrainPyRun(population, dt) for dt in PEERS_LADDER}
    if not (Brian2.missing() or quick):
        for method in ("euler", "rk4"):
            found[f"Brian2 C++, {method}"] = {dt: Brian2Run(population, dt, method) for dt in PEERS_LADDER}
    return found


def cost_at(rows: list[dict[str, Any]], error: float) -> dict[str, Any] | None:
    """The cheapest step whose error is no larger: its ns of a neuron and ms in each round. Between steps, on straight lines in logarithms."""
    found = [(r["dt"], r["costs"]) for r in rows if r["error"] <= error]
    for above, below in itertools.pairwise(sorted(rows, key=lambda r: -r["dt"])):
        if above["error"] > error >= below["error"]:
            share = math.log(above["error"] / error) / math.log(above["error"] / below["error"])
            between = [a ** (1 - share) * b**share for a, b in zip(above["costs"], below["costs"])]
            found.append((above["dt"] ** (1 - share) * below["dt"] ** share, between))
    if not found:
        return None
    dt, costs = min(found, key=lambda pair: statistics.median(pair[1]))
    return {"error": error, "dt": dt, "cost": statistics.median(costs), "values": costs}


def compare(given: Any) -> dict[str, Any]:
    """Errors and costs of all, and the cheapest way to the errors that are asked for."""
    population = Population(4 if given.quick else COPIES)
    made = candidates(population, given.quick)
    flat = {f"{what} {dt}": candidate for what, steps in made.items() for dt, candidate in steps.items()}
    rates = in_turn(flat, given.seconds, given.repeats)
    rows, at = [], []
    for what, steps in made.items():
        own: list[dict[str, Any]] = []
        for dt, candidate in steps.items():
            rate = rates[f"{what} {dt}"]
            costs = [1e9 / (value * dt) for value in rate.values]
            own.append(row(what, rate, dt=dt, cost=statistics.median(costs), costs=costs, **candidate.errors))
            print(f"{what:<34} dt {dt:<8g} {own[-1]['error']:9.2g} ms {own[-1]['cost']:9.2f} ns", flush=True)
        rows += own
        at += [{"what": what, **found} for error in ERRORS if (found := cost_at(own, error)) is not None]
    for candidate in flat.values():
        if isinstance(candidate, Brian2):
            candidate.close()
    return {"neurons": population.count, "duration": DURATION, "rows": rows, "at": at}


def steps_at_10_hz(given: Any) -> list[dict[str, Any]]:
    """What a step costs, of regular spiking neurons near 10 Hz that do not spike together."""
    rng, model = np.random.default_rng(1), iz.load("RS")
    start = {"V": rng.uniform(-70.0, -55.0, RS_NEURONS), "u": rng.uniform(-14.0, -6.0, RS_NEURONS)}
    current = np.linspace(*RS_CURRENTS, RS_NEURONS)
    runs = {}
    for method in (method for method in METHODS if method in method_names()):
        for timing in ("step", "located"):
            with contextlib.suppress(IzhigenError):
                pop = model.population(RS_NEURONS, dt=DT, method=method, spike_timing=timing, **start)
                rate_hz = pop.run(2000.0, I=current).rates.mean()
                runs[f"{method}, {timing}"] = Run(pop, {"I": current})
    rates: dict[str, Rates] = in_turn(runs, given.seconds, given.repeats)
    rows = []
    for name, rate in rates.items():
        times = rates["exp_euler, step"].ratio(rate)
        rows.append(row(name, rate, times_exp_euler=times, rate_hz=float(rate_hz)))
        print(f"a step of {name:<26} {1e9 / rate.median:6.3f} ns, {times:5.2f} times exp_euler's", flush=True)
    return rows


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """The process on one core, and whatever it starts."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "precision.json").parse_args()
    if given.quick:
        given.seconds, given.repeats = 0.005, 2
    with one_core():
        packages = [
            name for name, peer in (("brainpy", BrainPy), ("jax", BrainPy), ("brian2", Brian2)) if not peer.missing()
        ]
        data = {
            "machine": machine(*([] if given.quick else packages)),
            "steps": steps_at_10_hz(given),
            **compare(given),
        }
    for error in ERRORS:
        found = {r["what"]: r for r in data["at"] if r["error"] == error}
        for what, r in sorted(found.items(), key=lambda item: item[1]["cost"]):
            print(f"{error:g} ms: {what:<34} dt {r['dt']:.4f} ms, {r['cost']:8.2f} ns a neuron and ms")
    save(given.save, data)


if __name__ == "__main__":
    main()
