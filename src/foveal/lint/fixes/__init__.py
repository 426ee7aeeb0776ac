"""Mechanical fixes: what a finding's ``fix_id`` names."""

from foveal.lint.fixes.apply import FIXES, fix
from foveal.lint.fixes.fix import Fix

__all__ = ["FIXES", "Fix", "fix"]
