"""CUDA C++: one thread a neuron, compiled at run time or by nvcc; includes nothing when compiled at run time."""

from __future__ import annotations

from izhigen.codegen.printers.cuda import CudaPrinter
from izhigen.codegen.targets.target import Target

TARGET = Target("cuda", ".cu", CudaPrinter, "cuda", "population.cu.j2", flags=("-O3", "-std=c++14"), project="cuda")
