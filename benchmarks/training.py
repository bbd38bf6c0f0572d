"""Loss and gradient of Izhikevich neurons that are to fire at given rates, beside BrainPy and PyTorch.

    python benchmarks/training.py [--save]

The loss is the mean squared distance of spike counts from targets, its gradient that with respect to the current of
every neuron and step (as a layer before the neurons needs it), and where it says so to all parameters. All candidates
have the same currents and surrogate, in single precision, and are measured in turn; BrainPy and PyTorch where they are
installed. Rates are neuron-steps a second of loss and gradient together.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from common import DT, options, row, save

import izhigen as iz
from izhigen.bench.timing import cores, in_turn, machine

NEURONS, STEPS, TARGET, ALPHA = 4096, 1000, 5.0, 1.0


def currents(neurons: int, steps: int) -> Any:
    values = np.random.default_rng(0).uniform(5.0, 20.0, (steps, neurons)).astype(np.float32)
    values.flags.writeable = False  # so that nobody needs a copy of them
    return values


class Candidate:
    """What is measured: ``gradient`` computes both, ``loss`` the loss alone."""

    least_steps = 1
    is_compiled = True

    def __init__(self, neurons: int, steps: int) -> None:
        self.count, self.fixed_steps, self.neurons = neurons, steps, neurons
        self.currents = currents(neurons, steps)

    def run(self, steps: int) -> None:
        self.gradient()

    def gradient(self) -> Any:
        raise NotImplementedError

    def loss(self) -> float:
        raise NotImplementedError


class Izhigen(Candidate):
    """This package: ``of`` names what gradients are due of."""

    def __init__(self, neurons: int, steps: int, threads: int = 1, of: Any = ("I",), forward: bool = False) -> None:
        super().__init__(neurons, steps)
        self.of, self.forward = of, forward
        self.pop = iz.load("IzhikevichLTC").population(
            neurons, dt=DT, threads=threads, surrogate=iz.surrogates.sigmoid(ALPHA)
        )

    def _run(self, tape: Any) -> Any:
        self.pop.reset()
        return self.pop.run(steps=self.fixed_steps, record=["count"], I=self.currents, tape=tape)

    def gradient(self) -> Any:
        if self.forward:
            return self.loss()
        recording = self._run(self.of)
        distance = recording["count"] - TARGET
        self.tape = recording.tape
        return recording.backward({"count": 2.0 * distance / self.neurons})["I" if self.of is not True else "a"]

    def loss(self) -> float:
        return float(((self._run(False)["count"] - TARGET) ** 2).mean())


class BrainPy(Candidate):
    """Its jitted value-and-grad, on all cores."""

    def __init__(self, neurons: int, steps: int, forward: bool = False) -> None:
        super().__init__(neurons, steps)
        import brainpy as bp
        import brainpy.math as bm
        import jax
        import jax.numpy as jnp
        from brainpy.dyn import IzhikevichLTC

        bm.set_dt(DT)
        mode = bm.TrainingMode(1)
        cell = IzhikevichLTC(neurons, spk_fun=bm.surrogate.Sigmoid(alpha=ALPHA), method="exp_auto", mode=mode)

        def loss(current: Any) -> Any:
            cell.reset(1)

            def step(i: Any, x: Any) -> Any:
                bp.share.save(i=i, t=i * DT, dt=DT)
                return cell.update(x)

            spikes = bm.for_loop(step, (jnp.arange(steps), current))
            return ((spikes.sum(axis=0) - TARGET) ** 2).mean()

        self._jax, self._given = jax, jnp.asarray(self.currents[:, None, :])
        self._function = bm.jit(loss) if forward else bm.jit(bm.grad(loss, argnums=0, return_value=True))

    def gradient(self) -> Any:
        return self._jax.block_until_ready(self._function(self._given))


class Torch(Candidate):
    """The same step written by hand in PyTorch, with a surrogate gradient by ``autograd.Function``."""

    def __init__(self, neurons: int, steps: int, compiled: bool) -> None:
        super().__init__(neurons, steps)
        import torch

        torch.set_num_threads(cores())
        self._torch, values = torch, iz.load("IzhikevichLTC").parameters

        class Spike(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x)
                return (x >= 0).to(x.dtype)

            @staticmethod
            def backward(ctx: Any, gradient: Any) -> Any:
                (x,) = ctx.saved_tensors
                s = torch.sigmoid(ALPHA * x)
                return gradient * ALPHA * s * (1 - s)

        def phi1(z: Any) -> Any:
            near = z.abs() < 1e-2
            safe = torch.where(near, torch.ones_like(z), z)
            return torch.where(near, 1 + z / 2 + z * z / 6, torch.expm1(safe) / safe)

        decay = float(-np.expm1(-values["a"] * DT))

        def step(V: Any, u: Any, current: Any) -> Any:
            f = values["p1"] * V * V + values["p2"] * V + values["p3"] - u + current
            z = DT * (2 * values["p1"] * V + values["p2"])
            V, u = V + DT * phi1(z) * f, u + decay * (values["b"] * V - u)
            spike = Spike.apply(V - values["V_th"])
            return V + spike * (values["c"] - V), u + values["d"] * spike, spike

        self._step = torch.compile(step) if compiled else step
        self._given = torch.tensor(self.currents, requires_grad=True)

    def gradient(self) -> Any:
        torch = self._torch
        V = torch.full((self.neurons,), -70.0)
        u, count = 0.2 * V, 0.0
        for current in self._given:
            V, u, spike = self._step(V, u, current)
            count = count + spike
        (gradient,) = torch.autograd.grad(((count - TARGET) ** 2).mean(), [self._given])
        return gradient


def candidates(neurons: int, steps: int) -> dict[str, Candidate]:
    """Those that can be made here."""
    makers: dict[str, Any] = {
        "izhigen, 1 core": lambda: Izhigen(neurons, steps),
        "izhigen, 1 core, the loss alone": lambda: Izhigen(neurons, steps, forward=True),
        "izhigen, 1 core, all parameters too": lambda: Izhigen(neurons, steps, of=True),
        "izhigen, 2 cores": lambda: Izhigen(neurons, steps, threads=2),
        "BrainPy, all cores": lambda: BrainPy(neurons, steps),
        "BrainPy, all cores, the loss alone": lambda: BrainPy(neurons, steps, forward=True),
        "PyTorch, all cores": lambda: Torch(neurons, steps, compiled=False),
        "PyTorch compiled, all cores": lambda: Torch(neurons, steps, compiled=True),
    }
    found = {}
    for name, make in makers.items():
        try:
            found[name] = make()
            found[name].gradient()
        except Exception as problem:  # not installed, or no compiler that it knows
            print(f"{name}: left out ({str(problem).splitlines()[0] if str(problem) else type(problem).__name__})")
            found.pop(name, None)
    return found


def long_run(steps: int) -> dict[str, float]:
    """How long the first gradient of a long run takes, its kernel built before, and what it keeps."""
    case = Izhigen(64, steps)
    started = time.perf_counter()
    case.gradient()
    return {"steps": steps, "seconds": time.perf_counter() - started, "bytes": case.tape.bytes / (64 * steps)}


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "training.json").parse_args()
    neurons, steps = (256, 50) if given.quick else (NEURONS, STEPS)
    found = candidates(neurons, steps)
    rates = in_turn(found, given.seconds, 2 if given.quick else given.repeats)
    installed = [p for p, name in (("brainpy", "BrainPy"), ("torch", "PyTorch")) if any(name in c for c in found)]
    data: dict[str, Any] = {"machine": machine(*installed), "neurons": neurons, "steps": steps, "rows": []}
    first = rates["izhigen, 1 core"]
    for name, rate in rates.items():
        data["rows"].append(row(name, rate, share_of_first=rate.ratio(first)))
        print(f"{name:<40} {rate.median / 1e6:8.1f} M/s   izhigen on 1 core is {first.ratio(rate):6.2f} x as fast")
    data["bytes"] = found["izhigen, 1 core"].tape.bytes / (neurons * steps)
    data["long"] = long_run(10_000)
    print(f"kept: {data['bytes']:.2f} bytes a neuron-step; {data['long']}")
    save(given.save, data)


if __name__ == "__main__":
    main()
