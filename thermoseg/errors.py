"""Every exception that ThermoSeg raises on purpose: one small tree.

The message of each is one sentence that names the thing at fault, and its last words say what to
do.  A caller's mistake is a plain `ValueError` or `TypeError` instead.
"""


class ThermoSegError(Exception):
    """Something outside the program is not as it must be; the message says what to do."""


class CameraError(ThermoSegError):
    """A camera, or a file played as one, cannot do what was asked."""


class CameraTimeoutError(CameraError):
    """No frame came in time; the next read may well succeed."""


class CameraPreparingError(CameraTimeoutError):
    """It is still getting ready for its first frame, and so not silent; read again."""


class CameraLostError(CameraError):
    """The camera is gone; only opening it again can help."""


class FrameRefusedError(CameraError):
    """A frame came in pieces or scrambled and is not delivered; the next read may well succeed."""


class StreamEndedError(CameraError):
    """The last frame of a finite source has been read; not a fault."""


class DriverMissingError(CameraError):
    """A library that this camera needs is not installed; the message names it."""


class FormatError(ThermoSegError):
    """A file does not hold what its kind promises; the message names file, place and remedy."""


class ModelError(ThermoSegError):
    """A model file is damaged, of the wrong kind or missing."""


class RecordingError(ThermoSegError):
    """A session cannot be recorded or read."""


class NameTakenError(RecordingError):
    """A recording of this name exists or is being made; another name may be free."""


class RecoveryCancelledError(RecordingError):
    """Whoever recovers has asked to end; not a fault, and no copy is left."""


class ExportError(ThermoSegError):
    """A session, or part of it, cannot be exported."""


class ExportCancelledError(ExportError):
    """Whoever exports has asked to end; not a fault, and nothing is left under the names."""


class AnalysisError(ThermoSegError):
    """A session cannot be analysed again, or an analysis of it cannot be read."""


class AnalysisCancelledError(AnalysisError):
    """Whoever analyses has asked to end; not a fault, and no file is left."""


class ConfigError(ThermoSegError):
    """A setting has an unknown name or a value it may not have; the message gives its path."""


class TrainingError(ThermoSegError):
    """A training run cannot start or go on."""
