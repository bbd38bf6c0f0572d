"""Numbers on which kernels, projects and hosts agree, each written down once. Loads no SymPy."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.model.initial import NEVER_SPIKED

NO_STEP = 2**63 - 1
"""Number of a step or neuron where there is none: above all others."""
LATEST_RELEASE = 4e18
"""The first step after a hold is at most this one, so that no sum overflows."""
COUNTED_STEPS = 1 << 30
"""Steps that C counts from the call's beginning, in 32 bits beside float32."""
EVENT_GROUP = 32
"""Neurons whose spikes are kept in one list: a warp of a device, and a part of every tile."""
SUMMED_STEPS = 32
"""Gradients of parameters are summed in the kernel's type over steps up to a multiple of this one, and these sums in
double precision: always in the same order, wherever a run is cut.
"""
LARGEST_MEAN = 1e6
"""Largest mean of a Poisson variate; a draw takes a time that grows with its root."""
MULTIPLIERS, WEYL, ROUNDS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85), 10
"""Philox4x32-10 (Salmon et al. 2011)."""
STREAM_SHIFT = 16
"""The stream of a variate stands in the counter's second word, above what indices of neurons reach."""
HIGH_WORDS, LOW_WORDS = 0x80000000, 0xC0000000
"""Added to the last word of the counter for the halves of the uniform numbers of Poisson counts; that of normal
variates stays below.
"""


@dataclass(frozen=True)
class AgreedView:
    """The same numbers as templates print them.

    Attributes
    ----------
    never, no_step, latest_release, latest_release_whole, counted_steps, largest_mean : str
    event_group, summed_steps, stream_shift, rounds : int
    multipliers, weyl : tuple of str
    high_words, low_words : str
    """

    never: str
    no_step: str
    latest_release: str
    latest_release_whole: str
    counted_steps: str
    largest_mean: str
    event_group: int
    summed_steps: int
    stream_shift: int
    rounds: int
    multipliers: tuple[str, ...]
    weyl: tuple[str, ...]
    high_words: str
    low_words: str


def _short(number: float) -> str:
    """A number that is a digit and a power of ten, without zeros."""
    digits, exponent = f"{number:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _words(*numbers: int) -> tuple[str, ...]:
    """Literals of 32 bits."""
    return tuple(f"0x{number:08X}u" for number in numbers)


AGREED = AgreedView(
    never=_short(NEVER_SPIKED),
    no_step=f"{NO_STEP:#x}",
    latest_release=_short(LATEST_RELEASE),
    latest_release_whole=f"{int(LATEST_RELEASE)}LL",
    counted_steps=f"{COUNTED_STEPS:#x}",
    largest_mean=_short(LARGEST_MEAN),
    event_group=EVENT_GROUP,
    summed_steps=SUMMED_STEPS,
    stream_shift=STREAM_SHIFT,
    rounds=ROUNDS,
    multipliers=_words(*MULTIPLIERS),
    weyl=_words(*WEYL),
    high_words=_words(HIGH_WORDS)[0],
    low_words=_words(LOW_WORDS)[0],
)
