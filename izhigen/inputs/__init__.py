"""Stimuli: time series of an input, as BrainPy's functions of the same names define them.

A stimulus does not know its step until a population samples it: row k is the value held during step k, which starts at
``t = k*dt``. It lives in absolute time, so that a run that is continued goes on in it. Stimuli add up, as in
``section(...) + wiener(...)``. BrainPy truncates ``time/dt``; here a time within 1e-6 steps of an edge counts as on it.

A run takes the rows block by block; a Wiener process with one column a neuron and Poisson counts are drawn in the
kernel, and spikes of single neurons are delivered there; so a long run needs no array of all its steps. Every function
takes ``dt=None``; with a step given, ``numpy.asarray(stimulus)`` is the series itself.

A series lasts for ``duration``, and is zero before ``t_start`` and after ``t_end`` (all in ms). A ``frequency`` is in
Hz. What is drawn has ``n`` columns and is the same for the same ``seed``.
"""

from izhigen.inputs.stimuli import (
    Stimulus,
    constant,
    from_array,
    ornstein_uhlenbeck,
    poisson,
    ramp,
    section,
    sinusoid,
    spike_train,
    spikes,
    square,
    wiener,
)

section_input, constant_input, spike_input, ramp_input = section, constant, spike_train, ramp
sinusoidal_input, square_input, wiener_process, ou_process = sinusoid, square, wiener, ornstein_uhlenbeck
sinusoidal, ou = sinusoid, ornstein_uhlenbeck

__all__ = [
    "Stimulus",
    "constant",
    "constant_input",
    "from_array",
    "ornstein_uhlenbeck",
    "ou",
    "ou_process",
    "poisson",
    "ramp",
    "ramp_input",
    "section",
    "section_input",
    "sinusoid",
    "sinusoidal",
    "sinusoidal_input",
    "spike_input",
    "spike_train",
    "spikes",
    "square",
    "square_input",
    "wiener",
    "wiener_process",
]


def __dir__() -> list[str]:
    return sorted(__all__)
