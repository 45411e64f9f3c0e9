"""The composition root: only here are concrete stores, actors and engines named."""
