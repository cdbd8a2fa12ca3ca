"""What a client saw, one JSON line per step; and the same main program for both Python clients."""

import asyncio
import json
import sys
import traceback
import urllib.request


class Transcript:
    """Writes each step at once, so that a client that hangs leaves what it has seen."""

    def __init__(self, path):
        self._file = open(path, "w")

    def step(self, name, seen):
        """Write one line."""
        self._file.write(json.dumps({"step": name, "seen": seen}, sort_keys=True, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self):
        """Nothing more comes."""
        self._file.close()


def dumped(result):
    """An SDK's result as plain JSON, under the names of the wire."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def stream_open(job):
    """Wait until the recorder has seen the server answer the client's GET."""
    await asyncio.to_thread(urllib.request.urlopen, job["recorder"] + "/stream", None, 10)


async def eventually(condition):
    """Let the loop run until the condition holds, for five seconds at most."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)


async def _one(job, script):
    transcript = Transcript(job["out"])
    try:
        async with asyncio.timeout(job["timeout"]):
            await script(job, transcript)
        transcript.step("end", "clean")
    except BaseException as error:
        transcript.step("end", "".join(traceback.format_exception_only(error)).strip())
        traceback.print_exc()
        if not isinstance(error, Exception):
            raise
    finally:
        transcript.close()


def _causes(error):
    """What a group of exceptions holds: the SDKs' task groups wrap whatever happens inside."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_causes(each) for each in error.exceptions)
    return "".join(traceback.format_exception_only(error)).strip() + (f" ({error.__cause__})" if error.__cause__ else "")


async def _many(job, one_session):
    """Sessions side by side, each with its calls; the sum goes to the output."""
    failures = []

    async def session(number):
        try:
            async with asyncio.timeout(job["timeout"]):
                await one_session(job, number)
        except Exception as error:
            failures.append(f"session {number}: {_causes(error)}")

    await asyncio.gather(*(session(number) for number in range(job["sessions"])))
    with open(job["out"], "w") as out:
        json.dump({"sessions": job["sessions"], "failures": failures}, out)


def main(script, one_session):
    """Run the jobs of the file named on the command line, one after the other."""
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    for job in jobs:
        asyncio.run(_many(job, one_session) if "sessions" in job else _one(job, script))
        print("done", job["out"], flush=True)
