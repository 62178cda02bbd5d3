"""What can go wrong, in words for the person who will read them.

Every message is one line that names the thing at fault and says what to do about it. None carries
source text.
"""

from __future__ import annotations


class MidfillError(Exception):
    """The root of all errors that Midfill itself raises.

    Attributes:
        code: a short machine-readable name, sent over the wire.
        exit_status: what the command line exits with.
        retry_after: seconds after which it is worth while to ask again, where that is known.
    """

    code = "failure"
    exit_status = 1
    retry_after: float | None = None


class UsageError(MidfillError):
    """The call itself is wrong: an unknown model, a position past the end of the file."""

    code = "usage"
    exit_status = 2


class UnreadableFile(MidfillError):
    """A file that cannot be filled: binary, too large, not UTF-8."""

    code = "unreadable-file"


class ExcludedFile(MidfillError):
    """A file that Midfill never reads, such as one with keys in it."""

    code = "excluded"


class InvalidText(MidfillError):
    """Text that has no UTF-8 form, such as a lone surrogate."""

    code = "invalid-text"


class WeightsMissing(MidfillError):
    """The model has not been pulled and may not or cannot be pulled now."""

    code = "weights-missing"


class WeightsCorrupt(MidfillError):
    """A weight file that is not what its publisher published."""

    code = "weights-corrupt"


class CalibrationDamaged(MidfillError):
    """The file that confidences are computed with is missing, damaged, or of another version."""

    code = "calibration-damaged"


class DownloadFailed(MidfillError):
    """No source of the weights could be reached, or one broke off."""

    code = "download-failed"


class NoSpace(MidfillError):
    """The disk that holds the cache folder is full."""

    code = "no-space"


class OutOfMemory(MidfillError):
    """The machine or the device has not enough memory for the model."""

    code = "out-of-memory"


class RequestTooLarge(MidfillError):
    """A request over the engine's size limit."""

    code = "too-large"


class EngineBusy(MidfillError):
    """The engine is draining or its queue is full; ask again later."""

    code = "busy"


class QueueFull(EngineBusy):
    """So many requests wait that another one would come too late."""

    code = "queue-full"


class Unauthorized(MidfillError):
    """The token is missing, wrong, or has been revoked."""

    code = "unauthorized"


class Forbidden(MidfillError):
    """Not for whoever asks: it comes by way of a browser, or is the administrator's business."""

    code = "forbidden"


class TooManyRequests(MidfillError):
    """Somebody asks more often than they may."""

    code = "too-many-requests"


class RequestTooSlow(MidfillError):
    """A request that does not arrive in time."""

    code = "too-slow"


class EngineUnavailable(MidfillError):
    """No engine answers, and none could be started."""

    code = "engine-unavailable"


class Cancelled(MidfillError):
    """Whoever asked does not want the answer any more."""

    code = "cancelled"
