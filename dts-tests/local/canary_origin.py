"""Origins that say who they are, fail by share and take their time: ADDRESS PORT:NAME:FAIL_PERCENT:DELAY_MS...

HTTP/1.1 with keep-alive, requests without a body. Every answer's body is NAME.
"""
import asyncio
import sys


def serve(name, fail_percent, delay_ms):
    owed = 0.0  # failures, so that the share is kept exactly

    async def talk(reader, writer):
        nonlocal owed
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                if delay_ms:
                    await asyncio.sleep(delay_ms / 1000)
                owed += fail_percent / 100
                failed = owed >= 1
                owed -= failed
                status = "503 Service Unavailable" if failed else "200 OK"
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(name)}\r\n\r\n{name}".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
    return talk


async def main(address, *shares):
    for share in shares:
        port, name, fail_percent, delay_ms = share.split(":")
        await asyncio.start_server(serve(name, float(fail_percent), float(delay_ms)), address, int(port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
