"""The IMAP source against a real Dovecot: every message once, whatever the folder, the state or the line does."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from tests.tap.runs import imap_account, mail, run_tap


@pytest.fixture
def user(dovecot):
    """Someone with three messages in INBOX and one in Work."""
    someone = dovecot.new_user()
    dovecot.fill(someone, "INBOX", [mail(1), mail(2), mail(3)])
    dovecot.fill(someone, "Work", [mail(4)])
    return someone


@pytest.fixture
def account(dovecot, user):
    """Their account."""
    return imap_account(dovecot, user)


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


AWKWARD = [
    "a & b",
    'quo"ted',
    "back\\slash",
    "Entwürfe",
    "日本語",
    "Sub/Folder/Deep",
    "123",
    "NIL",
    "per%cent",
    "[Gmail]",
    "x~y",
]


def test_awkward_folder_names(dovecot):
    """Spaces, quotes, ampersands, non-ASCII names and names that look like atoms are read and kept apart."""
    user = dovecot.new_user()
    for number, name in enumerate(AWKWARD):
        dovecot.append(user, name, mail(number))
    run = run_tap([imap_account(dovecot, user)])
    assert {name: str(number) for number, name in enumerate(AWKWARD)} == {
        record["source"]["folder"]: each for record, each in zip(run.records, run.ids, strict=True)
    }
    assert set(AWKWARD) <= run.folders().keys()
    assert [] == run_tap([imap_account(dovecot, user)], run.state).records


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        pytest.param({}, ["INBOX", "Archive", "Sent", "Work", "Work/2024"], id="defaults leave out junk, trash, drafts"),
        pytest.param({"exclude": []}, ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Trash/Old", "Work", "Work/2024"], id="no exclusion"),
        pytest.param({"include": ["Work*"]}, ["Work", "Work/2024"], id="a glob matches the separator"),
        pytest.param({"include": ["*"], "exclude": ["Work/*", "\\Sent"]}, ["INBOX", "Archive", "Drafts", "Junk", "Trash", "Trash/Old", "Work"], id="mixed exclusion"),
        pytest.param({"include": ["\\Trash"], "exclude": []}, ["Trash", "Trash/Old"], id="special use covers what is below"),
        pytest.param({"include": ["inbox"]}, ["INBOX"], id="INBOX has no case"),
        pytest.param({"include": ["\\Inbox"]}, ["INBOX"], id="INBOX as a special use"),
    ],
)  # fmt: skip
def test_folder_selection(dovecot, folders, expected):
    """include and exclude take globs on decoded names and special-use names; each default applies on its own."""
    user = dovecot.new_user()
    for number, name in enumerate(
        ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Trash/Old", "Work", "Work/2024"]
    ):
        dovecot.append(user, name, mail(number))
    run = run_tap([imap_account(dovecot, user, folders=folders)])
    assert sorted(expected) == sorted(record["source"]["folder"] for record in run.records)


def test_pattern_that_matches_nothing_is_named(account):
    """A mistyped include is a warning: it would lose mail in silence."""
    run = run_tap([{**account, "folders": {"include": ["Elsewhere", "INBOX"]}}])
    assert 0 == run.code
    assert any("Elsewhere" in line for line in run.report().warnings)


def test_start_date_is_exact_to_the_second(dovecot):
    """What was received a second before start_date is left out, what was received at it is read."""
    user = dovecot.new_user()
    moment = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
    for seconds in (-86_400 * 3, -1, 0, 1):
        dovecot.append(user, "INBOX", mail(seconds), internal_date=moment + dt.timedelta(seconds=seconds))
    run = run_tap([imap_account(dovecot, user)], start_date="2026-03-01T13:00:00+01:00")
    assert ["0", "1"] == run.ids
    assert 4 == run.folders()["INBOX"]["last_uid"]


def test_one_failing_account_stops_no_other(account, dovecot):
    """A wrong password ends that account alone; the run is partial and the other's state is emitted."""
    wrong = imap_account(dovecot, dovecot.new_user(), name="wrong")
    wrong["auth"][0]["password"] = "not-this-one"
    missing = imap_account(
        dovecot,
        dovecot.new_user(),
        name="missing",
        auth=[{"method": "password", "credential_file": "nowhere.json"}],
    )
    run = run_tap([wrong, missing, account])
    assert 3 == run.code
    assert ["1", "2", "3", "4"] == sorted(run.ids)
    assert 3 == run.folders()["INBOX"]["last_uid"]
    assert "sign-in refused" in run.report("wrong").failures[0]
    assert "nowhere.json" in run.report("missing").failures[0]


def test_refused_password_is_tried_once(dovecot, proxy):
    """Servers lock accounts that try again and again."""
    wrong = imap_account(proxy, dovecot.new_user())
    wrong["auth"][0]["password"] = "not-this-one"
    assert 3 == run_tap([wrong]).code
    assert 1 == proxy.count("LOGIN")


def test_second_method_is_a_warning(account):
    """Falling back to another sign-in method works, is warned about and named in the summary."""
    account["auth"].insert(0, {"method": "password", "credential_file": "nowhere.json"})
    run = run_tap([account])
    assert (0, 4) == (run.code, len(run.records))
    assert any("fell back" in line and "nowhere.json" in line for line in run.report().warnings)


@pytest.mark.parametrize("password", ["with space", 'quo"te', "back\\slash", "pässwörd", "密码"])
def test_passwords_of_all_kinds(dovecot, password):
    """LOGIN carries ASCII, whatever its punctuation; anything else goes by SASL PLAIN in UTF-8."""
    user = dovecot.new_user(password=password)
    dovecot.append(user, "INBOX", mail(1))
    assert ["1"] == run_tap([imap_account(dovecot, user)]).ids


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_tls_is_verified(account, dovecot, tls):
    """With its authority the server is trusted, without it nothing is sent, least of all the password."""
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    secure = {**account, "tls": tls, "port": port, "host": "localhost"}
    assert 4 == len(run_tap([{**secure, "ca_file": str(dovecot.ca_file)}]).records)
    refused = run_tap([secure])
    assert 3 == refused.code
    assert "not trusted" in refused.report().failures[0]


def test_the_mailbox_is_never_changed(dovecot):
    """No flag is set or taken, \\Recent and \\Seen included, and only reading commands are sent."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", mail(1), flags=["\\Flagged", "$Label1"])
    dovecot.append(user, "INBOX", mail(2), flags=["\\Seen"])
    before = dovecot.flags(user, "INBOX"), dovecot.status(user, "INBOX")
    run = run_tap([imap_account(dovecot, user)])
    assert before == (dovecot.flags(user, "INBOX"), dovecot.status(user, "INBOX"))
    assert [["$Label1", "\\Flagged"], ["\\Seen"]] == [record["source"]["flags"] for record in run.records]


def test_only_reading_commands_are_sent(dovecot, user, proxy):
    """EXAMINE and BODY.PEEK[]; never SELECT, STORE, EXPUNGE, CLOSE; and LOGOUT at the end."""
    run_tap([imap_account(proxy, user)])
    verbs = {command.split()[0].upper() for command in proxy.commands}
    assert verbs <= {"CAPABILITY", "LOGIN", "ID", "LIST", "STATUS", "EXAMINE", "UID", "LOGOUT"}
    assert 0 == proxy.count(r"UID FETCH .*BODY\[\]")
    assert proxy.commands[-1].upper().startswith("LOGOUT")


def test_large_message_travels_whole(dovecot):
    """A message of 20 MB comes out octet for octet."""
    octets = mail("large") + b"0123456789abcdef" * 64 * 1024 * 20
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", octets)
    (record,) = run_tap([imap_account(dovecot, user)]).records
    assert len(octets) == record["size"]
    assert hashlib.sha256(octets).hexdigest() == record["raw_sha256"]


def test_several_connections_read_the_same(dovecot):
    """More connections change the order of folders, not what comes out nor where the bookmarks stand."""
    user = dovecot.new_user()
    for number in range(30):
        dovecot.append(user, f"Folder {number % 6}", mail(number))
    one = run_tap([imap_account(dovecot, user)])
    four = run_tap([imap_account(dovecot, user, connections=4)])
    assert sorted(one.ids) == sorted(four.ids)
    assert one.folders() == four.folders()


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
