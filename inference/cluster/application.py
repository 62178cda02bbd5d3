"""The Serve application: ``serve run midfill.inference.cluster.application:application``.

A *door* is an ingress replica: tokens, limits, affinity, another attempt where a replica is lost.
Behind it stand *engines*, whose number follows the load. Ray's router hashes the session of a
request, which the door knows, onto the ring of engines; the next ones on the ring take what the
first has no place for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import serve
from ray.serve.config import AutoscalingConfig, BackpressureConfig, RequestRouterConfig

from midfill.inference.cluster.door import Door
from midfill.inference.cluster.replica import EngineReplica
from midfill.inference.cluster.replicas import RayReplicas
from midfill.inference.cluster.settings import ClusterSettings
from midfill.inference.service.access import behind_proxy, gated
from midfill.inference.service.token_file import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.serve import Application
    from ray.serve.handle import DeploymentHandle
    from starlette.types import ASGIApp

    from midfill.inference.service.backend import Engine

AFFINITY = "ray.serve.experimental.consistent_hash_router:ConsistentHashRouter"
"""Ray's own router by ``session_id``; experimental, so the release of Ray is pinned."""

DOOR_CPUS = 0.1


class DoorReplica:
    """One ingress replica.

    Args:
        engines: the handle of the engines.
        settings: of the cluster.

    Raises:
        UsageError: the token file is unfit.
    """

    def __init__(self, engines: DeploymentHandle, settings: ClusterSettings) -> None:
        self._engines = engines
        self._settings = settings
        self._tokens = TokenFile(settings.token_file)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        door = Door(RayReplicas(self._engines), attempts=self._settings.attempts)
        access = self._settings.access(self._tokens)
        return behind_proxy(gated(door.starlette(), access), access)


def application(args: dict[str, Any]) -> Application:
    """Built by Serve from the ``args`` of its configuration, which are `ClusterSettings`.

    Raises:
        pydantic.ValidationError: there is no such setting, or it may not have this value.
    """
    return build(ClusterSettings.model_validate(args))


def build(
    settings: ClusterSettings,
    make_engine: Callable[[], Engine] | None = None,
    *,
    router: str | None = AFFINITY,
) -> Application:
    """The application.

    Args:
        settings: of the cluster.
        make_engine: instead of what the settings call for; pickled, and called in each replica.
        router: of the engines; None for Ray's default, to compare with.
    """
    engines = serve.deployment(
        EngineReplica,
        name="engine",
        ray_actor_options={"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus},
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=settings.retry_after),
        autoscaling_config=AutoscalingConfig(
            min_replicas=settings.min_replicas,
            max_replicas=settings.max_replicas,
            target_ongoing_requests=settings.target_ongoing_requests,
            upscale_delay_s=settings.upscale_delay,
            downscale_delay_s=settings.downscale_delay,
        ),
        request_router_config=(
            RequestRouterConfig(request_router_class=router) if router else RequestRouterConfig()
        ),
        health_check_period_s=settings.health_period,
        health_check_timeout_s=settings.health_timeout,
        graceful_shutdown_timeout_s=settings.drain_within,
        graceful_shutdown_wait_loop_s=0.5,
        rolling_update_percentage=settings.rolling_percent / 100,
        max_surge_percent=settings.surge_percent,
    )
    doors = serve.deployment(
        serve.ingress()(DoorReplica),
        name="door",
        num_replicas=settings.doors,
        ray_actor_options={"num_cpus": DOOR_CPUS},
        max_ongoing_requests=settings.connections,
        graceful_shutdown_timeout_s=settings.drain_within,
        graceful_shutdown_wait_loop_s=0.5,
        max_surge_percent=100,
    )
    built: Application = doors.bind(engines.bind(settings, make_engine), settings)
    return built
