"""A client of our own that puts two servers through the same operations and compares every byte
that has a meaning. See README.md one folder up."""
