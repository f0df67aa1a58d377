// The scenario of watches that fire once.
'use strict';

const assert = require('assert');
const { eventually } = require('./world');

// Notes the events of a watch.
class Watch {
  constructor() {
    this.seen = [];
    this.watcher = (event) => this.seen.push(`${event.getName()} ${event.getPath()}`);
  }

  // Waits for an event, which must be the only one.
  async firesOnce(name, path) {
    await eventually(`${name} of ${path}`, () => this.seen.length > 0);
    assert.deepStrictEqual(this.seen, [`${name} ${path}`]);
  }
}

async function watchOnce(world) {
  const client = await world.rooted();
  const writer = await world.client();
  const node = `${world.root}/node`;
  const created = new Watch();
  const listed = new Watch();
  assert.strictEqual(await client.stat(node, created.watcher), null);
  await client.list(world.root, listed.watcher);
  await writer.create(node);
  await created.firesOnce('NODE_CREATED', node);
  await listed.firesOnce('NODE_CHILDREN_CHANGED', world.root);

  const changed = new Watch();
  await client.get(node, changed.watcher);
  await writer.set(node, '1');
  await changed.firesOnce('NODE_DATA_CHANGED', node);
  await writer.set(node, '2');
  // A reply that shows the second write arrives behind every event of it.
  await eventually('the second write', async () => (await client.get(node)).text === '2');
  await changed.firesOnce('NODE_DATA_CHANGED', node);

  const deleted = new Watch();
  const emptied = new Watch();
  await client.stat(node, deleted.watcher);
  await client.list(node, emptied.watcher);
  await writer.remove(node);
  await deleted.firesOnce('NODE_DELETED', node);
  await emptied.firesOnce('NODE_DELETED', node);
}

module.exports = { Watch, watchOnce };
