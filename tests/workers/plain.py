"""A UDF without the kit, in Python's standard library only. The tests of the supervisor run it.

It counts and sums the field `value` of each group, adds both to each point, and emits the totals
after the end of its input. `--do ACTION --at STAGE` makes it misbehave:

    plain.py --at point --do raise --times 1 --dir DIR

A stage within the data needs a point or a batch with the field or tag `trouble`; the first `--skip`
occasions go well. With `--times`, workers misbehave that often in all: they count in files in
`--dir`.
"""

import argparse
import json
import os
import resource
import signal
import sys
import threading
import time

# Tests leave no files behind.
sys.dont_write_bytecode = True

from wire import (  # noqa: E402
    BATCH,
    BEGIN,
    END,
    ERROR,
    INFO,
    INIT,
    KEEPALIVE,
    POINT,
    RESTORE,
    SNAPSHOT,
    STREAM,
    STRING,
    entry,
    entry_of,
    member,
    members,
    option_of,
    read_varint,
    varint,
)


class Trouble:
    """Decides when to misbehave, and how."""

    def __init__(self, args):
        self.args = args
        self.seen = self.point = 0

    def due(self, stage):
        """Returns whether the worker misbehaves now."""
        if self.args.at != stage:
            return False
        self.seen = self.point if self.args.each else self.seen + 1
        return self.seen > self.args.skip and self.is_one_of_the_times()

    def is_one_of_the_times(self):
        if self.args.times is None:
            return True
        for number in range(self.args.times):
            name = f"did-{self.seen if self.args.each else ''}-{number}"
            try:
                flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
                os.close(os.open(os.path.join(self.args.dir, name), flags))
                return True
            except FileExistsError:
                pass
        return False

    def at(self, stage, out):
        if self.due(stage):
            getattr(self, self.args.do)(out)

    def none(self, _):
        pass

    def stop(self, _):
        """Waits for the signal of a test."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def error(self, out):
        """Reports an error, as a UDF does that wants its task to stop."""
        out.send(ERROR, member(1, "the author gives up"))
        os._exit(1)

    def refuse(self, out):
        """Refuses the state of a restore, and fails."""
        out.send(RESTORE, member(1, False) + member(2, "this state is too old"))
        self.hang(out)

    def quit(self, _):
        os._exit(0)

    def stop_and_quit(self, out):
        self.stop(out)
        self.quit(out)

    def fail(self, _):
        sys.stderr.write("an error of the author\n")
        os._exit(3)

    def throw(self, _):
        raise RuntimeError("out of luck")

    def abort(self, _):
        os.abort()

    def hang(self, _):
        while True:
            signal.pause()

    def doze(self, _):
        time.sleep(self.args.amount / 1000)

    def close(self, _):
        """Closes the output, and goes on."""
        os.close(1)
        self.hang(_)

    def garbage(self, out):
        out.write(b"printed to stdout\n" * 10)

    def empty(self, out):
        out.write(b"\0")

    def unknown(self, out):
        out.send(99, b"")

    def unbalanced(self, out):
        out.send(END, member(1, "nothing"))

    def begin_twice(self, out):
        out.send(BEGIN, member(1, "one"))
        out.send(BEGIN, member(1, "two"))

    def cut(self, out):
        """Announces a longer message than it sends, and closes its output."""
        out.write(varint(100) + b"\x8a\x01")
        os._exit(0)

    def long(self, out):
        """Announces a message of 1 GiB."""
        out.write(varint(1 << 30))

    def unasked(self, out):
        """Answers a request that was not sent."""
        out.send(SNAPSHOT, member(1, b"unasked"))

    def wrong_kind(self, out):
        out.send(INFO, b"")
        self.hang(out)

    def allocate(self, _):
        """Allocates more than the limit of its memory."""
        limit = 256 << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        blocks = []
        while True:
            blocks.append(bytearray(1 << 20))

    def child(self, _):
        """Starts a child that has its output, and reads its input to the end. Stops itself."""
        if os.fork() == 0:
            os.close(2)
            while os.read(0, 1 << 16):
                pass
            os._exit(0)
        self.stop(_)

    def die_before_child(self, _):
        """Dies, and leaves a child behind that has its output, and never ends."""
        if os.fork() == 0:
            self.hang(_)
        os.kill(os.getpid(), signal.SIGKILL)

    def log(self, _):
        """Writes a long line to stderr."""
        sys.stderr.write("x" * self.args.amount + " is the end\n")
        sys.stderr.flush()

    def flood(self, out):
        """Emits the same point again and again."""
        for number in range(self.args.amount):
            point = member(1, number) + member(2, "flood") + member(10, entry_of("x", "y" * 1000))
            out.send(POINT, point)


class Input:
    """Reads frames."""

    def __init__(self, trouble, out):
        self.buffer = b""
        self.trouble = trouble
        self.out = out

    def more(self):
        data = os.read(0, self.trouble.args.read)
        self.buffer += data
        return data

    def frame(self):
        while True:
            try:
                length, at = read_varint(self.buffer, 0)
                break
            except IndexError:
                if not self.more():
                    return None
        if self.trouble.due("half_request"):
            getattr(self.trouble, self.trouble.args.do)(self.out)
        while len(self.buffer) < at + length:
            if not self.more():
                raise EOFError("the input ends within a message")
        frame = self.buffer[at : at + length]
        self.buffer = self.buffer[at + length :]
        return frame


class Output:
    """Writes frames. Threads may share it."""

    def __init__(self, trouble):
        self.lock = threading.Lock()
        self.trouble = trouble

    def write(self, data):
        with self.lock:
            while data:
                data = data[os.write(1, data) :]

    def send(self, number, body):
        message = member(number, body)
        frame = varint(len(message)) + message
        if number == SNAPSHOT and self.trouble.due("half_snapshot"):
            self.halve(frame)
        elif number == POINT and b"trouble" in body and self.trouble.due("half_response"):
            self.halve(frame)
        else:
            self.write(frame)

    def halve(self, frame):
        half = max(1, len(frame) // 2)
        self.write(frame[:half])
        getattr(self.trouble, self.trouble.args.do)(self)
        self.write(frame[half:])


class Plain:
    def __init__(self, args):
        self.args = args
        self.trouble = Trouble(args)
        self.out = Output(self.trouble)
        self.groups = {}
        self.field = "value"
        self.batch = None

    def serve(self):
        input_ = Input(self.trouble, self.out)
        self.trouble.at("start", self.out)
        while (frame := input_.frame()) is not None:
            for number, body, _ in members(frame):
                self.handle(number, body)
        self.trouble.at("finish", self.out)
        if self.args.batch:
            self.out.send(BEGIN, member(1, "totals"))
        for group, (count, total) in sorted(self.groups.items()):
            self.out.send(POINT, self.point(member(2, "total") + member(5, group), count, total))
            self.trouble.at("within_finish", self.out)
        if self.args.batch:
            self.out.send(END, member(1, "totals"))

    def handle(self, number, body):
        handlers = {
            INFO: self.info,
            INIT: self.init,
            KEEPALIVE: lambda body: self.out.send(KEEPALIVE, body),
            SNAPSHOT: self.snapshot,
            RESTORE: self.restore,
            BEGIN: self.begin,
            POINT: self.of_point,
            END: self.end,
        }
        handlers[number](body)

    def options(self):
        """Returns the names of its options, which a test may change."""
        if self.args.options:
            with open(self.args.options, encoding="utf-8") as file:
                return file.read().split()
        return ["field"]

    def info(self, _):
        self.trouble.at("info", self.out)
        edge = BATCH if self.args.batch else STREAM
        out = member(1, edge) + member(2, edge)
        for name in self.options():
            out += member(3, entry_of(name, member(1, STRING)))
        self.out.send(INFO, out)

    def init(self, body):
        self.trouble.at("init", self.out)
        names, problems = [], []
        for name, values in (option_of(value) for number, value, _ in members(body) if number == 1):
            names.append(name)
            if name not in self.options():
                problems.append(f"no option `{name}`")
            elif len(values) != 1 or values[0].get(1) != STRING or 5 not in values[0]:
                problems.append(f"`{name}` takes one text")
            elif name == "field":
                self.field = values[0][5].decode()
        if names.count("field") != 1:
            problems.append("`field` must be called once")
        answer = member(2, "; ".join(problems)) if problems else b""
        self.out.send(INIT, member(1, not problems) + answer)
        self.trouble.at("after_init", self.out)
        if self.args.tick:
            threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        """Emits points that no input caused, from a thread."""
        for number in range(1 << 30):
            time.sleep(self.args.tick / 1000)
            self.out.send(POINT, member(1, number) + member(2, "tick"))

    def snapshot(self, _):
        self.trouble.at("snapshot", self.out)
        state = json.dumps(self.groups, sort_keys=True).encode()
        self.out.send(SNAPSHOT, member(1, b"" if self.args.forget else state))

    def restore(self, body):
        self.trouble.at("restore", self.out)
        found = {number: value for number, value, _ in members(body)}
        self.groups = json.loads(found[1]) if found.get(1) else {}
        self.out.send(RESTORE, member(1, True))
        self.trouble.at("after_restore", self.out)

    def begin(self, body):
        self.batch = body
        if b"trouble" in body:
            self.trouble.at("begin", self.out)
        self.out.send(BEGIN, body)
        if b"trouble" in body:
            self.trouble.at("after_begin", self.out)

    def end(self, body):
        if b"trouble" in body:
            self.trouble.at("end", self.out)
        self.batch = None
        self.out.send(END, body)

    def of_point(self, body):
        fields, group, kept = {}, "", b""
        for number, value, encoded in members(body):
            if number in (8, 9, 12):
                name, field = entry(value)
                fields[name] = field
                kept += encoded if name == "trouble" else b""
            else:
                kept += encoded
            if number == 1:
                self.trouble.point = value
            if number == 5:
                group = value.decode()
        if "trouble" in fields:
            self.trouble.at("point", self.out)
        count, total = self.groups.get(group, [0, 0.0])
        count, total = count + 1, total + float(fields.get(self.field, 0.0))
        self.groups[group] = [count, total]
        if not self.args.silent:
            self.out.send(POINT, self.point(kept, count, total))
        if "trouble" in fields:
            self.trouble.at("after_point", self.out)

    def point(self, kept, count, total):
        out = kept + member(8, entry_of("sum", total)) + member(9, entry_of("count", count))
        if self.args.differ:
            out += member(9, entry_of("pid", os.getpid()))
        return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", default="")
    parser.add_argument("--do", default="stop")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--times", type=int)
    parser.add_argument("--each", action="store_true", help="count the times of each point")
    parser.add_argument("--amount", type=int, default=0)
    parser.add_argument("--dir", default=".")
    parser.add_argument("--batch", action="store_true", help="read batches")
    parser.add_argument("--forget", action="store_true", help="answer snapshots with nothing")
    parser.add_argument("--silent", action="store_true", help="emit nothing for a point")
    parser.add_argument("--read", type=int, default=1 << 16, help="read this much at once")
    parser.add_argument("--differ", action="store_true", help="emit the process id")
    parser.add_argument("--tick", type=int, help="emit a point this often, in milliseconds")
    parser.add_argument("--options", help="a file with the names of its options")
    Plain(parser.parse_args()).serve()


main()
