"""Stage 2: from a declaration to the symbolic update of one step."""
