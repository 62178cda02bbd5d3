"""``python -m benchmarks.caching``."""

import sys

from .cli import main

sys.exit(main())
