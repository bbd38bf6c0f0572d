"""Features of a potential's course, such as the width of spikes or the depth between them, as eFEL finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.scalars import read_finite

Array = Any


@dataclass(frozen=True)
class Features:
    """Features that a fit is to reach; see :func:`features`.

    Attributes
    ----------
    values : tuple of (str, float)
    start, stop : float or None
        ms; None for the run's.
    threshold : float
        mV.
    trace : str or None
        None for the state that the model's threshold watches.
    """

    values: tuple[tuple[str, float], ...]
    start: float | None
    stop: float | None
    threshold: float
    trace: str | None

    def of_traces(self, t: Array, traces: Array) -> dict[str, Array]:
        """Features of ``traces`` (T, n) at times ``t`` (T,) by name, shape (n,); the mean of those that a trace has
        several times, NaN where it has none.
        """
        efel, dt = load_efel(), float(t[1] - t[0]) if len(t) > 1 else 0.1
        begin = float(t[0]) - dt if self.start is None else self.start
        end = float(t[-1]) if self.stop is None else self.stop
        about = {"T": t, "stim_start": [begin], "stim_end": [end]}
        efel.reset()
        efel.set_setting("Threshold", self.threshold)
        efel.set_setting("interp_step", dt)
        names = [name for name, _ in self.values]
        columns = np.asarray(traces, np.float64).T
        finite = [k for k, column in enumerate(columns) if np.isfinite(column).all()]
        given = [{**about, "V": columns[k]} for k in finite]
        found = efel.get_mean_feature_values(given, names, raise_warnings=False) if given else []
        values = {name: np.full(len(columns), np.nan) for name in names}
        for k, one in zip(finite, found):
            for name in names:
                values[name][k] = np.nan if one[name] is None else one[name]
        return values


def load_efel() -> Any:
    """eFEL.

    Raises
    ------
    ValueShapeError
        Where it is missing.
    """
    try:
        import efel
    except ImportError:
        raise ValueShapeError("features of a potential are found by eFEL: pip install efel") from None
    return efel


def features(
    values: Mapping[str, float],
    *,
    start: float | None = None,
    stop: float | None = None,
    threshold: float = -20.0,
    trace: str | None = None,
) -> Features:
    """Features by their names in eFEL (https://efel.readthedocs.io) as the target of a fit, or a part of one under
    ``"features"``: ``iz.fits.features({"AP_height": 30.0, "AHP_depth_abs": -65.0})``.

    Parameters
    ----------
    values : mapping
        Name of a feature to the number that is to be reached, in eFEL's unit (mV, ms, Hz); of one that a trace has
        several times, their mean.
    start, stop : float, optional
        When the stimulus begins and ends, in ms; by default the run.
    threshold : float
        What a peak is above, in mV.
    trace : str, optional
        The state or line that they are features of; by default the one that the model's threshold watches.

    Raises
    ------
    ValueShapeError
        Where eFEL is missing; for a name that it does not know, and for what is no finite number.
    """
    known = load_efel().get_feature_names()
    if not isinstance(values, Mapping) or not values:
        raise ValueShapeError(f"features={shown(values)} is no mapping such as {{'AP_height': 30.0}}")
    for name in values:
        if name not in known:
            raise ValueShapeError(f"eFEL has no feature {shown(name)}{suggest(str(name), known)}")
    read = tuple((name, read_finite(value, name)) for name, value in values.items())
    bounds = [None if given is None else read_finite(given, what) for given, what in ((start, "start"), (stop, "stop"))]
    if None not in bounds and not bounds[0] < bounds[1]:  # type: ignore[operator]
        raise ValueShapeError(f"start = {start} ms is not before stop = {stop} ms")
    return Features(read, bounds[0], bounds[1], read_finite(threshold, "threshold"), trace)
