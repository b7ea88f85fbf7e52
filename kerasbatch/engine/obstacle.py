"""The exception for an obstacle to the fused engine; plain `model.fit` is the fallback."""


class ObstacleError(Exception):
    """The fused engine cannot train.

    Args:
        reason: the reason, as a clause that follows "because".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
