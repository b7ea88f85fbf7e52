"""The error of an operation that has no lowered form."""


class CannotLowerError(Exception):
    """An operation stays native; the message is the reason."""
