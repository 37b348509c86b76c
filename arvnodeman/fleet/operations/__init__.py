"""What is under way: boots, shutdowns and small chores, one step at a time."""
