"""Why the last run ended, last words, the service manager."""
