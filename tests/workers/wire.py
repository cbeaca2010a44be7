"""The encoding of protobuf, and the numbers of the protocol."""

import struct

INFO, INIT, KEEPALIVE, SNAPSHOT, RESTORE, ERROR, BEGIN, POINT, END = 1, 2, 3, 4, 5, 6, 16, 17, 18
STREAM, BATCH = 0, 1
STRING = 3


def varint(number):
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def member(number, value):
    """Encodes a member: an integer, a double, a text, or bytes of an encoded message."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, (bool, int)):
        return varint(number << 3) + varint(int(value))
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def members(data):
    """Yields each member of a message: its number, its value, and its encoding."""
    at = 0
    while at < len(data):
        begin = at
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 1:
            value = struct.unpack_from("<d", data, at)[0]
            at += 8
        elif key & 7 == 2:
            length, at = read_varint(data, at)
            value = data[at : at + length]
            at += length
        else:
            raise ValueError(f"a member of the wire type {key & 7}")
        yield key >> 3, value, data[begin:at]


def entry_of(key, value):
    return member(1, key) + member(2, value)


def entry(data):
    """Returns the key and the value of an entry of a map."""
    found = {number: value for number, value, _ in members(data)}
    return found.get(1, b"").decode(), found.get(2, 0)


def option_of(data):
    """Returns the name of an option of an Init, and the members of its values."""
    name, values = "", []
    for number, value, _ in members(data):
        if number == 1:
            name = value.decode()
        elif number == 2:
            values.append({number: value for number, value, _ in members(value)})
    return name, values
