"""How the brain meets the outside: the World it acts on, and the Loop that drives it. No thread, no clock, no I/O."""
