"""Mechanical fixes: what a finding's ``fix_id`` names."""

from foveal.linting.fixes.apply import FIXES, fix
from foveal.linting.fixes.fix import Fix

__all__ = ["FIXES", "Fix", "fix"]
