"""The way to the clouds, through libcloud."""
