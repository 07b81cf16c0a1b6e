"""The settings of the Twitch channel: login, commands, rewards, events."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from bot.config.kinds import Seconds, Secret, SocketAddress, Text, WebAddress, channel_name, refusal
from bot.config.section import Section

EventChoice = Literal["never", "always", "maybe", "always template", "always brain", "maybe template", "maybe brain"]


class Commands(Section):
    """Commands in chat: the word of each; empty = that command does not exist."""

    ask: Text = Field(
        default="", description='everybody: she takes what follows as said to her; for instance "!aneeka"'
    )
    forget: Text = Field(default="", description='everybody: she forgets who writes it; "!forgetme"')
    mood: Text = Field(default="", description='moderators: her mood, as in !mood happy; "!mood"')
    mute: Text = Field(default="", description='moderators: she is silent until unmuted; "!mute"')
    unmute: Text = Field(default="", description='moderators: "!unmute"')
    skip: Text = Field(default="", description='moderators: ends what she is saying; "!skip"')
    cooldown_s: Seconds = Field(default=5.0, description="pause between two viewers' uses of ask")
    viewer_cooldown_s: Seconds = Field(default=30.0, description="pause between two uses by one viewer")

    @field_validator("ask", "forget", "mood", "mute", "unmute", "skip")
    @classmethod
    def _is_a_word_of_its_own(cls, word: str, info: ValidationInfo) -> str:
        if not word:
            return word
        word = unicodedata.normalize("NFC", word).lower().removeprefix("!")
        if not re.fullmatch(r"[^\W_][\w-]{0,29}", word):
            raise refusal("command")
        if f"!{word}" in info.data.values():
            raise refusal("other_command")
        return f"!{word}"


class Rewards(Section):
    """Rewards for channel points, which she makes on your channel; points go back when she does not answer."""

    answer_cost: int = Field(
        default=0, ge=0, le=1_000_000, description="points for an answer to the viewer's text; 0 = no such reward"
    )
    answer_title: Annotated[Text, Field(max_length=45)] = Field(default="", description="its name; empty = one of ours")
    mood_cost: int = Field(
        default=0, ge=0, le=1_000_000, description="points for a mood of the viewer's choice; 0 = no such reward"
    )
    mood_title: Annotated[Text, Field(max_length=45)] = Field(default="", description="its name; empty = one of ours")


class Events(Section):
    """Channel events: always, maybe (while chat is calm) or never; by a line of her own (template) or by the brain."""

    raid: EventChoice = Field(default="always brain", description="another channel sends its people over")
    gift: EventChoice = Field(
        default="always template", description="gift subscriptions; a hundred at once are one event"
    )
    charity: EventChoice = Field(default="always template", description="a donation to the channel's good cause")
    sub: EventChoice = Field(default="always template", description="a new subscription")
    resub: EventChoice = Field(default="always brain", description="a subscription renewed, with the viewer's message")
    hype_train: EventChoice = Field(default="always template", description="the hype train starts")
    hype_train_level: EventChoice = Field(default="maybe template", description="it goes up a level")
    hype_train_end: EventChoice = Field(default="always template", description="it is over")
    cheer: EventChoice = Field(default="always brain", description="bits, with the viewer's message")
    stream_online: EventChoice = Field(default="maybe template", description="the stream begins")
    stream_offline: EventChoice = Field(default="never", description="the stream ends")
    ad_break: EventChoice = Field(default="maybe template", description="ads begin")
    poll: EventChoice = Field(default="maybe template", description="a poll is over")
    prediction: EventChoice = Field(default="maybe template", description="a prediction is settled")
    redemption: EventChoice = Field(
        default="never", description="a reward of yours for channel points (not those under twitch.rewards)"
    )
    first_timer: EventChoice = Field(
        default="maybe", description="somebody's first message; maybe = it counts for more among chat"
    )
    shoutout: EventChoice = Field(default="maybe template", description="another channel recommends yours")
    follow: EventChoice = Field(default="maybe template", description="somebody follows the channel")
    watch_streak: EventChoice = Field(
        default="maybe template", description="somebody has watched several streams in a row"
    )
    announcement: EventChoice = Field(default="never", description="a moderator's announcement")
    notice: EventChoice = Field(default="never", description="anything else that chat announces")
    shared_chat: EventChoice = Field(
        default="never", description="chat of other channels while chat is shared; maybe, always = read as chat"
    )


class Twitch(Section):
    """The channel. Tokens normally live in the token store (`aneeka setup twitch`), not here."""

    mode: Literal["off", "eventsub", "anonymous"] = Field(
        default="off",
        description="eventsub = signed in, chat and events; anonymous = chat alone, without an account",
    )
    channel: Annotated[Text, AfterValidator(channel_name)] = Field(
        default="", validate_default=True, description="your channel's name"
    )
    client_id: Text = Field(default="", description="client id of your app, as registered at Twitch")
    access_token: Secret = Field(default=SecretStr(""), description="only for servers without a screen")
    refresh_token: Secret = Field(default=SecretStr(""), description="only for servers without a screen")
    api_url: Annotated[WebAddress, Field(min_length=1)] = Field(
        default="https://api.twitch.tv/helix", description="Helix, without the last slash"
    )
    auth_url: Annotated[WebAddress, Field(min_length=1)] = Field(
        default="https://id.twitch.tv", description="sign-in, without /oauth2"
    )
    eventsub_url: SocketAddress = Field(default="wss://eventsub.wss.twitch.tv/ws", description="events")
    irc_url: SocketAddress = Field(default="wss://irc-ws.chat.twitch.tv:443", description="the anonymous reader's chat")
    talk_back: Literal["off", "asked", "all"] = Field(
        default="off", description="asked = she also writes what she answers to twitch.commands.ask, all = all she says"
    )
    commands: Commands = Field(default=Commands(), description="Commands in chat.")
    rewards: Rewards = Field(default=Rewards(), description="Rewards for channel points.")
    events: Events = Field(default=Events(), description="What she does about channel events.")

    @field_validator("channel")
    @classmethod
    def _is_named_for_the_anonymous(cls, channel: str, info: ValidationInfo) -> str:
        if info.data.get("mode") == "anonymous" and not channel:
            raise refusal("channel", cause="twitch.mode")
        return channel
