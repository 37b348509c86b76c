"""Who keeps the node records: one interface, and the keepers behind it."""
