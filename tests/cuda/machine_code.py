"""What machine code of a GPU takes, read from the code itself: instructions of a kernel, its loops, and the shortest way round each.

An instruction has 128 bits on every device since sm_70: twelve for what it does, of which the upper three say only where operands stand,
and four for the predicate that it depends on.
"""

from __future__ import annotations

import heapq
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

NAMES = {
    0x020: "FMUL",
    0x021: "FADD",
    0x023: "FFMA",
    0x028: "DMUL",
    0x029: "DADD",
    0x02B: "DFMA",
    0x00B: "FSETP",
    0x02A: "DSETP",
    0x181: "LDG",
    0x186: "STG",
    0x147: "BRA",
    0x149: "BRX",
    0x14D: "EXIT",
    0x150: "RET",
}
"""Operations by their number without the place of operands."""
ALWAYS = 7
"""The predicate that is true."""
WORDS = struct.Struct("<QQ")
HEADER, SECTION = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True)
class Instruction:
    """One instruction: what it does (empty for what is of no interest here), whether it depends on a predicate, where it may jump to."""

    name: str
    is_conditional: bool
    target: int | None


@dataclass(frozen=True)
class Loop:
    """A loop: its first and last instruction, whether no other stands in it, and the shortest way round it, all slots and those by name."""

    first: int
    last: int
    is_innermost: bool
    slots: int
    names: Counter[str]


def sections(cubin: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the sections of an ELF file."""
    header = HEADER.unpack_from(cubin)
    start, size, count, names_at = header[6], header[11], header[12], header[13]
    table = [SECTION.unpack_from(cubin, start + k * size) for k in range(count)]
    names = table[names_at][4]
    for section in table:
        name = cubin[names + section[0] : cubin.index(b"\0", names + section[0])].decode()
        yield name, cubin[section[4] : section[4] + section[5]]


def instructions(cubin: bytes, kernel: str, arch: int) -> list[Instruction]:
    """The instructions of a kernel, for an architecture such as 90."""
    code = dict(sections(cubin))[f".text.{kernel}"]
    return [_decode(low, high, k, arch) for k, (low, high) in enumerate(WORDS.iter_unpack(code))]


def _decode(low: int, high: int, place: int, arch: int) -> Instruction:
    name = NAMES.get(low & 0x1FF, "")
    if name != "BRA":
        return Instruction(name, (low >> 12) & 15 != ALWAYS, None)
    word = high << 64 | low
    if arch >= 90:  # in words of four bytes, the last eight bits apart
        offset = _signed(word >> 34, 48) * 256 + (word >> 16 & 0xFF)
    else:
        offset = _signed(word >> 32, 50) // 4
    is_conditional = (low >> 12) & 15 != ALWAYS or (high >> 23) & 15 != ALWAYS
    return Instruction(name, is_conditional, place + 1 + offset // 4)


def _signed(word: int, bits: int) -> int:
    value = word & ((1 << bits) - 1)
    return value - (1 << bits) if value >> (bits - 1) else value


def loops(code: list[Instruction]) -> list[Loop]:
    """All loops that are more than a jump to itself; an inner loop counts as passed in the shortest way that there is."""
    ends = sorted((i.target, k) for k, i in enumerate(code) if i.target is not None and i.target < k)
    found = []
    for first, last in ends:
        way = _shortest(code, first, last)
        if way:
            innermost = not any(o != (first, last) and first <= o[0] and o[1] <= last for o in ends)
            found.append(Loop(first, last, innermost, len(way), Counter(code[k].name for k in way)))
    return found


def _next(code: list[Instruction], place: int) -> list[int]:
    """Where an instruction may lead to."""
    own = code[place]
    goes_on = own.is_conditional or own.name not in ("BRA", "BRX", "EXIT", "RET")
    return [place + 1] * goes_on + ([] if own.target is None else [own.target])


def _shortest(code: list[Instruction], first: int, last: int) -> list[int]:
    """The places on the shortest way through a loop's body; empty where none leads through."""
    queue: list[tuple[int, list[int]]] = [(1, [first])]
    done = set()
    while queue:
        length, way = heapq.heappop(queue)
        if way[-1] == last:
            return way
        if way[-1] in done:
            continue
        done.add(way[-1])
        for place in _next(code, way[-1]):
            if way[-1] < place <= last:
                heapq.heappush(queue, (length + 1, [*way, place]))
    return []
