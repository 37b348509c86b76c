"""What follows from each event: taking lists in, beginning and ending operations."""
