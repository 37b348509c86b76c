"""May this process act? What every writer asks just before it sends."""
