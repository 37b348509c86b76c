"""What the brain speaks in: frozen values, and the reasons it gives."""
