"""The network that segments: loaded in a thread, so that no picture waits for it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.inference.face_segmenter import Mode
from thermoseg.inference.segmenter import Segmenter
from thermoseg.models import ModelFile, list_models
from thermoseg.thread_switching import step_back
from ui.shell.jobs import Jobs

NO_MODEL: Final = "none"
"""Name for working without a network."""

Loader = Callable[[str], Segmenter]
"""Returns the network of this name or file; raises `ModelError`."""


class ModelState(Enum):
    """Phase of the network that was chosen."""

    NONE = "none"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which network was chosen, and how far it is."""

    name: str = NO_MODEL
    """Name or path; `NO_MODEL` for none."""
    state: ModelState = ModelState.NONE


class ModelLoader:
    """Loads networks and keeps the last one, as loading takes seconds."""

    def __init__(self, backend: str = "auto") -> None:
        """Remember what is to run the networks."""
        self._backend = backend
        self._lock = threading.Lock()
        self._loaded: tuple[str, Segmenter] | None = None

    def __call__(self, model: str) -> Segmenter:
        """Return the network, from memory if it is the last one loaded.

        Raises
        ------
        ModelError
            If there is none of this name, its file is damaged, or nothing here runs it.
        """
        with self._lock:
            if self._loaded is None or self._loaded[0] != model:
                self._loaded = (model, self.another(model))
            return self._loaded[1]

    def another(self, model: str, mode: Mode = "live") -> Segmenter:
        """Return the network as nobody else has it: two streams must not share one.

        Parameters
        ----------
        mode
            As `thermoseg.inference.choose.choose_segmenter` takes it.

        Raises
        ------
        ModelError
            As calling it.
        """
        from thermoseg.inference.choose import choose_segmenter

        step_back()  # and with this thread those that compute, which are started from it
        return choose_segmenter(model, backend=self._backend, mode=mode)


class ModelShelf(QObject):
    """Owns the choice of the network; whoever runs a session takes it from here when it is there.

    A choice that cannot be loaded leaves the session with the network it has.
    """

    changed = pyqtSignal()
    """Another choice, or another state of it."""
    ready = pyqtSignal(object)
    """The `Segmenter` to be used from now on, or None."""
    failed = pyqtSignal(object)
    """Why the network that was chosen cannot be used."""
    found = pyqtSignal(object)
    """list[ModelFile], the models that are installed."""

    def __init__(
        self,
        load: Loader,
        find: Callable[[], list[ModelFile]] = list_models,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._load = load
        self._find = find
        self._jobs = Jobs("model", self)
        self._scout = Jobs("models", self)
        self._scout.failed.connect(self.failed)
        self._choice = ModelChoice()
        self._segmenter: Segmenter | None = None

    @property
    def choice(self) -> ModelChoice:
        """Which network was chosen, and how far it is."""
        return self._choice

    @property
    def segmenter(self) -> Segmenter | None:
        """The network that is ready; None while none is."""
        return self._segmenter

    @property
    def busy(self) -> bool:
        """Whether a network is being loaded."""
        return self._choice.state is ModelState.LOADING

    def choose(self, name: str) -> None:
        """Use this network, once it is loaded; `NO_MODEL` for none."""
        if name == self._choice.name and self._choice.state is not ModelState.FAILED:
            return
        self._jobs.forget()
        if name == NO_MODEL:
            self._segmenter = None
            self._set(name, ModelState.NONE)
            self.ready.emit(None)
            return
        self._set(name, ModelState.LOADING)
        self._jobs.run(lambda: self._load(name), self._on_loaded, self._on_failed)

    def find(self) -> None:
        """Look for models that are installed; `found` tells which."""
        self._scout.run(self._find, self.found.emit)

    def close(self) -> None:
        """Wait for what is at work."""
        self._jobs.close()
        self._scout.close()

    def _on_loaded(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._set(self._choice.name, ModelState.READY)
        self.ready.emit(segmenter)

    def _on_failed(self, error: BaseException) -> None:
        self._set(self._choice.name, ModelState.FAILED)
        self.failed.emit(error)

    def _set(self, name: str, state: ModelState) -> None:
        self._choice = ModelChoice(name, state)
        self.changed.emit()
