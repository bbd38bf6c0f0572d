"""What a CUDA device allows, and how much of it the kernels use. Needs CuPy and a device.

    python benchmarks/device.py [--save] [--sizes N ...]

One step a launch is held against a copy of as many bytes in the same run, many steps a launch against the device's peak of multiply-adds and
against real time: a billion neurons at a step of 1 ms are 10^12 neuron-steps/s. `benchmarks/gpu.sh` runs this with the tests and under compute-sanitizer and ncu.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from common import HIGHEST_CURRENT, NOISE, PARAMETERS, U0, V0, options, row, save

import izhigen as iz
from izhigen.backends.device import load_cupy
from izhigen.bench.model import Run, StepByStep
from izhigen.bench.timing import Rates, in_turn, machine

SIZES = (1_000, 100_000, 1_000_000, 100_000_000)
LARGEST = 1_000_000_000
COPY_BYTES = 4 << 30
PEAK = """
extern "C" __global__ void peak(float *out, float factor, float term, int rounds)
{
    float a = threadIdx.x, b = a + 1, c = a + 2, d = a + 3;
    for (int round = 0; round < rounds; round++) {
        a = a * factor + term;
        b = b * factor + term;
        c = c * factor + term;
        d = d * factor + term;
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = a + b + c + d;
}
"""


class Copy:
    """A copy on the device; counted in bytes read and written."""

    fixed_steps: int | None = None
    least_steps = 1

    def __init__(self, size: int) -> None:
        cupy = load_cupy()
        self._stream = cupy.cuda.get_current_stream()
        self._source, self._target = (cupy.zeros(size // 4, np.float32) for _ in range(2))
        self.count = 2 * size

    def run(self, steps: int) -> None:
        """Copy again and again."""
        for _ in range(steps):
            self._target[...] = self._source
        self._stream.synchronize()


class Peak:
    """Multiply-adds on registers, in all threads that the device holds."""

    fixed_steps: int | None = None
    least_steps = 256

    def __init__(self) -> None:
        cupy = load_cupy()
        self._stream = cupy.cuda.get_current_stream()
        self._blocks = 8 * cupy.cuda.Device().attributes["MultiProcessorCount"]
        self._kernel = cupy.RawModule(code=PEAK).get_function("peak")
        self._out = cupy.zeros(256 * self._blocks, np.float32)
        self.count = 4 * 256 * self._blocks

    def run(self, steps: int) -> None:
        """That many rounds in every thread."""
        self._kernel((self._blocks,), (256,), (self._out, np.float32(1.0000001), np.float32(1e-7), np.int32(steps)))
        self._stream.synchronize()


class Steps(StepByStep):
    """Steps asked for from Python, and waited for at the end."""

    def run(self, steps: int) -> None:
        """Advance by one step at a time."""
        super().run(steps)
        load_cupy().cuda.get_current_stream().synchronize()


class Gradient:
    """Runs that are gone back through: gradients of the number of spikes, with respect to a parameter of all."""

    fixed_steps: int | None = None
    least_steps = 256

    def __init__(self, n: int) -> None:
        self.population, self.inputs = population(n, surrogate="sigmoid", detach_spike="reset")
        self.count = n

    def run(self, steps: int) -> None:
        """Forth and back; the parameter's gradient comes to the host."""
        recording = self.population.run(
            steps=steps, record=("count",), check_finite=False, progress=False, tape=["a"], **self.inputs
        )
        recording.backward({"count": 1.0})


def population(n: int, noise: float = 0.0, **options: Any) -> tuple[Any, dict[str, Any]]:
    """The population of all benchmarks on the device, and its input: one constant current a neuron."""
    model = iz.load("Izhikevich")
    model = model.with_noise(V=noise) if noise else model
    pop = model.population(n, dt=options.pop("dt", 0.1), backend="cuda", **{**PARAMETERS, "V": V0, "u": U0, **options})
    currents = load_cupy().linspace(0.0, HIGHEST_CURRENT, n, dtype=pop.dtype)
    return pop, {"I": currents}


def settings(n: int) -> Iterator[tuple[str, Any]]:
    """Candidates of one size, made one after the other so that one at a time takes memory."""
    yield "one step a launch", Run(*population(n, steps_per_launch=1))
    yield "many steps a launch", Run(*population(n))
    yield "many steps a launch, dt = 1 ms", Run(*population(n, dt=1.0))
    if n <= 100_000_000:
        yield "many steps a launch, float64", Run(*population(n, dtype="float64"))
        yield "many steps a launch, noise", Run(*population(n, noise=NOISE))
        yield "many steps a launch, counts", Run(*population(n), record=("count",))
    if n <= 1_000_000:
        yield "many steps a launch, gradient too", Gradient(n)
        yield "many steps a launch, every spike", Run(*population(n), record=("spike",))
        yield "steps from Python", Steps(*population(n))


def measure(given: Any, sizes: tuple[int, ...], copied: Rates, peak: Rates) -> list[dict[str, Any]]:
    """Every setting at every size."""
    rows = []
    each = iz.load("Izhikevich").population(1, backend="numpy").kernel.bytes_per_step
    for n in sizes:
        for what, candidate in settings(n):
            rate = in_turn({what: candidate}, given.seconds, given.repeats)[what]
            facts = {
                "neurons": n,
                "share_of_copy": rate.median * each / copied.median,
                "operations_at_peak": peak.median / rate.median,
            }
            rows.append(row(what, rate, bytes_per_step=each, **facts))
            print(
                f"{n:>13,}  {what:<34} {rate.median / 1e9:10.3f} G/s  {facts['share_of_copy']:8.1%} of a copy of {each} bytes  "
                f"{facts['operations_at_peak']:7.1f} multiply-adds at peak",
                flush=True,
            )
    return rows


def device() -> dict[str, Any]:
    """The device, and the versions that figures depend on."""
    cupy = load_cupy()
    number = cupy.cuda.runtime.getDevice()
    return {
        "device": cupy.cuda.runtime.getDeviceProperties(number)["name"].decode(),
        "memory": cupy.cuda.Device(number).mem_info[1],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "cupy": getattr(cupy, "__version__", ""),
    }


def main() -> None:
    """Measure and print; save as data when asked."""
    parser = options(__doc__, "device.json")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of neurons (default: 1e3, 1e5, 1e6, 1e8 and 1e9)")
    given = parser.parse_args()
    sizes = tuple(given.sizes) if given.sizes else (1_000,) if given.quick else (*SIZES, LARGEST)
    cupy = load_cupy()
    if given.quick:
        given.seconds, given.repeats = 0.001, 2
    free = cupy.cuda.Device().mem_info[0]
    with cupy.cuda.Stream(non_blocking=True):
        limits = in_turn({"copy": Copy(min(COPY_BYTES, free // 64)), "peak": Peak()}, given.seconds, given.repeats)
        copied, peak = limits["copy"], limits["peak"]
        print(
            f"{device()['device']}: copy {copied.median / 1e12:.3f} TB/s read and written, peak {peak.median / 1e12:.2f} T multiply-adds/s"
        )
        rows = measure(given, tuple(n for n in sizes if 40 * n < free), copied, peak)
    save(
        given.save,
        {"machine": {**machine(), **device()}, "copy": copied.as_data(), "peak": peak.as_data(), "rows": rows},
    )


if __name__ == "__main__":
    main()
