"""Demand against supply: which jobs wait for what, and what is to be booted for them."""
