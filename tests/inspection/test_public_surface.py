from __future__ import annotations

import foveal.inspection as room


def test_every_exported_name_exists_and_is_listed_in_order() -> None:
    assert all(hasattr(room, name) for name in room.__all__)
    assert room.__all__ == sorted(room.__all__)
