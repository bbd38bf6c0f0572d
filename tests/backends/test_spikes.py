"""Spikes of a block: step, neuron, and where in its step each is."""

import numpy as np

from izhigen.backends.engine import Spikes, in_order, join_spikes
from izhigen.recording.rates import population_rate
from izhigen.timegrid import steps_of

NONE = np.zeros(0, np.int64)


def test_a_spike_is_at_the_end_of_its_step_unless_it_says_where():
    step, neuron = np.array([0, 0, 4]), np.array([1, 1, 0])
    assert Spikes(step, neuron).moment.tolist() == [1, 1, 5]
    assert Spikes(step, neuron, offset=np.array([0.25, 1.0, 0.5])).moment.tolist() == [0.25, 1.0, 4.5]


def test_located_spikes_are_ordered_by_time_and_those_of_one_time_by_neuron():
    step, neuron = np.array([3, 1, 1, 0, 1]), np.array([0, 9, 4, 7, 4])
    found = in_order(Spikes(step, neuron, offset=np.array([0.5, 0.25, 0.25, 1.0, 0.125])))
    assert found.moment.tolist() == [1.0, 1.125, 1.25, 1.25, 3.5] and found.neuron.tolist() == [7, 4, 4, 9, 0]


def test_parts_are_joined_whether_they_have_offsets_or_not():
    ends, inside = Spikes(np.array([1]), np.array([7])), Spikes(np.array([2]), np.array([3]), offset=np.array([0.5]))
    joined = join_spikes([ends, inside.later(10)], NONE)
    assert joined.moment.tolist() == [2.0, 12.5] and joined.neuron.tolist() == [7, 3]
    assert joined.where(joined.step > 5).moment.tolist() == [12.5]
    assert join_spikes([ends, ends], NONE).offset is None
    nothing = join_spikes([], NONE)
    assert len(nothing.step) == len(nothing.neuron) == 0 and nothing.offset is None


def test_a_spike_inside_a_step_counts_in_the_bin_of_its_step():
    assert steps_of(np.array([0.1, 0.30000000000000004, 0.25, 0.202, 1e8]), 0.1).tolist() == [0, 2, 2, 2, 999_999_999]
    found = population_rate([np.array([5.3, 6.0])], 0.0, 10.0, 1, 1.0, 1.0)
    assert found.rates.nonzero()[0].tolist() == [5]
