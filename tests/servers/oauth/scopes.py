"""`parse_scopes`: what a request asks for, by Microsoft's rules of qualified, reserved and `.default` scopes."""

from __future__ import annotations

from dataclasses import dataclass

from tests.servers.oauth.faults import Refused

CONSUMERS = "consumers"
GRAPH = "https://graph.microsoft.com"
MAIL_READ = (f"{GRAPH}/Mail.Read", f"{GRAPH}/User.Read", "offline_access", "openid", "profile")
RESERVED = ("openid", "profile", "offline_access", "email")


@dataclass(frozen=True)
class Requested:
    """Scopes, sorted out."""

    resource_scopes: tuple[str, ...]
    """Fully qualified, such as https://graph.microsoft.com/Mail.Read."""
    reserved: tuple[str, ...]
    """Those of OpenID Connect."""

    @property
    def audience(self) -> str:
        """The resource of the first scope: a token is for one resource."""
        return _resource(self.resource_scopes[0]) if self.resource_scopes else GRAPH

    def within(self, consented: Requested) -> Requested:
        """Return these scopes spelled as they were consented to; `.default` is all of them.

        Raises:
            Refused: `invalid_grant` 65001 where consent is missing (DOC).
        """
        spelled = {scope.lower(): scope for scope in consented.resource_scopes}
        of_resource = tuple(s for s in consented.resource_scopes if _resource(s) == self.audience)
        if [s for s in self.resource_scopes if s.endswith("/.default")]:
            return Requested(of_resource, self.reserved)
        if missing := [s for s in self.resource_scopes if s.lower() not in spelled]:
            names = " ".join(missing)
            raise Refused(
                "invalid_grant", f"no consent to {names}", codes=[65001], suberror="consent_required"
            )
        found = tuple(spelled[s.lower()] for s in self.resource_scopes if _resource(s) == self.audience)
        return Requested(found or of_resource, self.reserved)


def parse_scopes(text: str, tenant: str, *, several_resources: bool = False) -> Requested:
    """Return the scopes of a request; those of organisations may leave out Graph's address (DOC).

    Raises:
        Refused: `invalid_scope`: one without an address for a personal account (70011, ISSUE), `.default`
            beside others (70011, DOC), more than one resource (28000, DOC) unless *several_resources*.
    """
    words = text.split()
    reserved = tuple(word for word in words if word in RESERVED)
    others = [word for word in words if word not in RESERVED]
    if tenant == CONSUMERS and (unqualified := [word for word in others if "://" not in word]):
        raise Refused("invalid_scope", f"The scope {unqualified[0]} is not valid.", codes=[70011])
    scopes = tuple(word if "://" in word else f"{GRAPH}/{word}" for word in others)
    if len(scopes) > 1 and any(scope.endswith("/.default") for scope in scopes):
        raise Refused("invalid_scope", ".default stands alone.", codes=[70011])
    if len({_resource(scope) for scope in scopes}) > 1 and not several_resources:
        raise Refused("invalid_scope", codes=[28000])
    return Requested(scopes, reserved)


def _resource(scope: str) -> str:
    return scope.rpartition("/")[0]
