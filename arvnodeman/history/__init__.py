"""The past: what there was, what it cost, how long jobs waited; kept for people, never read by what decides."""
