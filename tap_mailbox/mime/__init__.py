"""The octets of a message to what it says: `parse_message`. Pure: no network, no Singer."""

from __future__ import annotations

from tap_mailbox.mime.defects import Defect
from tap_mailbox.mime.message import Address, Attachment, Limits, ParsedMessage
from tap_mailbox.mime.parse import parse_message

__all__ = ["Address", "Attachment", "Defect", "Limits", "ParsedMessage", "parse_message"]
