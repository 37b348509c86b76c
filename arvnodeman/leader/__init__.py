"""Which of several hosts acts: one seam of four verbs, a backend a file."""
