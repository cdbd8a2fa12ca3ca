"""What the callers of interrupted calls were told, as a table."""

from collections import Counter

from harness.catalogue import CLIENTS

HEAD = """# The kill matrix

Written by `.ci/e2e --only matrix --full`. The server that a session lives on is killed (`kill -9`) at the given moment;
then the client calls on. A cell says what became of the call that was interrupted, of a tool that is safe to repeat / of
one that counts: `success`, or the `delivery` of the error. `ok` stands where no call was interrupted. In every cell the
client has sent `initialize` once, has kept its session id, its next calls succeed, and the servers' ledgers agree with
what it was told. "a stream open" also means that what a server announces afterwards is heard.
"""


class Table:
    """One line per stage and moment, one column per client."""

    def __init__(self):
        self._lines = {}
        self.cells = 0

    def add(self, stage, moment, words):
        """The cells of one batch."""
        line = self._lines.setdefault((stage, moment), {})
        for cell, word in words.items():
            line.setdefault(cell.sdk.name, {})[cell.tool] = word or "ok"
            self.cells += 1

    def words(self):
        """How often each word was said."""
        said = Counter(word for line in self._lines.values() for tools in line.values() for word in tools.values())
        return dict(sorted(said.items()))

    def write(self, path):
        """As markdown."""
        names = [client.name for client in CLIENTS]
        rows = [["servers", "moment", *names], ["---"] * (len(names) + 2)]
        for (stage, moment), line in self._lines.items():
            told = [line.get(name) for name in names]
            rows.append([stage, moment, *(f"{each['look']} / {each['count']}" if each else "" for each in told)])
        path.write_text(HEAD + "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows))
