"""One file a method; each defines ``SCHEME`` and is found by its file's name."""
