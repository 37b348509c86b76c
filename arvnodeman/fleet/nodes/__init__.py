"""The table of nodes: rows, pairing, judging, how far the lists are believed."""
