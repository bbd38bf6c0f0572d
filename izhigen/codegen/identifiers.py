"""Names of a model as C identifiers."""

from __future__ import annotations

import re

KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl complex const const_cast
    constexpr continue default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if imaginary inline int long main mutable namespace new noexcept not not_eq nullptr operator or or_eq
    private protected public register reinterpret_cast restrict return short signed sizeof static static_assert
    static_cast struct switch template this thread_local throw true try typedef typeid typename typeof union
    unsigned using virtual void volatile wchar_t while xor xor_eq int8_t int16_t int32_t int64_t uint8_t uint16_t
    uint32_t uint64_t intptr_t uintptr_t size_t ptrdiff_t
    """.split()
)
"""Words of C and C++, and type names, that no identifier may be."""

OWN = frozenset(
    """
    tile lane lanes group width reach form constants population run count position phase steps time_now any_spike TILE
    GROUP ALIGNED OUT_OF_LINE neuron step_now NONE NEURONS_A_THREAD FULL SHORT WIDE EITHER NULL INFINITY NAN fmaf fabs
    fabsf sqrt sqrtf floor floorf memcpy input spikes short_form release time_step origin EOF
    BUFSIZ EXIT_SUCCESS EXIT_FAILURE RAND_MAX offsetof math_errhandling refractory_period linux unix errno signgam
    y0 y1 yn j0 j1 jn gamma stdin stdout stderr DT DT_REST SEED STEPS STEPS_A_MS STEPS_A_GROUP SQRT_DT DURATION_MS
    BEGIN END OUTPUT_H restrict is_held now saved bars step_next
    """.split()
)
"""Identifiers that the templates use, and names that headers or compilers may define."""

MACRO = re.compile(
    r"(?:U?INT(?:\d+|MAX|PTR|_FAST\d+|_LEAST\d+)?|PTRDIFF|WCHAR|WINT|SIG_ATOMIC|SIZE|FP|HUGE|MATH|M)_[A-Z0-9_]+\Z"
)
"""Macros of math.h and stdint.h."""


def c_name(name: str) -> str:
    """The C identifier for a symbol: the name itself, with one more underscore after it where the word is taken."""
    word = name.rstrip("_")
    ours = name.startswith(("iz_", "IZ_")) or word.endswith("_lanes")
    return f"{name}_" if ours or word in KEYWORDS or word in OWN or MACRO.match(word) else name
