"""Imported neurons beside the simulators that they come from.

    python benchmarks/imports.py [--save]

Strings of Brian2 (the adaptive exponential neuron of Brette and Gerstner 2005) beside Brian2's own run of them, as a
program that is built once; a file of NESTML (``aeif_psc_exp``, as the package ``nestml`` ships it) beside NEST's own
compiled neuron of that name, whose steps adapt. (PyLEMS, which reads LEMS, runs one neuron in Python, so it is no
rival.) All run a second in steps of 0.1 ms on one core, with one constant current a neuron, and record spikes alone;
what is built once is not timed, and processor time is taken, as Brian2's own clock does. Those that integrate in the
same way have to give the same number of spikes.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import distribution
from importlib.util import find_spec
from typing import Any

import numpy as np
from common import DT, options, save
from contestants import BRIAN2_FLAGS

import izhigen as iz
from izhigen.bench.timing import Rates, machine

DURATION = 1000.0
STEPS = round(DURATION / DT)
ADEX = """dv/dt = (gL*(EL - v) + gL*DeltaT*exp((v - VT)/DeltaT) + I - w)/C : volt
dw/dt = (a*(v - EL) - w)/tauw : amp
I : amp"""
NAMESPACE = {
    "C": "281*pF", "gL": "30*nS", "EL": "-70.6*mV", "VT": "-50.4*mV", "DeltaT": "2*mV", "tauw": "144*ms", "a": "4*nS",
    "b": "80.5*pA", "Vcut": "-40.4*mV",
}  # fmt: skip


class Case:
    """A neuron in both programs.

    Attributes
    ----------
    name : str
        Of the other program.
    packages : tuple of str
        What it imports.
    model : Model
    input : str
    start : mapping
        Values of states.
    method : str
    n : int
        Neurons.
    currents : array, shape (n,)
        pA.
    agrees : bool
        Whether both have to give the same spikes.
    """

    name: str
    packages: tuple[str, ...] = ()
    model: Any
    input: str
    start: dict[str, float]
    agrees = True
    method = "euler"
    n = 10_000

    def __init__(self, n: int | None) -> None:
        self.n = n or self.n
        self.currents = np.linspace(0.0, 1000.0, self.n)
        self.setup()

    def setup(self) -> None:
        """Read the model, and build what is timed."""
        raise NotImplementedError

    def other(self) -> tuple[float, int]:
        """Seconds and spikes of a run there."""
        raise NotImplementedError

    def ours(self, dtype: str) -> Callable[[], tuple[float, int]]:
        """Seconds and spikes of a run here."""
        population = self.model.population(self.n, dt=DT, dtype=dtype, method=self.method, **self.start)

        def run() -> tuple[float, int]:
            population.reset()
            started = time.process_time()
            found = population.run(DURATION, record=["spike"], progress=False, **{self.input: self.currents})
            return time.process_time() - started, len(found.spike_times)

        population.run(0.0, record=["spike"], **{self.input: self.currents})
        return run


class OfBrian2(Case):
    """Brian2's strings."""

    name, packages, input, start = "Brian2 (C++)", ("brian2",), "I", {"v": -70.6, "w": 0.0}

    def setup(self) -> None:
        """Both programs, built."""
        import brian2 as b2

        strings = {"threshold": "v > Vcut", "reset": "v = EL; w += b"}
        self.model = iz.from_brian2(ADEX, **strings, namespace=NAMESPACE, inputs=["I"])
        self.folder = tempfile.mkdtemp(prefix="izhigen-brian2-")
        b2.prefs.codegen.cpp.extra_compile_args_gcc = BRIAN2_FLAGS
        b2.prefs.devices.cpp_standalone.openmp_threads = 0
        b2.set_device("cpp_standalone", directory=self.folder, build_on_run=False)
        b2.defaultclock.dt = DT * b2.ms
        values = {name: eval(text, vars(b2)) for name, text in NAMESPACE.items()}
        group = b2.NeuronGroup(self.n, ADEX, **strings, method="euler", namespace=values)
        group.v = values["EL"]
        group.I = self.currents * b2.pA
        self.monitor = b2.SpikeMonitor(group)
        b2.Network([group, self.monitor]).run(DURATION * b2.ms)
        b2.device.build(directory=self.folder, run=False, with_output=False)

    def other(self) -> tuple[float, int]:
        """As its program says."""
        import brian2 as b2

        b2.device.run(self.folder, with_output=False)
        return float(b2.device._last_run_time), int(self.monitor.num_spikes)

    def __del__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class OfNest(Case):
    """NESTML's file, and the neuron of its name in NEST, which integrates with a step of its own."""

    name, packages, input, start = "NEST", ("nest", "pynestml"), "I_stim", {}
    method, agrees = "exp_euler", False

    def setup(self) -> None:
        """Both, connected."""
        import nest

        files = [file for file in distribution("nestml").files or () if file.name == "aeif_psc_exp_neuron.nestml"]
        self.model = iz.load(str(files[0].locate()))
        nest.ResetKernel()
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.local_num_threads, nest.resolution = 1, DT
        neurons = nest.Create("aeif_psc_exp", self.n, {"I_e": self.currents})
        self.recorder = nest.Create("spike_recorder")
        nest.Connect(neurons, self.recorder)
        nest.Simulate(DT)

    def other(self) -> tuple[float, int]:
        """A further second."""
        import nest

        self.recorder.n_events = 0
        started = time.process_time()
        nest.Simulate(DURATION)
        return time.process_time() - started, int(self.recorder.n_events)


CASES = {"brian2": OfBrian2, "nest": OfNest}


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "imports.json").parse_args()
    repeats, n = (1, 10) if given.quick else (given.repeats, None)
    there = {what: case for what, case in CASES.items() if all(map(find_spec, case.packages))}
    for what in CASES.keys() - there.keys():
        print(f"left out: {what} (pip install {' '.join(PACKAGES[what])})")
    packages = [name for what in there for name in PACKAGES[what]]
    data: dict[str, Any] = {"machine": machine(*packages), "rows": []}
    for case in there.values():
        case = case(n)
        runs = {
            case.name: case.other,
            "izhigen, float64": case.ours("float64"),
            "izhigen, float32": case.ours("float32"),
        }
        found: dict[str, list[tuple[float, int]]] = {what: [] for what in runs}
        for _ in range(repeats):
            for what, run in runs.items():
                found[what].append(run())
        spikes = {what: values[0][1] for what, values in found.items()}
        if case.agrees and spikes[case.name] != spikes["izhigen, float64"]:
            raise SystemExit(f"they do not give the same spikes: {spikes}")
        rates = {what: Rates(tuple(case.n * STEPS / t for t, _ in values), 1) for what, values in found.items()}
        for what, rate in rates.items():
            ratio = rate.ratio(rates[case.name])
            data["rows"].append(
                {
                    "what": what if what == case.name else f"{what}, the same neuron",
                    "neurons": case.n,
                    "times": ratio,
                    **rate.as_data(),
                }
            )
            print(
                f"{case.name}: {what}: {rate.median / 1e6:.1f} M neuron-steps/s, {ratio:.1f} x, {spikes[what]} spikes"
            )
    save(given.save, data)


PACKAGES = {"brian2": ("brian2",), "nest": ("nest-simulator", "nestml")}


if __name__ == "__main__":
    main()
