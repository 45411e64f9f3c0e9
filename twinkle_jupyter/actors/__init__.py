"""Ray actors: thin shells around the loops of `runtime` and `runs`."""
