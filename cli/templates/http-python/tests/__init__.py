"""The function's tests: `python3 -m unittest`."""

import sys
from pathlib import Path

# What the component is made of, natively.
sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("src", "vendor")]
