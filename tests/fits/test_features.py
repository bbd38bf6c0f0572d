"""Features of a potential as targets of fits."""

import sys

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import ValueShapeError

pytest.importorskip("scipy")
efel = pytest.importorskip("efel")
RS = iz.load("RS")
DRIVE = {"I": iz.inputs.section([0.0, 10.0, 0.0], [50.0, 200.0, 50.0])}
NAMES = ["AP_height", "AHP_depth_abs", "mean_frequency", "time_to_first_spike", "steady_state_voltage_stimend"]


def target(values, **options):
    return iz.fits.features(dict(zip(NAMES, values)), start=50.0, stop=250.0, **options)


def of(recording, **options):
    return target([0.0] * 5, **options).of_traces(recording.t, recording["V"])


def test_they_are_those_of_efel_itself():
    recording = RS.population(3, d=[4.0, 8.0, 2000.0]).run(300.0, record=["V"], **DRIVE)
    found = of(recording)
    for k in range(3):
        trace = {"T": recording.t, "V": recording["V"][:, k].astype(float), "stim_start": [50.0], "stim_end": [250.0]}
        (expected,) = efel.get_feature_values([trace], NAMES, raise_warnings=False)
        for name in NAMES:
            values = expected[name]
            np.testing.assert_allclose(found[name][k], np.nan if values is None or not len(values) else np.mean(values))
    other = iz.fits.features({"AP_height": 0.0}, threshold=25.0).of_traces(recording.t, recording["V"])
    assert np.isnan(other["AP_height"]).any() or (other["AP_height"] != found["AP_height"]).any()
    broken = recording["V"].copy()
    broken[5, 1] = np.inf
    assert np.isnan(target([0.0] * 5).of_traces(recording.t, broken)["AP_height"]).tolist() == [False, True, False]


@pytest.mark.parametrize("beside", [False, True])
def test_known_parameters_are_found_again(beside):
    recording = RS.variant("Other", c=-58.0, d=6.0).population(1).run(300.0, record=["V", "spike"], **DRIVE)
    wanted = target([float(values[0]) for values in of(recording).values()])
    aim = {"spike": recording.spikes[0], "features": wanted} if beside else wanted
    found = iz.fit(
        RS,
        aim,
        {"c": (-70.0, -50.0), "d": (2.0, 12.0)},
        duration=300.0,
        inputs=DRIVE,
        generations=15,
        candidates=24,
        progress=False,
        seed=1,
    )
    assert abs(found.parameters["c"] + 58.0) < 1.0 and abs(found.parameters["d"] - 6.0) < 1.0


def test_what_is_no_feature_is_refused(monkeypatch):
    for asked, told in (
        (lambda: iz.fits.features({"AP_heigth": 1.0}), r"no feature 'AP_heigth'; did you mean 'AP_height'"),
        (lambda: iz.fits.features({}), "no mapping"),
        (lambda: iz.fits.features({"AP_height": np.nan}), "not finite"),
        (lambda: iz.fits.features({"AP_height": 1.0}, start=5.0, stop=5.0), "not before"),
        (
            lambda: iz.fit(RS, iz.fits.features({"AP_height": 1.0}, trace="W"), {"d": (2.0, 12.0)}, duration=10.0),
            "'W' is none",
        ),
        (lambda: iz.fit(RS, {"features": 3.0}, {"d": (2.0, 12.0)}, duration=10.0), "is no part"),
        (
            lambda: iz.fit(
                RS, iz.fits.features({"AP_height": 1.0}), {"d": (2.0, 12.0)}, duration=10.0, method="gradient"
            ),
            "has no gradient",
        ),
    ):
        with pytest.raises(ValueShapeError, match=told):
            asked()
    monkeypatch.setitem(sys.modules, "efel", None)
    with pytest.raises(ValueShapeError, match="pip install efel"):
        iz.fits.features({"AP_height": 1.0})
