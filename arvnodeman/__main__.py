"""`python -m arvnodeman` is the command `arvados-node-manager`."""

import sys

from arvnodeman.cli import main

sys.exit(main())
