"""The random numbers of a scene, step by step: one step can be drawn otherwise while all others stay."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

States = Mapping[str, Mapping[str, Any]]
"""The state of the generator at the beginning of each step."""


class Streams:
    """One generator for all steps of a scene, which remembers the state at the beginning of each."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self.states: dict[str, Mapping[str, Any]] = {}

    def at(self, step: str) -> Generator:
        """Return the generator for a step."""
        self.states[step] = self._rng.bit_generator.state
        return self._rng

    def other(self, step: str) -> Generator:
        """Return a generator for what a change draws in a step's place; no scene as it is drawn asks for one."""
        raise ValueError(f"a scene as it is drawn has no other {step}")


class Replayed(Streams):
    """The same numbers again for each step, whatever the steps before it drew.

    seed  of the scene; steps that it did not have, and what a change draws, come from generators of their own
    """

    def __init__(self, states: States, seed: tuple[int, ...]) -> None:
        super().__init__(np.random.default_rng(seed))
        self._before, self._seed = states, seed

    def at(self, step: str) -> Generator:
        """Return a generator in the state in which the step began."""
        if step not in self._before:
            return self.other(step)
        return resumed(self._before[step])

    def other(self, step: str) -> Generator:
        """Return a generator that depends on the scene and on the step, and on nothing else."""
        word = int.from_bytes(hashlib.sha256(step.encode()).digest()[:4], "little")
        return np.random.default_rng([*self._seed, 2, word])


def resumed(state: Mapping[str, Any]) -> Generator:
    """Return a generator in a state."""
    generator = np.random.default_rng(0)
    generator.bit_generator.state = dict(state)
    return generator
