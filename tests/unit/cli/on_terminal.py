"""ccctl on a terminal: a pty, what is on its screen, keys, and how it is left."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


class Terminal:
    """Runs a program on a terminal of its own."""

    def __init__(self, args, env, columns=100, lines=20):
        self.text = ""
        self.code = None
        self.fd, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(end)
        self.process = subprocess.Popen(args, stdin=end, stdout=end, stderr=end, env=env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.pid = self.process.pid
        os.close(end)

    def read(self, seconds=0.05):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            data = b""
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def screen(self):
        """The lines of the picture that is there now: what was written since the cursor went home last."""
        self.columns, self.lines = struct.unpack("HHHH", fcntl.ioctl(self.fd, termios.TIOCGWINSZ, b"\0" * 8))[1::-1]
        pictures = self.text.split("\033[H")
        for picture in reversed(pictures[1:]):
            rows = re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", picture).split("\r\n")
            if len(rows) == self.lines:
                return [r.rstrip() for r in rows]
        return []

    def wait(self, condition, what, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rows = self.screen()
            if rows and condition(rows):
                return rows
            self.read()
        raise AssertionError("%s: not on the screen\n%s\n%r" % (what, "\n".join(self.screen()), self.text[-600:]))

    def wait_text(self, text, seconds=10):
        return self.wait(lambda rows: any(text in r for r in rows), text, seconds)

    def keys(self, text):
        os.write(self.fd, text.encode())

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def wait_end(self, seconds=10):
        end = time.monotonic() + seconds
        while self.code is None and time.monotonic() < end:
            while self.read(0.02):
                pass
            self.code = self.process.poll()
        if self.code is None:
            raise AssertionError("it has not ended")
        return self.code

    def is_as_before(self):
        """The modes of the terminal, its cursor and its first screen."""
        return (termios.tcgetattr(self.fd)[:4] == self.before[:4] and self.text.rfind("\033[?1049l") > self.text.rfind("\033[?1049h") >= 0
                and self.text.rfind("\033[?25h") > self.text.rfind("\033[?25l") >= 0)

    def close(self):
        if self.code is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)
