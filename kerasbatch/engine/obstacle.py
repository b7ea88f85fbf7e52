"""The exception that leads from the fused engine to plain `model.fit`."""


class ObstacleError(Exception):
    """The fused engine cannot train this.

    Args:
        reason: why, to follow "because".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
