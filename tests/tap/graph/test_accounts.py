"""Several mailboxes in one run: listed, all of an organisation, some of them unreadable, each on its own."""

from __future__ import annotations

import json

import pytest

from tap_mailbox.config import parse_config
from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import load_schema
from tests.servers.graph import Fault
from tests.tap.graph.world import ANN, account_of
from tests.tap.runs import mail

BOB, CAROL = "bob@contoso.example", "carol@contoso.example"


@pytest.fixture
def staff(world):
    """Ann, Bob and Carol have a message each; Dave has no licence."""
    world.fill(["ann"])
    for address in (BOB, CAROL):
        world.graph.new_mailbox(address).deliver(mail(address.partition("@")[0]))
    world.graph.new_mailbox("dave@contoso.example", licensed=False)
    return world


def test_listed(staff):
    """Each listed mailbox is an account, named by its address in lower case."""
    run = staff.run(None, staff.organisation(mailboxes=["Bob@Contoso.Example", CAROL]))
    assert 0 == run.code
    assert [(BOB, "bob"), (CAROL, "carol")] == [
        (record["account"], id_) for record, id_ in zip(run.records, run.ids, strict=True)
    ]
    assert ["Bob@Contoso.Example", CAROL] == [record["email"] for record in run.records]
    assert [] == staff.run(run.state, staff.organisation(mailboxes=[BOB, CAROL])).records


def test_everybody(staff):
    """`*` is every licensed user; who has no licence is passed over."""
    run = staff.run(None, staff.organisation(mailboxes="*"))
    assert (0, ["ann", "bob", "carol"]) == (run.code, run.ids)
    assert {ANN, BOB, CAROL} == run.state["bookmarks"]["graph_messages"]["accounts"].keys()
    assert [] == staff.run(run.state, staff.organisation(mailboxes="*")).records


@pytest.mark.parametrize("unreadable", ["no licence", "no access"])
@pytest.mark.parametrize("mailboxes", [[ANN, BOB, CAROL], "*"])
def test_one_that_cannot_be_read(staff, mailboxes, unreadable):
    """Named and passed over: a failure when somebody listed it, else a warning; the others are read."""
    fault = (
        Fault.status(404, code="MailboxNotEnabledForRESTAPI")
        if unreadable == "no licence"
        else Fault.status(403, code="ErrorAccessDenied")
    )
    staff.graph.faults.add(path=f"/users/{BOB}", times=None, fault=fault)
    run = staff.run(None, staff.organisation(mailboxes=mailboxes))
    report = run.report(BOB)
    assert ["ann", "carol"] == run.ids
    assert (0 if mailboxes == "*" else 3) == run.code
    (said,) = report.warnings if mailboxes == "*" else report.failures
    assert BOB in said
    assert ("licence" if unreadable == "no licence" else "policy") in said


@pytest.mark.parametrize("address", ["dave@contoso.example", "nobody@contoso.example"])
def test_listed_that_does_not_exist(staff, address):
    """A listed address without a licence, or that nobody has, makes the run partial; the others are read."""
    run = staff.run(None, staff.organisation(mailboxes=[address, BOB]))
    assert (3, ["bob"]) == (run.code, run.ids)
    (failure,) = run.report(address).failures
    assert address in failure


@pytest.mark.parametrize(
    ("only", "read"),
    [
        ([], ["ann", "bob", "carol"]),
        ([BOB], ["bob"]),
        (["contoso"], ["ann", "bob", "carol"]),
        ([BOB, CAROL], ["bob", "carol"]),
    ],
)
@pytest.mark.parametrize("mailboxes", [[ANN, BOB, CAROL], "*"])
def test_only(staff, only, read, mailboxes):
    """`only` names accounts: a mailbox by its address, or the entry that stands for them."""
    run = staff.run(None, staff.organisation(mailboxes=mailboxes, reconcile_days=None), only=only)
    assert (0, read) == (run.code, run.ids)


@pytest.mark.parametrize("address", ["zed@contoso.example", "dave@contoso.example"])
@pytest.mark.parametrize("others", [[], [BOB]])
def test_only_that_matches_nobody(staff, address, others):
    """A name in `only` that no licensed user has fails the entry by that name; whom the others name is read."""
    run = staff.run(None, staff.organisation(mailboxes="*"), staff.account(), only=["ann", address, *others])
    assert (3, ["ann", *("bob" for _ in others)]) == (run.code, sorted(run.ids))
    (failure,) = run.report("contoso").failures
    assert address in failure
    assert "ann" not in failure
    assert BOB not in failure


def test_only_of_several_organisations(staff):
    """Each organisation knows its own users; a name counts as unknown when none has it."""
    first = staff.organisation(mailboxes="*")
    second = {**first, "name": "fabrikam"}
    page = json.dumps({"value": [{"id": "1", "mail": CAROL, "assignedLicenses": [{}]}]}).encode()
    staff.graph.faults.add(path=r"/users\?", fault=Fault.body(page))
    run = staff.run(None, first, second, only=[BOB])
    assert (0, ["bob"]) == (run.code, run.ids)
    staff.graph.faults.clear()
    staff.graph.faults.add(path=r"/users\?", fault=Fault.body(page))
    run = staff.run(None, first, second, only=[BOB, "zed@contoso.example"])
    assert (3, ["bob"]) == (run.code, run.ids)
    (failure,) = run.report("fabrikam").failures
    assert "zed" in failure
    assert BOB not in failure


@pytest.mark.parametrize("mailboxes", [[BOB], "*"])
@pytest.mark.parametrize(
    ("only", "words"),
    [
        ("Bob@contoso.example", ["Bob@contoso.example", "there are", "lower case"]),
        ("elsewhere", ["elsewhere", "contoso"]),
        ("bob o'neil@contoso.example", ["neil"]),
    ],
)
def test_only_that_can_name_nobody(staff, mailboxes, only, words):
    """A name in `only` that no account can have is an error of the configuration, whoever there may be."""
    config = {"accounts": [staff.organisation(mailboxes=mailboxes)], "only": [only]}
    with pytest.raises(ConfigError) as caught:
        parse_config(config, load_schema("tap-config"))
    assert all(word in str(caught.value) for word in ["only", *words])


@pytest.mark.parametrize("status", [403, 500, 503])
def test_users_that_cannot_be_listed(staff, status):
    """Fails that entry, saying which permission it takes; another account is read."""
    staff.graph.faults.add(path="/users[?]", times=None, fault=Fault.status(status))
    run = staff.run(None, staff.organisation(mailboxes="*"), staff.account())
    assert (3, ["ann"]) == (run.code, run.ids)
    (failure,) = run.report("contoso").failures
    assert "User.Read.All" in failure or status == 503


def test_many_users(staff):
    """The users have pages."""
    staff.graph.faults.add(path=r"/users\?", fault=Fault.body(json.dumps({
        "value": [{"id": "1", "mail": BOB, "assignedLicenses": [{}]}, {"id": "2", "mail": None, "userPrincipalName": None}],
        "@odata.nextLink": f"{staff.graph.url}/users?$select=id,mail,userPrincipalName,assignedLicenses&$skiptoken=2",
    }).encode()))  # fmt: skip
    run = staff.run(None, staff.organisation(mailboxes="*"))
    assert (0, ["bob", "carol"]) == (run.code, run.ids)


def test_address_that_cannot_name_an_account(staff):
    """Costs the entry its exit code, never the others their run, and is not printed."""
    staff.graph.new_mailbox("al/o'neil@contoso.example")
    run = staff.run(None, staff.organisation(mailboxes="*"))
    assert (3, ["ann", "bob", "carol"]) == (run.code, run.ids)
    (failure,) = run.report("contoso").failures
    assert "1 user(s)" in failure
    assert "neil" not in failure
    assert 0 == staff.run(None, staff.organisation(mailboxes="*"), only=[BOB]).code


def test_one_mailbox_by_application_permission(staff):
    """Without `mailboxes` it is the one of `email`."""
    run = staff.run(None, staff.organisation(email=BOB))
    assert (0, ["bob"], ["contoso"]) == (run.code, run.ids, [each["account"] for each in run.records])


def test_two_accounts_one_failing(staff):
    """A refused sign-in ends its own account alone, and its bookmark stays."""
    first = staff.run()
    staff.fill(["later"])
    staff.write_token({"access_token": "fake-old", "refresh_token": "fake-wrong"})
    run = staff.run(first.state, staff.account(), staff.organisation(mailboxes=[BOB]))
    assert (3, ["bob"]) == (run.code, run.ids)
    assert 1 == len(run.report("ann").failures)
    assert account_of(first.state)["folders"] == account_of(run.state)["folders"]


@pytest.mark.parametrize("kind", ["missing", "broken", "empty"])
def test_credential_file(staff, kind):
    """A file that is missing or broken is that account's failure, named by its file."""
    path = staff.folder / "token.json"
    if kind == "missing":
        path.unlink()
    else:
        path.write_text("{" if kind == "broken" else "{}")
    run = staff.run(None, staff.account(), staff.organisation(mailboxes=[BOB]))
    assert (3, ["bob"]) == (run.code, run.ids)
    assert "token.json" in run.report("ann").failures[0]


def test_second_method(staff):
    """When the first way to sign in fails the second is used, with a warning that says why."""
    broken = {"method": "msal", "app_file": "missing.json", "token_file": "token.json"}
    account = staff.account()
    account["auth"].insert(0, broken)
    run = staff.run(None, account)
    assert (0, ["ann"]) == (run.code, run.ids)
    (warning,) = run.report("ann").warnings
    assert "missing.json" in warning


def test_token_is_renewed_in_the_middle(staff):
    """A token that dies during the run is renewed once, whoever of the four meets it first."""
    staff.fill(20)
    dead = json.loads((staff.folder / "token.json").read_text())["access_token"]

    def hook(request):
        if staff.fetched() > 5:
            staff.graph.accept = lambda token: None if token == dead else staff.entra.check(token)

    staff.graph.hook = hook
    run = staff.run()
    assert (0, 21) == (run.code, len(run.ids))
    assert 1 == staff.entra.refreshes
    assert 1 <= sum(401 == each.status for each in staff.graph.log) <= 4


def test_account_without_mail_permission(staff):
    """Mail.ReadBasic lists messages and gives none: after ten refusals the account ends and says so."""
    staff.fill(30)
    staff.graph.faults.add(
        path=r"/messages/[^d][^/]*(\?|/)", times=None, fault=Fault.status(403, code="ErrorAccessDenied")
    )
    run = staff.run(None, staff.account(), staff.organisation(mailboxes=[BOB]))
    assert 3 == run.code
    assert "Mail.Read" in run.report("ann").failures[-1]
    assert len(staff.asked(r"/me/messages/")) < 60
