"""What can be booted, and what bounds it: sizes, how they fare, quota, slots, price."""
