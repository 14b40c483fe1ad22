"""Make buckets in the object store that AWS_ENDPOINT_URL_S3 names, unless they are there: `python make_bucket.py NAME...`."""

from __future__ import annotations

import sys

import boto3
from botocore.config import Config


def make_buckets(names: list[str]) -> None:
    """Make each bucket that is not there yet."""
    client = boto3.client("s3", config=Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 5}))
    there = {bucket["Name"] for bucket in client.list_buckets().get("Buckets", [])}
    for name in names:
        if name not in there:
            client.create_bucket(Bucket=name)
        print(f"bucket {name} is there")  # noqa: T201


if __name__ == "__main__":
    make_buckets(sys.argv[1:])
