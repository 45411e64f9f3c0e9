"""Which op runs next: pure state, no clock, no I/O."""
