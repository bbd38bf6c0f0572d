"""Stages 3 and 4: placed statements, and the text of a program."""
