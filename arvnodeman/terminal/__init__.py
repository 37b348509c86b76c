"""What all command lines of the program have in common."""
