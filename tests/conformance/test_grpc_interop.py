"""The interoperability test cases of gRPC, client and server of grpc-go, through two sidecars over mTLS.

docs/conformance.md lists the cases that do not apply, and why.
"""
import pytest

from conftest import TOOLS

CASES = [
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
    "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service", "rpc_soak",
    "channel_soak",
]


@pytest.mark.parametrize("case", CASES)
def test_case(mesh, case):
    done = mesh.exec("client", TOOLS / "client", "--server_host=interop", "--server_port=80", f"--test_case={case}", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
