"""Fetching a recording from an address, and never from a machine that is not public.

A name is resolved once, every address it has must be public, and the connection goes to the address that was
checked, so that a name that changes its mind in between gains nothing.  So it is for each redirection.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from earmark.errors import AudioError
from earmark.files import atomic_write

_MOST_REDIRECTS = 5
_TIMEOUT_S = 20.0
LONGEST_S = 3600.0
_CHUNK = 1 << 16
# They embed addresses of IPv4, which may be anybody's: NAT64, 6to4 and its relays, Teredo.
_TUNNELS = [
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "192.88.99.0/24", "2001::/32")
]


def fetch(url: str, target: Path, max_bytes: int) -> int:
    """Copy what lies at an http(s) address to a file; return its size in bytes.

    Raises
    ------
    AudioError
        If the address or one it leads to is not public, cannot be reached, or holds too much or nothing.
    """
    until = time.monotonic() + LONGEST_S
    for _ in range(_MOST_REDIRECTS + 1):
        check_url(url)
        connection = _connect(url)
        try:
            answer = _ask(connection, url)
            if answer.status in (301, 302, 303, 307, 308):
                url = urljoin(url, answer.headers.get("Location", ""))
                continue
            if answer.status != 200:
                raise AudioError(
                    f"'{url}': the server says {answer.status} {answer.reason}; check the address"
                )
            return _save(answer, url, target, max_bytes, until)
        except (OSError, http.client.HTTPException) as err:
            raise AudioError(
                f"'{url}' cannot be fetched ({err or type(err).__name__}); try again later"
            ) from err
        finally:
            connection.close()
    raise AudioError(f"'{url}' leads on and on; give the address of the file itself")


def check_url(url: str) -> None:
    """Refuse an address that is not http(s), or holds a password; raises `AudioError`."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not url.isprintable() or " " in url:
        raise AudioError(f"'{url[:200]}' is no address that can be fetched; give one of http:// or https://")
    if parts.username or parts.password:
        raise AudioError("the address holds a name or a password; such are not sent")


def is_public(address: str) -> bool:
    """Tell whether an address is anybody's on the internet, and not of this machine or its networks."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.is_site_local:
            return False
    if any(ip in network for network in _TUNNELS):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def public_addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    """Return the addresses of a host, all of which must be public; raises `AudioError` if one is not."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as err:
        raise AudioError(f"'{host}' is not known; check the address") from err
    if not found or not all(is_public(str(place[0])) for *_, place in found):
        raise AudioError(f"'{host}' is no public address; upload the recording instead")
    return [(family, place) for family, _, _, _, place in found]


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    is_secure = parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=_TIMEOUT_S)
    problem: OSError | None = None
    for family, place in public_addresses(parts.hostname, port):
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.settimeout(_TIMEOUT_S)
        try:
            plain.connect(place)
            connection.sock = (
                ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
                if is_secure
                else plain
            )
            return connection
        except OSError as err:
            plain.close()
            problem = err
    raise AudioError(f"'{url}' cannot be reached ({problem}); check the address") from problem


def _ask(connection: http.client.HTTPConnection, url: str) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:;,+@!$&'()*~=-._")
    query = quote(parts.query, safe="/%:;,+@!$&'()*~=-._?")
    connection.putrequest(
        "GET", f"{path}?{query}" if query else path, skip_host=True, skip_accept_encoding=True
    )
    headers = {"Host": parts.netloc, "User-Agent": "earmark", "Accept-Encoding": "identity"}
    for name, value in {**headers, "Connection": "close"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def _save(answer: http.client.HTTPResponse, url: str, target: Path, max_bytes: int, until: float) -> int:
    too_much = AudioError(f"'{url}' holds more than the {max_bytes} bytes that the server takes")
    length = answer.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise too_much
    size = 0
    with atomic_write(target, binary=True) as file:
        while chunk := answer.read1(_CHUNK):  # what is there, so that the time is looked at
            size += len(chunk)
            if size > max_bytes:
                raise too_much
            if time.monotonic() > until:
                raise AudioError(f"'{url}' came too slowly; fetch it yourself, and upload it")
            file.write(chunk)
        if length.isdigit() and size < int(length):
            raise AudioError(f"'{url}' broke off after {size} of {length} bytes; try again")
        if not size:
            raise AudioError(f"'{url}' is empty; check the address")
    return size
