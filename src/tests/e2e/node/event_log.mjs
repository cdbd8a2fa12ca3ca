// The events of one session, kept in memory and in order so that a cut stream can be resumed.

export class EventLog {
  #events = [];

  async storeEvent(stream, message) {
    this.#events.push({ stream, message });
    return `${stream}/${this.#events.length}`;
  }

  async getStreamIdForEventId(id) {
    return id.slice(0, id.lastIndexOf('/'));
  }

  async replayEventsAfter(id, { send }) {
    const at = id.lastIndexOf('/');
    const stream = id.slice(0, at);
    for (let index = Number(id.slice(at + 1)); index < this.#events.length; index++) {
      const event = this.#events[index];
      // A priming event is stored as an empty message, and is no message to replay.
      if (event.stream === stream && event.message.jsonrpc) await send(`${stream}/${index + 1}`, event.message);
    }
    return stream;
  }
}
