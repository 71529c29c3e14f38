"""The log of a disk's writes, as QEMU's blklogwrites writes it, and the disks that a power cut can leave.

The format is that of Linux's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): a sector with the
number of entries, then for each entry a sector that describes it, and the written data.
"""

import os
import struct

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
# The number of bytes that a disk writes as a whole. After a cut any part of a longer write may be missing.
PIECE = 4096


class Entry:
    """A write of `size` bytes at `offset`, with its data in the log at `data`. A flush or a discard has no data."""

    def __init__(self, offset, size, flags, data):
        self.offset, self.size, self.flags, self.data = offset, size, flags, data


class WriteLog:
    def __init__(self, path):
        self.file = open(path, "rb")
        magic, version, count, sector = struct.unpack("<QQQI", self.file.read(28))
        if magic != MAGIC or version != 1 or sector != SECTOR:
            raise SystemExit(f"{path} is no log of writes")
        self.entries = []
        position = SECTOR
        for _ in range(count):
            self.file.seek(position)
            start, sectors, flags, length = struct.unpack("<QQQQ", self.file.read(32))
            data = position + SECTOR
            size = sectors * SECTOR
            self.entries.append(Entry(start * SECTOR, size, flags, data))
            position = data + (0 if flags & DISCARD else size)

    def read(self, entry):
        return os.pread(self.file.fileno(), entry.size, entry.data)

    def flushes(self, end):
        """The number of the first `end` entries that are surely on the disk: those up to the last flush."""
        while end > 0 and not self.entries[end - 1].flags & FLUSH:
            end -= 1
        return end

    def image(self, path, end, random):
        """Changes the disk at `path` from its state before the first write to one that a cut after `end` entries may leave: with
        everything up to the last flush, and any part of the later writes."""
        sure = self.flushes(end)
        # The share of later writes that reach the disk differs from cut to cut: none, all, or some.
        chance = random.choice([0, 1, random.random(), random.random()])
        with open(path, "r+b") as disk:
            for number, entry in enumerate(self.entries[:end]):
                # A discarded block may hold anything, also its old content.
                if entry.flags & DISCARD or entry.size == 0:
                    continue
                data = self.read(entry)
                for start in range(0, entry.size, PIECE):
                    if number < sure or entry.flags & FUA or random.random() < chance:
                        disk.seek(entry.offset + start)
                        disk.write(data[start : start + PIECE])
