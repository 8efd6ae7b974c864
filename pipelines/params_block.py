"""What every block of `params.yaml` is."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A frozen block of parameters that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
