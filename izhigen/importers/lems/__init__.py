"""LEMS, the language beneath NeuroML: from its XML to the parts of a declaration."""
