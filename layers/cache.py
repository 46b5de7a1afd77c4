"""What ``forward`` leaves for ``backward``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import CacheError


class Cache:
    """A namespace that ``forward`` fills and ``backward`` reads: ``self.cache.mask = x > 0``.

    It holds references, not copies: do not write into an input or an output until ``backward`` is done.
    Copies and pickles of a layer start with an empty one.

    Raises
    ------
    CacheError
        On reading a name that no ``forward`` has set.
    """

    def __init__(self, owner: str) -> None:
        self.__dict__["_owner"] = owner

    def __getattr__(self, name: str) -> Any:
        owner = self.__dict__.get("_owner", "layer")
        raise CacheError(
            f"{owner}: call forward before backward; nothing is cached under {name!r}, "
            f"which forward has to set each time"
        )

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __repr__(self) -> str:
        return f"Cache({', '.join(name for name in vars(self) if name != '_owner')})"

    def __reduce__(self) -> tuple[type[Cache], tuple[str]]:
        return Cache, (self._owner,)
