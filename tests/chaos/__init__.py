"""Chaos and soak: the real daemon at the sandbox site, with faults of every kind, killed again and again."""
