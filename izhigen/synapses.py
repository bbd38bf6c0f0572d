"""Synapses of networks, each a few lines of the equation language, as in
``model.with_synapse(iz.synapses.exponential("g_e", tau=5.0, reversal=0.0))``.

``name`` is that of the conductance, or with no ``reversal`` potential of the current: it can be recorded so, and a
connection's ``to=`` takes it; parameters are ``<name>_tau`` and so on. ``to`` is the input of the neuron that the
current adds to, by default the first one; ``held`` says whether it is held during a step (see
:meth:`izhigen.Model.with_current`), and ``voltage`` what the neuron calls its membrane potential.

A spike that arrives with weight w raises it by w at once (exponential), or to w at its peak where nothing else arrived
(alpha, dual exponential, NMDA).

References: Dayan and Abbott (2001), "Theoretical Neuroscience", section 5.8; Roth and van Rossum (2009), in
"Computational Modeling Methods for Neuroscientists", chapter 6 (peaks); Jahr and Stevens (1990), J. Neurosci. 10:3178
(magnesium).
"""

from __future__ import annotations

from typing import Any

from izhigen.errors import ModelError
from izhigen.model.expressions import check_name
from izhigen.model.synapse import Synapse
from izhigen.scalars import read_finite


def delta(to: str = "V") -> Synapse:
    """Spikes that add their weight to a state of the neuron at once, and need no state of their own."""
    return Synapse(on_spike=f"{check_name(to, 'to')} += w")


def exponential(
    name: str, tau: Any, reversal: Any = None, *, to: str | None = None, held: bool = True, voltage: str = "V"
) -> Synapse:
    """A conductance (or current) that a spike raises by its weight, and that decays with the time constant ``tau``
    (ms).
    """
    name = check_name(name, "name of a synapse")
    return _made(name, f"d{name}/dt = -{name}/{name}_tau", f"{name} += w", {"tau": tau}, reversal, to, held, voltage)


def alpha(
    name: str, tau: Any, reversal: Any = None, *, to: str | None = None, held: bool = True, voltage: str = "V"
) -> Synapse:
    """A conductance (or current) ``w*t/tau*exp(1 - t/tau)`` after a spike, ``tau`` in ms.

    Its two states are a chain, which ``method="exact"`` and methods of order 2 follow; ``exp_euler`` is off by
    ``dt/(2*tau)`` of it.
    """
    name = check_name(name, "name of a synapse")
    equations = f"""
        d{name}_rise/dt = -{name}_rise/{name}_tau
        d{name}/dt = ({name}_rise - {name})/{name}_tau
    """
    return _made(name, equations, f"{name}_rise += exp(1)*w", {"tau": tau}, reversal, to, held, voltage, ("rise",))


def dual_exponential(
    name: str,
    tau_rise: Any,
    tau_decay: Any,
    reversal: Any = None,
    *,
    to: str | None = None,
    held: bool = True,
    voltage: str = "V",
) -> Synapse:
    """A conductance (or current) with a time constant of the rise and one of the decay, whose peak is the weight.

    ``tau_rise`` is not ``tau_decay`` (ms), for which :func:`alpha` is the limit.

    Raises
    ------
    ModelError
        For two equal time constants.
    """
    name = check_name(name, "name of a synapse")
    times = {"tau_rise": tau_rise, "tau_decay": tau_decay}
    if tau_rise == tau_decay:
        raise ModelError(f"synapse {name!r}: tau_rise is tau_decay; iz.synapses.alpha({name!r}, tau) has one")
    on_spike = f"{name}_rise += w; {name}_decay += w"
    return _made(name, _two(name), on_spike, times, reversal, to, held, voltage, ("rise", "decay"))


def nmda(
    name: str,
    tau_rise: Any = 2.0,
    tau_decay: Any = 100.0,
    reversal: Any = 0.0,
    *,
    magnesium: float = 1.0,
    to: str | None = None,
    held: bool = True,
    voltage: str = "V",
) -> Synapse:
    """A conductance as that of :func:`dual_exponential`, whose current magnesium blocks below some -20 mV.

    Parameters
    ----------
    name, tau_rise, tau_decay, reversal, to, held, voltage
        As for :func:`dual_exponential`; the state is without the block.
    magnesium : float
        Concentration in mM, the parameter ``<name>_Mg``; ``<name>_beta`` (mM) and ``<name>_alpha`` (1/mV) are those of
        Jahr and Stevens.

    Raises
    ------
    ModelError
        For two equal time constants.
    """
    plain = dual_exponential(name, tau_rise, tau_decay, reversal, to=to, held=held, voltage=voltage)
    block = {f"{name}_Mg": read_finite(magnesium, "magnesium"), f"{name}_beta": 3.57, f"{name}_alpha": 0.062}
    return Synapse(
        plain.states + f"        {name}_open = 1/(1 + {name}_Mg/{name}_beta*exp(-{name}_alpha*{voltage}))\n",
        f"{name}*{name}_open*({name}_reversal - {voltage})",
        plain.on_spike,
        name,
        to,
        held,
        voltage,
        {**plain.parameters, **block},
        units={**plain.units, f"{name}_Mg": "mM", f"{name}_beta": "mM", f"{name}_alpha": "1/mV"},
    )


def _two(name: str) -> str:
    """Two exponentials, each of which is advanced by itself, and so exactly by every exponential method."""
    rise, decay = f"{name}_tau_rise", f"{name}_tau_decay"
    return f"""
        {name}_peak = {decay}/({decay} - {rise})*({rise}/{decay})**({rise}/({rise} - {decay}))
        d{name}_rise/dt = -{name}_rise/{rise}
        d{name}_decay/dt = -{name}_decay/{decay}
        {name} = {name}_peak*({name}_decay - {name}_rise)
"""


def _made(
    name: str,
    equations: str,
    on_spike: str,
    times: dict[str, Any],
    reversal: Any,
    to: str | None,
    held: bool,
    voltage: str,
    others: tuple[str, ...] = (),
) -> Synapse:
    """A synapse whose ``name`` is a conductance or a current; ``others`` are states of the same unit."""
    own = "{current}" if reversal is None else "{current}/{voltage}"
    parameters = {f"{name}_{key}": value for key, value in times.items()}
    units = {name: own, "w": own, **dict.fromkeys(parameters, "ms")}
    units |= {f"{name}_{other}": own for other in others}
    current = name
    if reversal is not None:
        parameters[f"{name}_reversal"] = reversal
        units[f"{name}_reversal"] = "{voltage}"
        current = f"{name}*({name}_reversal - {voltage})"
    return Synapse(equations, current, on_spike, name, to, held, voltage, parameters, units=units)


__all__ = ["Synapse", "alpha", "delta", "dual_exponential", "exponential", "nmda"]
