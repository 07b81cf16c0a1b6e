"""Frames that no client expects, and every client must live through."""

from __future__ import annotations

import json
from typing import Any


def _message(kind: Any, payload: Any, **more: Any) -> str:
    stamp = "2026-11-22T10:00:05.000000001Z"
    metadata = {"message_id": f"garbage-{kind}", "message_type": kind, "message_timestamp": stamp, **more}
    return json.dumps({"metadata": metadata, "payload": payload})


def _notification(type: str, event: Any) -> str:
    subscription = {"id": "garbage", "type": type, "version": "1", "status": "enabled", "cost": 0, "condition": {}}
    payload = {"subscription": subscription, "event": event}
    return _message("notification", payload, subscription_type=type, subscription_version="1")


GARBAGE: dict[str, str | bytes] = {
    "empty": "",
    "not_json": "<html>502 Bad Gateway</html>",
    "truncated": _notification("channel.chat.message", {"broadcaster_user_id": "5001"})[:-20],
    "binary": b"\x00\x01\xfe\xff" * 8,
    "no_metadata": "{}",
    "list": "[]",
    "null": "null",
    "number": "1e999",
    "string": '"session_welcome"',
    "deep": "[" * 100_000,
    "metadata_is_a_list": '{"metadata": [], "payload": {}}',
    "metadata_is_null": '{"metadata": null, "payload": null}',
    "type_is_a_number": _message(7, {}),
    "unknown_type": _message("session_holiday", {"session": {}}),
    "payload_is_null": _message("notification", None, subscription_type="channel.follow", subscription_version="2"),
    "no_subscription": _message("notification", {"event": {}}),
    "unknown_event": _notification("channel.tea_break.begin", {"broadcaster_user_id": "5001"}),
    "empty_event": _notification("channel.chat.message", {}),
    "event_is_a_list": _notification("channel.chat.message", []),
    "id_is_null": json.dumps({"metadata": {"message_id": None, "message_type": "notification"}, "payload": {}}),
    "reconnect_without_address": _message("session_reconnect", {"session": {"id": "x", "reconnect_url": None}}),
    "revocation_of_nothing": _message("revocation", {"subscription": {"id": "nothing", "status": "version_removed"}}),
    "huge": _notification("channel.chat.message", {"message": {"text": "a" * 3_000_000}}),
}
