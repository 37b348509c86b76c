"""What people type: one module for each command, and how the operators' commands reach the daemon."""
