"""A host as the runner reaches it: one connection, one channel for commands, rsync beside it."""

import time
from dataclasses import replace

import fabric
from paramiko import Channel as SshChannel
from paramiko import SSHException

from deploy.command import Action, Command, OnLine, Result, Upload
from deploy.errors import Refused
from deploy.host import Host
from deploy.output import shown
from deploy.reach import LinkLost
from deploy.ssh.channel import Channel, NotReady
from deploy.ssh.connect import connect
from deploy.ssh.connection import Connection
from deploy.ssh.delta import DIFFERS, delta
from deploy.ssh.launch import launch
from deploy.ssh.rsync import Sending
from deploy.ssh.script import named, script
from deploy.ssh.stream import SshStream
from deploy.ssh.times import Times
from deploy.ssh.wire import Wire


class Link:
    """One action at a time; `stop` and `close` from any thread. See `deploy.reach.Reach`."""

    def __init__(
        self,
        host: Host,
        words: str,
        times: Times | None = None,
        config: fabric.Config | None = None,
    ) -> None:
        """`words` are shell functions that commands may name as their program."""
        self._host = host
        self._words = words
        self._times = times or Times()
        self._channel: Channel | None = None
        self._sending: Sending | None = None
        self.connection: Connection = connect(host, config)
        """For ordinary Fabric tasks on the same login."""

    @property
    def name(self) -> str:
        """The host's name in the inventory."""
        return self._host.name

    @property
    def door(self) -> str:
        """The SSH server that sees our login first: the host's or its gateway's."""
        return self.connection.door

    def open(self) -> None:
        """Log in and start the channel; again, if the link was lost. Raises `Refused`."""
        if self._channel is not None and not self._channel.closed:
            return
        self.close()
        until = time.monotonic() + self._host.ssh.connect_timeout
        self.connection.open()
        try:
            self._channel = self._started(until)
        except Refused:
            self.connection.close()
            raise

    def execute(self, action: Action, on_line: OnLine) -> Result:
        """Run a command or send a directory. Raises `LinkLost` when the host is gone."""
        channel = self._opened()
        if isinstance(action, Upload):
            return self._upload(action, channel, on_line)
        text, limit = script(action), action.quiet_limit
        return channel.run(text, named(action), limit, on_line, whole=action.whole)

    def execute_here(self, command: Command) -> Result:
        """Run a word in the channel's own process, which lives as long as the link."""
        text, limit = script(command), command.quiet_limit
        return self._opened().run(text, named(command), limit, lambda _: None, here=True)

    def stop(self) -> None:
        """End what runs on the host now; the link stays usable."""
        if self._sending is not None:
            self._sending.stop()
        if self._channel is not None:
            self._channel.stop()

    def close(self) -> None:
        """Log out; what still runs on the host is ended there."""
        if self._channel is not None:
            self._channel.close()
        self.connection.close()

    def _upload(self, upload: Upload, channel: Channel, on_line: OnLine) -> Result:
        told = self._tell(upload, channel)
        if told is not None:
            return told
        doing = f"rsync to {upload.target}"
        self._sending = sending = Sending(upload, Wire(self._session), self.name, self._times.grace)
        try:
            result = sending.finish(on_line, lambda: channel.check(doing))
        finally:
            self._sending = None
        # Rsync may notice before we do, and calls it a protocol error.
        if not result.ok and not self.connection.is_connected:
            raise LinkLost(self.name, "the connection was lost", doing)
        return result

    def _tell(self, upload: Upload, channel: Channel) -> Result | None:
        """Tell the host what differs from what it has; None if rsync has to do it."""
        made = delta(upload.base, upload.source) if upload.base else None
        if made is None:
            return None
        words = ("push_delta", upload.like[0], upload.target, made.digest)
        command = Command(words, stdin=made.lines, quiet_limit=upload.quiet_limit)
        text = script(command)
        result = channel.run(text, named(command), command.quiet_limit, lambda _: None)
        if result.exit_code == DIFFERS:
            return None
        return replace(result, sent=len(text), files=made.files)

    def _session(self) -> SshChannel:
        return self.connection.transport.open_session(timeout=self._host.ssh.connect_timeout)

    def _opened(self) -> Channel:
        if self._channel is None:
            raise LinkLost(self.name, "is not connected", "")
        return self._channel

    def _started(self, until: float) -> Channel:
        # The login may have used up its time; the last, small steps get some of their own.
        left = max(1.0, until - time.monotonic())
        try:
            stream = SshStream(self._session(), launch(self._times), left, self._times.dead)
        except (SSHException, EOFError, OSError) as error:
            raise Refused(f"{self.name}: logged in, but it starts no program: {error}") from None
        channel = Channel(stream, self.name, self._times)
        try:
            channel.greet(self._words, left)
        except NotReady as error:
            raise self._unfit(shown(str(error)), stream.exit_code) from None
        return channel

    def _unfit(self, said: str, code: int) -> Refused:
        if code in (126, 127):
            return Refused(f"{self.name}: there is no bash: {said}", "apt-get install bash")
        detail = f": {said}" if said else " and says nothing"
        return Refused(f"{self.name}: logged in, but the channel does not start{detail}")
