"""Who asks a site what the checks of doctor/ judge: once for the command, every hour for the daemon."""
