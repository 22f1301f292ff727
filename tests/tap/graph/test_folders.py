"""Which folders of a Graph mailbox are read, under which names, and what their coming and going does."""

from __future__ import annotations

import pytest

from tests.servers.graph import Mailbox
from tests.tap.graph.world import account_of, entry_of, folders
from tests.tap.runs import Run, mail


def fill_all(box: Mailbox) -> None:
    """Put a message into every folder, named after the folder's id."""
    for folder in list(box.folders.values()):
        if folder.parent is not None and not folder.search:
            box.deliver(mail(folder.display_name.replace(" ", "")), folder=folder)


def read(run: Run) -> set[str]:
    """Return the folders whose messages were read."""
    return {record["source"]["folder"] for record in run.records}


def grown(box: Mailbox) -> None:
    """Let some folders grow below the standard ones, and one beside them."""
    for above in ("Inbox", "Deleted Items", "Archive"):
        box.new_folder("Old", parent=box.folder(above))
    box.new_folder("Work")
    fill_all(box)


def test_every_level(world):
    """Folders below folders are read, hidden ones too; a search folder would show the same again."""
    deepest = world.inbox
    for name in ("Projects", "2026", "First quarter"):
        deepest = world.box.new_folder(name, parent=deepest)
    world.box.new_folder("Secret", parent=deepest, hidden=True)
    fill_all(world.box)
    run = world.run()
    assert 0 == run.code
    assert read(run) == {
        "Inbox",
        "Inbox/Projects",
        "Inbox/Projects/2026",
        "Inbox/Projects/2026/First quarter",
        "Inbox/Projects/2026/First quarter/Secret",
        "Sent Items",
        "Archive",
        "Yammer Root",
    }
    assert len(run.records) == len(read(run))
    search = world.box.folder("Unread Mail")
    assert not world.asked(search.id)


SELECTIONS = [
        ({}, {"Inbox", "Inbox/Old", "Sent Items", "Archive", "Archive/Old", "Work", "Yammer Root"}),
        ({"include": ["\\Inbox"]}, {"Inbox", "Inbox/Old"}),
        ({"include": ["\\sent", "\\Archive"], "exclude": []}, {"Sent Items", "Archive", "Archive/Old"}),
        ({"include": ["\\Trash", "\\Junk", "\\Drafts"], "exclude": []},
         {"Deleted Items", "Deleted Items/Old", "Junk Email", "Drafts"}),
        ({"include": ["Wo*"]}, {"Work"}),
        ({"include": ["*/Old"]}, {"Inbox/Old", "Archive/Old"}),
        ({"include": ["*/Old"], "exclude": ["\\Inbox"]}, {"Deleted Items/Old", "Archive/Old"}),
        ({"exclude": ["*"]}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "expected", "language"),
    [*((*each, "English") for each in SELECTIONS), *((*each, "German") for each in SELECTIONS[:3])],
)
def test_selection(world, selection, expected, language):
    """Globs match the whole path, special uses the well-known folders and all below, in every language."""
    grown(world.box)
    german = {"Inbox": "Posteingang", "Sent Items": "Gesendete Elemente", "Drafts": "Entwürfe",
              "Deleted Items": "Gelöschte Elemente", "Junk Email": "Junk-E-Mail", "Archive": "Archiv"}  # fmt: skip
    if language == "German":
        for old, new in german.items():
            world.box.rename(world.box.folder(old), new)
        translated = set()
        for name in expected:
            top, slash, rest = name.partition("/")
            translated.add(f"{german.get(top, top)}{slash}{rest}")
        expected = translated
    run = world.run(None, world.account(folders=selection, reconcile_days=None))
    assert (0, expected) == (run.code, read(run))


def test_pattern_that_matches_nothing(world):
    """Is a warning that names it: likely a spelling mistake."""
    run = world.run(None, world.account(folders={"include": ["Inbox", "Wrok"]}))
    assert 0 == run.code
    assert ["folders.include 'Wrok' matches no folder"] == run.report("ann").warnings


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b", "Inbox/a\\/b"),
        ("Größe & Maße 📁", "Inbox/Größe & Maße 📁"),
        (' "quoted" [x] * ', 'Inbox/ "quoted" [x] * '),
        ("%2F?#", "Inbox/%2F?#"),
    ],
)
def test_names(world, name, path):
    """Any name is read, and selected by its own path; a slash within a name does not make a level."""
    world.fill(1, world.box.new_folder(name, parent=world.inbox))
    run = world.run(None, world.account(folders={"include": [path]}, reconcile_days=None))
    assert (0, {path}) == (run.code, read(run))


def test_equal_names(world):
    """Two folders of one name are two folders; the state knows them by id."""
    for number in range(2):
        world.fill([number], world.box.new_folder("Twin", parent=world.inbox))
    first = world.run()
    assert (0, {"0", "1"}, {"Inbox/Twin"}) == (first.code, set(first.ids), read(first))
    twins = [each for each in account_of(first.state)["folders"].values() if each["name"] == "Inbox/Twin"]
    assert 2 == len(twins)
    assert [] == world.run(first.state).records


@pytest.mark.parametrize("name", ["Drafts", "Junk Email", "Deleted Items"])
def test_namesake_of_a_special_folder(world, name):
    """A folder somebody made is read with all below it, though it bears the name of one that is excluded."""
    own = world.box.new_folder(name)
    world.fill(["own"], own)
    world.fill(["below"], world.box.new_folder("Below", parent=own))
    world.fill(["special"], world.box.folder(name.lower().replace(" ", "")))
    assert {"own", "below"} == set(world.run().ids)


def test_own_inbox_in_another_language(world):
    """`\\Inbox` is the well-known folder, not one somebody called so."""
    world.box.rename(world.inbox, "Posteingang")
    world.fill(["right"])
    world.fill(["wrong"], world.box.new_folder("Inbox"))
    run = world.run(None, world.account(folders={"include": ["\\Inbox"]}, reconcile_days=None))
    assert ["right"] == run.ids


def test_more_folders_than_a_page(world):
    """The listing of folders has pages; all of them are walked."""
    for number in range(120):
        world.box.new_folder(f"F{number:03}", parent=world.inbox)
    world.fill(1, world.box.folder("F119"))
    run = world.run(None, world.account(folders={"include": ["*/F11?"]}, reconcile_days=None))
    assert (0, {"Inbox/F119"}) == (run.code, read(run))
    assert [f"Inbox/F11{number}" for number in range(10)] == sorted(folders(run))


def test_renamed_between_runs(world):
    """A folder is its id: under a new name nothing is read again, and the state shows the name."""
    folder = world.box.new_folder("Before", parent=world.inbox)
    world.fill(3, folder)
    first = world.run()
    world.box.rename(folder, "After")
    world.fill(["new"], folder)
    second = world.run(first.state)
    assert (0, ["new"], {"Inbox/After"}) == (second.code, second.ids, read(second))
    assert {"Inbox/Before"} == folders(first).keys() - folders(second).keys()


def test_moved_between_runs(world):
    """A folder hung elsewhere stays the folder it was, too."""
    folder = world.box.new_folder("Moved", parent=world.inbox)
    world.fill(3, folder)
    first = world.run()
    world.box.move_folder(folder, world.box.folder("Archive"))
    second = world.run(first.state)
    assert (0, []) == (second.code, second.records)
    assert "Archive/Moved" in folders(second)


def test_new_between_runs(world):
    """A folder made after the last run is read whole, also mail older than the last run."""
    old = world.fill(["moved", "stays"])
    first = world.run()
    folder = world.box.new_folder("New", parent=world.inbox)
    world.fill(["new"], folder)
    world.box.move(old[0], folder)
    second = world.run(first.state)
    assert 0 == second.code
    assert {"new"} <= set(second.ids) <= {"new", "moved"}


def test_deleted_between_runs(world):
    """A folder that is gone is a warning, no failure; its bookmark is kept."""
    folder = world.box.new_folder("Gone", parent=world.inbox)
    world.fill(1, folder)
    first = world.run()
    world.box.delete_folder(folder)
    second = world.run(first.state)
    assert (0, []) == (second.code, second.records)
    assert ["folder 'Inbox/Gone' is gone from the server; its bookmark is kept"] == second.report(
        "ann"
    ).warnings
    assert entry_of(first.state, "Inbox/Gone") == entry_of(second.state, "Inbox/Gone")


def test_deleted_in_the_middle_of_its_round(world):
    """A folder that vanishes while it is read is no failure; every other one is read."""
    folder = world.box.new_folder("Gone", parent=world.inbox)
    world.fill(8, folder)
    world.fill(["other"])
    world.graph.quirks.page_size_cap = 2
    world.graph.quirks.folder_deleted_mid_round = folder
    run = world.run()
    assert 0 == run.code
    assert "other" in run.ids


def test_deleted_after_it_was_listed(world):
    """So is one that vanishes between the listing of the folders and its first round."""
    folder = world.box.new_folder("Gone", parent=world.inbox)
    world.fill(["other"])

    def hook(request):
        if f"{folder.id}/messages/delta" in request.path.replace("%3D", "="):
            world.graph.hook = None
            world.box.delete_folder(folder)

    world.graph.hook = hook
    run = world.run()
    assert (0, ["other"]) == (run.code, run.ids)
    assert world.graph.hook is None


def test_made_while_folders_are_read(world):
    """A folder made during the run is the next run's, and what moved there is lost to neither."""
    messages = world.fill(4)

    def hook(request):
        if "messages/delta" in request.path:
            world.graph.hook = None
            folder = world.box.new_folder("New", parent=world.inbox)
            world.box.move(messages[0], folder)
            world.fill(["new"], folder)

    world.graph.hook = hook
    first = world.run()
    second = world.run(first.state)
    assert (0, 0) == (first.code, second.code)
    assert {"0", "1", "2", "3", "new"} == {*first.ids, *second.ids}
