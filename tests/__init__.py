"""Tests and benchmarks. They take the collection out of this checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COLLECTIONS = ROOT / ".collections"
sys.path.insert(0, str(COLLECTIONS))
