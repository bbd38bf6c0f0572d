"""The peers: each has ``prepare(n)``, ``run(steps)`` and ``counts()``, the same parameters, currents, initial values and step."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import DT, HERE, NOISE, PARAMETERS, U0, V0, currents

import izhigen as iz
from izhigen.backends.toolchain import FLAGS
from izhigen.bench.native import PLAIN_FLAGS, NativeLibrary

BRIAN2_FLAGS = ["-w", "-O3", "-march=native", "-ffast-math"]
WALL_CLOCK = """#include <chrono>
#include <ctime>
static std::clock_t wall_clock()
{
    using namespace std::chrono;
    return (std::clock_t)(duration<double>(steady_clock::now().time_since_epoch()).count() * CLOCKS_PER_SEC);
}
"""
REAL = {"float32": "float", "float64": "double"}


class Scalar:
    """A loop in C over neurons one by one, with the C library's ``expm1f`` (``scalar.c``)."""

    method, fixed_steps, least_steps = "exponential Euler", None, 1

    def __init__(self) -> None:
        self.library = NativeLibrary(
            (HERE / "scalar.c").read_text(encoding="utf-8"),
            "int64_t scalar_steps(float *V, float *u, const float *I, int64_t n, int64_t steps, float dt);",
            PLAIN_FLAGS,
        )

    def prepare(self, n: int) -> Scalar:
        """A fresh population."""
        self.count, self.spikes = n, 0
        self.V, self.u, self.I = np.full(n, V0, np.float32), np.full(n, U0, np.float32), currents(n)
        return self

    def run(self, steps: int) -> None:
        """Advance."""
        pointers = [self.library.pointer("float *", a) for a in (self.V, self.u, self.I)]
        self.spikes += self.library.functions.scalar_steps(*pointers, self.count, steps, DT)

    def counts(self) -> int:
        """Spikes since the start."""
        return int(self.spikes)


class OneStep:
    """izhigen's generated kernel called from C once a step (``one_step.c``): what a step costs when the state goes through memory."""

    method, fixed_steps, least_steps = "exponential Euler", None, 1

    def __init__(self, dtype: str = "float32", counted: bool = False) -> None:
        real, self.counted = REAL[dtype], counted
        text = iz.load("Izhikevich").source("c", dtype=dtype) + (HERE / "one_step.c").read_text(
            encoding="utf-8"
        ).replace("{{real}}", real)
        prototype = (
            f"void one_step_calls({real} *V, {real} *u, const {real} *I, uint8_t *spike, int64_t *moments, double *squares, "
            "int64_t neurons, int64_t first_step, int64_t steps);"
        )
        self.dtype, self.real, self.library = dtype, real, NativeLibrary(text, prototype, tuple(FLAGS))

    def prepare(self, n: int) -> OneStep:
        """A fresh population."""
        self.count, self.done = n, 0
        self.moments, self.squares = (np.zeros((3, n), np.int64), np.zeros(n)) if self.counted else (None, None)
        self.V, self.u, self.I = np.full(n, V0, self.dtype), np.full(n, U0, self.dtype), currents(n, dtype=self.dtype)
        self.flags = np.zeros(n, np.uint8)
        return self

    def run(self, steps: int) -> None:
        """Advance."""
        pointers = [self.library.pointer(f"{self.real} *", a) for a in (self.V, self.u, self.I)]
        pointers += [
            self.library.pointer(kind, a)
            for kind, a in (("uint8_t *", self.flags), ("int64_t *", self.moments), ("double *", self.squares))
        ]
        self.library.functions.one_step_calls(*pointers, self.count, self.done, steps)
        self.done += steps

    def counts(self) -> int:
        """Spikes since the start, where they are counted."""
        return int(self.moments[0].sum())


class BrainPy:
    """BrainPy: a compiled loop over steps with the state on the device; XLA uses as many threads as it likes."""

    fixed_steps, least_steps = None, 8
    install = "pip install 'brainpy==2.8.2' 'jax[cpu]'"

    def __init__(self, noise: bool = False) -> None:
        self.noise, self.method = (
            noise,
            "exponential Euler (exp_euler, with noise)" if noise else "exponential Euler (exp_auto)",
        )

    @staticmethod
    def missing() -> str:
        """What is not installed."""
        return "" if importlib.util.find_spec("brainpy") else "BrainPy is not installed"

    def prepare(self, n: int) -> BrainPy:
        """A fresh population."""
        import brainpy as bp
        import brainpy.math as bm

        bm.set_dt(DT)
        self.count, self.warm = n, set()
        neurons = bp.dyn.Izhikevich(
            n,
            method="exp_euler" if self.noise else "exp_auto",
            noise=NOISE if self.noise else None,
            V_initializer=bp.init.Constant(V0),
            u_initializer=bp.init.Constant(U0),
            **PARAMETERS,
        )
        current, self.total = bm.asarray(currents(n)), bm.Variable(bm.zeros(n, dtype=np.int32))

        def step(i: Any) -> None:
            bp.share.save(i=i, t=i * DT, dt=DT)
            self.total.value = self.total.value + neurons.update(current)

        self.loop, self.steps_of = bm.jit(lambda steps: bm.for_loop(step, steps)), bm.arange
        return self

    def run(self, steps: int) -> None:
        """Advance; a length that is new is compiled and run twice more, as it is slow in its first runs."""
        if steps not in self.warm:
            self.warm.add(steps)
            self.run(steps)
            self.run(steps)
        self.loop(self.steps_of(steps))
        self.total.value.block_until_ready()

    def check(self, n: int, steps: int) -> int:
        """Spikes of one run from the start."""
        self.prepare(n).warm.add(steps)
        self.run(steps)
        return self.counts()

    def counts(self) -> int:
        """Spikes since the start."""
        return int(np.asarray(self.total.value).sum())


class Brian2:
    """Brian2's C++ standalone mode on one core. A project is built for each size and number of steps; what is timed is the built program's own
    measurement around its loop over steps (``last_run_info.txt``), so neither start nor writing of results counts."""

    least_steps = 1
    install = "pip install 'brian2==2.9.*' 'numpy<2.4'"
    WORK = 2e8
    """Neuron-steps of a run."""

    def __init__(self, noise: bool = False) -> None:
        self.noise, self.method = noise, "forward Euler-Maruyama" if noise else "forward Euler"
        self.folders: list[str] = []

    @staticmethod
    def missing() -> str:
        """What is not installed, or does not load."""
        if not importlib.util.find_spec("brian2"):
            return "Brian2 is not installed"
        try:
            import brian2  # noqa: F401
        except Exception as problem:  # an old one fails in many ways beside a new NumPy
            return f"Brian2 does not load ({type(problem).__name__}: {problem})"
        return ""

    def prepare(self, n: int) -> Brian2:
        """Build a project, with the monitor of spikes where there is noise."""
        self.count = n
        self.fixed_steps = int(min(200_000, max(20, (0.1 if self.noise else 1.0) * self.WORK // n)))
        self._build(self.fixed_steps, monitored=self.noise)
        return self

    def _build(self, steps: int, monitored: bool) -> None:
        import brian2 as b2

        self._begin(DT)
        noise = f" + {NOISE}*xi/ms**0.5" if self.noise else ""
        group = b2.NeuronGroup(
            self.count,
            f"""
            dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms{noise} : 1
            du/dt = {PARAMETERS["a"]}*({PARAMETERS["b"]}*v - u)/ms : 1
            I : 1 (constant)
            """,
            threshold="v >= 30",
            reset=f"v = {PARAMETERS['c']}; u += {PARAMETERS['d']}",
            method="euler",
        )
        group.v, group.u, group.I = V0, U0, "20.0*i/(N - 1)"
        objects = [group]
        if monitored:
            self.monitor = b2.SpikeMonitor(group)
            objects.append(self.monitor)
        b2.Network(objects).run(steps * DT * b2.ms)
        self._finish()

    def _begin(self, dt: float) -> None:
        """A folder for a project with that step in ms, in float32, on one core."""
        import brian2 as b2

        b2.prefs.core.default_float_dtype = np.float32
        b2.prefs.codegen.cpp.extra_compile_args_gcc = BRIAN2_FLAGS
        b2.prefs.devices.cpp_standalone.openmp_threads = 0
        self.folder = tempfile.mkdtemp(prefix="brian2-")
        self.folders.append(self.folder)
        b2.device.reinit()
        b2.set_device("cpp_standalone", build_on_run=False)
        b2.defaultclock.dt = dt * b2.ms

    def _finish(self) -> None:
        """Build and run the project."""
        import brian2 as b2

        b2.device.build(directory=self.folder, compile=False, run=False)
        self._time_by_the_wall()
        b2.device.compile_source(self.folder, "unix", False, False)
        b2.device.run(self.folder, with_output=False)

    def _time_by_the_wall(self) -> None:
        """Its loop reads the processor's time, which other processes do not slow down; the others are timed by the wall clock, so it is too."""
        file = Path(self.folder) / "network.cpp"
        text = file.read_text(encoding="utf-8")
        if "std::clock()" not in text:
            raise SystemExit("Brian2's loop has another clock than 2.9's; look at network.cpp")
        file.write_text(WALL_CLOCK + text.replace("std::clock()", "wall_clock()"), encoding="utf-8")

    def run(self, steps: int) -> float:
        """Run the built program; the seconds of its loop."""
        subprocess.run([os.path.join(self.folder, "main")], cwd=self.folder, check=True, capture_output=True)
        return self._loop_seconds()

    def _loop_seconds(self) -> float:
        with open(os.path.join(self.folder, "results", "last_run_info.txt"), encoding="utf-8") as file:
            return float(file.read().split()[0])

    def check(self, n: int, steps: int) -> int:
        """Spikes of one run from the start, counted by a monitor."""
        self.count = n
        self._build(steps, monitored=True)
        return self.counts()

    def counts(self) -> int:
        """Spikes of the last build's first run."""
        return int(self.monitor.num_spikes)

    def close(self) -> None:
        """Remove what was built."""
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
