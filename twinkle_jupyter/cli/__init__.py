"""The command `twinkle`: the magic's verbs in a terminal, and what only a terminal can do."""
