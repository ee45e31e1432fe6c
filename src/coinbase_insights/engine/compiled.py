"""The same rules, compiled by numba for long histories; bit for bit equal to the interpreted ones.

Nothing is written twice: every function of the rules is handed to numba as it stands. The machine code is kept in
the user's cache folder under a name made from the rules' own text, so that it can never be older than they are.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType

import numba
import numpy as np
from numba.extending import register_jitable

from . import forecast, score, window
from . import update as update_module
from .state import COUNT, ERROR_TAIL, LARGEST_RING, State, grown

MODULES: tuple[ModuleType, ...] = (score, window, forecast, update_module)
