"""What the callers of interrupted calls were told, as a table."""

from collections import Counter

from harness.catalogue import CLIENTS

HEAD = """# The kill matrix

Written by `.ci/e2e --only matrix --full`. The server that a session lives on is killed (`kill -9`) at the given moment;
then the client calls on. A cell says what became of the call that was interrupted, of a tool that is safe to repeat / of
one that counts: `success`, or the `delivery` of the error. `ok` stands where no call was interrupted. In every cell the
client has sent `initialize` once, has kept its session id (in HTTP+SSE its stream), its next call succeeds within 5 s, and
the servers' ledgers agree with what it was told: `success` has run once, `not_sent` has not run, and `unknown` is said only
where a server has shown that it had the call. "a stream open" also means that what a server announces afterwards is heard.
"no server left" kills all of them, the call begins then, and within 5 s of their return one succeeds.
"""


class Table:
    """One line per stage and moment, one column per client."""

    def __init__(self):
        self._lines = {}
        self.cells = 0

    def add(self, stage, words):
        """The cells of one stage."""
        for play, word in words.items():
            line = self._lines.setdefault((stage, play.moment.name), {})
            line.setdefault(play.client.name, {})[play.tool] = word
            self.cells += 1

    def rows(self):
        """Server, moment and so on of each cell."""
        lines = self._lines.items()
        return [(stage, client, moment, tool) for (stage, moment), line in lines for client in line for tool in line[client]]

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
