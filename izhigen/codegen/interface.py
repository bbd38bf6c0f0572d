"""What a program's functions take, as values: structs, functions, and what a reader is told of each; their text in C.

A type is the name of a number (``"int64"``, ``"float32"``, ...), ``"void"``, or ``"struct NAME"``. Other languages
render the same values in their own words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NUMBERS = {
    "condition": "int",
    "float32": "float",
    "float64": "double",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 32, 64)},
}
"""Numbers and conditions, and what C calls them."""
REST = " " * 27
"""Before the second line of a prototype."""


@dataclass(frozen=True)
class Field:
    """Something that a struct holds or a function is given.

    Attributes
    ----------
    names : tuple of str
        One, or several of the same type, which belong together.
    type : str
    is_pointer, is_constant : bool
        Whether it points to values of the type, and whether these are not written.
    length : str
        Number of values in place, as C has it; one where empty.
    note : str
        For the line itself.
    about : str
        For this field and those after it, before the line; its lines end where they are to.
    """

    names: tuple[str, ...]
    type: str
    is_pointer: bool = False
    is_constant: bool = False
    length: str = ""
    note: str = ""
    about: str = ""


@dataclass(frozen=True)
class Group:
    """Fields of a struct that have a name together, such as its ``state``."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Struct:
    """A struct, and what it is for."""

    name: str
    members: tuple[Field | Group, ...]
    about: str


@dataclass(frozen=True)
class Function:
    """A function of the program.

    Attributes
    ----------
    name, returns : str
        Its name, and the type of what it returns.
    first, rest : tuple of Field
        Arguments, and those that stand in a line of their own.
    about : str
    """

    name: str
    returns: str
    first: tuple[Field, ...]
    about: str
    rest: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Size:
    """A number that whoever compiles the program may set, and its default."""

    name: str
    default: int
    about: str


@dataclass(frozen=True)
class Interface:
    """All that a program shows.

    Attributes
    ----------
    structs : tuple of Struct
        Each after those that it holds.
    functions : tuple of Function
    sizes : tuple of Size
    """

    structs: tuple[Struct, ...]
    functions: tuple[Function, ...] = ()
    sizes: tuple[Size, ...] = field(default=())


def value(name: str, kind: str, note: str = "", *, about: str = "", length: str = "") -> Field:
    """A field that holds a value, or a number of them in place."""
    return Field((name,), kind, length=length, note=note, about=about)


def pointer(names: str, kind: str, note: str = "", *, about: str = "", constant: bool = False) -> Field:
    """A field that points to values; several names have blanks between them."""
    return Field(tuple(names.split()), kind, is_pointer=True, is_constant=constant, note=note, about=about)


# -- C ----------------------------------------------------------------------------------------------------------------


def c_text(interface: Interface) -> str:
    """The interface in C, without includes."""
    parts = [
        *(f"{_comment(s.about)}#ifndef {s.name}\n#define {s.name} {s.default}\n#endif\n" for s in interface.sizes),
        *(_struct(struct) for struct in interface.structs),
        *(_comment(function.about) + prototype(function) + "\n" for function in interface.functions),
    ]
    return "\n".join(parts)


def prototype(function: Function) -> str:
    """A function's declaration in C."""
    lines = [", ".join(_declaration(argument) for argument in part) for part in (function.first, function.rest) if part]
    return f"{_type(function.returns)} {function.name}({f',{chr(10)}{REST}'.join(lines) or 'void'});"


def _type(name: str) -> str:
    return NUMBERS.get(name, name)


def _comment(text: str, margin: str = "") -> str:
    return f"{margin}/* " + text.replace("\n", f"\n{margin}   ") + " */\n" if text else ""


def _declaration(part: Field) -> str:
    """Type and names."""
    star, constant = "*" if part.is_pointer else "", "const " if part.is_constant else ""
    length = f"[{part.length}]" if part.length else ""
    return f"{constant}{_type(part.type)} {', '.join(star + name + length for name in part.names)}"


def _field(part: Field, margin: str) -> str:
    return f"{_comment(part.about, margin)}{margin}{_declaration(part)};{f' /* {part.note} */' if part.note else ''}\n"


def _struct(struct: Struct) -> str:
    lines = []
    for member in struct.members:
        if isinstance(member, Group):
            inner = "".join(_field(part, " " * 8) for part in member.fields)
            lines.append(f"    struct {{\n{inner}    }} {member.name};\n")
        else:
            lines.append(_field(member, " " * 4))
    return f"{_comment(struct.about)}struct {struct.name} {{\n{''.join(lines)}}};\n"
