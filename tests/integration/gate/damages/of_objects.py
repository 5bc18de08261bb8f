"""Damages of Kubernetes objects."""

from tests.integration.gate.damages.damage import (
    ACCOUNTS,
    APPLICATION,
    ASSETS,
    ASTRAY,
    CONFIGURED,
    DATABASE,
    ENDPOINTS,
    EVENTS,
    FEED,
    IMAGES,
    INGRESS,
    INVALID,
    LEADS,
    LIVE,
    MOVED,
    NODES,
    PAGE,
    PEOPLE,
    PROCESSOR,
    REACHED,
    RESTARTED,
    ROLLOUT,
    ROUND_TRIPS,
    ROUTES,
    SETTLED,
    SHARED_LIVE,
    SINGLETONS,
    STOCKS,
    SUMS,
    TOLD,
    TRADES,
    UNKNOWN,
    UNMANAGED,
    Damage,
    of,
)
from tests.integration.gate.damages.objects import (
    container,
    cordoned,
    created,
    deleted,
    patched,
    second_processor,
    swapped_ports,
    tainted,
    template,
    warned,
)
from tests.integration.gate.damages.programs import with_fresh_books
from tests.integration.gate.gate_command import NAMESPACE, Json

PAUSE = {"image": "python:3.11-slim", "args": ["-c", "import threading; threading.Event().wait()"]}

STRAY = {"name": "stray"}
STRAYS: tuple[Json, ...] = (
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": STRAY},
    {"apiVersion": "v1", "kind": "Secret", "metadata": STRAY},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": STRAY, "rules": []},
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": STRAY,
        "spec": {"podSelector": {"matchLabels": {"app": "nobody"}}},
    },
    {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": STRAY,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nobody"},
            "maxReplicas": 1,
        },
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": STRAY,
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.250"]}],
        "ports": [{"name": "http", "port": 18085}],
    },
)
OTHER_PATH: Json = {
    "spec": {
        "rules": [
            {
                "host": f"{NAMESPACE}.localhost",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": STOCKS, "port": {"number": 18085}}},
                        },
                        {
                            "path": "/socket.io",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": FEED, "port": {"number": 18086}}},
                        },
                    ]
                },
            }
        ]
    }
}
OF_OBJECTS: tuple[Damage, ...] = (
    Damage(
        name="image set by kubectl",
        inflict=patched(
            "Deployment",
            STOCKS,
            container(STOCKS, image="ghcr.io/finos/traderx/reference-data:v1.2.2"),
            manager="kubectl-set",
        ),
        claims=of(STOCKS, IMAGES, LIVE, CONFIGURED),
        says="changed by kubectl-set",
    ),
    Damage(
        name="memory limit removed",
        inflict=patched(
            "Deployment",
            ACCOUNTS,
            container(ACCOUNTS, resources={"limits": {"memory": None}}),
            manager="kubectl-edit",
        ),
        claims=of(ACCOUNTS, LIVE, CONFIGURED),
        says="resources.limits.memory",
    ),
    Damage(
        name="environment variable added",
        inflict=patched(
            "Deployment",
            PAGE,
            container(PAGE, env=[{"name": "DEBUG", "value": "1"}]),
            manager="kubectl-set",
            undo=container(PAGE, env=[{"name": "DEBUG", "$patch": "delete"}]),
        ),
        claims=of(PAGE, LIVE, CONFIGURED),
        says='"DEBUG", changed by kubectl-set',
    ),
    Damage(
        name="environment variable changed",
        inflict=patched(
            "Deployment",
            ACCOUNTS,
            container(ACCOUNTS, env=[{"name": "PEOPLE_SERVICE_HOST", "value": "nobody"}]),
            manager="kubectl-set",
        ),
        claims=of(ACCOUNTS, LIVE, CONFIGURED),
        says='"nobody", changed by kubectl-set',
    ),
    Damage(
        name="annotation added",
        inflict=patched(
            "Deployment",
            DATABASE,
            {"metadata": {"annotations": {"note": "mine"}}},
            manager="kubectl-annotate",
            undo={"metadata": {"annotations": {"note": None}}},
        ),
        claims=of(DATABASE, LIVE),
        says='"mine", changed by kubectl-annotate',
    ),
    Damage(
        name="label changed",
        inflict=patched(
            "Deployment", PEOPLE, {"metadata": {"labels": {"layer": "x"}}}, manager="kubectl-label"
        ),
        claims=of(PEOPLE, LIVE),
        says='"x", changed by kubectl-label',
    ),
    Damage(
        name="label of the namespace changed",
        inflict=patched(
            "Namespace",
            NAMESPACE,
            {"metadata": {"labels": {"app.kubernetes.io/part-of": "x"}}},
            manager="kubectl-label",
        ),
        claims=frozenset({SHARED_LIVE}),
        says='"x", changed by kubectl-label',
    ),
    Damage(
        name="unmanaged ConfigMap",
        inflict=created({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray"}}),
        claims=frozenset({UNMANAGED}),
        says="unmanaged ConfigMap traderx-dev/stray",
    ),
    Damage(
        name="unmanaged Pod",
        inflict=created(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "stray"},
                "spec": {"containers": [{"name": "main", **PAUSE}]},
            }
        ),
        claims=frozenset({UNMANAGED}),
        says="unmanaged Pod traderx-dev/stray",
    ),
    Damage(
        name="unmanaged Deployment",
        inflict=created(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "stray"},
                "spec": {
                    "selector": {"matchLabels": {"app": "stray"}},
                    "template": {
                        "metadata": {"labels": {"app": "stray"}},
                        "spec": {"containers": [{"name": "main", **PAUSE}]},
                    },
                },
            }
        ),
        claims=frozenset({UNMANAGED}),
        says="unmanaged Deployment traderx-dev/stray",
    ),
    Damage(
        name="a warning",
        inflict=warned,
        claims=frozenset({EVENTS}),
        says="Evil: something is wrong",
    ),
    Damage(
        name="replicas scaled by hand",
        inflict=patched("Deployment", PEOPLE, {"spec": {"replicas": 3}}, manager="kubectl-scale"),
        claims=of(PEOPLE, LIVE),
        says="3, changed by kubectl-scale",
    ),
    Damage(
        name="singleton scaled by hand",
        inflict=patched("Deployment", FEED, {"spec": {"replicas": 2}}, manager="kubectl-scale"),
        claims=of(FEED, LIVE) | {SINGLETONS},
        says="2, changed by kubectl-scale",
        races=ROUND_TRIPS,  # each feed knows half of those who are connected
    ),
    Damage(
        name="Service pointed at another application",
        inflict=patched(
            "Service", PAGE, {"spec": {"selector": {"app": STOCKS}}}, manager="kubectl-edit"
        ),
        claims=of(PAGE, LIVE, APPLICATION, ENDPOINTS, ROUTES)
        | {ASSETS, INGRESS}
        | of(STOCKS, ENDPOINTS),
        says=f'"{STOCKS}", changed by kubectl-edit',
    ),
    Damage(
        name="Deployment deleted",
        inflict=deleted("Deployment", PAGE),
        claims=of(
            PAGE,
            LIVE,
            ROLLOUT,
            APPLICATION,
            IMAGES,
            CONFIGURED,
            ASTRAY,
            RESTARTED,
            ENDPOINTS,
            ROUTES,
        )
        | {ASSETS, LEADS, INGRESS},
        says="no such deployment",
    ),
    Damage(
        name="Service deleted",
        inflict=deleted("Service", PEOPLE),
        claims=of(PEOPLE, LIVE, APPLICATION, ENDPOINTS, ROUTES) | {REACHED, LEADS, INGRESS},
        says="absent",
    ),
    Damage(
        name="no node takes new pods",
        inflict=cordoned,
        claims=frozenset({NODES}),
        says=" cordoned",
    ),
    Damage(
        name="port of a Service swapped",
        inflict=patched(
            "Service",
            STOCKS,
            {"spec": {"ports": [{"port": 18085, "targetPort": 18091}]}},
            manager="kubectl-edit",
        ),
        claims=of(STOCKS, LIVE, APPLICATION, ROUTES)
        | ROUND_TRIPS
        | {REACHED, UNKNOWN, INVALID, INGRESS},
        says="18091, changed by kubectl-edit",
    ),
    Damage(
        name="two trade-processors",
        inflict=with_fresh_books(
            patched("Deployment", PROCESSOR, {"spec": {"replicas": 2}}, manager="kubectl-scale")
        ),
        claims=of(PROCESSOR, LIVE) | {SETTLED, TOLD, SINGLETONS},
        says="2, changed by kubectl-scale",
        races=frozenset({MOVED, SUMS}),  # both read the position before either writes it, or not
    ),
    Damage(
        name="a second trade-processor that nobody knows of",
        inflict=with_fresh_books(second_processor),
        claims=frozenset({SETTLED, TOLD, UNMANAGED}),
        says="1 duplicate",
        races=frozenset({MOVED, SUMS}),
    ),
    Damage(
        name="ports of two Services exchanged",
        inflict=swapped_ports(ACCOUNTS, PEOPLE),
        claims=of(ACCOUNTS, LIVE, APPLICATION, ROUTES)
        | of(PEOPLE, LIVE, APPLICATION, ROUTES)
        | ROUND_TRIPS
        | {REACHED, UNKNOWN, INVALID, INGRESS},
        says="18089, changed by kubectl-edit",
    ),
    Damage(
        name="a probe removed",
        inflict=patched(
            "Deployment", PEOPLE, container(PEOPLE, livenessProbe=None), manager="kubectl-edit"
        ),
        claims=of(PEOPLE, LIVE, CONFIGURED),
        says="livenessProbe",
    ),
    Damage(
        name="requests changed",
        inflict=patched(
            "Deployment",
            PEOPLE,
            container(PEOPLE, resources={"requests": {"cpu": "1m"}}),
            manager="kubectl-set",
        ),
        claims=of(PEOPLE, LIVE, CONFIGURED),
        says="resources.requests.cpu",
    ),
    Damage(
        name="service account changed",
        inflict=patched(
            "Deployment",
            STOCKS,
            template(serviceAccountName="default", serviceAccount="default"),
            manager="kubectl-set",
        ),
        claims=of(STOCKS, LIVE, CONFIGURED),
        says="serviceAccountName",
    ),
    Damage(
        name="a dependency broken by an environment variable",
        inflict=patched(
            "Deployment",
            TRADES,
            container(TRADES, env=[{"name": "ACCOUNT_SERVICE_HOST", "value": PEOPLE}]),
            manager="kubectl-set",
        ),
        claims=of(TRADES, LIVE, CONFIGURED) | ROUND_TRIPS | {UNKNOWN, INVALID},
        says="ACCOUNT_SERVICE_HOST",
    ),
    Damage(
        name="Ingress deleted",
        inflict=deleted("Ingress", "traderx-ingress"),
        claims=frozenset({SHARED_LIVE, LEADS, INGRESS}),
        says="absent",
    ),
    Damage(
        name="path of the Ingress led to another Service",
        inflict=patched("Ingress", "traderx-ingress", OTHER_PATH, manager="kubectl-edit"),
        claims=frozenset({SHARED_LIVE, INGRESS}),
        says="changed by kubectl-edit",
    ),
    Damage(name="nodes tainted", inflict=tainted, claims=frozenset({NODES}), says="maintenance"),
    *(
        Damage(
            name=f"unmanaged {body['kind']}",
            inflict=created(body),
            claims=frozenset({UNMANAGED}),
            says=f"unmanaged {body['kind']} {NAMESPACE}/stray",
            # its controller warns of a target that is not there, sooner or later
            races=frozenset({EVENTS} if body["kind"] == "HorizontalPodAutoscaler" else ()),
        )
        for body in STRAYS
    ),
)
