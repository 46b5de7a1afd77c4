"""The one error of everything that reads files."""


class FileFormatError(ValueError):
    """A file is not what it should be: damaged, cut short, of another format or not safe to read."""
