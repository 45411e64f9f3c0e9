"""Loggers of other makers that a run's metrics can be sent to, through their own libraries."""
