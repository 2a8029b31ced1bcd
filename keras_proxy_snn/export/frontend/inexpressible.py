"""`InexpressibleError`: for a network that no program can express."""

__all__ = ["InexpressibleError"]


class InexpressibleError(ValueError):
    """A network that no program can express.

    Args:
        short: Reason, cure and the value received, sentences.
        rule: What a program can express; the message begins with it.

    Attributes:
        short: As the argument.
    """

    def __init__(self, short: str, rule: str = ""):
        self.short = short
        super().__init__(rule + short)
