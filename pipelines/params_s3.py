"""The block `s3` of `params.yaml`: how PainLake writes to a bucket. Where it is and who may is boto3's to know."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.params_block import Block


class S3Params(Block):
    """How a release is written to a bucket; DVC's remote has settings of its own (`dvc remote modify`)."""

    sse: Literal["AES256", "aws:kms"] | None = None
    """Encryption at rest that is asked of S3; null leaves it to the bucket."""
    sse_kms_key_id: str | None = None
    """The key of KMS; null takes the bucket's."""
    part_mb: int = Field(default=16, ge=5, le=1024)
    """Larger files go in parts of this size, four at a time, each in memory."""

    @model_validator(mode="after")
    def _key_of_kms(self) -> Self:
        if self.sse_kms_key_id is not None and self.sse != "aws:kms":
            raise ValueError("sse_kms_key_id goes with `sse: aws:kms`")
        return self
