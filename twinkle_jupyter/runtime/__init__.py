"""Loops around engine and sampler, and the handles through which everybody else reaches them."""
