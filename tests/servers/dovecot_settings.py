"""`Settings`: what dovecot.conf says of a private server, and the files it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import HOST

SPECIAL_USE = {
    "Drafts": "\\Drafts", "Sent": "\\Sent", "Junk": "\\Junk", "Trash": "\\Trash", "Archive": "\\Archive",
}  # fmt: skip

# auth_failure_delay and the anvil listener: else failed logins slow down the next ones by seconds.
CONFIGURATION = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
instance_name = {name}
protocols = imap
listen = {host}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <{root}/etc/cert.pem
ssl_key = <{root}/etc/key.pem
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_cache_size = 0
auth_failure_delay = 0
mail_max_userip_connections = 100
mail_location = maildir:~/Maildir:LAYOUT=fs
mail_plugins = {mail_plugins}
maildir_very_dirty_syncs = no
mail_fsync = never
{oauth}
passdb {{
  driver = passwd-file
  args = username_format=%u {root}/etc/users/%u
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
{special_use}
}}
protocol imap {{
  mail_plugins = $mail_plugins {imap_plugins}
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 100
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
{extra}
"""

# A token is asked about once a sign-in; the answer's `username` has to be who wants to sign in.
OAUTH_PASSDB = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {root}/etc/oauth2.conf
}}
"""
OAUTH_CONFIGURATION = """
introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""


@dataclass(frozen=True)
class Settings:
    """What a test may choose; see `Dovecot` for the meaning."""

    separator: str
    prefix: str
    plugins: Sequence[str]
    oauth: str | None
    extra: str

    def files(self, root: Path, *, owner: tuple[str, str], ports: tuple[int, int]) -> dict[str, str]:
        """Return name below *root* and text of every file of settings.

        Args:
            root: The server's directory.
            owner: User and group it runs as.
            ports: For plain text with STARTTLS, for implicit TLS.
        """
        user, group = owner
        port, tls_port = ports
        main = CONFIGURATION.format(
            root=root,
            name=f"test-{port}",
            host=HOST,
            user=user,
            group=group,
            port=port,
            tls_port=tls_port,
            separator=self.separator,
            prefix=self.prefix,
            mail_plugins=" ".join(p for p in self.plugins if not p.startswith("imap_")),
            imap_plugins=" ".join(p for p in self.plugins if p.startswith("imap_")),
            mechanisms="plain login xoauth2 oauthbearer" if self.oauth else "plain login",
            oauth=OAUTH_PASSDB.format(root=root) if self.oauth else "",
            special_use="\n".join(
                f"  mailbox {name} {{\n    special_use = {use}\n    auto = no\n  }}"
                for name, use in SPECIAL_USE.items()
            ),
            extra=self.extra,
        )
        files = {"etc/dovecot.conf": main}
        if self.oauth:
            files["etc/oauth2.conf"] = OAUTH_CONFIGURATION.format(url=self.oauth)
        return files
