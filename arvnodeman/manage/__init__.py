"""The outside view: status, health, control."""
