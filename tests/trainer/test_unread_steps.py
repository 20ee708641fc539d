import math

import torch

from trainer.unread_steps import GRADIENT, Step, UnreadSteps


def a_step(number: int, **values: float) -> Step:
    images, labels = torch.full((2, 1, 4, 4), float(number)), torch.zeros(2, 4, 4)
    tensors = {name: torch.tensor(value) for name, value in values.items()}
    return Step(number, tensors, images, labels)


def test_losses_come_step_by_step_and_only_once() -> None:
    unread = UnreadSteps(3)
    for number in range(3):
        assert not unread.is_full()
        unread.add(a_step(number, total=number + 0.5, rmi=1.0, **{GRADIENT: 2.0}))

    assert unread.is_full()
    assert unread.read() == ([{"total": number + 0.5, "rmi": 1.0} for number in range(3)], None)
    assert unread.read() == ([], None)


def test_the_first_step_that_is_not_finite_is_found_with_the_one_before() -> None:
    unread = UnreadSteps(2)
    for number in range(2):
        unread.add(a_step(number, total=1.0))
    unread.read()
    unread.add(a_step(2, total=math.nan, rmi=1.0, dice=-math.inf, **{GRADIENT: math.nan}))
    unread.add(a_step(3, total=math.nan, rmi=math.nan, dice=math.nan))

    _, found = unread.read()

    assert found is not None
    assert found.names == ("total", "dice")
    assert found.step.iteration == 2
    assert found.previous is not None
    assert found.previous.images.max() == 1


def test_a_gradient_is_named_where_all_losses_are_finite() -> None:
    unread = UnreadSteps(1)
    unread.add(a_step(0, total=1.0, **{GRADIENT: math.inf}))

    losses, found = unread.read()

    assert losses == [{"total": 1.0}]
    assert found is not None
    assert (found.names, found.previous) == ((GRADIENT,), None)


def test_values_of_all_processes_are_averaged_in_one_go() -> None:
    unread, seen = UnreadSteps(2), list[torch.Tensor]()
    for number in range(2):
        unread.add(a_step(number, total=float(number), rmi=4.0))

    def halve(tensors: list[torch.Tensor]) -> None:
        seen.extend(tensor.clone() for tensor in tensors)
        for tensor in tensors:
            tensor /= 2

    losses, _ = unread.read(halve)

    assert [tensor.tolist() for tensor in seen] == [[0.0, 4.0, 1.0, 4.0]]
    assert losses == [{"total": 0.0, "rmi": 2.0}, {"total": 0.5, "rmi": 2.0}]
