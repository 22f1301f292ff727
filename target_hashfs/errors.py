"""Everything that can go wrong in the target; the class says what the caller should do.

TargetError                 the run ends with exit 1; the text is one line for people
├── ConfigError             nothing can start: the configuration is wrong
├── InputError              the input is unusable from here on; what came before it is committed first
│   └── RecordError         one record cannot be archived as it is
├── SchemaError             a stream's SCHEMA lacks what an address needs: refused before anything is written
├── StateError              a STATE does not belong to this archive or is none
├── RootError               the archive is not where the configuration says, or it is another one
│   └── VersionError        a newer program wrote it: update this one
├── LeaseError              another run archives the account: let it end
├── StorageError            the disk refused something: no STATE leaves any more
└── JournalError            the journal is not one of ours: it is never cut or appended to

Stopped                     a signal asked the run to end; not an error and not a TargetError
"""

from __future__ import annotations

import errno


class TargetError(Exception):
    """Base of all errors of the target; its text is one line for people and holds no personal data."""


class ConfigError(TargetError):
    """The configuration cannot be used; the text names the key, never a value."""


class InputError(TargetError):
    """A line of the input is no Singer message; the text names the line, never its content."""


class RecordError(InputError):
    """A record cannot be archived; the text names stream, record number and field, never a value."""


class SchemaError(TargetError):
    """A stream cannot be archived; the text names the properties its schema lacks."""


class StateError(TargetError):
    """A STATE message is no state, or the state of another archive."""


class RootError(TargetError):
    """The archive directory is missing, changed under way, or is another archive than expected."""


class JournalError(TargetError):
    """A journal holds something that this program did not write."""


class LeaseError(TargetError):
    """Another run holds an account; the text says who and since when."""


class VersionError(RootError):
    """The archive is of a version that this program does not know."""


class StorageError(TargetError):
    """A system call on the archive failed; whatever it was part of counts as not written."""

    @classmethod
    def during(cls, action: str, error: OSError) -> StorageError:
        """Return the error that says in plain words what failed while doing *action* and what to do."""
        advice = _ADVICE.get(error.errno or 0, "look at the disk and its system log, then run again")
        where = f" ({error.filename!s})" if error.filename is not None else ""
        reason = error.strerror or type(error).__name__
        return cls(
            f"{action} failed: {reason}{where}; {advice}. No STATE was emitted for what this commit held, "
            "so the next run reads it again"
        )


class Stopped(BaseException):
    """A signal asked the run to end. Not an `Exception`, so that no recovery path swallows it."""


_ADVICE = {
    errno.ENOSPC: "the archive's disk is full (of bytes or of inodes): free space on it, then run again",
    errno.EDQUOT: "the disk quota of this user is used up: raise it or free space, then run again",
    errno.EROFS: "the archive's disk is read-only (mounted so, or switched by the kernel after an error): "
    "check it and mount it writable, then run again",
    errno.EIO: "the archive's disk reports an input/output error: check the disk and its cable before "
    "running again",
    errno.ENOENT: "a directory of the archive vanished during the run: check that the disk is still mounted",
    errno.ENOTDIR: "something that is no directory (perhaps a symbolic link) stands where the archive has a "
    "directory: move it away, then run again",
    errno.ELOOP: "a symbolic link stands where the archive has a file or a directory; it is never followed: "
    "move it away, then run again",
    errno.ESTALE: "the network file system forgot the archive (server restarted or share moved): mount it "
    "anew, then run again",
    errno.ENOTCONN: "the network file system is gone: mount it anew, then run again",
    errno.EACCES: "this user may not write there: check owner and mode of the archive, then run again",
    errno.EPERM: "the file system does not allow it: check owner, attributes and mount options",
    errno.EISDIR: "a directory stands where the archive has a file: move it away, then run again",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n) or lower commit_messages",
}
