"""What whoever runs a cluster may set: the ``args`` of the application in Serve's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from midfill.inference.service.access import REQUESTS_PER_MINUTE, Access
from midfill.inference.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from midfill.inference.service.access import Credentials


class ClusterSettings(BaseModel):
    """Times in seconds.

    Attributes:
        token_file: who may ask, as for ``midfill serve``: on every node that has a door.
        model: which one each replica loads.
        device: a torch device; None for the model's usual one.
        context_bytes: of encoded contexts that a replica keeps; about 13 MB a document.
        num_cpus: that a replica reserves.
        num_gpus: the same; a fraction where several replicas share one.
        min_replicas: that are always there.
        max_replicas: that there may be under load.
        target_ongoing_requests: of one replica, on average; more calls for another replica. Well
            under what the engine fills at once, since latency matters more than use.
        max_ongoing_requests: that one replica takes up; what is beyond goes to the next.
        max_queued_requests: that wait at one door for a replica; more are answered 429.
        retry_after: that such an answer tells.
        doors: replicas of the ingress.
        connections: that one door answers at once, open streams of events among them.
        attempts: replicas that are asked, one after the other, when one dies with a request.
        per_minute: requests of one caller at one door; 0 for no limit.
        max_body: bytes of one request.
        metrics_caller: the one name that may read ``/metrics`` and nothing else; "" for everybody.
        proxy: the address whose word on where requests come from is taken; "" for none.
        load_within: the model is loaded by then, or the replica is given up.
        health_period: between two questions whether a replica is well.
        health_timeout: for each answer; a replica that gives none three times is replaced.
        drain_within: for what is running when a replica has to go.
        upscale_delay: load lasts so long before there is another replica.
        downscale_delay: and its absence before there is one less.
        rolling_percent: of the replicas, that an update replaces at a time.
        surge_percent: of the replicas, that an update may start beside the old ones, rounded up.
            They need room of their own; 0 stops old ones first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_file: Path
    model: str = "embedded"
    device: str | None = None
    context_bytes: int = Field(default=2**30, gt=0)
    num_cpus: float = Field(default=1.0, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)
    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=2, ge=1)
    target_ongoing_requests: float = Field(default=2.0, gt=0)
    max_ongoing_requests: int = Field(default=8, ge=1)
    max_queued_requests: int = Field(default=16, ge=0)
    retry_after: float = Field(default=1.0, ge=1)
    doors: int = Field(default=1, ge=1)
    connections: int = Field(default=4096, ge=1)
    attempts: int = Field(default=4, ge=1)
    per_minute: float = Field(default=REQUESTS_PER_MINUTE, ge=0)
    max_body: int = Field(default=MAX_BODY_BYTES, gt=0, le=MAX_BODY_BYTES)
    metrics_caller: str = ""
    proxy: str = ""
    load_within: float = Field(default=600.0, gt=0)
    health_period: float = Field(default=10.0, gt=0)
    health_timeout: float = Field(default=15.0, gt=0)
    drain_within: float = Field(default=30.0, ge=0)
    upscale_delay: float = Field(default=15.0, ge=0)
    downscale_delay: float = Field(default=600.0, ge=0)
    rolling_percent: int = Field(default=20, ge=1, le=100)
    surge_percent: int = Field(default=50, ge=0, le=100)

    def access(self, credentials: Credentials) -> Access:
        """Who may ask at a door, and for how much.

        Args:
            credentials: asked at every request.
        """
        return Access(
            credentials,
            hosts=None,  # every request shows a token, which no web page has
            per_minute=self.per_minute or None,
            max_body=self.max_body,
            metrics_caller=self.metrics_caller,
            proxy=self.proxy,
            shared=True,
        )

    @model_validator(mode="after")
    def _in_order(self) -> ClusterSettings:
        if self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas may not be more than max_replicas")
        if self.target_ongoing_requests > self.max_ongoing_requests:
            raise ValueError("target_ongoing_requests may not be more than max_ongoing_requests")
        return self
