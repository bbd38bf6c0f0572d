"""A program: source text, its interface, and the key under which it is built once."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.files import sha256

C_FLAGS = ("-std=c99", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
"""Flags for C sources of populations. Never ``-ffast-math``: at link time it sets flush-to-zero for the whole process,
and it takes NaN's meaning away.
"""


@dataclass(frozen=True)
class Program:
    """One compilable file.

    Attributes
    ----------
    name : str
        C name of the model; entry points start with it.
    target : str
        Name of the target that it was rendered for.
    dtype : str
    source : str
        The whole file.
    interface : str
        Structs and prototypes alone, as the foreign-function interface reads them.
    entry_point : str
        Name of the function that advances neurons.
    tile : int
        Neurons that it advances together; ranges start at multiples of it.
    method : str
        Integration method.
    flags : tuple of str
        Compiler flags that suit it on any machine.
    cost : int
        What a neuron-step costs, in multiply-adds (:mod:`izhigen.codegen.operations`).
    event_count : int
        Events that the list of spikes tells apart, the spike among them.
    goes_back : bool
        Whether it can go back through steps.
    spike_timing : str
        Where in a step events happen.
    slots : int
        Places of the list of spikes that a neuron may fill in a step.
    """

    name: str
    target: str
    dtype: str
    source: str
    interface: str
    entry_point: str
    tile: int
    method: str
    flags: tuple[str, ...]
    cost: int
    event_count: int = 1
    goes_back: bool = False
    spike_timing: str = "step"
    slots: int = 1

    @property
    def key(self) -> str:
        """SHA-256 of target and source."""
        return sha256(f"{self.target}\n{self.source}".encode())
