"""What templates print: a kernel's values as text, in parts that each have a name and a type.

No SymPy value stands in a view, and a template takes no decision that stands in one of its fields. A view is made once
for a kernel and a target by :mod:`izhigen.codegen.viewing`.
"""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.codegen.formats import FloatFormat


@dataclass(frozen=True)
class Variable:
    """A value that a template declares, loads or stores; ``note`` says what stands in it, for a comment."""

    name: str
    type: str
    note: str = ""


@dataclass(frozen=True)
class Given:
    """A value that a population gives, and where: ``dt`` or ``parameter.name``."""

    name: str
    type: str
    source: str


@dataclass(frozen=True)
class Lane:
    """A value that every neuron has.

    ``source`` is the population's array that holds it, if one does; ``buffer`` says whether a tile has room for it.
    """

    name: str
    type: str
    read_only: bool = True
    source: str = ""
    buffer: bool = True


@dataclass(frozen=True)
class Line:
    """A printed statement: ``const type name = text;``, or a store, which may add: ``name += text;``."""

    name: str
    type: str
    text: str
    how: str = "="


@dataclass(frozen=True)
class Variate:
    """Normal variates of one state: the name of a neuron's value, and the stream that keys it."""

    name: str
    stream: int


@dataclass(frozen=True)
class EventView:
    """An event, and what is stored where it happened, beside what the step itself stores.

    ``number`` is its place among a neuron's flags, whose lowest is that of the spike.
    """

    name: str
    number: int
    stores: tuple[Line, ...]


@dataclass(frozen=True)
class ModelView:
    """What the model declares.

    Attributes
    ----------
    states : tuple of Variable
    parameters : tuple of Variable
        Those with one value for the population, in double precision.
    neuron_parameters : tuple of Variable
        Those with one value a neuron.
    """

    states: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    neuron_parameters: tuple[Variable, ...]


@dataclass(frozen=True)
class InputsView:
    """The inputs, those that jump a state last, and what the kernel itself makes of them.

    Attributes
    ----------
    all : tuple of Variable
    noisy, counted, delivered : tuple of str
        Inputs to which normal variates are added, for which Poisson counts are drawn, and to which spikes are
        delivered.
    drawn : tuple of str
        Inputs to which any of these adds something.
    timed : tuple of Line
        Inputs that are computed from time, and how, in double precision.
    """

    all: tuple[Variable, ...]
    noisy: tuple[str, ...]
    counted: tuple[str, ...]
    delivered: tuple[str, ...]
    drawn: tuple[str, ...]
    timed: tuple[Line, ...]


@dataclass(frozen=True)
class ConstantsView:
    """Values that all neurons share.

    Attributes
    ----------
    all : tuple of Variable
        What a kernel computes once a call, and keeps.
    given : tuple of Given
        Parameters and dt, from which it follows.
    in_prepare, in_step, in_guard : tuple of Variable
        Those that the procedures of these names read; the clock counts to the step.
    """

    all: tuple[Variable, ...]
    given: tuple[Given, ...]
    in_prepare: tuple[Variable, ...]
    in_step: tuple[Variable, ...]
    in_guard: tuple[Variable, ...]


@dataclass(frozen=True)
class LanesView:
    """Values that every neuron has.

    Attributes
    ----------
    all : tuple of Lane
    stored : tuple of Lane
        All but whether it spiked.
    in_step : tuple of Lane
        What a step reads or writes.
    values : tuple of Lane
        The same but for whether it spiked, which a step only writes.
    read : tuple of Lane
        What a step reads.
    in_guard, in_prepare : tuple of Lane
        What the procedures of these names read.
    guarded : tuple of Lane
        What the guard stores.
    periods : tuple of Lane
        The refractory period where equations read it, given for each neuron.
    kept : tuple of Lane
        What a population keeps between calls: states, and when each neuron last spiked.
    recorded : tuple of Lane
        The same and inputs, which traces are of.
    copied_types : tuple of str
        Types of the arrays that a population has.
    """

    all: tuple[Lane, ...]
    stored: tuple[Lane, ...]
    in_step: tuple[Lane, ...]
    values: tuple[Lane, ...]
    read: tuple[Lane, ...]
    in_guard: tuple[Lane, ...]
    guarded: tuple[Lane, ...]
    in_prepare: tuple[Lane, ...]
    periods: tuple[Lane, ...]
    kept: tuple[Lane, ...]
    recorded: tuple[Lane, ...]
    copied_types: tuple[str, ...]


@dataclass(frozen=True)
class CodeView:
    """The lines of the kernel's procedures, and which names they read.

    Attributes
    ----------
    constants, prepare, clock, guard, step : tuple of Line
        Statements of the procedures of these names.
    stores, guarded : tuple of Line
        What a step stores, and the guard.
    initial : tuple of Line
        Initial values of the states, where they were asked for.
    reads : frozenset of str
        C names that are read for a neuron.
    reads_time : bool
        Whether a step reads the time.
    elapses : bool
        Whether a step reads the time since the last spike.
    time_in_parts : bool
        Whether the time is then computed from dt in two parts, with twice the precision of a number.
    """

    constants: tuple[Line, ...]
    prepare: tuple[Line, ...]
    clock: tuple[Line, ...]
    guard: tuple[Line, ...]
    step: tuple[Line, ...]
    stores: tuple[Line, ...]
    guarded: tuple[Line, ...]
    initial: tuple[Line, ...]
    reads: frozenset[str]
    reads_time: bool
    elapses: bool
    time_in_parts: bool


@dataclass(frozen=True)
class FormView:
    """A form of phi1: its name, how far from 0 its argument may lie, and the condition that it serves up to the
    threshold.
    """

    name: str
    reach: str
    serves: str


@dataclass(frozen=True)
class ShortView:
    """The short forms of phi1.

    Attributes
    ----------
    arguments : tuple of str
        Arguments of phi1 that are checked; none where no short form is used.
    forms : tuple of FormView
        The short form; where the target has them, the wide one, and the full one without limits on its argument.
    """

    arguments: tuple[str, ...]
    forms: tuple[FormView, ...]


@dataclass(frozen=True)
class HoldView:
    """What is held after events, and what neurons keep of their times.

    Attributes
    ----------
    exists : bool
        Whether neurons are held for a period.
    is_uniform : bool
        Whether that is the same for all neurons.
    is_stamped : bool
        Whether neurons keep the time of their last spike.
    """

    exists: bool
    is_uniform: bool
    is_stamped: bool


@dataclass(frozen=True)
class TileView:
    """How much is done together: neurons of a tile, lanes of a vector loop, and steps that a thread of a device makes
    without a look at what happened in them.
    """

    size: int
    group: int
    steps: int


@dataclass(frozen=True)
class Operand:
    """What the way back reads of every neuron, and what holds it: ``now`` where it was kept of a step."""

    name: str
    type: str
    holder: str
    read_only: bool = True

    @property
    def place(self) -> str:
        """Where it is."""
        return f"{self.holder}->{self.name}"


@dataclass(frozen=True)
class Bar:
    """The gradient with respect to something of that name; of an event its number, and whether anything asks whether it
    happened.
    """

    name: str
    bar: str
    number: int = 0
    is_read: bool = False


@dataclass(frozen=True)
class BackView:
    """The way back through a step.

    Attributes
    ----------
    lanes : tuple of Operand
        What it reads of every neuron.
    saved : tuple of Operand
        Those that are kept of every step of a segment.
    before, after : tuple of str
        Names of those that are copied before a step, and after it.
    reread : tuple of Operand
        Inputs that are read again.
    states, events, inputs, parameters : tuple of Bar
    given : tuple of str
        Gradients that it reads.
    constants : tuple of Variable
    clock, code, stores : tuple of Line
    guard, guarded : tuple of Line
        Statements that compute arguments of phi2 that are checked, and the values of phi2.
    guarded_lanes : tuple of Operand
        Where these are.
    in_guard : tuple of Operand
        What the guard reads.
    guard_constants : tuple of Variable
    arguments : tuple of str
        The arguments that are checked.
    reads_time, reads_t, elapses : bool
        Whether it needs the time; whether equations read it, and the time since the last spike.
    """

    lanes: tuple[Operand, ...]
    saved: tuple[Operand, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    reread: tuple[Operand, ...]
    states: tuple[Bar, ...]
    events: tuple[Bar, ...]
    inputs: tuple[Bar, ...]
    parameters: tuple[Bar, ...]
    given: tuple[str, ...]
    constants: tuple[Variable, ...]
    clock: tuple[Line, ...]
    code: tuple[Line, ...]
    stores: tuple[Line, ...]
    guard: tuple[Line, ...]
    guarded: tuple[Line, ...]
    guarded_lanes: tuple[Operand, ...]
    in_guard: tuple[Operand, ...]
    guard_constants: tuple[Variable, ...]
    arguments: tuple[str, ...]
    reads_time: bool
    reads_t: bool
    elapses: bool

    @property
    def bars(self) -> tuple[str, ...]:
        """All gradients of a tile."""
        return tuple(b.bar for group in (self.states, self.events, self.inputs, self.parameters) for b in group)

    @property
    def unread(self) -> tuple[str, ...]:
        """Gradients of events that nothing reads."""
        return tuple(event.bar for event in self.events if event.bar not in self.given)

    @property
    def happened(self) -> bool:
        """Whether it is kept what happened in a step."""
        return any(lane.name == "iz_happened" for lane in self.saved)

    @property
    def is_held(self) -> bool:
        """Whether it is kept who was held in a step."""
        return any(lane.name == "iz_is_held" for lane in self.saved)


@dataclass(frozen=True)
class ProcedureView:
    """A function that the search for events inside a step calls.

    Attributes
    ----------
    constants : tuple of Variable
        What it reads that all neurons share.
    lanes : tuple of Lane
        What it reads of a neuron beside its states.
    states, old : tuple of str
        States that it reads: where it begins, and as they were at the step's start.
    code, stores : tuple of Line
    reads : frozenset of str
        Names that it reads of the part that is gone through.
    """

    constants: tuple[Variable, ...]
    lanes: tuple[Lane, ...]
    states: tuple[str, ...]
    old: tuple[str, ...]
    code: tuple[Line, ...]
    stores: tuple[Line, ...]
    reads: frozenset[str]

    def text(self, name: str) -> str:
        """What is stored under a name; nothing where nothing is."""
        return next((line.text for line in self.stores if line.name == name), "")


@dataclass(frozen=True)
class LocationView:
    """How events are located inside a step.

    Attributes
    ----------
    is_linear : bool
        Whether on a straight line between the states before and after a part, instead of on the solution.
    part, look, first, happen, end : ProcedureView
        See :mod:`izhigen.codegen.location`.
    events : tuple of EventView
        All of them.
    muted : int
        Flags of those that do not happen while the neuron is held.
    rising : int
        Flags of those that do not happen at the step's end where they held before.
    ends_hold : bool
        Whether a condition ends a hold.
    finest, never : str
        How closely an event is located, as a fraction of a part; the time until what is not on its way (ms).
    most_places, most_tries, halved : int
        Places of a step at which events happen, and places tried in the search for each, at most; and after how many
        of the latter bounds are halved.
    """

    is_linear: bool
    part: ProcedureView
    look: ProcedureView
    first: ProcedureView
    happen: ProcedureView
    end: ProcedureView
    events: tuple[EventView, ...]
    muted: int
    rising: int
    ends_hold: bool
    finest: str
    never: str
    most_places: int
    most_tries: int
    halved: int

    @property
    def released(self) -> int:
        """Flags of those that happen where a hold ends inside a step, if their condition holds there."""
        return 0 if self.ends_hold else self.muted & ~self.rising

    @property
    def procedures(self) -> tuple[ProcedureView, ...]:
        """All of them."""
        return (self.part, self.look, self.first, self.happen, self.end)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What they read of a neuron beside its states."""
        return tuple(dict.fromkeys(lane for procedure in self.procedures for lane in procedure.lanes))

    @property
    def reads_time(self) -> bool:
        """Whether they read the time."""
        return any("t" in procedure.reads for procedure in self.procedures)

    @property
    def every(self) -> int:
        """Flags of all events."""
        return sum(1 << event.number for event in self.events)


@dataclass(frozen=True)
class KernelView:
    """All that the templates of any target print of a kernel.

    Attributes
    ----------
    name : str
        C name of the model.
    target : str
    number : FloatFormat
        The number type of states and inputs.
    head : tuple of str
        Lines of the comment at the top of a file.
    functions : tuple of str
        Text of the elementary functions that are called.
    spikes : bool
        Whether anything happens to a neuron; a model without a threshold never spikes then.
    noise : tuple of Variate
    events : tuple of EventView
        Those that store something beside what the step stores.
    other_events : tuple of EventView
        All but the spike.
    model, inputs, constants, lanes, code, short, hold, tile
        The parts.
    back : BackView or None
        The way back through a step, where it is asked for.
    location : LocationView or None
        How events are located inside a step, where they are.
    """

    name: str
    target: str
    number: FloatFormat
    head: tuple[str, ...]
    functions: tuple[str, ...]
    spikes: bool
    noise: tuple[Variate, ...]
    events: tuple[EventView, ...]
    other_events: tuple[EventView, ...]
    model: ModelView
    inputs: InputsView
    constants: ConstantsView
    lanes: LanesView
    code: CodeView
    short: ShortView
    hold: HoldView
    tile: TileView
    back: BackView | None = None
    location: LocationView | None = None

    @property
    def real(self) -> str:
        """C type of states and inputs."""
        return self.number.real

    @property
    def has_constants(self) -> bool:
        """Whether anything is computed from parameters alone."""
        return bool(self.constants.all or self.short.arguments)

    @property
    def event_count(self) -> int:
        """Events that a list tells apart: a step's number counts for each of them there."""
        return 1 + len(self.other_events)

    @property
    def places(self) -> str:
        """What a number of spikes is multiplied by where each place of a list is one of an event."""
        return f" * {self.event_count}" if self.other_events else ""

    @property
    def happened(self) -> str:
        """The flags of a neuron: a bit for each event, the spike's the lowest."""
        return " | ".join(["spike", *(f"{event.name} << {event.number}" for event in self.other_events)])

    @property
    def flag(self) -> str:
        """What a step says of a neuron: whether it spiked, what happened, or whether anything may have happened."""
        return "iz_watched" if self.location else "iz_happened" if self.other_events else "spike"

    @property
    def slots(self) -> int:
        """Most events of a neuron and step that the list may get."""
        return self.event_count * (1 if self.location is None else self.location.most_places + 1)

    @property
    def room(self) -> str:
        """What a number of neurons and steps is multiplied by for the places of a list that holds all their events."""
        return f" * {self.slots}" if self.slots > 1 else ""

    @property
    def stamps(self) -> bool:
        """Whether an event stores the time of its step."""
        return self.hold.is_stamped and bool(self.events)

    @property
    def is_timed(self) -> bool:
        """Whether a step reads the time, or its number."""
        return self.hold.is_stamped or self.code.reads_time or self.location is not None

    @property
    def draws(self) -> bool:
        """Whether variates or counts are drawn, or spikes are delivered."""
        return bool(self.noise or self.inputs.drawn)

    @property
    def draws_by_step(self) -> bool:
        """Whether what is drawn depends on the number of a step within a call."""
        return bool(self.inputs.noisy or self.inputs.counted)

    @property
    def is_fed(self) -> bool:
        """Whether a step is given anything new."""
        return bool(self.inputs.all) or self.draws

    @property
    def is_clocked(self) -> bool:
        """Whether anything depends on the number of a step."""
        return self.is_timed or self.draws

    @property
    def zero(self) -> str:
        """0 as a number of that type."""
        return f"0.0{self.number.suffix}"
