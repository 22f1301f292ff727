"""A Meltano project with everything at once: what its files and the shell say."""

from __future__ import annotations

from typing import Any

SETTINGS = [
    {"name": "credentials_dir", "kind": "string", "value": "./credentials"},
    {"name": "accounts", "kind": "array"},
    {"name": "only", "kind": "array", "value": []},
    {"name": "start_date", "kind": "date_iso8601"},
    {"name": "reconcile_days", "kind": "integer", "value": 7, "aliases": ["reconcile"]},
    {"name": "limits", "kind": "object", "value": {}},
    {"name": "max_wait", "kind": "integer", "value": 900},
]
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "project_id": "test",
    "send_anonymous_usage_stats": False,
    "default_environment": "dev",
    "include_paths": ["more.yml"],
    "env": {"BASE": "base", "SHADOWED": "by the project"},
    "plugins": {
        "extractors": [
            {
                "name": "tap-mailbox",
                "namespace": "tap_mailbox",
                "executable": "tap-mailbox",
                "settings": SETTINGS,
                "env": {"PLUGIN": "plugin", "TAP_MAILBOX_MAX_WAIT": "77"},
                "config": {
                    "accounts": [{"name": "a", "email": "$SECRET", "host": "${host}-\\$BASE-$MISSING.$BASE"}],
                    "limits": {"depth": 5, "parts": 6},
                    "start_date": "2026-01-02T03:04:05Z",
                    "unlisted": {"deep": {"key": "$PLUGIN"}},
                    "words": ["yes", "$SHELL_ONLY", "$lower", "$SHADOWED"],
                    "emptied": "$MISSING",
                    "flag": True,
                },
            },
            {
                "name": "tap-mailbox--work",
                "inherit_from": "tap-mailbox",
                "env": {"PLUGIN": "child"},
                "config": {"only": ["work"], "limits": {"parts": 9}, "reconcile_days": 0},
            },
        ]
    },
    "environments": [
        {
            "name": "dev",
            "env": {"ACTIVE": "active-$BASE", "BASE": "environment"},
            "config": {
                "plugins": {
                    "extractors": [
                        {
                            "name": "tap-mailbox",
                            "env": {"PLUGIN": "override"},
                            "config": {
                                "limits": {"depth": 8},
                                "credentials_dir": "$ACTIVE/$MELTANO_PROJECT_ROOT",
                            },
                        }
                    ]
                }
            },
        },
        {"name": "empty"},
    ],
}
INCLUDED = {
    "plugins": {
        "extractors": [{"name": "grandchild", "inherit_from": "tap-mailbox--work", "config": {"max_wait": 5}}]
    },
    "environments": [
        {
            "name": "included",
            "config": {"plugins": {"extractors": [{"name": "grandchild", "config": {"only": ["$ACTIVE"]}}]}},
        }
    ],
}
DOTENV = """\
SECRET="fake secret"
host=lower-case
QUOTED='it''s'
TAP_MAILBOX_RECONCILE_DAYS=3
TAP_MAILBOX_MAX_WAIT=88
TAP_MAILBOX__WORK_ONLY='["from", "dotenv"]'
"""
SHELL = {"SHELL_ONLY": "shell", "SHADOWED": "by the shell", "TAP_MAILBOX_LIMITS_PARTS": "12"}
