"""A whole site in virtual time, for the brain that really decides: months of operation in seconds."""
