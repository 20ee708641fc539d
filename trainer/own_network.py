"""The network a configuration asks for: one of ours by its name, or yours by module:attribute.

Your own network is code that the configuration names, so it is run only where you train, evaluate
and export; model files never name code.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from thermoseg.errors import ConfigError
from thermoseg.labels import NUM_CLASSES
from thermoseg.networks import build
from trainer.config import NetworkConfig

KEY: Final = "network.name"

_OWN: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Exceptions that a user's code is known to raise where it does not fit."""


def is_own(name: str) -> bool:
    """Whether `name` means code of the user's rather than a network of ours."""
    return ":" in name


def build_network(network: NetworkConfig, size: tuple[int, int] = (64, 64)) -> nn.Module:
    """Build the network that a configuration names, with fresh weights.

    What `module:attribute` names is called with those of `num_classes`, `width` and `in_channels`
    that it has as parameters; with the three in this order if it takes three others; or with
    nothing.  The module is looked for where Python looks, then in the current folder.

    Parameters
    ----------
    network
        Section `network` of a training configuration.
    size
        Height and width of the picture that a network of the user's is tried on, pixels.

    Returns
    -------
    A module that maps (n, 1, h, w) to logits (n, 6, h, w).

    Raises
    ------
    ConfigError
        If there is no such network, it cannot be built, or its answer has another shape.
    """
    if not is_own(network.name):
        try:
            return build(network.name, NUM_CLASSES, network.width)
        except ValueError as error:
            raise ConfigError(f"{KEY}: {error}; or name your own as module:attribute") from error
    made = _made(_found(network.name), network)
    _try(network.name, made, size)
    return made


def _found(name: str) -> Callable[..., Any]:
    """Import what `name` means."""
    if not _OWN.fullmatch(name):
        raise ConfigError(
            f"{KEY}: “{name}” is not of the form package.module:attribute; correct it"
        )
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # for good: the module may import its neighbours later
    try:
        with torch.random.fork_rng(devices=[]):  # first weights depend on the seed alone
            module = importlib.import_module(module_name)
    except (*_FAULTS, SyntaxError) as error:
        # The module itself or one of the packages it lies in, and not what it imports.
        absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(
            f"{error.name}."
        )
        remedy = "start from the folder that holds it, or install it" if absent else "correct it"
        raise ConfigError(
            f"{KEY}: the module “{module_name}” cannot be imported ({type(error).__name__}: "
            f"{_one_line(error)}); {remedy}"
        ) from error
    try:
        found = attrgetter(attribute)(module)
    except AttributeError as error:
        raise ConfigError(
            f"{KEY}: {module_name} ({module.__file__}) has no “{attribute}”; correct the name "
            "after the colon"
        ) from error
    if isinstance(found, nn.Module) or not callable(found):
        raise ConfigError(
            f"{KEY}: {name} is {type(found).__name__} and not a class or function; name what "
            "makes a new network each time"
        )
    made_by: Callable[..., Any] = found
    return made_by


def _made(maker: Callable[..., Any], network: NetworkConfig) -> nn.Module:
    """Call `maker` with what it takes."""
    wanted = {"num_classes": NUM_CLASSES, "width": network.width, "in_channels": 1}
    try:
        signature = inspect.signature(maker)
        named = {name: value for name, value in wanted.items() if name in signature.parameters}
        arguments = _first_that_binds(signature, tuple(wanted.values()), named)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{KEY}: {network.name} takes other arguments than num_classes, width and in_channels "
            f"({error}); name a function that takes those or none"
        ) from error
    try:
        made = maker(*arguments.args, **arguments.kwargs)
    except _FAULTS as error:
        raise ConfigError(
            f"{KEY}: {network.name} cannot be built with {dict(arguments.arguments)} "
            f"({type(error).__name__}: {_one_line(error)}); correct it"
        ) from error
    if not isinstance(made, nn.Module):
        raise ConfigError(
            f"{KEY}: {network.name} gives {type(made).__name__}, not a torch.nn.Module; name what "
            "gives one"
        )
    if not any(weight.requires_grad for weight in made.parameters()):
        raise ConfigError(f"{KEY}: {network.name} has no weights to train; name another network")
    return made


def _first_that_binds(
    signature: inspect.Signature, values: tuple[int, ...], named: dict[str, int]
) -> inspect.BoundArguments:
    """Bind by name, else all by position, else nothing; TypeError if none of it fits."""
    if named:
        return signature.bind(**named)
    try:
        return signature.bind()
    except TypeError:
        return signature.bind(*values)


def _try(name: str, network: nn.Module, size: tuple[int, int]) -> None:
    """Let the network answer one picture and look at the answer's shape."""
    expected = (1, NUM_CLASSES, *size)
    network.eval()
    try:
        with torch.no_grad():
            answer = network(torch.zeros(1, 1, *size))
    except _FAULTS as error:
        raise ConfigError(
            f"{KEY}: {name} fails on a picture of shape (1, 1, {size[0]}, {size[1]}) "
            f"({type(error).__name__}: {_one_line(error)}); it must map it to logits {expected}"
        ) from error
    finally:
        network.train()
    if not isinstance(answer, Tensor) or tuple(answer.shape) != expected:
        got = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ConfigError(
            f"{KEY}: {name} answers a picture of shape (1, 1, {size[0]}, {size[1]}) with {got}; "
            f"it must give logits of shape {expected}"
        )


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
