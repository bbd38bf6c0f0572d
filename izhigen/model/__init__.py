"""Stage 1: what the user declares. Needs no SymPy, so that a cached kernel starts at once."""
