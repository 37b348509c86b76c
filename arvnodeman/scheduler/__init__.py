"""The scheduler, whichever it is: what it must do for us (base.py), and the smallest one that does it (template.py)."""
