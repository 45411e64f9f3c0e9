"""Kernel side: magics, panels, cell errors."""
