"""The interfaces of a kernel's programs: for processors, for devices, and for microcontrollers."""

from __future__ import annotations

from typing import TypeVar

from izhigen.codegen.agreed import AGREED
from izhigen.codegen.interface import NUMBERS, Field, Function, Group, Interface, Size, Struct, pointer, value
from izhigen.codegen.interfaces_back import back_functions, back_structs, kept_fields
from izhigen.codegen.view import KernelView, Lane, Variable

Part = TypeVar("Part")

MICROCONTROLLER_NEURONS, MICROCONTROLLER_PLACES = 16, 2
"""Neurons of a population of fixed size, and places in a step that are kept of a neuron's events of a kind, where the
compiler is told no other number.
"""


def processor_interface(view: KernelView) -> Interface:
    """A run is told where to write, and ranges of neurons are advanced."""
    advance = Function(
        f"{view.name}_advance",
        "int64",
        (
            pointer("population", f"struct {view.name}_population", constant=True),
            pointer("run", f"struct {view.name}_run"),
        ),
        "Advance neurons first <= i < last by run->steps steps. Returns last; or, where the spike list could "
        "overflow, the\n"
        "first neuron not advanced yet: empty the list and call again from there; or -1 where even an empty list is "
        "too small: it must hold\n"
        f"{view.tile.size}*{_slots(view)} spikes, or neurons*{_slots(view)} where there are fewer neurons. Calls on "
        "separate ranges may "
        "run in parallel,\n"
        f"each with a run of its own; a range starts at a multiple of {view.tile.size}.",
        (value("first", "int64"), value("last", "int64")),
    )
    run = Struct(
        f"{view.name}_run",
        (
            value("first_step", "int64", "step s of the call starts at t = (first_step + s)*dt"),
            value("steps", "int64"),
            *_inputs_of_run(view, noted=True),
            *_traces(view),
            Field(
                ("spike_capacity", "spike_count"),
                "int64",
                about="spikes: a list of (step of the call, neuron), and a flag a neuron for the last step"
                + _kinds(view, "step"),
            ),
            pointer("spike_step spike_neuron", "int64"),
            *_offset(view),
            pointer("spike_flag", "uint8"),
            *_recorded_events(view),
            *_figures(view),
            value(
                "bad_neuron",
                "int64",
                about="the first neuron that is found with a state that is not finite; not looked for when it is "
                "negative on entry",
            ),
            *_if(
                bool(view.inputs.timed),
                value(
                    "bad_step",
                    "int64",
                    about="the first step of the call for which an input computed from time is not finite, where "
                    "bad_neuron is not negative: then\nnothing is advanced",
                ),
            ),
            *kept_fields(view),
        ),
        "What to do in one call: how many steps, with which inputs, and what to write down. Unused pointers are NULL.",
    )
    return Interface((*_population(view), run, *back_structs(view)), (advance, *back_functions(view)))


def device_interface(view: KernelView) -> Interface:
    """Constants and a status lie on the device; its kernels are launched with a population and a run."""
    real = _real(view)
    constants = Struct(
        f"{view.name}_constants",
        (
            *(_declared(v) for v in view.constants.all),
            *_if(view.hold.is_uniform, value("refractory_period", "float64", "ms")),
            *_if(
                view.spikes,
                value("list_origin", "uint64", "number of the spike at the beginning of the list, when the call began"),
            ),
            *_if(
                bool(view.short.arguments),
                value(
                    "short_reach",
                    real,
                    "arguments of phi1 for which its short form serves; negative where it does not",
                ),
            ),
            *_if(
                view.code.time_in_parts,
                Field(("dt_head", "dt_rest"), "float32", note="dt in two parts, with twice the precision"),
            ),
            value("time_step", "float64", "dt, ms"),
        ),
        f"What depends on parameters only; {view.name}_begin computes it.",
    )
    status = Struct(
        f"{view.name}_status",
        (
            value("clock", "int64", f"steps that {view.name}_tick has counted"),
            value("spikes", "uint64", "in the list"),
            value("bad_neuron", "int64", "the first neuron found with a state or an input that is not finite"),
            value("bad_step", "int64", "the first step of a call for which an input computed from time is not finite"),
            value(
                "stopped",
                "int32",
                "why no call advances any more: 1, the list could overflow; 2, something is not finite; 0 when they do",
            ),
        ),
        f"What has happened so far. Make it zero, but bad_neuron and bad_step {AGREED.no_step}, before the first call.",
    )
    return Interface((*_population(view), constants, status, _device_run(view), *back_structs(view, on_device=True)))


def _device_run(view: KernelView) -> Struct:
    return Struct(
        f"{view.name}_run",
        (
            value("first_step", "int64", "step s of the call starts at t = (first_step + s)*dt"),
            value("steps", "int64", "below 2^31"),
            value("follow_clock", "int32", "whether status->clock counts as well: t = (clock + first_step + s)*dt"),
            value("check_finite", "int32", "whether to look for states and inputs that are not finite"),
            *_inputs_of_run(view, noted=False),
            *_traces(view),
            Field(
                ("spike_capacity", "spikes_taken", "key_step"),
                "int64",
                about="spikes: a list of (first_step + s - key_step)*neurons + neuron in no order, and a flag a neuron "
                "for the last step. Spike number k\nstands at k modulo spike_capacity; spikes_taken of them were read "
                "already, and their places are free." + _kinds(view, "first_step + s - key_step"),
            ),
            pointer("spike_key", "uint64"),
            *_offset(view),
            pointer("spike_flag", "uint8"),
            *_recorded_events(view),
            *_figures(view),
            pointer("constants", f"struct {view.name}_constants"),
            pointer("status", f"struct {view.name}_status"),
            *kept_fields(view),
        ),
        "What to do in one call: how many steps, with which inputs, and what to write down. Pointers are to memory of "
        "the device;\nunused ones are NULL.",
    )


def microcontroller_interface(view: KernelView) -> Interface:
    """All of a population lies in its struct, whose size is fixed; one step is made a call."""
    neurons = f"{view.name}_NEURONS"
    size = Size(
        neurons,
        MICROCONTROLLER_NEURONS,
        f"Neurons of a population; give another number to the compiler with -D{neurons}=...",
    )
    places = Size(
        f"{view.name}_PLACES",
        MICROCONTROLLER_PLACES,
        "Events of a kind whose places in the last step are kept, at most; give another number to the compiler with "
        f"-D{view.name}_PLACES=...",
    )
    constants = Struct(
        f"{view.name}_constants",
        (
            *(_declared(v) for v in view.constants.all),
            *_if(
                bool(view.short.arguments),
                value("short_form", "int32", "whether phi1's arguments are small up to the threshold"),
            ),
        ),
        f"What depends on parameters and dt only; {view.name}_prepare computes it.",
    )
    inputs = Struct(
        f"{view.name}_input",
        tuple(value(i.name, "float32", i.note, length=neurons) for i in view.inputs.all),
        "Inputs of one step, a value a neuron.",
    )
    population = pointer("population", f"struct {view.name}_population")
    given = pointer("input", f"struct {view.name}_input", constant=True)
    functions = (
        Function(
            f"{view.name}_prepare",
            "void",
            (population,),
            "Compute what depends on parameters only. Call it after every change of a parameter or of dt.",
        ),
        Function(
            f"{view.name}_step",
            "int32",
            (population, *_if(bool(view.inputs.all), given)),
            "Advance all neurons by one step. Returns how many "
            + ("spiked." if view.location is None else "spikes there were."),
        ),
    )
    is_inside = view.location is not None
    structs = [_fixed_population(view, neurons), *_if(bool(view.inputs.all), inputs)]
    return Interface((*_if(view.has_constants, constants), *structs), functions, (size, *_if(is_inside, places)))


def _fixed_population(view: KernelView, neurons: str) -> Struct:
    state = [value(s.name, "float32", s.note, length=neurons) for s in view.model.states]
    released = "the first step in which a neuron is not held any more; 0 before any spike"
    is_inside = view.location is not None
    if is_inside:
        released = "the first step at whose beginning a neuron is not held any more; 0 before any spike"
    reached = "how far into the step before it that goes, a fraction of the step"
    placed = "where in it, a fraction of the step"
    stamped = f"the step in which a neuron last spiked; step {AGREED.never} ms before the first one"
    parameters = [
        *(value(p.name, "float32", p.note) for p in view.model.parameters),
        *(value(p.name, "float32", _a_neuron(p), length=neurons) for p in view.model.neuron_parameters),
    ]
    return Struct(
        f"{view.name}_population",
        (
            value("dt", "float32", "ms"),
            value(
                "dt_rest",
                "float32",
                "what dt lacks of the step that is meant, or 0: -1.4901161e-9f for 0.1 ms. Only time in ms is computed "
                "with it.",
            ),
            value("step", "int64", "steps done"),
            *_if(
                bool(view.noise),
                value("seed", "uint64", "key of the noise"),
                value("first_index", "int64", "index of the first neuron in the random streams"),
            ),
            Group(
                "state",
                (
                    *state,
                    *_if(view.hold.exists, value("release", "int64", released, length=neurons)),
                    *_if(
                        view.hold.exists and is_inside,
                        value("release_offset", "float32", reached, length=neurons),
                    ),
                    *_if(view.code.elapses, value("last_spike_step", "int64", stamped, length=neurons)),
                    *_if(
                        view.code.elapses and is_inside,
                        value("last_spike_offset", "float32", placed, length=neurons),
                    ),
                ),
            ),
            *_if(bool(parameters), Group("parameter", tuple(parameters))),
            *_if(
                view.has_constants,
                value("constants", f"struct {view.name}_constants", "computed from the parameters"),
            ),
            *_if(
                view.spikes,
                value("spike", "uint8", _flags(view), length=neurons),
            ),
            *_places(view, neurons),
        ),
        "A population: its parameters, and its state, a value a neuron. All of it lies in this struct.",
    )


def _places(view: KernelView, neurons: str) -> tuple[Field, ...]:
    """How often each event happened in the last step, and where in it."""
    found = []
    for event in () if view.location is None else view.location.events:
        about = f"how often {'a neuron spiked' if event.number == 0 else event.name + ' happened'} in the last step"
        kept = "and where in it, in order of time: fractions of the step; those behind the last are not set"
        found.append(value(f"{event.name}_count", "uint8", about, length=neurons))
        found.append(value(f"{event.name}_offset", "float32", kept, length=f"{neurons}][{view.name}_PLACES"))
    return tuple(found)


# -- what processors and devices share --------------------------------------------------------------------------------


def _population(view: KernelView) -> tuple[Struct, ...]:
    """A population, the values of its inputs, and what the kernel draws and delivers for these."""
    state = [pointer(s.name, _real(view), s.note) for s in view.model.states]
    parameters = [
        *(value(p.name, "float64", p.note) for p in view.model.parameters),
        *(pointer(p.name, _number(p), _a_neuron(p), constant=True) for p in view.model.neuron_parameters),
    ]
    indexed = bool(view.noise or view.inputs.noisy or view.inputs.counted)
    population = Struct(
        f"{view.name}_population",
        (
            value("neurons", "int64"),
            value("dt", "float64", "ms"),
            *_if(bool(view.noise or view.inputs.counted), value("seed", "uint64")),
            *_if(indexed, value("first_index", "int64", "index of the first neuron in the random streams")),
            Group("state", (*state, *_if(view.hold.is_stamped, pointer("t_last_spike", "float64", "ms")))),
            *_if(bool(parameters), Group("parameter", tuple(parameters))),
        ),
        "A population: its state (one array a state variable, a value a neuron) and its parameters.",
    )
    counted, delivered = bool(view.inputs.counted), bool(view.inputs.delivered)
    return (*_if(counted, _counts(view)), *_if(delivered, _deliveries(view)), _input(view), population)


def _counts(view: KernelView) -> Struct:
    return Struct(
        f"{view.name}_counts",
        (
            pointer("mean", "float64", "NULL where nothing is drawn", constant=True),
            pointer(
                "first",
                "uint64",
                "for each mean, the probability of its integer part, in units of 2^-64",
                constant=True,
            ),
            Field(("step_stride", "neuron_stride"), "int64"),
            pointer("weight", _real(view), constant=True),
            value("weight_stride", "int64"),
            value("stream", "uint64"),
        ),
        "Poisson counts, drawn in the kernel for each neuron and step, keyed by the population's seed and by the "
        "stream; what they add to an input is\n"
        "weight[i*weight_stride] times the count. The mean count of step s and neuron i is "
        f"mean[s*step_stride + i*neuron_stride], from 0 to {AGREED.largest_mean}.",
    )


def _deliveries(view: KernelView) -> Struct:
    return Struct(
        f"{view.name}_deliveries",
        (
            pointer("start", "int64", "NULL where there are none", constant=True),
            pointer("step", "int64", constant=True),
            pointer("lane", "uint8", constant=True),
            pointer("weight", _real(view), constant=True),
            value("weight_stride", "int64"),
        ),
        "Spikes that are added to an input: one a neuron and step, ordered by group of "
        f"{AGREED.event_group} neurons, then step. Spike j adds weight[j*weight_stride]\nin step[j], counted from time "
        "0, to the neuron lane[j] of its group; those of group g are start[g] <= j < start[g + 1].",
    )


def _input(view: KernelView) -> Struct:
    real = _real(view)
    noise = (
        pointer(
            "noise",
            real,
            constant=True,
            about="normal variates, drawn in the kernel, that are added: noise[s*noise_stride] times one of the neuron "
            "and step; or NULL",
        ),
        value("noise_stride", "int64"),
        value("noise_seed", "uint64"),
    )
    series = (
        pointer(
            "series",
            real,
            about="room for the values of run->steps steps that are computed from time and from these numbers, where "
            "they are; else NULL",
        ),
        pointer("numbers", "float64", constant=True),
    )
    return Struct(
        f"{view.name}_input",
        (
            pointer("values", real, constant=True),
            value("step_stride", "int64"),
            value("neuron_stride", "int64"),
            *_if(bool(view.inputs.noisy), *noise),
            *_if(bool(view.inputs.timed), *series),
            *_if(bool(view.inputs.counted), value("counts", f"struct {view.name}_counts")),
            *_if(bool(view.inputs.delivered), value("deliveries", f"struct {view.name}_deliveries")),
        ),
        "Values of one input: the value for step s and neuron i is values[s*step_stride + i*neuron_stride].\n"
        "A stride is 0 where the input does not vary.",
    )


def _inputs_of_run(view: KernelView, *, noted: bool) -> tuple[Group, ...]:
    inputs = tuple(value(i.name, f"struct {view.name}_input", i.note if noted else "") for i in view.inputs.all)
    return _if(bool(inputs), Group("input", inputs))


def _traces(view: KernelView) -> tuple[Field | Group, ...]:
    return (
        Field(
            ("record_every", "record_phase", "record_count"),
            "int64",
            about="traces: after steps record_phase, record_phase + record_every, ... of the call, one row of "
            "record_count values; of an input,\nwhat the step read",
        ),
        pointer("record_neurons", "int64", "ascending; NULL for all neurons", constant=True),
        Group("record", tuple(pointer(lane.name, _number(lane)) for lane in view.lanes.recorded)),
    )


def _flags(view: KernelView) -> str:
    """What the flag of a neuron says."""
    if not view.other_events:
        return "1 for a neuron that spiked in the last step, else 0"
    others = ", ".join(f"{1 << event.number} for {event.name}" for event in view.other_events)
    return f"what happened in the last step, added up: 1 for spike, {others}"


def _slots(view: KernelView) -> str:
    """How many places of the list a neuron may fill in a call."""
    return "steps" if view.slots == 1 else f"{view.slots}*steps"


def _kinds(view: KernelView, step: str) -> str:
    """How the list tells events apart, where there are several."""
    if not view.other_events:
        return ""
    names = ", ".join(f"{event.number} for {event.name}" for event in view.other_events)
    return f".\nThe list is of other events too: {step} counts {view.event_count} times, plus 0 for spike, {names}"


def _recorded_events(view: KernelView) -> tuple[Field, ...]:
    return _if(
        bool(view.other_events), value("recorded_events", "uint32", "a bit for each event that the list is to have")
    )


def _offset(view: KernelView) -> tuple[Field, ...]:
    """Where in its step an event is."""
    about = "where in its step each of them is, a fraction of the step"
    return _if(view.location is not None, pointer("spike_offset", _real(view), about))


def _figures(view: KernelView) -> tuple[Field, ...]:
    about = (
        "moments of each neuron's spikes, over all calls: how many, step of the first and of the last one (-1 before "
        "any), and the\nsum of the squares of the intervals in steps; the last three go together, and need the count"
    )
    if view.location is None:
        return (
            pointer("count first_spike last_spike", "int64", about=about),
            pointer("interval_squares", "float64"),
        )
    return (
        pointer("count", "int64", about=about + ". They are\nmoments in steps, with a fraction"),
        pointer("first_spike last_spike", "float64"),
        pointer("interval_squares", "float64"),
    )


def _a_neuron(parameter: Variable) -> str:
    return "one value a neuron" + (f"; {parameter.note}" if parameter.note else "")


def _declared(variable: Variable) -> Field:
    return value(variable.name, _number(variable))


def _number(variable: Variable | Lane) -> str:
    """The number that a C type of a view stands for."""
    return next(name for name, spelled in NUMBERS.items() if spelled == variable.type)


def _real(view: KernelView) -> str:
    """The number type of states and inputs."""
    return f"float{view.number.width}"


def _if(condition: bool, *parts: Part) -> tuple[Part, ...]:
    """Parts that are there only under a condition."""
    return parts if condition else ()
