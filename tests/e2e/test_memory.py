"""Memory follows what a pod uses, not the size of the mesh."""
from mesh import Mesh, deployment, namespace, pod, service, service_account
from test_traffic import resident


def objects(services):
    made = [namespace("default"), service_account("client"), pod("client", account="client"), service_account("app"),
            deployment("app", "http-echo", env={"TEXT": "app"})]
    made += [service(name, selector={"app": "app"}) for name in ("one", "two", "three")]
    made += [service(f"unused-{i}", selector={"app": f"unused-{i}"}) for i in range(services)]
    return made


def measure(services):
    with Mesh(objects(services)) as mesh:
        for name in ("one", "two", "three"):
            # A pod is ready a moment before discovery has told everybody.
            assert mesh.until(lambda: mesh.curl("client", f"http://{name}/") == "app", 5)
        return resident(mesh, "client")[0]


def test_a_thousand_services_of_which_three_are_used_cost_at_most_a_mebibyte():
    small, large = measure(0), measure(1000)
    print(f"{small} KiB with 3 Services, {large} KiB with 1,003")
    assert large - small <= 1024
