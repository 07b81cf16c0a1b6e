"""``aneeka setup twitch`` as a user meets it, against the local Twitch, from the first question to the saved file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.chat.helix import TwitchHelix
from bot.chat.token_store import TokenStore
from bot.chat.twitch_words import TwitchUser
from bot.config import load
from bot.setup.config_file import NotSaved, save
from bot.setup.terminal import NoAnswer, Terminal
from bot.setup.twitch import setup_twitch
from bot.texts import text
from tests.local_twitch import LocalTwitch
from tests.virtual_time import VirtualLoop

FOLLOWED = """# mine
[persona]
name = "Aneeka"   # her

[twitch]
# which channel
channel = "old_name"  # my channel
mode = "off"

[chat]
window_s = 2.0
"""


class User(Terminal):
    """Somebody who answers what is asked, in turn, and does something at every waiting line."""

    def __init__(self, answers: list[str], waits: Callable[[User], None] = lambda user: None) -> None:
        super().__init__(self._answer)
        self.lines: list[str] = []
        self.left: list[float] = []
        self._answers = answers
        self._waits = waits

    def _answer(self, question: str) -> str:
        self.lines.append(question)
        if not self._answers:
            raise EOFError
        answer = self._answers.pop(0)
        if answer == "^C":
            raise KeyboardInterrupt
        return answer

    def say(self, line: str = "") -> None:
        self.lines.append(line)

    def waiting(self, line: str, left_s: float) -> None:
        self.left.append(left_s)
        self._waits(self)

    @property
    def shown(self) -> str:
        return "\n".join(self.lines)

    @property
    def code(self) -> str:
        """The newest code on the screen."""
        mark = re.escape(text("twitch_setup.type", code="\0")).replace("\0", "([A-Z0-9]+)")
        return re.findall(mark, self.shown)[-1]


class Desk:
    """A machine, a Twitch, and a clock that jumps: whatever the set-up waits for comes at once."""

    def __init__(self, folder: Path, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.run = runner.run
        self.twitch: LocalTwitch = runner.run(_started())
        self.aneeka = self.twitch.user("aneeka", "Aneeka")
        self.store = TokenStore(folder / "data" / "secrets")
        self.file = folder / "config.toml"
        monkeypatch.setenv("ANEEKA_TWITCH__API_URL", self.twitch.api_url)
        monkeypatch.setenv("ANEEKA_TWITCH__AUTH_URL", self.twitch.auth_url)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "home"))
        monkeypatch.setenv("APPDATA", str(folder / "home"))
        monkeypatch.setenv("HOME", str(folder / "home"))
        monkeypatch.chdir(folder)

    def approves(self, *people: TwitchUser) -> Callable[[User], None]:
        """Return somebody who types each code at Twitch after a while, as these people in turn."""
        left = [*people]
        typed: set[str] = set()

        def act(user: User) -> None:
            if user.code not in typed and len(user.left) % 40 == 39 and left:
                typed.add(user.code)
                self.twitch.approve(user.code, left.pop(0))

        return act

    def set_up(self, user: User) -> int:
        return setup_twitch(load(), self.folder / "data", user, self.run)

    def live(self) -> TwitchHelix:
        """Go live with what was saved."""

        async def begin() -> TwitchHelix:
            now = asyncio.get_running_loop().time
            helix = TwitchHelix(load().settings.twitch, self.store, lambda health: None, now)
            await helix.start()
            await helix.close()
            return helix

        return self.run(begin())  # type: ignore[no-any-return]


async def _started() -> LocalTwitch:
    return await LocalTwitch.start()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        made = Desk(tmp_path, runner, monkeypatch)
        yield made
        runner.run(made.twitch.close())


def test_one_account_from_nothing_to_live(desk: Desk) -> None:
    user = User(["https://www.twitch.tv/Mika_Live", "", desk.twitch.client_id], desk.approves(desk.twitch.channel))
    assert desk.set_up(user) == 0
    settings = load().settings.twitch
    assert (settings.mode, settings.channel, settings.client_id) == ("eventsub", "mika_live", desk.twitch.client_id)
    assert (desk.folder / "home" / "aneeka" / "config.toml").is_file()
    helix = desk.live()
    assert helix.bot == helix.channel == desk.twitch.channel
    assert helix.may("bot", "user:write:chat")
    assert helix.may("channel", "channel:manage:redemptions")
    assert not helix.may("bot", "moderator:manage:chat_messages"), "Twitch would not let it delete its own"
    assert f"https://www.twitch.tv/activate?public=true&device-code={user.code}" in user.shown
    assert text("twitch_setup.scope_bits_read") in user.shown
    for secret in (desk.store.read("bot").access, desk.store.read("bot").refresh):  # type: ignore[union-attr]
        assert secret not in user.shown


def test_two_accounts_each_asked_for_its_own_rights(desk: Desk) -> None:
    answers = ["mika_live", "aneeka", desk.twitch.client_id, "s"]
    user = User(answers, desk.approves(desk.aneeka, desk.twitch.channel))
    assert desk.set_up(user) == 0
    helix = desk.live()
    assert (helix.bot, helix.channel) == (desk.aneeka, desk.twitch.channel)
    assert helix.may("bot", "user:read:chat")
    assert not helix.may("bot", "bits:read")
    assert helix.may("channel", "bits:read")
    assert [helix.may(who, "moderator:manage:chat_messages") for who in ("bot", "channel")] == [True, False]


def test_the_channels_own_login_can_be_left_out(desk: Desk) -> None:
    user = User(["mika_live", "aneeka", desk.twitch.client_id, "no"], desk.approves(desk.aneeka))
    assert desk.set_up(user) == 0
    assert desk.live().bot == desk.aneeka
    assert desk.store.read("channel") is None


def test_the_line_waits_as_long_as_the_code_and_then_offers_another(desk: Desk) -> None:
    def late(user: User) -> None:
        if len(user.left) == 2000:
            desk.twitch.approve(user.code, desk.twitch.channel)

    user = User(["mika_live", "", desk.twitch.client_id, ""], late)
    assert desk.set_up(user) == 0
    assert user.left[0] == 1800
    assert max(before - after for before, after in zip(user.left[:1800], user.left[1:1800], strict=False)) < 1.1
    assert user.left[1799] < 1.5
    assert user.left[1800] == 1800, "a second code"
    assert text("twitch_setup.over") in user.shown


def test_a_stranger_who_types_the_code_is_not_let_in(desk: Desk) -> None:
    stranger = desk.twitch.user("stranger")
    user = User(["mika_live", "", desk.twitch.client_id, "", ""], desk.approves(stranger, desk.twitch.channel))
    assert desk.set_up(user) == 0
    assert text("twitch_setup.wrong_account", login="stranger", wanted="mika_live") in user.shown
    assert desk.live().bot == desk.twitch.channel


def test_a_stranger_alone_leaves_nothing_behind(desk: Desk) -> None:
    user = User(["mika_live", "", desk.twitch.client_id], desk.approves(desk.twitch.user("stranger")))
    assert desk.set_up(user) == 1
    assert desk.store.read("bot") is None
    assert not list(desk.folder.glob("**/config.toml"))


def test_trouble_at_twitch_while_waiting_costs_nothing(desk: Desk) -> None:
    desk.twitch.fail("POST", "/oauth2/token", [500, "cut", 503, 429, 500])
    user = User(["mika_live", "", desk.twitch.client_id], desk.approves(desk.twitch.channel))
    assert desk.set_up(user) == 0
    assert user.shown.count(desk.twitch.channel.login) > 1
    assert len(set(re.findall("device-code=([A-Z0-9]+)", user.shown))) == 1


def test_an_answer_that_was_lost_means_another_code(desk: Desk) -> None:
    desk.twitch.fail("POST", "/oauth2/token", [None] * 7 + ["lost"])
    user = User(["mika_live", "", desk.twitch.client_id, ""], desk.approves(*[desk.twitch.channel] * 2))
    assert desk.set_up(user) == 0
    assert desk.live().bot == desk.twitch.channel
    assert len(set(re.findall("device-code=([A-Z0-9]+)", user.shown))) == 2


def test_wrong_answers_are_asked_again_and_right_ones_are_not(desk: Desk) -> None:
    answers = ["no such name!", "", "mika_live", "", "wrongclientid", "", desk.twitch.client_id]
    user = User(answers, desk.approves(desk.twitch.channel))
    assert desk.set_up(user) == 0
    assert user.shown.count(text("twitch_setup.bad_name")) == 2
    assert user.shown.count(text("twitch_setup.bad_client_id")) == 2
    assert len([line for line in user.lines if line.startswith(text("twitch_setup.ask_account"))]) == 1


def test_a_channel_that_does_not_exist_is_told_and_not_saved(desk: Desk) -> None:
    user = User(["nobody_home", "aneeka", desk.twitch.client_id], desk.approves(desk.aneeka))
    assert desk.set_up(user) == 1
    assert text("twitch_login.no_channel", channel="nobody_home") in user.shown
    assert desk.store.read("bot") is None


def test_with_everything_in_the_config_nobody_has_to_answer(desk: Desk) -> None:
    desk.file.write_text(f'[twitch]\nchannel = "mika_live"\nclient_id = "{desk.twitch.client_id}"\n')
    user = User([], desk.approves(desk.twitch.channel))
    assert desk.set_up(user) == 0
    assert desk.live().bot == desk.twitch.channel


def test_with_nothing_known_and_nobody_there_it_says_so(desk: Desk) -> None:
    user = User([])
    assert desk.set_up(user) == 1
    assert text("twitch_setup.no_answer") in user.shown


def test_ctrl_c_at_a_question_ends_it(desk: Desk) -> None:
    with pytest.raises(KeyboardInterrupt):
        desk.set_up(User(["mika_live", "^C"]))


def test_comments_and_the_other_settings_stay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.file.write_bytes(FOLLOWED.replace("\n", "\r\n").encode("utf-8-sig"))
    user = User(["mika_live", "", desk.twitch.client_id], desk.approves(desk.twitch.channel))
    assert desk.set_up(user) == 0
    raw = desk.file.read_bytes().decode()
    assert raw.count("\r\n") == raw.count("\n")
    wanted = FOLLOWED.replace('"old_name"', '"mika_live"').replace('mode = "off"', 'mode = "eventsub"')
    after = raw.replace("\r\n", "\n")
    assert after.replace(f'client_id = "{desk.twitch.client_id}"\n', "") == wanted
    assert load().settings.twitch.client_id == desk.twitch.client_id
    monkeypatch.setenv("ANEEKA_TWITCH__CHANNEL", "mika_live")
    again = User(["", "", ""], desk.approves(desk.twitch.channel))
    assert desk.set_up(again) == 0
    assert "ANEEKA_TWITCH__CHANNEL" in again.shown


def test_a_file_that_cannot_be_changed_gets_its_lines_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise NotSaved

    monkeypatch.setattr("bot.setup.twitch.save", refuse)
    user = User(["mika_live", "", desk.twitch.client_id], desk.approves(desk.twitch.channel))
    assert desk.set_up(user) == 1
    assert f'[twitch]\nmode = "eventsub"\nchannel = "mika_live"\nclient_id = "{desk.twitch.client_id}"' in user.shown


# ---------------------------------------------------------------------- the file and the terminal


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[twitch]\nmode = "x"\n'),
        ('twitch.mode = "off"\n', 'twitch.mode = "x"\n'),
        ('twitch = { mode = "off" } # here\n', 'twitch = { mode = "x" } # here\n'),
        ('[twitch]\nmode = "off"\n[[other]]\na = 1\n', '[twitch]\nmode = "x"\n[[other]]\na = 1\n'),
    ],
)
def test_a_setting_is_written_where_it_stands(before: str, after: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(before)
    save(file, "twitch", {"mode": "x"})
    assert file.read_text() == after


@pytest.mark.parametrize("before", ["twitch = 3\n", "[twitch\n", 'a = "\n', "[[twitch]]\nmode = 1\n"])
def test_what_cannot_be_changed_safely_stays(before: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(before)
    with pytest.raises(NotSaved):
        save(file, "twitch", {"mode": "x"})
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_terminal_shows_the_time_left_on_one_line_and_a_pipe_on_few(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    for left in range(300, 0, -1):
        terminal.waiting(f"{left} s", left)
    assert capsys.readouterr().out.split("\n") == ["300 s", "240 s", "180 s", "120 s", "60 s", ""]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    terminal = Terminal()
    terminal.waiting("10 s", 10)
    terminal.waiting("9 s", 9)
    terminal.say("done")
    assert capsys.readouterr().out == "\r10 s\r9 s \ndone\n"


def test_nobody_there_means_the_default_or_no_answer() -> None:
    def gone(question: str) -> str:
        raise EOFError

    terminal = Terminal(gone)
    assert terminal.ask("Channel", "mika_live") == "mika_live"
    assert not terminal.agrees("Really?")
    with pytest.raises(NoAnswer):
        terminal.ask("Channel")
