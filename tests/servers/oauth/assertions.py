"""Signed assertions (JWT, RFC 7519): keys and certificates to sign with, `sign`, and a strict `verify`.

Written against the RFCs, apart from the libraries that clients sign with.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import json
import time
from collections.abc import Collection, Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

# RFC 7518 sections 3.3 and 3.5: the salt of PS256 is as long as the hash.
PADDINGS: Mapping[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
}
LONGEST_LIFE_SECONDS = 3600
CLOCK_SKEW_SECONDS = 300


class Unverified(Exception):
    """An assertion is not what it should be; the text says in what."""


@functools.cache
def rsa_key(owner: str) -> rsa.RSAPrivateKey:
    """Return the owner's RSA key, made once a process: making one takes a while."""
    return rsa.generate_private_key(65537, 2048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """Return the key as a PEM file has it (PKCS #8, not encrypted)."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


@functools.cache
def certificate(owner: str) -> x509.Certificate:
    """Return a self-signed certificate of the owner's key, as an application registers one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, owner)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, rsa_key(owner).public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(
        now + dt.timedelta(days=30)
    )
    return builder.sign(rsa_key(owner), hashes.SHA256())


def certificate_pem(of: x509.Certificate) -> str:
    """Return the certificate as a PEM file has it."""
    return of.public_bytes(serialization.Encoding.PEM).decode()


def encode(octets: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def sign(claims: Mapping[str, Any], key: rsa.RSAPrivateKey) -> str:
    """Return a JWT signed by RS256."""
    header = {"alg": "RS256", "typ": "JWT"}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encode(key.sign(signed.encode(), PADDINGS['RS256'], hashes.SHA256()))}"


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims, verified by nobody: to find out whose key is to verify them."""
    return _object(_parts(token)[1])


def verify(
    token: str, key: rsa.RSAPublicKey, *, audience: Collection[str], thumbprints: Collection[str] = ()
) -> dict[str, Any]:
    """Return the claims of a JWT for one of the audiences that is signed, begun and not expired.

    Args:
        token: RS256 or PS256.
        key: Whose signature it has to be.
        audience: What `aud` may be.
        thumbprints: When given, `x5t` or `x5t#S256` of the header has to be one of them (RFC 7515 section 4.1).

    Raises:
        Unverified: It is not; or it lives longer than an hour (Google's rule, Entra's advice).
    """
    header_part, claims_part, signature_part = _parts(token)
    header = _object(header_part)
    if header.get("alg") not in PADDINGS:
        raise Unverified(f"algorithm {header.get('alg')!r}")
    if thumbprints and not {header.get("x5t"), header.get("x5t#S256")} & set(thumbprints):
        raise Unverified("thumbprint")
    try:
        signed = f"{header_part}.{claims_part}".encode()
        key.verify(_decode(signature_part), signed, PADDINGS[header["alg"]], hashes.SHA256())
    except InvalidSignature:
        raise Unverified("signature") from None
    claims = _object(claims_part)
    if claims.get("aud") not in audience:
        raise Unverified(f"audience {claims.get('aud')!r}")
    now, begins, ends = time.time(), max(_time(claims, "nbf"), _time(claims, "iat")), _time(claims, "exp")
    if ends <= now:
        raise Unverified("expired")
    if begins > now + CLOCK_SKEW_SECONDS or ends > now + LONGEST_LIFE_SECONDS + CLOCK_SKEW_SECONDS:
        raise Unverified("not yet valid, or valid for too long")
    return claims


def thumbprints(of: x509.Certificate) -> set[str]:
    """Return `x5t` and `x5t#S256` of a certificate, with and without padding (MSAL pads)."""
    digests = [of.fingerprint(hashes.SHA1()), of.fingerprint(hashes.SHA256())]
    return {encode(digest) for digest in digests} | {base64.urlsafe_b64encode(d).decode() for d in digests}


def _parts(token: str) -> list[str]:
    parts = token.split(".")
    if len(parts) != 3:
        raise Unverified("no JWT")
    return parts


def _decode(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise Unverified("no base64url") from None


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_decode(part))
    except ValueError:
        raise Unverified("no JSON") from None
    if not isinstance(found, dict):
        raise Unverified("no JSON object")
    return found


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name, 0)
    if not isinstance(value, int | float):
        raise Unverified(f"{name} is no number")
    return value
