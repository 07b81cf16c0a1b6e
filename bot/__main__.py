"""``python -m bot`` is the command ``aneeka``."""

import sys

from bot.cli import main

sys.exit(main())
