"""The twenty firing patterns of Izhikevich (2004), figure 1: what each model of ``models/patterns.py`` is given, and
when it spikes.

Currents are those of the author's figure1.m, but for three times: the second pulse of ``Bistability`` came at 216 ms,
where it does not end the exact solution's spikes, ``Class2Excitable`` went on until a spike at 299.98 ms, and the first
pulse of ``Integrator`` came at 100/11 ms, on no grid of steps. Spike times are those of an integration to 1e-12 with
located crossings, rounded to 1e-6 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.inputs import Stimulus, from_array
from izhigen.loading import load
from izhigen.timegrid import whole_steps

if TYPE_CHECKING:
    from izhigen.recording.recording import Recording


HOW = {"method": "rk4", "spike_timing": "located", "dtype": "float64"}
"""How a pattern is run, if nothing else is said: with the counts of the exact solution up to steps of 0.5 ms."""


@dataclass(frozen=True)
class Pattern:
    """A pattern: a model, the current that it is given, and the spikes that it answers with.

    Attributes
    ----------
    letter : str
        Of the panel in the paper's figure.
    name : str
        Of the model in the library.
    title : str
        Letter and name in words, as over a panel.
    duration : float
        ms.
    pieces : tuple of (float, float, float)
        From a time in ms on, up to the next: the current in mV/ms, and its slope in mV/ms**2; it is 0 before the first.
    spike_times : tuple of float
        ms, of the exact solution.
    """

    letter: str
    name: str
    title: str
    duration: float
    pieces: tuple[tuple[float, float, float], ...]
    spike_times: tuple[float, ...]

    def current(self, dt: float) -> Stimulus:
        """The current, in each step of dt ms its mean."""
        edges = np.arange(whole_steps(self.duration, dt) + 1) * dt
        ends = [*(start for start, _, _ in self.pieces[1:]), np.inf]
        total = np.zeros(len(edges))  # since the run's start
        for (start, value, slope), end in zip(self.pieces, ends):
            time = np.clip(edges, start, end) - start
            total += value * time + slope * time**2 / 2
        return from_array(np.diff(total) / dt, dt)

    def run(self, dt: float = 0.1, *, record: Any = ("V", "spike"), **options: Any) -> Recording:
        """One neuron of the model over the pattern's duration; ``options`` are those of a population, by default
        :data:`HOW`.
        """
        model, shared = load(self.name), load("Izhikevich")
        options = {**HOW, **options}
        if model.equations == shared.equations:  # one kernel serves all that differ in numbers
            model, options = shared, {**model.parameters, "V": float(str(model.initial["V"])), **options}
        pop = model.population(1, dt=dt, **options)
        found = pop.run(self.duration, I=self.current(dt), record=record, progress=False)
        return replace(found, info={**found.info, "model": self.name})

    def difference(self, recording: Recording) -> float:
        """The largest difference in ms from the exact solution's spike times; infinite where their number differs."""
        found = recording.spike_times
        if len(found) != len(self.spike_times):
            return float("inf")
        return float(np.abs(found - self.spike_times).max())


_TABLE = """
A TonicSpiking 100 tonic spiking; 10 14; 12.630524 16.117146 28.92157 55.91791 82.66465
B PhasicSpiking 200 phasic spiking; 20 0.5; 42.746376
C TonicBursting 220 tonic bursting; 22 15; 24.49359 25.635949 26.850664 28.15026 29.551446 31.077439 32.762341 34.660366
    36.869134 39.610061 43.884092 77.816521 79.53542 81.480893 83.763787 86.652903 92.013062 125.767403 127.486302
    129.431775 131.71467 134.603786 139.963953 173.718291 175.43719 177.382663 179.665558 182.554675 187.914841
D PhasicBursting 200 phasic bursting; 20 0.6; 38.239657 41.41833 44.815148 48.479591 52.486377 56.960659 62.153568
    68.833952
E MixedMode 160 mixed mode; 16 10; 19.451625 21.577507 24.944481 62.233958 93.441376 124.659661 155.877673
F SpikeFrequencyAdaptation 85 spike frequency adaptation; 8.5 30; 9.991406 11.622299 13.851506 17.976 39.716447
    68.249672
G Class1Excitable 300 class 1 excitable; 30 0 0.075; 83.941615 124.623147 155.221916 180.794758 203.210571 223.405594
    241.928041 259.131757 275.261004 290.492895
H Class2Excitable 296 class 2 excitable; 0 -0.5, 30 -0.5 0.015; 104.337874 123.76654 140.697124 156.02742 170.143534
    183.284322 195.614393 207.255492 218.301876 228.828793 238.89763 248.559269 257.856416 266.825281 275.496833
    283.897764 292.051237
I SpikeLatency 100 spike latency; 10 7.04, 13 0; 16.592594
J SubthresholdOscillations 200 subthreshold oscillations; 20 2, 25 0; 25.632358
K Resonator 400 resonator; 40 0.65, 44 0, 60 0.65, 64 0, 280 0.65, 284 0, 320 0.65, 324 0; 336.733467
L Integrator 100 integrator; 9 9, 11 0, 14 9, 16 0, 70 9, 72 0, 80 9, 82 0; 19.385772
M ReboundSpike 200 rebound spike; 20 -15, 25 0; 57.633919
N ReboundBurst 200 rebound burst; 20 -15, 25 0; 57.633919 59.939789 62.347701 64.868547 67.515387 70.304146 73.254639
    76.392147 79.74998 83.373912 87.330628 91.726049 96.754262 102.893551
O ThresholdVariability 100 threshold variability; 10 1, 15 0, 70 -6, 75 0, 80 1, 85 0; 91.888902
P Bistability 300 bistability; 0 0.24, 37.5 1.24, 42.5 0.24, 207 1.24, 212 0.24; 44.159982 83.144675 121.909439
    160.680273 199.450889
Q DepolarizingAfterPotential 50 depolarizing after-potential; 9 20, 11 0; 11.096424
R Accommodation 400 accommodation; 0 0 0.04, 200 0, 300 0 0.32, 312.5 0; 310.504027
S InhibitionInducedSpiking 350 inhibition-induced spiking; 0 80, 50 75, 250 80; 93.217872 151.758392 210.298912
    254.577053
T InhibitionInducedBursting 350 inhibition-induced bursting; 0 80, 50 75, 250 80; 85.149031 86.317805 87.528433
    88.788605 90.108847 91.504311 92.998436 94.631665 96.488286 98.840274 174.11698 175.285754 176.496381 177.756554
    179.076796 180.472259 181.966384 183.599613 185.456233 187.808219 253.961546 254.995408 256.056467 257.148329
    258.275499 259.443747 260.660689 261.936777 263.287115 264.735198 266.321905 268.133749 270.462073
"""
"""Letter, model, duration and title; times, currents and slopes of the pieces; spike times."""


def _read(line: str) -> Pattern:
    about, pieces, spikes = line.split(";")
    letter, name, duration, *title = about.split()
    read = [[float(word) for word in piece.split()] for piece in pieces.split(",")]
    found = tuple((start, value, slope[0] if slope else 0.0) for start, value, *slope in read)
    times = tuple(float(word) for word in spikes.split())
    return Pattern(letter, name, f"({letter}) {' '.join(title)}", float(duration), found, times)


PATTERNS = {pattern.name: pattern for pattern in map(_read, _TABLE.strip().replace("\n    ", " ").splitlines())}
"""By the name of the model, in the order of the figure."""


def draw(recordings: Mapping[str, Recording]) -> Any:
    """A figure of 4 x 5 panels, as in the paper, from a recording of V for each pattern by name."""
    import matplotlib.pyplot as plt

    from izhigen.picture import Picture

    options: dict[str, Any] = {"FigureClass": Picture, "figsize": (11.0, 8.6), "layout": "constrained"}
    figure, axes = plt.subplots(4, 5, sharey=True, **options)
    for ax in axes.flat:
        ax.axis("off")
    for (name, recording), ax in zip(recordings.items(), axes.flat):
        _draw_pattern(PATTERNS[name], recording, ax)
    text = "V up to the threshold (30 mV); above it the exact solution's spikes; below it the input (mV/ms)"
    info = recording.info
    how = f"{info['method']}, dt = {info['dt']:g} ms, spike_timing = {info.get('spike_timing', 'step')}"
    figure.supxlabel(f"{text}\n{how}", fontsize="small", color="0.3")
    return figure


def _draw_pattern(pattern: Pattern, recording: Recording, ax: Any) -> None:
    model, dt, duration = load(pattern.name), recording.info["dt"], pattern.duration
    times, V, spikes = np.asarray(recording.t), np.asarray(recording["V"])[:, 0], recording.spike_times
    rows = np.repeat(np.searchsorted(times, spikes - 1e-6 * dt), 2)  # a spike goes up to the threshold, then to c
    peaks = np.tile([model.parameters["V_th"], model.parameters["c"]], len(spikes))
    ax.plot(np.insert(times, rows, np.repeat(spikes, 2)), np.insert(V, rows, peaks), color="black", lw=0.7)
    ax.vlines(pattern.spike_times, 42.0, 56.0, color="tab:orange", lw=0.9)
    current = np.asarray(pattern.current(dt))
    low, high = current.min(), current.max()
    band = -128.0 + 22.0 * (current - low) / (high - low)
    ax.stairs(band, np.arange(len(current) + 1) * dt, baseline=None, color="tab:blue", lw=0.9)
    ax.text(0.0, -134.0, f"{low:.3g} to {high:.3g}", va="top", color="tab:blue", fontsize=7)
    ax.text(duration, -134.0, f"{duration:g} ms", va="top", ha="right", color="0.3", fontsize=7)
    ax.set(xlim=(-0.01 * duration, 1.01 * duration), ylim=(-150.0, 60.0))
    ax.set_title(pattern.title, loc="left", fontsize=8.5)
