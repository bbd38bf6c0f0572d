"""Fits to spike times: candidates a second, beside brian2modelfitting.

    python benchmarks/fits.py [--save]

Two problems, each with generations of two sizes: that of brian2modelfitting's own example of spike times (an
exponential integrate-and-fire neuron, three parameters, 60 ms) and an adaptive exponential one (Brette and Gerstner
2005; six parameters, 500 ms under a current of three levels). The targets come from another method than the one that
is fitted: fourth-order Runge-Kutta in steps of 0.01 ms. Both sides use exponential Euler in steps of 0.1 ms, the same
ranges, generations and distance (the coincidence factor of Jolivet et al. 2008 within 2 ms), and differential
evolution (Nevergrad's there, SciPy's here). brian2modelfitting runs in each of its two ways; what is built once is
there before anything is timed.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from common import DT, options, save
from contestants import BRIAN2_FLAGS

import izhigen as iz
from izhigen.bench.timing import Rates, machine

GENERATIONS, WINDOW = 20, 2.0


class Problem(NamedTuple):
    """What is fitted.

    Attributes
    ----------
    name : str
    model : Model
    brian2 : str
        The same equations with Brian2's units.
    current : array
        A value a step, pA.
    ranges : mapping
        Of parameters, in the model's units.
    units : mapping
        Brian2's names of them.
    reset : str
        For Brian2, as ``threshold``.
    """

    name: str
    model: Any
    brian2: str
    current: Any
    ranges: dict[str, tuple[float, float]]
    units: dict[str, str]
    threshold: str
    reset: str
    start: dict[str, str]

    @property
    def duration(self) -> float:
        """ms."""
        return len(self.current) * DT

    def target(self) -> Any:
        """Spike times in ms, by rk4 in small steps."""
        drive = np.repeat(self.current, 10)[:, None]
        neuron = self.model.population(1, dt=DT / 10, method="rk4", dtype="float64")
        return neuron.run(self.duration, I=drive).spikes[0]


def levels(*parts: tuple[float, float]) -> Any:
    """A current in pA of (level, ms)."""
    return np.concatenate([np.full(round(length / DT), level) for level, length in parts])


EXAMPLE = Problem(
    "exponential integrate-and-fire, 60 ms",
    iz.Model(
        "EIF",
        "dV/dt = (gL*(EL - V) + gL*2*exp((V + 50)/2) + I)/C",
        "V > -50",
        "V = -70",
        {"gL": 30.0, "C": 1000.0, "EL": -70.0},
        ["I"],
        initial={"V": -70.0},
    ),
    "dv/dt = (gL*(EL - v) + gL*(2*mV)*exp((v + 50*mV)/(2*mV)) + I)/C : volt\n"
    "gL : siemens (constant)\nC : farad (constant)\nEL : volt (constant)",
    levels((0.0, 5.0), (5000.0, 25.0), (0.0, 30.0)),
    {"gL": (10.0, 100.0), "C": (100.0, 10000.0), "EL": (-100.0, -50.0)},
    {"gL": "nS", "C": "pF", "EL": "mV"},
    "v > -50*mV",
    "v = -70*mV",
    {"v": "-70*mV"},
)
ADEX = Problem(
    "adaptive exponential, 500 ms",
    iz.Model(
        "AdEx",
        "dV/dt = (gL*(EL - V) + gL*DT*exp((V - VT)/DT) - w + I)/C\ndw/dt = (a*(V - EL) - w)/tau_w",
        "V > -40.4",
        "V = -70.6; w = w + b",
        {"gL": 30.0, "C": 281.0, "EL": -70.6, "DT": 2.0, "VT": -50.4, "a": 4.0, "tau_w": 144.0, "b": 80.0},
        ["I"],
        initial={"V": -70.6},
    ),
    "dv/dt = (gL*(EL - v) + gL*DT*exp((v - VT)/DT) - w + I)/C : volt\n"
    "dw/dt = (a*(v - EL) - w)/tau_w : amp\n"
    "DT = 2*mV : volt\nEL = -70.6*mV : volt\n"
    "gL : siemens (constant)\nC : farad (constant)\nVT : volt (constant)\n"
    "a : siemens (constant)\ntau_w : second (constant)\nb : amp (constant)",
    levels((800.0, 150.0), (1400.0, 150.0), (1000.0, 200.0)),
    {
        "gL": (15.0, 60.0),
        "C": (100.0, 500.0),
        "VT": (-60.0, -45.0),
        "a": (0.0, 10.0),
        "tau_w": (50.0, 300.0),
        "b": (0.0, 200.0),
    },
    {"gL": "nS", "C": "pF", "VT": "mV", "a": "nS", "tau_w": "ms", "b": "pA"},
    "v > -40.4*mV",
    "v = -70.6*mV; w += b",
    {"v": "-70.6*mV"},
)


class Ours:
    """izhigen."""

    def __init__(self, problem: Problem, size: int, threads: int = 1) -> None:
        self.problem, self.size, self.threads, self.seed = problem, size, threads, 0
        self.target = problem.target()
        self.run(GENERATIONS)

    def run(self, generations: int) -> float:
        """Candidates a second."""
        self.seed += 1
        started = time.perf_counter()
        found = iz.fit(
            self.problem.model,
            self.target,
            self.problem.ranges,
            self.problem.duration,
            inputs={"I": self.problem.current[:, None]},
            loss=iz.fits.coincidence(window=WINDOW),
            generations=generations,
            candidates=self.size,
            goal=-1.0,
            dt=DT,
            seed=self.seed,
            threads=self.threads,
            progress=False,
        )
        self.loss = found.loss
        return found.evaluations / (time.perf_counter() - started)


class ModelFitting:
    """brian2modelfitting, run by Brian2's runtime or as a standalone program."""

    def __init__(self, problem: Problem, size: int, standalone: bool) -> None:
        np.NaN, np.float = np.nan, float  # type: ignore[attr-defined]  # names that its version 0.4 takes from NumPy 1
        import brian2 as b2
        import brian2modelfitting as fitting

        self.folder = tempfile.mkdtemp(prefix="izhigen-brian2-")
        b2.device.reinit()
        b2.device.activate()
        if standalone:
            b2.set_device("cpp_standalone", directory=self.folder)
        else:
            b2.set_device("runtime")
        b2.prefs.codegen.cpp.extra_compile_args_gcc = BRIAN2_FLAGS
        b2.defaultclock.dt = DT * b2.ms
        self.size, self.bounds = size, {}
        for name, (low, high) in problem.ranges.items():
            unit = getattr(b2, problem.units[name])
            self.bounds[name] = [low * unit, high * unit]
        self.fitter = fitting.SpikeFitter(
            model=b2.Equations(problem.brian2),
            input=problem.current[None] * b2.pA,
            input_var="I",
            output=[problem.target() * 1e-3],
            n_samples=size,
            dt=DT * b2.ms,
            threshold=problem.threshold,
            reset=problem.reset,
            param_init=problem.start,
            method="exponential_euler",
        )
        self.optimizer = fitting.NevergradOptimizer(method="DE")
        self.metric = fitting.GammaFactor(delta=WINDOW * b2.ms, time=problem.duration * b2.ms)
        self.run(1)

    def run(self, generations: int) -> float:
        """Candidates a second."""
        started = time.perf_counter()
        _, self.loss = self.fitter.fit(
            n_rounds=generations, optimizer=self.optimizer, metric=self.metric, callback=None, **self.bounds
        )
        return generations * self.size / (time.perf_counter() - started)

    def close(self) -> None:
        """Remove the project."""
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "fits.json").parse_args()
    generations, repeats = (2, 1) if given.quick else (GENERATIONS, given.repeats)
    is_there = find_spec("brian2modelfitting") is not None and not given.quick
    if not is_there:
        print("left out: brian2modelfitting (pip install brian2modelfitting)")
    data: dict[str, Any] = {"machine": machine(*(["brian2", "brian2modelfitting"] if is_there else [])), "rows": []}
    for problem in (EXAMPLE, ADEX):
        for size in (30, 300):
            made: dict[str, Any] = {"izhigen, 1 core": Ours(problem, size)}
            values = {"izhigen, 1 core": [made["izhigen, 1 core"].run(generations) for _ in range(repeats)]}
            for name, standalone in (("brian2modelfitting", False), ("brian2modelfitting, standalone", True)):
                if is_there:  # Brian2 has one project at a time
                    made[name] = ModelFitting(problem, size, standalone)
                    values[name] = [made[name].run(generations if standalone else 2) for _ in range(3)]
                    made[name].close()
            first = Rates(tuple(values["izhigen, 1 core"]), 1).median
            for name, found in values.items():
                rate, facts = Rates(tuple(found), 1), {"problem": problem.name, "generation": size}
                data["rows"].append({"what": name, **facts, **rate.as_data(), "times": first / rate.median})
                print(
                    f"{problem.name}, {size} a generation, {name}: {rate.median:,.0f} candidates a second, loss "
                    f"{float(np.min(made[name].loss)):.3g}; izhigen {first / rate.median:.1f} x",
                    flush=True,
                )
    save(given.save, data)


if __name__ == "__main__":
    main()
