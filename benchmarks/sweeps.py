"""A sweep of 10,000 parameter sets of Izhikevich's neuron over 1 s, beside BrainPy and Brian2.

    python benchmarks/sweeps.py [--save]

A grid of 100 values of a and 100 currents; what counts is the number of spikes of every set. Times are those that a
user waits, without what is built once (kernels, BrainPy's compilation, Brian2's project): parameters are new each
time. BrainPy runs the sets by ``vmap`` over a neuron, and as the neurons of one population; Brian2 a standalone
program once a set with ``run_args`` (some are measured, and all reckoned from them), and as one group. Rates are
neuron-steps a second.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from typing import Any

import numpy as np
from common import DT, options, row, save
from contestants import BRIAN2_FLAGS, BrainPy, Brian2

import izhigen as iz
from izhigen.bench.timing import Rates, cores, in_turn, machine

SIDE, DURATION, SOME = 100, 1000.0, 20


class Grid:
    """What every candidate runs: new values of a each time."""

    least_steps = 1

    def __init__(self, side: int, duration: float) -> None:
        self.side, self.duration = side, duration
        self.count, self.fixed_steps = side * side, round(duration / DT)
        self.round = 0

    def values(self) -> tuple[Any, Any]:
        """Values of a and of the current."""
        self.round += 1
        return np.linspace(0.02, 0.1, self.side) + 1e-5 * self.round, np.linspace(0.0, 20.0, self.side)

    def flat(self) -> tuple[Any, Any]:
        """The same of all sets."""
        a, current = self.values()
        return np.repeat(a, self.side).astype(np.float32), np.tile(current, self.side).astype(np.float32)


class Sweep(Grid):
    """izhigen."""

    def __init__(self, side: int, duration: float, threads: int) -> None:
        super().__init__(side, duration)
        self.model, self.threads = iz.load("Izhikevich"), threads
        self.run(0)

    def run(self, steps: int) -> None:
        """All sets."""
        a, current = self.values()
        grid = {"a": a, "I": current}
        self.counts = iz.sweep(self.model, grid, self.duration, dt=DT, threads=self.threads, progress=False)["count"]


class BrainPySets(Grid):
    """BrainPy, the sets by ``vmap``, or as neurons."""

    def __init__(self, side: int, duration: float, by_vmap: bool) -> None:
        super().__init__(side, duration)
        import brainpy as bp
        import brainpy.math as bm
        import jax

        bm.set_dt(DT)
        self.bm, steps = bm, bm.arange(self.fixed_steps)

        def spikes(a: Any, current: Any, size: int) -> Any:
            neurons = bp.dyn.Izhikevich(size, a=a, method="exp_auto")
            total = bm.Variable(bm.zeros(size))

            def step(i: Any) -> None:
                bp.share.save(i=i, t=i * DT, dt=DT)
                total.value = total.value + neurons.update(current)

            bm.for_loop(step, steps)
            return total.value

        one = jax.vmap(lambda a, current: spikes(a, current, 1)[0])
        self.function = jax.jit(one if by_vmap else lambda a, current: spikes(a, current, self.count))
        self.run(0)
        self.run(0)

    def run(self, steps: int) -> None:
        """All sets."""
        a, current = self.flat()
        self.counts = np.asarray(self.function(self.bm.asarray(a).value, self.bm.asarray(current).value))


class Brian2Sets(Grid):
    """Brian2's C++ standalone mode: sets as neurons of one group, or one a run."""

    def __init__(self, side: int, duration: float, one_by_one: bool) -> None:
        super().__init__(side, duration)
        import brian2 as b2

        self.one_by_one, self.folder = one_by_one, tempfile.mkdtemp(prefix="izhigen-brian2-")
        b2.device.reinit()
        b2.device.activate()
        b2.set_device("cpp_standalone", directory=self.folder, build_on_run=False)
        b2.prefs.codegen.cpp.extra_compile_args_gcc = BRIAN2_FLAGS
        b2.prefs.core.default_float_dtype = np.float32
        b2.defaultclock.dt = DT * b2.ms
        self.group = b2.NeuronGroup(
            1 if one_by_one else self.count,
            "dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms : 1\n du/dt = a*(0.2*v - u)/ms : 1\n"
            "I : 1 (constant)\n a : 1 (constant)\n n : 1",
            threshold="v >= 30",
            reset="v = -65; u += 8; n += 1",
            method="euler",
        )
        self.group.v, self.group.u = -70.0, -14.0
        self.net = b2.Network(self.group)
        self.net.run(duration * b2.ms)
        b2.device.build(directory=self.folder, run=False)
        self.device, self.taken = b2.device, SOME if one_by_one else 1
        self.run(0)

    def run(self, steps: int) -> None:
        """All sets, or some of them."""
        a, current = self.flat()
        if not self.one_by_one:
            self.device.run(run_args={self.group.a: a, self.group.I: current})
            self.counts = np.asarray(self.group.n[:])
            return
        started = time.perf_counter()
        chosen = np.linspace(0, self.count - 1, self.taken).astype(int)
        for place in chosen:
            self.device.run(run_args={self.group.a: float(a[place]), self.group.I: float(current[place])})
        self.seconds = (time.perf_counter() - started) / self.taken * self.count

    def close(self) -> None:
        """Remove the project."""
        shutil.rmtree(self.folder, ignore_errors=True)


def candidates(side: int, duration: float) -> dict[str, Grid]:
    """Those that can be made here, Brian2's apart: it has one project at a time."""
    made: dict[str, Any] = {"izhigen, 1 core": lambda: Sweep(side, duration, 1)}
    if cores() > 1:
        made[f"izhigen, {cores()} cores"] = lambda: Sweep(side, duration, cores())
    if not BrainPy.missing():
        made["BrainPy, vmap, all cores"] = lambda: BrainPySets(side, duration, by_vmap=True)
        made["BrainPy, sets as neurons, all cores"] = lambda: BrainPySets(side, duration, by_vmap=False)
    found = {}
    for name, make in made.items():
        try:
            found[name] = make()
        except Exception as problem:
            print(
                f"{name}: left out ({type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''})"
            )
    return found


def of_brian2(side: int, duration: float, repeats: int) -> dict[str, Rates]:
    """Brian2's two ways, each measured by itself."""
    found = {}
    if Brian2.missing():
        print(f"left out: {Brian2.missing()}; {Brian2.install}")
        return found
    for name, one_by_one in (("Brian2 C++, run_args, a set a run", True), ("Brian2 C++, sets as neurons", False)):
        case = Brian2Sets(side, duration, one_by_one)
        values = []
        for _ in range(2 if one_by_one else repeats):
            started = time.perf_counter()
            case.run(0)
            seconds = case.seconds if one_by_one else time.perf_counter() - started
            values.append(case.count * case.fixed_steps / seconds)
        case.close()
        found[name] = Rates(tuple(values), case.fixed_steps)
    return found


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "sweeps.json").parse_args()
    side, duration, repeats = (4, 10.0, 2) if given.quick else (SIDE, DURATION, given.repeats)
    made = candidates(side, duration)
    rates = in_turn(made, given.seconds, repeats)
    for name, case in made.items():
        print(f"{name}: {int(np.asarray(case.counts).sum())} spikes in the last round")
    with contextlib.suppress(Exception) if given.quick else contextlib.nullcontext():
        rates |= {} if given.quick else of_brian2(side, duration, repeats)
    packages = [p for p, name in (("brainpy", "BrainPy"), ("brian2", "Brian2")) if any(name in c for c in rates)]
    data: dict[str, Any] = {"machine": machine(*packages), "sets": side * side, "duration": duration, "rows": []}
    first = rates["izhigen, 1 core"]
    for name, rate in rates.items():
        seconds = side * side * round(duration / DT) / rate.median
        data["rows"].append(row(name, rate, seconds=seconds, times=first.median / rate.median))
        print(f"{name:<40} {seconds:9.3f} s   izhigen on 1 core is {first.median / rate.median:8.1f} x as fast")
    save(given.save, data)


if __name__ == "__main__":
    main()
