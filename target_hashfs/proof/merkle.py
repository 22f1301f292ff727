"""Merkle tree hashing as RFC 6962 section 2.1 defines it; pure.

The hash of no leaves is SHA-256 of nothing, of one leaf SHA-256(0x00 || leaf), and of more
SHA-256(0x01 || left || right), where left is over the largest power of two of leaves that is less than all.
"""

from __future__ import annotations

from hashlib import sha256


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf, 32 bytes."""
    return sha256(b"\x00" + data).digest()


class MerkleTree:
    """A tree that leaves are added to one by one; it keeps a hash for each full subtree, not the leaves."""

    def __init__(self) -> None:
        self.size = 0
        """Leaves so far."""
        self._full: list[bytes] = []
        """Roots of the full subtrees, the largest first: one for each 1 in the binary number of leaves."""

    def add(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        node = leaf
        size = self.size
        while size & 1:
            node = _node_hash(self._full.pop(), node)
            size >>= 1
        self._full.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the Merkle tree hash of all leaves so far, 32 bytes."""
        if not self._full:
            return sha256(b"").digest()
        *others, node = self._full
        for left in reversed(others):
            node = _node_hash(left, node)
        return node


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
