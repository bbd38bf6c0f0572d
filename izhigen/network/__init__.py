"""Networks: populations that send each other spikes."""
