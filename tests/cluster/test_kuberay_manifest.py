"""The manifest for KubeRay says what Serve, the settings and the rest of it understand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from ray.serve.schema import ServeDeploySchema

from midfill.inference.cluster.settings import ClusterSettings

MANIFEST = Path(__file__).resolve().parents[2] / "deploy" / "kuberay" / "rayservice.yaml"
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    return {found["kind"]: found for found in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.fixture(scope="module")
def service(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return documents["RayService"]["spec"]


@pytest.fixture(scope="module")
def config(service: dict[str, Any]) -> ServeDeploySchema:
    return ServeDeploySchema.model_validate(yaml.safe_load(service["serveConfigV2"]))


@pytest.fixture(scope="module")
def pods(service: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = service["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_it_is_a_ray_service_of_the_release_that_is_installed(
    documents: dict[str, dict[str, Any]], service: dict[str, Any]
) -> None:
    assert documents["RayService"]["apiVersion"] == "ray.io/v1"
    assert service["rayClusterConfig"]["rayVersion"] == ray.__version__
    assert f"ray:{ray.__version__}-" in (MANIFEST.parent / "Containerfile").read_text()
    for group in service["rayClusterConfig"]["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_serve_finds_an_application_that_the_settings_fit(config: ServeDeploySchema) -> None:
    [application] = config.applications
    module, name = application.import_path.split(":")
    built = getattr(import_module(module), name)(application.args)
    assert built._bound_deployment.name == "door"
    assert application.route_prefix == "/"


def test_the_tokens_are_mounted_where_doors_read_them(
    config: ServeDeploySchema, pods: list[dict[str, Any]]
) -> None:
    settings = ClusterSettings.model_validate(config.applications[0].args)
    for pod in pods:
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert set(mounts.values()) <= volumes
            assert str(settings.token_file.parent) in mounts
            [cache] = [e["value"] for e in container["env"] if e["name"] == "MIDFILL_CACHE_DIR"]
            assert cache in mounts


def test_claims_that_are_mounted_are_made(
    documents: dict[str, dict[str, Any]], pods: list[dict[str, Any]]
) -> None:
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {documents["PersistentVolumeClaim"]["metadata"]["name"]}


def test_workers_have_room_for_as_many_replicas_as_there_may_be(
    config: ServeDeploySchema, service: dict[str, Any], pods: list[dict[str, Any]]
) -> None:
    settings = ClusterSettings.model_validate(config.applications[0].args)
    [group] = service["rayClusterConfig"]["workerGroupSpecs"]
    [worker] = pods[1]["containers"]
    limits = worker["resources"]["limits"]
    assert group["maxReplicas"] * int(limits[GPU]) >= settings.max_replicas * settings.num_gpus
    assert int(limits["cpu"]) > settings.num_cpus  # a door beside an engine
