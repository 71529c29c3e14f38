#!/usr/bin/env python3
"""A journald for tests: python3 receiver.py SOCKET FILE. Appends each message of the native protocol to the file, as a line of JSON.

A message that came as a file in memory has the member "_file": true. Ends with the test that has started it."""

import array
import json
import mmap
import os
import socket
import struct
import sys


def fields(data):
    found = {}
    while data:
        name, separator, rest = data.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
            data = rest
        else:
            size, = struct.unpack_from("<Q", rest)
            value = rest[8:8 + size]
            assert rest[8 + size:9 + size] == b"\n", "a value does not end where its length says"
            data = rest[9 + size:]
        assert name.decode() not in found, f"{name} is there twice"
        found[name.decode()] = value.decode(errors="replace")
    return found


path, target = sys.argv[1:]
taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taken.bind(path)
os.chmod(path, 0o666)
with open(target, "w") as file:
    while True:
        data, control, _, _ = taken.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        is_file = bool(control)
        if is_file:
            descriptor = array.array("i", control[0][2])[0]
            # As journald: without these seals the sender could still change it.
            assert __import__("fcntl").fcntl(descriptor, 1034) & 15 == 15, "the file is not sealed"
            with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped:
                data = bytes(mapped)
            os.close(descriptor)
        message = fields(data)
        if is_file:
            message["_file"] = True
        file.write(json.dumps(message) + "\n")
        file.flush()
