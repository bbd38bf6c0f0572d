"""CUDA C++ spellings: functions of the device, a neuron in the registers of a thread."""

from __future__ import annotations

from types import MappingProxyType

from izhigen.codegen.printers.c import CPrinter


class CudaPrinter(CPrinter):
    """Prints for one thread of a device; what it calls is C."""

    FUNCTION, INLINE, ALWAYS_INLINE = (
        "static __device__",
        "static __device__ __forceinline__",
        "static __device__ __forceinline__",
    )
    LARGE_FUNCTION = "static __device__ __noinline__"
    VARIATES = "variate"
    PROVIDED = CPrinter.PROVIDED | {"inlining"}
    TEMPLATES = MappingProxyType(
        {
            "start": "start_rounded",
            "since": "since_device",
            "phi1_form": "phi1_form_device",
            "phi2_form": "phi2_form_device",
        }
    )
    step_type, flags_type = "int64_t", "uint32_t"
    WIDE_FORM = False
    ESTIMATES = True

    def __init__(self, dtype: str) -> None:
        super().__init__(dtype)
        self.CLOCK = "time_fused" if dtype == "float32" else ""
