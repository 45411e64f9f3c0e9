"""What outlives a process: rows, append-only logs and artifacts."""
