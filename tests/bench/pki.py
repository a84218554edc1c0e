"""Certificates of the peers, and tokens of weft's pods, made anew for every run with openssl.

All peers get the same kind of certificate that weft's CA issues: ECDSA P-256, signed by the root itself, one
SPIFFE id. nginx and HAProxy can only compare DNS names, so there is one of those as well.
"""

import base64
import json
import pathlib
import re
import subprocess
import time

NAMES = {"client": "client.bench", "server": "server.bench"}


def spiffe_id(account):
    return f"spiffe://cluster.local/ns/default/sa/{account}"


def openssl(*arguments, given=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(
            f"openssl {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace').strip()}"
        )
    return done.stdout


def make_certificates(folder):
    """ca.pem, and for client and server NAME.pem, NAME.key and NAME.both.pem (HAProxy wants one file)."""
    folder = pathlib.Path(folder)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
    openssl(
        "req",
        "-x509",
        *key,
        "-keyout",
        folder / "ca.key",
        "-out",
        folder / "ca.pem",
        "-days",
        2,
        "-subj",
        "/O=bench",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    )
    for name, dns in NAMES.items():
        certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
        openssl(
            "req",
            "-x509",
            "-CA",
            folder / "ca.pem",
            "-CAkey",
            folder / "ca.key",
            *key,
            "-keyout",
            private,
            "-out",
            certificate,
            "-days",
            1,
            "-subj",
            "/O=bench",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-addext",
            "extendedKeyUsage=serverAuth,clientAuth",
            "-addext",
            f"subjectAltName=URI:{spiffe_id(name)},DNS:{dns}",
        )
        (folder / f"{name}.both.pem").write_text(certificate.read_text() + private.read_text())
    for file in folder.iterdir():
        file.chmod(0o644)  # the proxies' user reads them; they live for one run in a folder of its own


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenIssuer:
    """Signs service-account tokens as a cluster's API server does (RS256), and shows the key set that checks
    them.
    """

    def __init__(self, folder):
        self.key = pathlib.Path(folder) / "issuer.key"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)

    def jwks(self):
        text = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode()
        modulus = bytes.fromhex(re.search(r"Modulus=([0-9A-F]+)", text).group(1))
        return json.dumps(
            {
                "keys": [
                    {
                        "kty": "RSA",
                        "alg": "RS256",
                        "use": "sig",
                        "kid": "bench",
                        "n": _base64url(modulus),
                        "e": "AQAB",
                    }
                ]
            }
        )

    def token(self, namespace, account, pod, uid):
        now = int(time.time())
        claims = {
            "iss": "bench",
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "aud": ["weft-ca"],
            "iat": now,
            "nbf": now,
            "exp": now + 7200,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": account},
                "pod": {"name": pod, "uid": uid},
            },
        }
        signed = ".".join(
            _base64url(json.dumps(part).encode())
            for part in ({"alg": "RS256", "typ": "JWT", "kid": "bench"}, claims)
        )
        return f"{signed}.{_base64url(openssl('dgst', '-sha256', '-sign', self.key, given=signed.encode()))}"
