"""A mail server for tests (RFC 5321): STARTTLS, AUTH PLAIN and LOGIN, and it remembers what it has taken."""
import base64
import email
import email.policy
import socket
import ssl
import threading


class MailServer:
    """`refuse`: how many DATA are answered with 451 before one is taken. `users`: name to password; {}: nobody needs one."""

    def __init__(self, ip, certificate, key, users=None, refuse=0):
        self.users, self.refuse, self.mails, self.tries, self.secure = users or {}, refuse, [], 0, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.sock = socket.create_server((ip, 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            self._talk(s)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            s.close()

    def _authorize(self, f, say, line):
        words = line.split()
        if words[1].upper() == "PLAIN":
            if len(words) < 3:
                say("334 ")
            answer = base64.b64decode(words[2] if len(words) > 2 else f.readline().strip()).split(b"\0")[1:]
        else:
            say("334 VXNlcm5hbWU6")
            user = base64.b64decode(f.readline().strip())
            say("334 UGFzc3dvcmQ6")
            answer = [user, base64.b64decode(f.readline().strip())]
        good = self.users.get(answer[0].decode()) == answer[1].decode()
        say("235 welcome" if good else "535 no")
        return good

    def _talk(self, s):
        secure, known, sender, to = False, not self.users, "", []
        f = s.makefile("rb")

        def say(text):
            s.sendall((text + "\r\n").encode())
        say("220 test")
        while True:
            line = f.readline().decode().strip()
            word = line.split(" ")[0].upper()
            if not word or word == "QUIT":
                return
            if word in ("EHLO", "HELO"):
                s.sendall(b"250-test\r\n250-AUTH PLAIN LOGIN\r\n" + (b"" if secure else b"250-STARTTLS\r\n") + b"250 8BITMIME\r\n")
            elif word == "STARTTLS":
                say("220 go on")
                s, secure = self.context.wrap_socket(s, server_side=True), True
                f = s.makefile("rb")
            elif word == "AUTH":
                known = self._authorize(f, say, line)
            elif word == "MAIL":
                sender = line
                say("250 ok" if known else "530 who are you")
            elif word == "RCPT":
                to.append(line[line.index("<") + 1:line.index(">")])
                say("250 ok")
            elif word == "DATA":
                say("354 go on")
                lines = []
                while (part := f.readline()) not in (b".\r\n", b""):
                    lines.append(part[1:] if part.startswith(b"..") else part)
                self.tries += 1
                if self.tries <= self.refuse:
                    say("451 later")
                    continue
                self.secure.append(secure)
                mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                self.mails.append((sender, to, mail))
                say("250 taken")
            else:
                say("250 ok")

    def close(self):
        self.sock.close()
