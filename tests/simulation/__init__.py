"""What must hold at every command of a brain on a simulated site."""
