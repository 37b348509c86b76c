"""What the brain was told, kept so that it can be told again: a bounded journal, and its replay."""
