"""Numbers drawn neuron by neuron."""

import math

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import ValueShapeError
from izhigen.population import distributions
from izhigen.population.distributions import distribution_document, read_distribution
from tests.helpers import host

RS = iz.load("RS")
KINDS = {
    "uniform": iz.distributions.uniform(-2.0, 3.0),
    "normal": iz.distributions.normal(1.0, 2.0),
    "bounded": iz.distributions.normal(1.0, 2.0, low=0.0, high=4.0),
    "lognormal": iz.distributions.lognormal(0.5, 0.25),
    "one side": iz.distributions.lognormal(0.0, 1.0, high=2.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_depends_on_seed_name_and_index_alone(kind, monkeypatch):
    one = KINDS[kind]
    whole = one.draw(1000, 7, "a")
    monkeypatch.setattr(distributions, "AT_ONCE", 13)
    np.testing.assert_array_equal(one.draw(1000, 7, "a"), whole)
    for first, n in ((0, 1), (1, 3), (500, 500), (999, 1)):
        np.testing.assert_array_equal(one.begin_at(first).draw(n, 7, "a"), whole[first : first + n])
    others = one.draw(1000, 8, "a"), one.draw(1000, 7, "b")
    assert all((other != whole).mean() > 0.9 for other in others)
    far = one.begin_at(2**33 + 5).draw(3, 7, "a")
    assert (far != one.begin_at(5).draw(3, 7, "a")).all()


def test_they_are_distributed_as_they_say():
    from scipy import stats

    expected = {
        "uniform": stats.uniform(-2.0, 5.0),
        "normal": stats.norm(1.0, 2.0),
        "bounded": stats.truncnorm(-0.5, 1.5, 1.0, 2.0),
        "lognormal": stats.lognorm(0.25, scale=math.exp(0.5)),
    }
    for kind, law in expected.items():
        drawn = KINDS[kind].draw(200_000, 3, "x")
        assert stats.kstest(drawn, law.cdf).pvalue > 1e-3, kind
        assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01
    assert KINDS["one side"].draw(10_000, 3, "x").max() <= 2.0
    assert len(np.unique(KINDS["normal"].draw(100_000, 1, "x"))) == 100_000


def test_populations_draw_them(backend, dtype):
    pop = RS.population(
        (2, 50),
        seed=4,
        backend=backend,
        dtype=dtype,
        a=KINDS["uniform"],
        V=iz.distributions.normal(-60.0, 3.0),
        batch=3,
    )
    expected = KINDS["uniform"].draw(100, 4, "a").astype(dtype).reshape(2, 50)
    np.testing.assert_array_equal(host(pop.a), np.broadcast_to(expected, (3, 2, 50)))
    first = host(pop.V).copy()
    pop.run(1.0, I=3.0)
    pop.reset()
    np.testing.assert_array_equal(host(pop.V), first)
    pop.a = iz.distributions.uniform(0.02, 0.1)
    assert host(pop.a).min() >= 0.02


def test_what_is_no_distribution_is_refused():
    made = iz.distributions
    for wrong, told in (
        (lambda: made.uniform(1.0, 1.0), "low = 1 is not below high = 1"),
        (lambda: made.uniform(-1.7e308, 1.7e308), "not below"),
        (lambda: made.uniform(0.0, math.inf), "not finite"),
        (lambda: made.normal("a", 1.0), "mean"),
        (lambda: made.normal(0.0, -1.0), "std = -1.0 is below 0"),
        (lambda: made.normal(0.0, 1.0, low=2.0, high=1.0), "low"),
        (lambda: made.lognormal(0.0, True), "std"),
    ):
        with pytest.raises(ValueShapeError, match=told):
            wrong()
    with pytest.raises(ValueShapeError, match="widen"):
        RS.population(3, a=made.normal(0.0, 1e-9, low=1.0))
    with pytest.raises(ValueShapeError, match="too large"):
        RS.population(3, a=made.lognormal(700.0, 1.0))
    with pytest.raises(ValueShapeError, match="not finite"):
        RS.population(3, a=made.lognormal(1e6, 1.0))
    assert str(KINDS["bounded"]) == "normal(mean=1, std=2, low=0, high=4)"


def test_no_deviation_is_one_number():
    assert (iz.distributions.normal(3.0, 0.0).draw(10, 0, "a") == 3.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_documents(kind):
    assert read_distribution(distribution_document(KINDS[kind])) == KINDS[kind]
