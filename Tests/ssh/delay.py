#!/usr/bin/env python3
"""A link that is slow in both directions, for tests: each byte arrives MILLISECONDS later, and none is lost.

    delay.py MILLISECONDS ADDRESS PORT

It prints the port on 127.0.0.1 at which ADDRESS is reached so, and ends with its standard input.
"""
import asyncio
import sys

delay = int(sys.argv[1]) / 1000


async def pass_on(reader, writer):
    loop = asyncio.get_running_loop()
    under_way = asyncio.Queue()

    async def deliver():
        try:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0, due - loop.time()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    delivery = asyncio.create_task(deliver())
    try:
        while True:
            data = await reader.read(65536)
            await under_way.put((loop.time() + delay, data))
            if not data:
                break
    except ConnectionError:
        await under_way.put((loop.time() + delay, b""))
    await delivery


async def connected(reader, writer):
    try:
        far_reader, far_writer = await asyncio.open_connection(sys.argv[2], int(sys.argv[3]))
    except OSError:
        writer.close()
        return
    await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))


async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
