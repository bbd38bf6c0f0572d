"""CUDA C++: one thread a neuron, compiled at run time or by nvcc; includes nothing when compiled at run time."""

from __future__ import annotations

from izhigen.codegen.body import PERIOD, TIME_NOW
from izhigen.codegen.interfaces import device_interface
from izhigen.codegen.printers.cuda import CudaPrinter
from izhigen.codegen.procedure import Word
from izhigen.codegen.targets.target import Target
from izhigen.codegen.words import TIME_STEP, Words
from izhigen.derive.event import LAST_SPIKE

TARGET = Target(
    "cuda",
    ".cu",
    CudaPrinter,
    "cuda",
    "population.cu.j2",
    device_interface,
    Words(
        form=(Word("constants->short_reach"),),
        release=(Word("iz_release"), TIME_NOW, PERIOD, TIME_STEP),
        since=(Word("iz_since"), Word("step_now"), LAST_SPIKE, Word("constants->time_step")),
    ),
    goes_back=True,
    flags=("-O3", "-std=c++14"),
    project="cuda",
)
