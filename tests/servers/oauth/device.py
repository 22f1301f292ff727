"""`DeviceCodes`: sign-ins on another device, from the code shown to the answer of the person (RFC 8628)."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from tests.servers.oauth.faults import Refused

EARLY_SECONDS = 0.2  # a poll may come this much too soon: clocks and schedulers


@dataclass
class _Device:
    client_id: str
    scopes: tuple[str, ...]
    user_code: str
    interval: float
    expires: float
    last_poll: float = float("-inf")
    user: str | None = None
    declined: bool = False


@dataclass
class DeviceCodes:
    """Device codes given out.

    Attributes:
        interval: Seconds between polls that new codes ask for.
        expires_in: Seconds a new code lives.
    """

    interval: int = 1
    expires_in: int = 900
    _devices: dict[str, _Device] = field(default_factory=dict)

    def new(self, client_id: str, scopes: tuple[str, ...]) -> tuple[str, str]:
        """Return a device code and the user code that belongs to it."""
        user_code = "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(9))
        device_code = f"fake-device-{secrets.token_urlsafe(24)}"
        expires = time.monotonic() + self.expires_in
        self._devices[device_code] = _Device(client_id, scopes, user_code, self.interval, expires)
        return device_code, user_code

    def approve(self, user_code: str, user: str) -> None:
        """Let the person sign in as *user* and consent."""
        self._by_user_code(user_code).user = user

    def decline(self, user_code: str) -> None:
        """Let the person say no."""
        self._by_user_code(user_code).declined = True

    def redeem(self, device_code: str, client_id: str) -> tuple[str, tuple[str, ...]]:
        """Return who signed in, and the scopes consented to; once.

        Raises:
            Refused: `authorization_pending`, `slow_down`, `expired_token`, `authorization_declined`
                (Microsoft's word for RFC 8628's `access_denied`), or `bad_verification_code`.
        """
        device = self._devices.get(device_code)
        if device is None or device.client_id != client_id:
            raise Refused("bad_verification_code", codes=[70018])
        now = time.monotonic()
        if now >= device.expires:
            raise Refused("expired_token", codes=[70020])
        early = now - device.last_poll < device.interval - EARLY_SECONDS
        device.last_poll = now
        if early:
            raise Refused("slow_down", codes=[70016])
        if device.declined:
            raise Refused("authorization_declined", codes=[70017])
        if device.user is None:
            raise Refused("authorization_pending", codes=[70016])
        del self._devices[device_code]
        return device.user, device.scopes

    def _by_user_code(self, user_code: str) -> _Device:
        return next(device for device in self._devices.values() if device.user_code == user_code)
