"""The errors a person can do something about; anything else is a bug."""


class PrecisionError(Exception):
    """What went wrong, where, and what to do about it, in words for the user."""


class InputError(PrecisionError):
    """A request that cannot be carried out as asked: unknown model, malformed link, oversize batch."""


class UnsupportedError(InputError):
    """A combination that this device, model or build of torch does not offer."""


class ForwardError(PrecisionError):
    """A model's forward raised; the message names the module it raised in and the last that ran."""

    def __init__(self, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where
        """fqn of the module it raised in."""


class ReferenceFailedError(ForwardError):
    """The reference's own forward raised: no format is to blame."""


class JobError(PrecisionError):
    """A job ended without its result: a crashed worker, a limit, a lost scheduler."""


class JobCancelledError(PrecisionError):
    """The user cancelled the job."""
