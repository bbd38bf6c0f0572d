"""Networks beside Brian2: the same neurons, connections and delays, a second in steps of 0.1 ms.

    python benchmarks/networks.py [--save]

A thousand neurons of Izhikevich (2003), all of them connected, each synapse with a weight of its own; and a hundred
thousand neurons with an exponential current and a hundred synapses each, one weight and one delay. Brian2's program is
C++ built once (its compile time is told apart), on one core. Euler's method everywhere, so that neurons are the same;
rates are compared before anything is timed, as the synapses are drawn by each program itself. Nothing is recorded but
the number of spikes.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from common import DT, options, save
from contestants import BRIAN2_FLAGS

import izhigen as iz
from izhigen.bench.timing import Rates, machine

DURATION = 1000.0
EQUATIONS = """dV/dt = (0.04*V**2 + 5*V + 140 - u + I0 + x)/ms : 1 (unless refractory)
du/dt = a*(b*V - u)/ms : 1
{x}
I0 : 1
a : 1
b : 1
c : 1
d : 1"""
EXCITATORY = 0.8
LIKE = 0.1
"""By how much the rates of two programs may differ, as a share."""


class Case:
    """A network in both programs.

    Attributes
    ----------
    name : str
    neurons, synapses : int
    drive : float
        Constant current of every neuron.
    delay : float
        ms.
    decay : float or None
        Time constant in ms of the current that a spike makes; None for a jump of V.
    """

    def __init__(
        self, name: str, neurons: int, synapses: int, drive: float, delay: float, decay: float | None, weight: float
    ) -> None:
        self.name, self.neurons, self.synapses, self.drive = name, neurons, synapses, drive
        self.delay, self.decay, self.weight = delay, decay, weight
        spread = np.random.default_rng(5).random(neurons)
        self.excitatory = round(EXCITATORY * neurons)
        e, i = spread[: self.excitatory], spread[self.excitatory :]
        none, one = np.zeros, np.ones
        self.values = {
            "a": np.r_[0.02 * one(len(e)), 0.02 + 0.08 * i],
            "b": np.r_[0.2 * one(len(e)), 0.25 - 0.05 * i],
            "c": np.r_[-65 + 15 * e**2, -65.0 + none(len(i))],
            "d": np.r_[8 - 6 * e**2, 2.0 + none(len(i))],
        }

    def ours(self, dtype: str, threads: int) -> tuple[Any, float]:
        """The network, and the seconds that it took to make it and its kernels."""
        started = time.perf_counter()
        net = iz.Network(dt=DT, seed=1, dtype=dtype, threads=threads, method="euler")
        model, to = iz.load("RS"), "V"
        if self.decay is not None:
            model, to = model.with_synapse(iz.synapses.exponential("x", tau=self.decay)), "x"
        parts = {"exc": slice(0, self.excitatory), "inh": slice(self.excitatory, None)}
        for name, part in parts.items():
            values = {key: value[part] for key, value in self.values.items()}
            count = len(values["a"])
            net.population(name, model, count, V=-65.0, u=values["b"] * -65.0, **values)
        is_whole = self.synapses == self.neurons
        for name, sign in (("exc", 0.5), ("inh", -1.0)):
            rule = iz.connect.all_to_all() if is_whole else iz.connect.fixed_probability(self.synapses / self.neurons)
            largest = sign * self.weight
            low, high = sorted((0.0, largest))
            weight: Any = iz.distributions.uniform(low, high) if is_whole else largest / 2
            net.connect(name, ["exc", "inh"], to=to, rule=rule, weight=weight, delay=self.delay)
        net.run(0.0, record={})
        return net, time.perf_counter() - started

    def run_ours(self, net: Any) -> tuple[float, float]:
        """Seconds of a run, and spikes a neuron."""
        net.reset()
        drive = {name: {"I": self.drive} for name in net.populations}
        record = {name: ["count"] for name in net.populations}
        started = time.perf_counter()
        found = net.run(DURATION, inputs=drive, record=record, progress=False)
        took = time.perf_counter() - started
        return took, sum(int(one["count"].sum()) for one in found.values()) / self.neurons


class OfBrian2:
    """A case in Brian2, as a program of C++."""

    def __init__(self, case: Case) -> None:
        import brian2 as b2

        self.case, self.folder = case, tempfile.mkdtemp(prefix="izhigen-brian2-")
        b2.prefs.codegen.cpp.extra_compile_args_gcc = BRIAN2_FLAGS
        b2.prefs.devices.cpp_standalone.openmp_threads = 0
        b2.device.reinit()
        b2.set_device("cpp_standalone", directory=self.folder, build_on_run=False)
        b2.defaultclock.dt = DT * b2.ms
        decay = "x = 0 : 1" if case.decay is None else f"dx/dt = -x/({case.decay}*ms) : 1"
        equations = EQUATIONS.format(x=decay).replace(" (unless refractory)", "")
        group = b2.NeuronGroup(case.neurons, equations, threshold="V >= 30", reset="V = c; u += d", method="euler")
        group.V, group.I0 = -65.0, case.drive
        for name, values in case.values.items():
            setattr(group, name, values)
        group.u = case.values["b"] * -65.0
        to, parts = "V" if case.decay is None else "x", (group[: case.excitatory], group[case.excitatory :])
        is_whole, synapses = case.synapses == case.neurons, []
        for part, sign in zip(parts, (0.5, -1.0)):
            largest = sign * case.weight
            model = "w : 1" if is_whole else "w : 1 (shared, constant)"
            one = b2.Synapses(part, group, model, on_pre=f"{to}_post += w", delay=case.delay * b2.ms)
            one.connect(True if is_whole else None, p=1.0 if is_whole else case.synapses / case.neurons)
            one.w = f"{largest}*rand()" if is_whole else largest / 2
            synapses.append(one)
        self.monitor = b2.SpikeMonitor(group, record=False)
        b2.Network([group, *synapses, self.monitor]).run(DURATION * b2.ms)
        started = time.perf_counter()
        b2.device.build(directory=self.folder, run=False, with_output=False)
        self.build_seconds = time.perf_counter() - started

    def run(self) -> tuple[float, float]:
        """Seconds of a run by its own clock, and spikes a neuron."""
        import brian2 as b2

        b2.device.run(self.folder, with_output=False)
        return float(b2.device._last_run_time), int(self.monitor.num_spikes) / self.case.neurons

    def __del__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def cases(quick: bool) -> list[Case]:
    """What is measured."""
    if quick:
        return [Case("all to all", 50, 50, 6.0, DT, None, 0.5)]
    return [
        Case("1,000 neurons, all to all", 1000, 1000, 6.0, DT, None, 0.02),
        Case("100,000 neurons, 100 synapses each", 100_000, 100, 5.5, 1.5, 5.0, 0.05),
    ]


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "networks.json").parse_args()
    repeats = 1 if given.quick else given.repeats
    with_brian2 = find_spec("brian2") is not None
    if not with_brian2:
        print("left out: Brian2 (pip install brian2)")
    data: dict[str, Any] = {"machine": machine(*(["brian2"] if with_brian2 else [])), "rows": []}
    for case in cases(given.quick):
        runs: dict[str, Any] = {}
        starts: dict[str, float] = {}
        if with_brian2:
            other = OfBrian2(case)
            runs["Brian2 (C++), 1 core"], starts["Brian2 (C++), 1 core"] = other.run, other.build_seconds
        for what, dtype, threads in (
            ("izhigen, float64, 1 core", "float64", 1),
            ("izhigen, 1 core", "float32", 1),
            ("izhigen, 2 cores", "float32", 2),
        ):
            net, starts[what] = case.ours(dtype, threads)
            runs[what] = lambda net=net, case=case: case.run_ours(net)
        found: dict[str, list[tuple[float, float]]] = {what: [] for what in runs}
        for _ in range(repeats):
            for what, run in runs.items():
                found[what].append(run())
        per_neuron = {what: values[0][1] for what, values in found.items()}
        reference = per_neuron["izhigen, float64, 1 core"]
        if not given.quick and any(abs(rate / reference - 1) > LIKE for rate in per_neuron.values()):
            raise SystemExit(f"{case.name}: the rates differ: {per_neuron}")
        rates = {what: Rates(tuple(1.0 / took for took, _ in values), 1) for what, values in found.items()}
        first = rates[next(iter(rates))]
        for what, rate in rates.items():
            seconds, times = 1.0 / rate.median, rate.ratio(first)
            data["rows"].append(
                {
                    "what": what,
                    "network": case.name,
                    "neurons": case.neurons,
                    "seconds": seconds,
                    "build_s": starts[what],
                    "spikes_a_neuron": per_neuron[what],
                    "times": times,
                    **rate.as_data(),
                }
            )
            print(
                f"{case.name}: {what}: {seconds:.4g} s a second, {times:.1f} x, made in {starts[what]:.1f} s, "
                f"{per_neuron[what]:.1f} spikes a neuron"
            )
    save(given.save, data)


if __name__ == "__main__":
    main()
