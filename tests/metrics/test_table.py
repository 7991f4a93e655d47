from dataclasses import fields, replace

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.metrics import Table, join, pair
from robustpose.skeletons import COCO_17, MPII_16


def people(ids: str, *, targets: bool = False) -> Table:
    """One person a letter; every number of a person is the letter's, so that rows cannot be mixed up unseen."""
    code = np.array([float(ord(letter)) for letter in ids])
    n = len(ids)
    poses = np.broadcast_to(code[:, None, None], (n, 16, 2))
    return Table(
        ids=tuple(ids),
        skeleton=MPII_16,
        predicted=poses + 0.5,
        keypoints=poses.copy(),
        visible=np.broadcast_to(code[:, None] % 2 == 0, (n, 16)).copy(),
        head_size=code + 0.1,
        box_side=code + 0.2,
        target=poses + 0.3 if targets else None,
        target_visible=np.broadcast_to(code[:, None] % 3 == 0, (n, 16)).copy() if targets else None,
        score=code + 0.4,
        area=code + 0.5,
        crops=np.broadcast_to(code[:, None, None] + 0.6, (n, 2, 3)).copy(),
        photo=np.array([2 * letter for letter in ids], dtype="<U2"),
    )


def same(one: Table, other: Table) -> bool:
    assert one.ids == other.ids
    assert one.skeleton == other.skeleton
    for field in fields(one):
        name = field.name
        if name in ("ids", "skeleton"):
            continue
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
            assert mine.dtype == theirs.dtype, name
        else:
            assert mine == theirs, name
    return True


@pytest.mark.parametrize("targets", [False, True])
def test_take_moves_everything_of_a_person(targets: bool) -> None:
    table = people("abcde", targets=targets)
    assert same(table.take([3, 0, 3]), people("dad", targets=targets))
    assert same(table.take(range(1, 3)), people("bc", targets=targets))
    assert same(table.take([]), people("", targets=targets))
    assert len(table.take([2])) == 1


@pytest.mark.parametrize("targets", [False, True])
def test_join_stacks_in_order(targets: bool) -> None:
    parts = [people(ids, targets=targets) for ids in ("ba", "", "cde")]
    assert same(join(parts), people("bacde", targets=targets))
    assert same(join(parts[:1]), parts[0])


def test_join_undoes_take() -> None:
    table = people("abcdef", targets=True)
    assert same(join([table.take([0, 1]), table.take([2]), table.take(range(3, 6))]), table)


def test_join_refuses_what_does_not_belong_together() -> None:
    with pytest.raises(ValueError, match="share their skeleton"):
        join([people("ab"), people("cd", targets=True)])
    with pytest.raises(ValueError, match="share their skeleton"):
        join([people("ab"), replace(people("cd"), skeleton=COCO_17)])


def test_pair_goes_by_id_in_the_clean_tables_order() -> None:
    clean, attacked = pair(people("abcde"), people("xecba", targets=True))
    assert same(clean, people("abce"))
    assert same(attacked, people("abce", targets=True))


def test_pair_of_strangers_is_empty() -> None:
    clean, attacked = pair(people("abc"), people("xyz"))
    assert len(clean) == len(attacked) == 0


def test_joined_rows_are_copies() -> None:
    table = people("ab")
    joined = join([table, people("c")])
    joined.predicted[:] = -1
    table.take([0]).predicted[:] = -1
    assert (table.predicted > 0).all()


def test_a_person_twice_cannot_be_paired() -> None:
    twice = people("abb")
    with pytest.raises(RobustPoseError, match="person b is there twice"):
        pair(people("abc"), twice)
