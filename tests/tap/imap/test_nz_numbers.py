"""Numbers that no UID and no UIDVALIDITY can be: the folder fails, and the state stays one the tap takes."""

from __future__ import annotations

import pytest

from tap_mailbox.bookmarks import check_state
from tests.servers.imap_script import Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap


def box(*uids: int, uidvalidity: int = 1) -> Mailbox:
    """A folder with these messages."""
    return Mailbox({uid: Message(mail(uid)) for uid in uids}, uidvalidity=uidvalidity)


def state_of(**folders: dict) -> dict:
    """A state with these bookmarks."""
    return {"bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": folders}}}}}


@pytest.mark.parametrize("uidvalidity", [0, -1, 2**32, 10**30])
def test_impossible_uidvalidity(make_imap_script, uidvalidity):
    """That folder fails and says what was expected; the others are read, and the next run starts."""
    server = make_imap_script({"Bad": box(1, 2, uidvalidity=uidvalidity), "INBOX": box(4)})
    for state in (None, state_of(Bad={"uidvalidity": 7, "last_uid": 1})):
        run = run_tap([imap_account(server)], state)
        assert (3, ["4"]) == (run.code, run.ids)
        (failure,) = run.report().failures
        assert "'Bad'" in failure
        assert "expected a number from 1 to 4294967295" in failure
        assert f"found {str(uidvalidity)[:20]}" in failure
        assert (state or state_of())["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"] == {
            name: entry for name, entry in run.folders().items() if name != "INBOX"
        }
        check_state(run.state)
        assert 3 == run_tap([imap_account(server)], run.state).code


@pytest.mark.parametrize("largest", [1, 2**32 - 1])
def test_extremes_are_possible(make_imap_script, largest):
    """The smallest and the largest UIDVALIDITY and UID are numbers like others."""
    run = run_tap([imap_account(make_imap_script({"INBOX": box(largest, uidvalidity=largest)}))])
    assert (0, [str(largest)]) == (run.code, run.ids)
    assert {"uidvalidity": largest, "last_uid": largest, "pending": []} == run.folders()["INBOX"]
    check_state(run.state)


@pytest.mark.parametrize("capability", ["IMAP4rev1", "IMAP4rev1 LIST-STATUS"])
@pytest.mark.parametrize(
    "said", ["UIDVALIDITY 4294967301", "UIDVALIDITY 0", "UIDVALIDITY x", "UIDVALIDITY NIL"]
)
def test_status_of_impossible_uidvalidity(make_imap_script, capability, said):
    """An old bookmark learns no UIDVALIDITY that cannot be: it is EXAMINE that is asked."""
    server = make_imap_script({"INBOX": box(4, 7)}, capability=capability)
    for command in ("LIST", "STATUS"):
        server.answer(command, lambda _, usual: usual.replace(b"UIDVALIDITY 1", said.encode()))
    run = run_tap([imap_account(server)], state_of(INBOX={"last_uid": 7}))
    assert (0, []) == (run.code, run.ids)
    assert 1 == run.folders()["INBOX"]["uidvalidity"]


@pytest.mark.parametrize("capability", ["IMAP4rev1", "IMAP4rev1 LIST-STATUS"])
@pytest.mark.parametrize("uidnext", [b"-1", b"4294967296", b"99999999999999999999"])
def test_impossible_uidnext_is_unknown(make_imap_script, capability, uidnext):
    """A server that predicts what no UID can be predicts nothing: the folder is read, and only once."""
    server = make_imap_script({"INBOX": box(4, 7)}, capability=capability)
    for command in ("LIST", "STATUS", "EXAMINE"):
        server.answer(command, lambda _, usual: usual.replace(b"UIDNEXT 8", b"UIDNEXT " + uidnext))
    first = run_tap([imap_account(server)])
    assert (0, ["4", "7"]) == (first.code, first.ids)
    assert (0, []) == ((second := run_tap([imap_account(server)], first.state)).code, second.ids)


@pytest.mark.parametrize("uid", [b"0", b"-1", b"4294967296", b"99999999999"])
def test_search_that_names_an_impossible_uid(make_imap_script, uid):
    """The folder fails and its bookmark stays; the others are read, and the next run starts."""
    server = make_imap_script({"INBOX": box(4, 7), "Zeta": box(9)})
    spoilt = {"now": True}
    server.answer(
        "UID SEARCH UID [1-7]:",
        lambda _, usual: usual.replace(b" 4 7\r\n", b" 4 7 " + uid + b"\r\n") if spoilt["now"] else usual,
    )
    run = run_tap([imap_account(server)])
    assert (3, ["9"]) == (run.code, run.ids)
    assert 0 == run.folders()["INBOX"]["last_uid"]
    (failure,) = run.report().failures
    assert "'INBOX'" in failure
    assert f"expected a number from 1 to 4294967295 (RFC 3501, nz-number), found {uid.decode()}" in failure
    check_state(run.state)
    spoilt["now"] = False
    assert (0, ["4", "7"]) == ((again := run_tap([imap_account(server)], run.state)).code, again.ids)


@pytest.mark.parametrize("uid", [b"0", b"-1", b"4294967296", b"99999999999", b"x"])
@pytest.mark.parametrize("items", ["SIZE", "PEEK"])
def test_fetch_that_names_an_impossible_uid(make_imap_script, items, uid):
    """Octets under such a UID are no answer for the message that was asked for: it is read, or pending."""
    server = make_imap_script({"INBOX": box(4, 7, 9)})
    server.answer(f"UID FETCH .*{items}", lambda _, usual: usual.replace(b"(UID 7", b"(UID " + uid))
    run = run_tap([imap_account(server)])
    pending = run.folders()["INBOX"]["pending"]
    assert {"4", "7", "9"} == {*run.ids, *map(str, pending)}
    assert (3 if pending else 0) == run.code
    check_state(run.state)
