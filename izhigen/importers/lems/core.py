"""Cells of NeuroML's core, declared here anew, so that files can name them where the core's own files are not at hand.

Where the core's files lie beside a file that includes them, they are read instead, and tests hold the two together.
References: Brette and Gerstner 2005 (adExIaFCell), FitzHugh 1961 and 1969, Hindmarsh and Rose 1984, Izhikevich 2003 and
2007.
"""

from __future__ import annotations

from collections.abc import Mapping

from izhigen.importers.lems.elements import Place
from izhigen.importers.lems.expressions import Text
from izhigen.importers.lems.types import Assigned, Condition, Derived, Dynamics, Regime, Type

FILES = frozenset(
    ("Cells.xml", "Channels.xml", "Inputs.xml", "NeuroML2CoreTypes.xml", "NeuroMLCoreCompTypes.xml")
    + ("NeuroMLCoreDimensions.xml", "Networks.xml", "PyNN.xml", "Simulation.xml", "Synapses.xml")
)
"""Files of the core, which need not be there."""
NOT_READ = {
    **dict.fromkeys(("cell", "cell2CaPools"), "it has a morphology, and a model is a point; write its equations"),
    **dict.fromkeys(("ionChannelHH", "ionChannel", "ionChannelKS", "ionChannelPassive"), "a channel is part of a cell"),
    **dict.fromkeys(("pointCellCondBased", "pointCellCondBasedCa"), "it names channels, which are not looked up"),
    "pinskyRinzelCA3Cell": "the core declares its Sisat twice; write its equations",
    **dict.fromkeys(
        (f"{shape}Generator{kind}" for shape in ("pulse", "sine", "ramp") for kind in ("", "DL")),
        "it is an input; name a population that it drives",
    ),
}
"""Types of the core that are no models here, and why."""
HERE = Place("the core of NeuroML", 0)


def _text(text: str) -> Text:
    return Text(text, HERE)


def _pairs(text: str) -> dict[str, str]:
    """``"v voltage, U none"`` as a mapping."""
    words = [pair.split() for pair in text.split(",") if pair.strip()]
    return {each[0]: each[1] for each in words}


def _constants(text: str) -> dict[str, tuple[str, str]]:
    """``"MSEC time 1ms"`` as a mapping to dimension and value."""
    return {name: (dimension, value) for name, dimension, value in (part.split() for part in text.split(","))}


def _assigned(made: Mapping[str, str]) -> tuple[Assigned, ...]:
    return tuple(Assigned(state, _text(value)) for state, value in made.items())


def _rates(rates: Mapping[str, str]) -> dict[str, Text]:
    return {state: _text(value) for state, value in rates.items()}


def _lines(lines: Mapping[str, str]) -> tuple[Derived, ...]:
    """``{"iMemb current": "..."}`` as derived variables; ``"@synapses[*]/i"`` selects, and adds."""
    found = []
    for key, value in lines.items():
        name, dimension = key.split()
        if value.startswith("@"):
            found.append(Derived(name, dimension, HERE, select=value[1:], reduce="add", exposure=name))
        else:
            found.append(Derived(name, dimension, HERE, value=_text(value), exposure=name))
    return tuple(found)


def _dynamics(
    states: str,
    rates: Mapping[str, str],
    start: Mapping[str, str],
    lines: Mapping[str, str] | None = None,
    conditions: tuple[Condition, ...] = (),
    regimes: tuple[Regime, ...] = (),
) -> Dynamics:
    of_states = {name: (dimension, HERE) for name, dimension in _pairs(states).items()}
    exposed = {name: name for name in of_states}
    return Dynamics(HERE, of_states, exposed, _lines(lines or {}), _rates(rates), _assigned(start), conditions, regimes)


def _spike(test: str, made: Mapping[str, str]) -> tuple[Condition, ...]:
    return (Condition(_text(test), _assigned(made), ("spike",)),)


def _refractory(
    test: str, made: Mapping[str, str], rates: Mapping[str, str], meanwhile: Mapping[str, str] | None = None
) -> tuple[Regime, ...]:
    """The regime of integration, and the one that follows a spike for the time ``refract``."""
    entry = _assigned({"lastSpikeTime": "t", **made})
    back = Condition(_text("t .gt. lastSpikeTime + refract"), regime="integrating")
    forth = Condition(_text(test), ports=("spike",), regime="refractory")
    return (
        Regime("refractory", False, _rates(meanwhile or {}), entry, (back,), HERE),
        Regime("integrating", True, _rates(rates), (), (forth,), HERE),
    )


def _type(name: str, extends: str, parameters: str = "", dynamics: Dynamics | None = None, **rest: object) -> Type:
    return Type(name, extends, HERE, _pairs(parameters), dynamics=dynamics, **rest)  # type: ignore[arg-type]


_SYNAPSES = {"synapses": "basePointCurrent"}
_I_SYN = {"iSyn current": "@synapses[*]/i"}
_LEAK = {**_I_SYN, "iMemb current": "leakConductance * (leakReversal - v) + iSyn"}
_AT_LEAK = {"v": "leakReversal"}
_TO_RESET = {"v": "reset"}
_ADAPTATION = {"w": "(a * (v - EL) - w) / tauw"}

_BASES = (
    _type("baseStandalone", ""),
    _type("baseCell", "baseStandalone"),
    _type("baseSpikingCell", "baseCell"),
    _type("baseCellMembPot", "baseSpikingCell"),
    _type("baseCellMembPotDL", "baseSpikingCell"),
    _type("baseCellMembPotCap", "baseCellMembPot", "C capacitance"),
    _type("baseIaf", "baseCellMembPot", "thresh voltage, reset voltage"),
    _type("baseIafCapCell", "baseCellMembPotCap", "thresh voltage, reset voltage"),
    _type("basePointCurrent", "baseStandalone"),
    _type("basePointCurrentDL", ""),
)

_IAF = (
    _type(
        "iafTauCell",
        "baseIaf",
        "leakReversal voltage, tau time",
        _dynamics(
            "v voltage", {"v": "(leakReversal - v) / tau"}, _AT_LEAK, conditions=_spike("v .gt. thresh", _TO_RESET)
        ),
    ),
    _type(
        "iafTauRefCell",
        "iafTauCell",
        "refract time",
        _dynamics(
            "v voltage, lastSpikeTime time",
            {},
            _AT_LEAK,
            regimes=_refractory("v .gt. thresh", _TO_RESET, {"v": "(leakReversal - v) / tau"}),
        ),
    ),
    _type(
        "iafCell",
        "baseIafCapCell",
        "leakConductance conductance, leakReversal voltage",
        _dynamics("v voltage", {"v": "iMemb / C"}, _AT_LEAK, _LEAK, _spike("v .gt. thresh", _TO_RESET)),
        attachments=_SYNAPSES,
    ),
    _type(
        "iafRefCell",
        "iafCell",
        "refract time",
        _dynamics(
            "v voltage, lastSpikeTime time",
            {},
            _AT_LEAK,
            _LEAK,
            regimes=_refractory("v .gt. thresh", _TO_RESET, {"v": "iMemb / C"}),
        ),
    ),
)

_IZHIKEVICH = (
    _type(
        "izhikevichCell",
        "baseCellMembPot",
        "v0 voltage, a none, b none, c none, d none, thresh voltage",
        _dynamics(
            "v voltage, U none",
            {
                "v": "(0.04 * v^2 / MVOLT + 5 * v + (140 - U + ISyn) * MVOLT) / MSEC",
                "U": "a * (b * v / MVOLT - U) / MSEC",
            },
            {"v": "v0", "U": "v0 * b / MVOLT"},
            {"ISyn none": "@synapses[*]/I"},
            _spike("v .gt. thresh", {"v": "c * MVOLT", "U": "U + d"}),
        ),
        attachments={"synapses": "basePointCurrentDL"},
        constants=_constants("MSEC time 1ms, MVOLT voltage 1mV"),
    ),
    _type(
        "izhikevich2007Cell",
        "baseCellMembPotCap",
        "v0 voltage, k conductance_per_voltage, vr voltage, vt voltage, vpeak voltage, a per_time, b conductance, "
        "c voltage, d current",
        _dynamics(
            "v voltage, u current",
            {"v": "iMemb / C", "u": "a * (b * (v - vr) - u)"},
            {"v": "v0", "u": "0"},
            {**_I_SYN, "iMemb current": "k * (v - vr) * (v - vt) + iSyn - u"},
            _spike("v .gt. vpeak", {"v": "c", "u": "u + d"}),
        ),
        attachments=_SYNAPSES,
    ),
    _type(
        "adExIaFCell",
        "baseCellMembPotCap",
        "gL conductance, EL voltage, VT voltage, thresh voltage, reset voltage, delT voltage, tauw time, refract time, "
        "a conductance, b current",
        _dynamics(
            "v voltage, w current, lastSpikeTime time",
            {},
            {"v": "EL", "w": "0"},
            {**_I_SYN, "iMemb current": "-1 * gL * (v - EL) + gL * delT * exp((v - VT) / delT) - w + iSyn"},
            regimes=_refractory(
                "v .gt. thresh", {"v": "reset", "w": "w + b"}, {"v": "iMemb / C", **_ADAPTATION}, _ADAPTATION
            ),
        ),
        attachments=_SYNAPSES,
    ),
)

_OSCILLATORS = (
    _type(
        "fitzHughNagumoCell",
        "baseCellMembPotDL",
        "I none",
        _dynamics("V none, W none", {"V": "(V - V^3 / 3 - W + I) / SEC", "W": "0.08 * (V + 0.7 - 0.8 * W) / SEC"}, {}),
        constants=_constants("SEC time 1s"),
    ),
    _type(
        "fitzHughNagumo1969Cell",
        "baseCellMembPotDL",
        "a none, b none, I none, phi none, V0 none, W0 none",
        _dynamics(
            "V none, W none",
            {"V": "(F - W + I) / TS", "W": "phi * (V + a - b * W) / TS"},
            {"V": "V0", "W": "W0"},
            {"F none": "V - V^3 / 3"},
        ),
        constants=_constants("TS time 1ms"),
    ),
    _type(
        "hindmarshRose1984Cell",
        "baseCellMembPotCap",
        "a none, b none, c none, d none, r none, s none, x1 none, v_scaling voltage, x0 none, y0 none, z0 none",
        _dynamics(
            "v voltage, y none, z none, spiking none",
            {"v": "iMemb / C", "y": "chi / MSEC", "z": "r * rho / MSEC"},
            {"v": "x0 * v_scaling", "y": "y0", "z": "z0"},
            {
                **_I_SYN,
                "x none": "v / v_scaling",
                "phi none": "y - a * x^3 + b * x^2",
                "chi none": "c - d * x^2 - y",
                "rho none": "s * (x - x1) - z",
                "iMemb current": "C * (v_scaling * (phi - z) / MSEC) + iSyn",
            },
            (
                *_spike("v .gt. 0 .and. spiking .lt. 0.5", {"spiking": "1"}),
                Condition(_text("v .lt. 0"), _assigned({"spiking": "0"})),
            ),
        ),
        attachments=_SYNAPSES,
        constants=_constants("MSEC time 1ms"),
    ),
)

TYPES: Mapping[str, Type] = {each.name: each for each in (*_BASES, *_IAF, *_IZHIKEVICH, *_OSCILLATORS)}
"""The core's types by name."""
