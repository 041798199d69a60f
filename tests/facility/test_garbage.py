from __future__ import annotations

import gc

from facility.garbage import collector_at_rest


def test_the_collector_works_again_when_a_load_is_over_even_one_within_another() -> None:
    with collector_at_rest():
        with collector_at_rest():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
