"""The fault list: what would train without complaint and teach something else."""
