"""Answers for more images than one run holds: a ledger of parts, each written once."""

from foveal.sharding.ledger import LEDGER_NAME
from foveal.sharding.predicting import Sharded, ShardOptions, predict_shards

__all__ = ["LEDGER_NAME", "ShardOptions", "Sharded", "predict_shards"]
