"""What every block of `params.yaml` is."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A frozen block of parameters that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def idle(self) -> frozenset[str]:
        """Keys that change nothing with the others as they are, so that no result depends on them."""
        return frozenset()
