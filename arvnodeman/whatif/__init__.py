"""What if: the site's own jobs, played through the code that really decides."""
