// Points at which a server stops, so that the harness can kill it at exactly that moment; see python/holds.py.

import { appendFileSync, existsSync, renameSync } from 'node:fs';

const CUT = '#cut:';
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Holds {
  #options;

  /** The server's options: `holds` is the folder of points, `port` says who stands there, and calls go into `ledger`. */
  constructor(options) {
    this.#options = options;
  }

  armed(point) {
    return this.#options.holds !== undefined && existsSync(`${this.#options.holds}/${point}`);
  }

  async at(point) {
    if (!this.armed(point)) return;
    const standing = `${this.#options.holds}/${point}.${this.#options.port}`;
    try {
      renameSync(`${this.#options.holds}/${point}`, standing);
    } catch {
      return;
    }
    while (existsSync(standing)) await later(20);
  }

  /** What both tools do: write the call into the ledger; all points are on the way. The tool's text. */
  async perform(call, progress) {
    await this.at(`${call}.begun`);
    // One write(2), and no buffer that a `kill -9` would take along.
    appendFileSync(this.#options.ledger, `${call}\n`);
    await this.at(`${call}.done`);
    if (this.armed(`${call}.event`)) {
      await progress();
      await this.at(`${call}.event`);
    }
    return this.armed(`${call}.body`) ? `${call} ${CUT}${call}.body#` : call;
  }

  /** Makes the answer stop where it is cut, and before its head if it is the first one that a client gets. */
  around(res, request) {
    const { method, params } = request ?? {};
    let opening;
    if (method === 'initialize') opening = params.clientInfo.name;
    if (method === 'server/discover') opening = params._meta['io.modelcontextprotocol/clientInfo'].name;
    const [write, end] = [res.write.bind(res), res.end.bind(res)];
    let order = opening === undefined ? Promise.resolve() : this.at(`opening-${opening}`);
    if (opening !== undefined) {
      // Node writes the head with the first piece of the body, or alone when it is flushed.
      res.flushHeaders = () => {};
    }
    const next = (piece, last) => {
      order = order.then(async () => {
        let text = piece === undefined || piece === null ? '' : Buffer.from(piece).toString();
        const middle = text.indexOf(CUT);
        if (middle >= 0) {
          write(text.slice(0, middle));
          await this.at(text.slice(middle + CUT.length).split('#')[0]);
          text = text.slice(middle);
        }
        if (text) write(text);
        if (last) end();
      });
    };
    res.write = (piece) => {
      next(piece, false);
      return true;
    };
    res.end = (piece) => {
      next(typeof piece === 'function' ? undefined : piece, true);
      return res;
    };
  }
}
