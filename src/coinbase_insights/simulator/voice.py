"""What one client hears of a recording, in either dialect: the frames it subscribed, and our own words between.

Recorded frames stay as they are, byte for byte; only a `sequence_num` is rewritten, and only where frames were
left out or added before it, so that the client sees no hole. Pure: requests and messages in, frames out.
"""

from collections import deque

from ..message import Message
from ..wire.label import ACKNOWLEDGEMENT, ERROR, Label, label
from .advanced import Envelope
from .advanced_frames import heartbeat as advanced_heartbeat
from .advanced_frames import renumber, sequence_num
from .advanced_subscriptions import AdvancedSubscriptions
from .exchange_frames import heartbeat as exchange_heartbeat
from .exchange_subscriptions import ExchangeSubscriptions
from .product import Product
from .recorded import Recording
from .request import Frame, Refusal


def _nothing(product_id: str) -> Product | None:
    """Know no product: the recording is of the other feed."""
    return None


class ExchangeVoice:
    """Speaks to one client of the Exchange feed."""

    def __init__(self, recording: Recording) -> None:
        self._subscriptions = ExchangeSubscriptions(recording.find if recording.dialect == "exchange" else _nothing)
        self._last = {product_id: (first.sequence, first.trade_id) for product_id, first in recording.first.items()}

    @property
    def subscribed(self) -> bool:
        """Whether a valid subscription stands."""
        return bool(self._subscriptions)

    @property
    def wants_data(self) -> bool:
        """Whether more than heartbeats is subscribed."""
        return self._subscriptions.beyond("heartbeat")

    def answer(self, text: str | bytes) -> list[Frame]:
        """Acknowledge or refuse a request."""
        try:
            self._subscriptions.change(text)
        except Refusal as refusal:
            return [refusal.frame]
        return [self._subscriptions.acknowledgement()]

    def frames(self, message: Message) -> list[Frame]:
        """Give a recorded frame to a client that wants it."""
        read = label(message.data)
        if read.channel in (ACKNOWLEDGEMENT, ERROR):
            return []
        for product_id in read.products if read.sequence else ():
            self._last[product_id] = read.sequence, read.trade_id or self._last[product_id][1]
        return [message.data] if self._wants(read) else []

    def _wants(self, read: Label) -> bool:
        # Nothing in a ticker tells whether it came from `ticker` or from `ticker_batch`.
        channels = ("ticker", "ticker_batch") if read.channel == "ticker" else (read.channel,)
        return not read.channel or any(_wants(self._subscriptions, channel, read) for channel in channels)

    def beat(self, time: int) -> list[Frame]:
        """Make the heartbeats of one moment (microseconds), after what the recording has shown so far."""
        products = self._subscriptions.products("heartbeat")
        return [exchange_heartbeat(each, *self._last.get(each, (0, 0)), time) for each in products]


class AdvancedVoice:
    """Speaks to one client of Advanced Trade and numbers what it says."""

    def __init__(self, recording: Recording) -> None:
        self._subscriptions = AdvancedSubscriptions(recording.find if recording.dialect == "advanced" else _nothing)
        self._envelope = Envelope()
        self._time = recording.time
        self._expected = recording.acknowledgements
        self._owed: deque[dict[str, list[str]]] = deque()
        self._begun = False

    @property
    def subscribed(self) -> bool:
        """Whether a valid subscription stands."""
        return bool(self._subscriptions)

    @property
    def wants_data(self) -> bool:
        """Whether more than heartbeats is subscribed."""
        return self._subscriptions.beyond("heartbeats")

    def answer(self, text: str | bytes) -> list[Frame]:
        """Acknowledge or refuse a request; an acknowledgement of data comes after the first frames of the data."""
        try:
            self._subscriptions.change(text)
        except Refusal as refusal:
            return [refusal.frame]
        self._owed.append(self._subscriptions.acknowledgement())
        return [] if self.wants_data and not self._begun else self._acknowledge(0)

    def _acknowledge(self, keep: int) -> list[Frame]:
        """Give the acknowledgements owed, oldest first, but for the last `keep` of them."""
        frames = []
        while len(self._owed) > keep:
            owed: dict[str, object] = {"subscriptions": self._owed.popleft()}
            frames.append(self._envelope.wrap(ACKNOWLEDGEMENT, self._time, owed))
        return frames

    def frames(self, message: Message) -> list[Frame]:
        """Give a recorded frame to a client that wants it, and our acknowledgements where the recorded ones stood."""
        self._time, read = message.received_at // 1000, label(message.data)
        if read.channel == ERROR:
            return []
        if read.channel == ACKNOWLEDGEMENT:
            self._expected -= 1
            return self._acknowledge(max(0, len(self._owed) - 1))
        self._begun = self._begun or not read.snapshot
        before = [] if read.snapshot else self._acknowledge(max(0, self._expected))
        wanted = not read.channel or _wants(self._subscriptions, read.channel, read)
        return [*before, self._numbered(message.data)] if wanted else before

    def _numbered(self, frame: Frame) -> Frame:
        number = sequence_num(frame)
        if number is None:
            return frame
        mine = self._envelope.take_number()
        return frame if number == mine else renumber(frame, mine)

    def beat(self, time: int) -> list[Frame]:
        """Make the heartbeat of one moment (microseconds)."""
        if not self._subscriptions.wants("heartbeats"):
            return []
        before = self._acknowledge(0)
        return [*before, self._envelope.wrap("heartbeats", time, advanced_heartbeat(time))]


def _wants(subscriptions: ExchangeSubscriptions | AdvancedSubscriptions, channel: str, read: Label) -> bool:
    if not read.products:
        return subscriptions.wants(channel)
    return any(subscriptions.wants(channel, product_id) for product_id in read.products)
