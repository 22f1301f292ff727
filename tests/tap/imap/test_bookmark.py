"""The IMAP bookmark against a real Dovecot: where it stands, what moves it, and what is read from it on."""

from __future__ import annotations

import pytest

from tests.tap.runs import imap_account, mail, run_tap


def test_first_run_reads_everything(account, dovecot, user):
    """Every message of every folder comes out once, and the bookmark stands behind the last of each."""
    run = run_tap([account])
    assert 0 == run.code
    assert ["1", "2", "3", "4"] == sorted(run.ids)
    assert {"INBOX": 3, "Work": 1} == {name: entry["last_uid"] for name, entry in run.folders().items()}
    assert dovecot.status(user, "INBOX")["uidvalidity"] == run.folders()["INBOX"]["uidvalidity"]
    assert [] == run.folders()["INBOX"]["pending"]


def test_second_run_reads_nothing(account):
    """With the state of the first run nothing is read again, and no folder is opened."""
    first = run_tap([account])
    second = run_tap([account], first.state)
    assert (0, []) == (second.code, second.records)
    assert first.folders() == second.folders()


def test_unchanged_folders_are_not_selected(dovecot, user, proxy):
    """A poll with nothing new asks LIST with STATUS and opens no folder."""
    account = imap_account(proxy, user)
    state = run_tap([account]).state
    opened = proxy.count("EXAMINE")
    run_tap([account], state)
    assert opened == proxy.count("EXAMINE")
    assert 2 == opened


def test_new_mail_alone_is_read(account, dovecot, user):
    """Only what arrived since comes out."""
    state = run_tap([account]).state
    dovecot.append(user, "Work", mail(5))
    run = run_tap([account], state)
    assert ["5"] == run.ids
    assert 2 == run.folders()["Work"]["last_uid"]


def test_lowered_bookmark_rewinds(account):
    """A last_uid set back by hand is read again from there."""
    state = run_tap([account]).state
    state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]["last_uid"] = 1
    assert ["2", "3"] == run_tap([account], state).ids


@pytest.mark.parametrize(
    ("forget", "expected"),
    [
        pytest.param(
            lambda accounts: accounts["alice"]["folders"].pop("INBOX"), ["1", "2", "3"], id="a folder"
        ),
        pytest.param(
            lambda accounts: accounts["alice"]["folders"].update(INBOX=None), ["1", "2", "3"], id="nulled"
        ),
        pytest.param(lambda accounts: accounts.pop("alice"), ["1", "2", "3", "4"], id="an account"),
        pytest.param(
            lambda accounts: accounts.update(alice=None), ["1", "2", "3", "4"], id="a nulled account"
        ),
    ],
)
def test_removed_from_the_state_is_read_anew(account, forget, expected):
    """What the state no longer knows is read from the start."""
    state = run_tap([account]).state
    forget(state["bookmarks"]["imap_messages"]["accounts"])
    assert expected == sorted(run_tap([account], state).ids)


def test_legacy_bookmark_is_adopted(account, dovecot, user):
    """An entry without uidvalidity is taken at its word and learns the server's UIDVALIDITY."""
    legacy = {
        "bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": {"INBOX": {"last_uid": 2}}}}}}
    }
    run = run_tap([account], legacy)
    assert ["3", "4"] == sorted(run.ids)
    assert dovecot.status(user, "INBOX")["uidvalidity"] == run.folders()["INBOX"]["uidvalidity"]


def test_legacy_bookmark_at_the_end_is_adopted_unread(account, dovecot, user):
    """Adoption needs no new mail: a bookmark that is up to date learns UIDVALIDITY from STATUS."""
    legacy = {
        "bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": {"INBOX": {"last_uid": 3}}}}}}
    }
    run = run_tap([account], legacy)
    assert ["4"] == run.ids
    assert dovecot.status(user, "INBOX")["uidvalidity"] == run.folders()["INBOX"]["uidvalidity"]


def test_changed_uidvalidity_reads_again(account, dovecot, user):
    """Under a new UIDVALIDITY every UID means another message: the folder is read from the start, with a warning."""
    state = run_tap([account]).state
    uidvalidity = dovecot.renumber(user, "INBOX")
    run = run_tap([account], state)
    assert (0, ["1", "2", "3"]) == (run.code, sorted(run.ids))
    assert uidvalidity == run.folders()["INBOX"]["uidvalidity"]
    assert any("UIDVALIDITY changed" in line for line in run.report().warnings)


def test_bookmark_beyond_uidnext_is_named(account):
    """A bookmark that no message can reach is a failure: mail below it would be missed in silence."""
    state = run_tap([account]).state
    state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]["last_uid"] = 4000
    run = run_tap([account], state)
    assert 3 == run.code
    assert any("4000" in line for line in run.report().failures)


def test_bookmark_of_a_gone_folder_is_kept(account, dovecot, user):
    """A folder that was deleted is a warning, no failure, and its bookmark stays."""
    state = run_tap([account]).state
    dovecot.delete_folder(user, "Work")
    run = run_tap([account], state)
    assert 0 == run.code
    assert 1 == run.folders()["Work"]["last_uid"]
    assert any("gone" in line for line in run.report().warnings)


def test_state_between_folders_covers_what_came_before(dovecot):
    """At every STATE each bookmark equals the UIDs handed over before that line."""
    user = dovecot.new_user()
    for number in range(12):
        dovecot.append(user, f"Folder {number % 3}", mail(number))
    run = run_tap([imap_account(dovecot, user)])
    seen: dict[str, int] = {}
    states = 0
    for line in run.lines:
        if line["type"] == "RECORD":
            source = line["record"]["source"]
            seen[source["folder"]] = source["uid"]
        elif line["type"] == "STATE":
            states += 1
            account = line["value"]["bookmarks"].get("imap_messages", {}).get("accounts", {}).get("alice", {})
            for folder, entry in account.get("folders", {}).items():
                assert entry["last_uid"] <= seen.get(folder, 0)
    assert states >= 4


def test_unknown_state_keys_are_kept(account):
    """Keys of others, the target's _hashfs among them, are emitted again."""
    state = {
        "bookmarks": {
            "_hashfs": {"archive_id": "0000"},
            "imap_messages": {"accounts": {"alice": {"note": "mine"}, "other": {"folders": {}}}},
        },
        "elsewhere": 1,
    }
    after = run_tap([account], state).state
    assert {"archive_id": "0000"} == after["bookmarks"]["_hashfs"]
    assert 1 == after["elsewhere"]
    accounts = after["bookmarks"]["imap_messages"]["accounts"]
    assert "mine" == accounts["alice"]["note"]
    assert {"folders": {}} == accounts["other"]
