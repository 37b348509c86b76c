"""What every scheduler must do, the same tests for each: suite.py; stage.py tells how a scheduler joins."""
