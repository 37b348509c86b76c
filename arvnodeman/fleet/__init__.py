"""The brain: every decision, as pure functions of values. No clock, no thread, no socket."""
