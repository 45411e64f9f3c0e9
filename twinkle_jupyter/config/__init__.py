"""Settings that people write, checked as a whole at the edge."""
