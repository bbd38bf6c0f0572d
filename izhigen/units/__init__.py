"""Units: their names, their dimensions, and numbers that bring one."""
