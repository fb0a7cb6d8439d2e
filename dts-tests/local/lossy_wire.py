#!/usr/bin/python3
"""A wire that loses, reorders and duplicates frames: a bridge between two tap devices.
usage: lossy_wire.py TAP_A NETNS_A TAP_B NETNS_B LOSS REORDER DUPLICATE SEED    (shares in percent)

Makes both taps, moves each to its namespace, prints "ready", and carries frames until it is ended;
then (SIGTERM) prints what it did as JSON.
"""
import fcntl
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def tap(name, netns):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "netns", netns], check=True)
    return fd


def end(_number, _frame):
    print(json.dumps(count), flush=True)
    os._exit(0)


a = tap(sys.argv[1], sys.argv[2])
b = tap(sys.argv[3], sys.argv[4])
loss, reorder, duplicate = (float(x) / 100 for x in sys.argv[5:8])
rng = random.Random(int(sys.argv[8]))
count = {"carried": 0, "lost": 0, "reordered": 0, "duplicated": 0}
signal.signal(signal.SIGTERM, end)
other = {a: b, b: a}
late = []  # (due, fd, frame): frames overtaken by later ones
poll = select.poll()
poll.register(a, select.POLLIN)
poll.register(b, select.POLLIN)
print("ready", flush=True)


def put(fd, frame):
    try:
        os.write(fd, frame)
        count["carried"] += 1
    except OSError:
        count["lost"] += 1  # the far end is down or full


while True:
    now = time.monotonic()
    while late and late[0][0] <= now:
        _, fd, frame = late.pop(0)
        put(fd, frame)
    wait = max(0, int((late[0][0] - now) * 1000)) + 1 if late else 1000
    for fd, _ in poll.poll(wait):
        for _ in range(64):
            try:
                frame = os.read(fd, 4096)
            except OSError:
                break
            draw = rng.random()
            if draw < loss:
                count["lost"] += 1
            elif draw < loss + reorder:
                count["reordered"] += 1
                late.append((time.monotonic() + 0.002, other[fd], frame))
            else:
                put(other[fd], frame)
                if draw > 1 - duplicate:
                    count["duplicated"] += 1
                    put(other[fd], frame)
