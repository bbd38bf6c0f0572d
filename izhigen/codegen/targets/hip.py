"""HIP, for AMD devices: CUDA's kernels with HIP's headers and wavefronts."""

from __future__ import annotations

from dataclasses import replace

from izhigen.codegen.targets import cuda

TARGET = replace(cuda.TARGET, name="hip", suffix=".hip", flags=("-O3",))
