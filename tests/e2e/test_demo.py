"""The demo holds every point it makes."""
import subprocess

from mesh import ROOT


def test_the_demo_holds_every_point():
    done = subprocess.run([str(ROOT / "examples/helloworld/run"), "--check"], capture_output=True, text=True, timeout=300)
    print(done.stdout[-6000:], done.stderr[-2000:])
    assert done.returncode == 0
    assert done.stdout.strip().splitlines()[-1].endswith(" passed, 0 failed")
