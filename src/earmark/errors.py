"""Errors a user can meet; each message says what was given, what is allowed and what to do."""


class EarmarkError(Exception):
    """Root of every error earmark raises on purpose; its text is one line fit for a user."""


class AudioError(EarmarkError):
    """A recording cannot be opened, decoded or understood."""


class StoreError(AudioError):
    """An object store cannot be reached or lets nobody in: no fault of the recording."""


class ModelError(EarmarkError):
    """A model file is missing, has no card, or does not fit the data given to it."""


class ConfigError(EarmarkError):
    """An option or a configuration value is outside what is allowed."""


class AnnotationError(EarmarkError):
    """An annotation file cannot be read or cannot express what it is asked to."""
