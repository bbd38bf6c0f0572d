"""Where arrays of neurons lie, and in which shape."""
