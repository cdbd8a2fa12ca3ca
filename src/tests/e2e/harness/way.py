"""The four ways of speaking HTTP, on either side of the proxy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One of them."""

    name: str
    tls: bool
    http2: bool

    @property
    def scheme(self):
        """Of a URL."""
        return "https" if self.tls else "http"

    def group(self, certificate):
        """How a group speaks to its peers; nothing else is settled on."""
        spoken = {"http_version": "http2" if self.http2 else "http1"}
        return spoken | ({"tls": certificate.believed} if self.tls else {})

    def peer(self, name, process):
        """A peer that is spoken to in this way."""
        return {"name": name, "url": f"{self.scheme}://{process.address}/"}

    def served(self, certificate):
        """What makes a server of the catalogue speak it."""
        return {"certificate": certificate if self.tls else None, "http2": self.http2}

    def address(self, proxy):
        """Where the proxy is spoken to in this way."""
        return proxy.secure if self.tls else proxy.address

    def job(self, proxy, path, certificate):
        """What a client is told."""
        spoken = {"url": f"{self.scheme}://{self.address(proxy)}{path}", "http2": self.http2}
        return spoken | ({"ca": str(certificate.authority)} if self.tls else {})


H1 = Way("h1", tls=False, http2=False)
H2C = Way("h2c", tls=False, http2=True)
HTTPS_H1 = Way("https-h1", tls=True, http2=False)
HTTPS_H2 = Way("https-h2", tls=True, http2=True)
WAYS = (H1, H2C, HTTPS_H1, HTTPS_H2)
