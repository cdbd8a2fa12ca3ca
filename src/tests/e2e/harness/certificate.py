"""An authority and a certificate for this machine, made anew for each run."""

import subprocess
from pathlib import Path

from harness.process import Failure


class Certificate:
    """The files of an authority, and of what it certifies: 127.0.0.1 and localhost."""

    def __init__(self, folder):
        folder = Path(folder)
        self.authority, self.cert, self.key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        authority_key, request, names = (folder / name for name in ("ca.key", "cert.csr", "names.ext"))
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        _run([*new, "-x509", "-days", "2", "-subj", "/CN=end to end", "-keyout", authority_key, "-out", self.authority])
        _run([*new, "-subj", "/CN=localhost", "-keyout", self.key, "-out", request])
        sign = ["openssl", "x509", "-req", "-days", "2", "-in", request, "-extfile", names, "-CAcreateserial"]
        _run([*sign, "-CA", self.authority, "-CAkey", authority_key, "-out", self.cert])

    @property
    def served(self):
        """As a listener's `tls`."""
        return {"certs": [{"cert": str(self.cert), "key": str(self.key)}]}

    @property
    def believed(self):
        """As a group's `tls`."""
        return {"ca": str(self.authority)}

    @property
    def environment(self):
        """What makes Python, Node and gRPC believe the authority."""
        ca = str(self.authority)
        return {"SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": ca}


def _run(argv):
    done = subprocess.run([str(part) for part in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failure(f"{argv}: {done.stdout.decode(errors='replace')}")
