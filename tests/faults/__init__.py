"""The fault matrix: the promise of DESIGN.md section 1, held under every fault these tests can cause.

Each case breaks something while `tap-mailbox | target-hashfs` runs, starts the pair again with the last STATE that
came out, and checks four things (matrix.py):

1. every STATE that came out was covered by files and journal lines at that moment;
2. the restart completes with exit 0;
3. the archive equals the one of an undisturbed run under `diff -r`, journals, state and leases aside;
4. `hashfs verify` is clean.

| what breaks | where |
|---|---|
| SIGKILL, SIGTERM, SIGINT at random moments | test_kills.py |
| the same at every step of the commit protocol | test_steps.py |
| EIO, ENOSPC, EDQUOT, EROFS at single system calls | test_disk_errors.py |
| disks that are full, of bytes or inodes, or read-only | test_full_disk.py |
| the disk unmounted, covered, replaced, shut down | test_vanished_disk.py |
| the power, as a model | test_power_cut.py, power_cuts.py, disk_model.py |
| the pipes: full, torn, without a reader | test_pipe.py |
| Meltano killed | test_meltano_killed.py |
| two runs at once | test_two_runs.py |
| journal, synced pages, clock | test_bookkeeping.py |
| 5,000 folders, a crowded directory | test_size.py |
| IMAP servers that break off, lie or never end | test_servers.py |
| STARTTLS: injection and downgrade | test_starttls.py |
| records made to do harm | test_hostile_records.py |

Nothing depends on leases: every family has cases with them and without. A fault lands by the number of a system
call, by an event that can be seen, or at a random moment whose outcome is checked whatever it was.

How it is done without special hardware: strace injects errors and signals (tracing.py), mount namespaces that
need no root hold disks of any size (islands.py), processes are forked from one that has imported everything, so
that a case takes half a second (warm.py).

`FAULTS=200 pytest tests/faults` is the nightly run: 200 random kills of each signal instead of 20, more steps, more
power cuts, and a directory with a million files.
"""
