"""The way to the Arvados API server, through its SDK."""
