"""The part of an interface that goes back through steps."""

from __future__ import annotations

from izhigen.codegen.interface import NUMBERS, Field, Function, Group, Struct, pointer, value
from izhigen.codegen.view import KernelView


def kept_fields(view: KernelView) -> tuple[Field | Group, ...]:
    """Where a run writes down what going back through it needs."""
    if view.back is None:
        return ()
    return (
        Field(
            ("keep_first", "keep_every"),
            "int64",
            about="states before step keep_first, and before each later one that is a multiple of keep_every: a row of "
            "neurons values each, the first\nof them for keep_first; nothing is kept where keep_every is 0",
        ),
        Group("keep", tuple(pointer(lane.name, _number(lane.type)) for lane in view.lanes.kept)),
    )


def back_structs(view: KernelView, *, on_device: bool = False) -> tuple[Struct, ...]:
    """What the way back is given, and what it finds; on a device with the room that it needs."""
    if view.back is None:
        return ()
    real, back = f"float{view.number.width}", view.back
    given = Struct(
        f"{view.name}_cotangent",
        (
            pointer("values", real, "or NULL", constant=True),
            value("step_stride", "int64"),
            value("neuron_stride", "int64"),
            value("every", "int64", "rows are those of steps every - 1, 2*every - 1, ... of the run"),
        ),
        "The gradient of a loss with respect to values after steps of a run: row r, neuron i at "
        "values[r*step_stride + i*neuron_stride].",
    )
    members: list[Field | Group] = [
        value("first", "int64", "the step that is gone back to"),
        value("origin", "int64", "first step of the run"),
        value("every", "int64", "steps of a segment"),
        Group(
            "kept",
            tuple(
                pointer(v.name, _number(v.type), constant=True, note="rows of the segments, from the call's first on")
                for v in view.lanes.kept
            ),
        ),
        Group("given", tuple(value(bar.name, f"struct {given.name}") for bar in (*back.states, *back.events))),
        Group("state", tuple(pointer(bar.name, real) for bar in back.states)),
    ]
    if back.events:
        members.append(Group("count", tuple(value(bar.name, f"struct {given.name}") for bar in back.events)))
    if back.inputs:
        members.append(Group("input", tuple(pointer(bar.name, real) for bar in back.inputs)))
    if on_device and back.saved:
        room = "rows of a segment, a value a thread of the launch each"
        members.append(Group("room", tuple(pointer(v.name, _number(v.type), note=room) for v in back.saved)))
    if back.parameters:
        members.append(Group("parameter", tuple(pointer(bar.name, "float64") for bar in back.parameters)))
    pullback = Struct(
        f"{view.name}_pullback",
        tuple(members),
        "The way back through the steps of a run: what the loss itself depends on (given; and the number of events, of "
        "which row 0 is read); "
        "the gradient with respect\nto states, a value a neuron, first after the call's last step and then before its "
        "first; that with respect to inputs, a row a step\nof the call; and of parameters, a value a neuron that is "
        "added to.",
    )
    return given, pullback


def back_functions(view: KernelView) -> tuple[Function, ...]:
    """The functions that go back."""
    if view.back is None:
        return ()
    room = Function(
        f"{view.name}_room",
        "int64",
        (value("steps", "int64"),),
        "Bytes of the room that the way back needs for a segment of so many steps; aligned to 64.",
    )
    pull_back = Function(
        f"{view.name}_pull_back",
        "void",
        (
            pointer("population", f"struct {view.name}_population", constant=True),
            pointer("run", f"struct {view.name}_run"),
        ),
        "Go back through run->steps steps of neurons first <= i < last, made again segment by segment; the arrays of "
        "the population's\nstate serve as room. A call begins with a segment. Where bad_neuron is not negative on "
        "entry, it becomes the first neuron with a\ngradient that is not finite: of an input, or of a state where a "
        "segment begins. "
        "Ranges and threads as for "
        f"{view.name}_advance, each with a room of its own.",
        (
            pointer("pullback", f"struct {view.name}_pullback", constant=True),
            pointer("room", "void"),
            value("first", "int64"),
            value("last", "int64"),
        ),
    )
    return room, pull_back


def _number(spelled: str) -> str:
    """The number that a C type of a view stands for."""
    return next(name for name, text in NUMBERS.items() if text == spelled)
