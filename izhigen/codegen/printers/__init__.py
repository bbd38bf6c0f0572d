"""One printer a target language: a formula in, its spelling out."""
