"""What the brain shows of itself."""
