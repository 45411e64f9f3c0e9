"""`python -m twinkle_jupyter.cli` is the command `twinkle`."""

import sys

from twinkle_jupyter.cli.main import main

sys.exit(main())
