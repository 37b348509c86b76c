"""The checks, a file each. Each file ends with its CHECK; catalogue.py puts them in order."""
