"""Projects to take away: a kernel with header, example, self test and build files, from the templates of its target."""
