"""The least there is to do: a bare aiohttp loop that posts pictures and keeps the answers in memory.

python -m benchmarks.orchestration_floor PICTURES ADDRESS IN_FLIGHT
"""

import asyncio
import base64
import sys
from pathlib import Path

import aiohttp

PROMPT = "Describe this image in one sentence."


async def ask(pictures: Path, address: str, in_flight: int) -> dict[str, str]:
    """Return one caption per picture; nothing is tried twice."""
    captions: dict[str, str] = {}
    slots = asyncio.Semaphore(in_flight)
    connector = aiohttp.TCPConnector(limit=0)

    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(path: Path) -> None:
            async with slots:
                uri = "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
                content = [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": uri}}]
                body = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": content}]}
                async with session.post(address + "/chat/completions", json=body) as answer:
                    captions[path.stem] = (await answer.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(one(path) for path in sorted(pictures.glob("*.jpg"))))
    return captions


if __name__ == "__main__":
    asyncio.run(ask(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
