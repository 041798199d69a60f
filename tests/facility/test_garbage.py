from __future__ import annotations

import gc

from facility.garbage import collector_at_rest


def test_the_collector_works_again_when_a_load_is_over_even_one_within_another() -> None:
    with collector_at_rest():
        with collector_at_rest():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_many_objects_of_a_load_count_as_old_afterwards() -> None:
    with collector_at_rest():
        made = [[number] for number in range(200_000)]
    young = {id(each) for generation in (0, 1) for each in gc.get_objects(generation)}
    assert young.isdisjoint(map(id, made))
